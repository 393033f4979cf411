/*
 * park-hold - park sessions in imap-park whose clients leave at once
 * usage   park-hold [-n sessions] SOCKET ACCOUNT
 * Stands where imap-serve would and, like it for a moment, keeps its own
 * descriptors of the connections: until fd 0 ends. Prints "parked N" when all
 * clients have left.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/die.h"
#include "base/fdpass.h"
#include "base/file.h"
#include "net/net.h"

static void
park(const char *path, const char *account)
{
	char text[256], answer[256];
	int sock = unix_connect(path), sv[2];
	size_t n, fds;

	snprintf(text, sizeof(text), "park id=abcdefghijklmnop account=%s "
	    "enabled=0\n", account);
	if (sock == -1 ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) == -1 ||
	    fd_send(sock, slice_str(text), sv, 1) == -1 ||
	    fd_recv(sock, answer, sizeof(answer), &n, NULL, 0, &fds) != 1 ||
	    !slice_starts(slice_of(answer, n), S("ok")))
		die_sys(EXIT_TEMP, "park");
	close(sock);
	close(sv[1]);
}

int
main(int argc, char **argv)
{
	struct strbuf in = STRBUF_INIT(1024);
	int ch, count = 1;

	prog_set(argv[0]);
	while ((ch = getopt(argc, argv, "n:")) != -1)
		if (ch == 'n')
			count = atoi(optarg);
		else
			return EXIT_PERM;
	if (argc - optind != 2)
		return EXIT_PERM;
	for (int i = 0; i < count; i++)
		park(argv[optind], argv[optind + 1]);
	printf("parked %d\n", count);
	fflush(stdout);
	if (fd_slurp(0, &in) == -1)
		die_sys(EXIT_TEMP, "read");
	return EXIT_DONE;
}
