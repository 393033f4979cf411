#include "net/front.h"

#include <errno.h>
#include <unistd.h>

#include "base/fdpass.h"

int
front_take(char text[FRONT_PACKET_MAX], size_t *n, int *fd)
{
	size_t count;
	int r;

	do {
		if (fd_send(STDIN_FILENO, S("idle\n"), NULL, 0) == -1)
			return 0;
		r = fd_recv(STDIN_FILENO, text, FRONT_PACKET_MAX, n, fd, 1,
		    &count);
		if (r != 1)
			return r == -1 && errno == EINTR ? 0 : r;
	} while (count != 1);
	if (fd_send(STDIN_FILENO, S("taken\n"), NULL, 0) == 0)
		return 1;
	close(*fd);
	return 0;
}
