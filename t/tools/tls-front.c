/*
 * tls-front - stands where smtp-serve would, for tests of tls-serve
 * usage   tls-front SOCKET SERVICE MODE [COUNT]
 * Listens on a free port of 127.0.0.1 ("port N" on stdout), hands each
 * connection to tls-serve, prints the answer, and then, by MODE:
 *   echo   sends back what comes, closes at its end
 *   count  reads to the end, then says "got N" and closes
 *   bye    says "bye" and closes at once, reading nothing
 *   flood  sends COUNT MiB and closes
 *   hold   keeps the descriptor and does nothing
 */
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/die.h"
#include "base/fdpass.h"
#include "base/file.h"
#include "net/net.h"

static unsigned char buf[65536];

static void
converse(int fd, const char *mode, unsigned long count)
{
	unsigned long long total = 0;
	char text[64];
	ssize_t n;

	if (strcmp(mode, "bye") == 0) {
		if (write_all(fd, S("bye\r\n")) == -1)
			warn_sys("write");
		return;
	}
	for (unsigned long i = 0; strcmp(mode, "flood") == 0 &&
	    i < count * 16; i++)
		if (write_all(fd, slice_of(buf, sizeof(buf))) == -1)
			return;
	if (strcmp(mode, "flood") == 0)
		return;
	while ((n = read(fd, buf, sizeof(buf))) > 0) {
		total += (unsigned long long)n;
		if (strcmp(mode, "echo") == 0 &&
		    write_all(fd, slice_of(buf, (size_t)n)) == -1)
			return;
	}
	if (strcmp(mode, "count") == 0) {
		snprintf(text, sizeof(text), "got %llu\n", total);
		if (write_all(fd, slice_str(text)) == -1)
			warn_sys("write");
	}
}

/* Ask tls-serve: the plain descriptor, or -1; its answer is printed. */
static int
ask(const char *path, const char *service, int tcp)
{
	int sock = unix_connect(path), plain = -1;
	unsigned char answer[4096];
	size_t n, count = 0;
	char text[128];

	snprintf(text, sizeof(text), "tls service=%s conn=test\n", service);
	if (sock == -1 || fd_send(sock, slice_str(text), &tcp, 1) == -1)
		die_sys(EXIT_TEMP, "ask %s", path);
	close(tcp);
	if (fd_recv(sock, answer, sizeof(answer), &n, &plain, 1, &count) == 1 &&
	    write_all(1, slice_of(answer, n)) == -1)
		die_sys(EXIT_TEMP, "write");
	close(sock);
	return plain;
}

int
main(int argc, char **argv)
{
	struct ip ip = { AF_INET, { 127, 0, 0, 1 } };
	struct rlimit rl;
	uint16_t port;
	int fd, tcp;

	if (argc < 4 || (fd = net_listen(&ip, 0, 1024)) == -1 ||
	    net_name(fd, 1, &ip, &port) == -1)
		die_sys(EXIT_PERM, "listen");
	if (getrlimit(RLIMIT_NOFILE, &rl) == 0) {
		rl.rlim_cur = rl.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &rl) == -1)
			warn_sys("setrlimit");
	}
	printf("port %d\n", port);
	fflush(stdout);
	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		int plain;

		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		if (poll(&p, 1, -1) == -1 ||
		    (tcp = accept(fd, NULL, NULL)) == -1)
			continue;
		if (strcmp(argv[3], "hold") == 0) {
			if (ask(argv[1], argv[2], tcp) == -1)
				warn("no session");
			continue;
		}
		if (fork() == 0) {
			if ((plain = ask(argv[1], argv[2], tcp)) != -1)
				converse(plain, argv[3], argc > 4 ?
				    strtoul(argv[4], NULL, 10) : 0);
			_exit(0);
		}
		close(tcp);
	}
}
