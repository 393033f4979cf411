#include "net/ask.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fdpass.h"
#include "net/net.h"

#define ANSWER_MAX 16384

void
service_close(struct service *sv)
{
	if (sv->fd != -1)
		close(sv->fd);
	sv->fd = -1;
}

/* Between requests nothing is to be read: something is, or the end. */
static bool
is_stale(int fd)
{
	char c;

	return recv(fd, &c, 1, MSG_PEEK | MSG_DONTWAIT) != -1 ||
	    errno != EAGAIN;
}

int
service_fd(struct service *sv)
{
	if (sv->fd != -1 && is_stale(sv->fd))
		service_close(sv);
	if (sv->fd == -1)
		sv->fd = unix_connect(sv->path);
	return sv->fd;
}

static int
receive(int sock, int ms, struct arena *ar, struct tuple *answer, int *got)
{
	unsigned char buf[ANSWER_MAX];
	struct tuple_reader r;
	size_t n, count;
	int fd = -1, ready;

	ready = poll_until(sock, POLLIN, clock_ms() + ms);
	if (ready <= 0) {
		errno = ready == 0 ? ETIMEDOUT : errno;
		return -1;
	}
	ready = fd_recv(sock, buf, sizeof(buf), &n, &fd, got != NULL, &count);
	if (ready <= 0) {
		errno = ready == 0 ? EPIPE : errno;
		return -1;
	}
	tuple_reader_init(&r, arena_copy(ar, slice_of(buf, n)));
	if (tuple_next(&r, ar, answer) != 1) {
		if (count == 1)
			close(fd);
		errno = EPROTO;
		return -1;
	}
	if (got != NULL)
		*got = count == 1 ? fd : -1;
	return 0;
}

int
service_ask(struct service *sv, bool first, struct slice text, int fd, int ms,
    struct arena *ar, struct tuple *answer, int *got)
{
	int sock = first ? service_fd(sv) : sv->fd, e;

	if (sock == -1)
		return -1;
	if (fd_send(sock, text, &fd, fd != -1) == 0 &&
	    receive(sock, ms, ar, answer, got) == 0)
		return 0;
	e = errno;
	service_close(sv);
	errno = e;
	return -1;
}
