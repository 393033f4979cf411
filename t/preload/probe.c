/*
 * probe.so - what can a program of the suite do once it is confined?
 *
 * Preloaded by t/system/cage.t. Before the first wait or read behind confine()
 * it tries what an intruder would, and says on fd 2 "probe prog=NAME can=...".
 */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static int done;
static char can[256]; /* names of what worked */

static void
worked(const char *name)
{
	size_t n = strlen(can);

	snprintf(can + n, sizeof(can) - n, "%s%s", n != 0 ? " " : "", name);
}

static int
confined(void)
{
	int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);

	if (fd == -1)
		return 1;
	close(fd);
	return 0;
}

static void
try_open(const char *root, const char *name, const char *file, int flags)
{
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", root, file);
	fd = open(path, flags | O_CLOEXEC, 0600);
	if (fd == -1)
		return;
	worked(name);
	close(fd);
	if (flags & O_CREAT)
		unlink(path);
}

static void
try_tcp(const char *port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	sa.sin_port = htons((unsigned short)atoi(port));
	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd == -1)
		return;
	/* Refused: the kernel let it through, and nobody listens there yet. */
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0 ||
	    errno == ECONNREFUSED)
		worked("tcp");
	close(fd);
}

static void
probe(void)
{
	const char *root = getenv("PNEU_ROOT"), *port = getenv("PROBE_PORT");
	int e = errno;

	if (done || root == NULL || port == NULL || !confined())
		return;
	done = 1;
	try_open("/etc", "etc", "passwd", O_RDONLY);
	try_open(root, "conf", "cdb/conf.cdb", O_RDONLY);
	try_open(root, "passwd", "secret/auth/passwd", O_RDONLY);
	try_open(root, "tls", "secret/tls/localhost.key", O_RDONLY);
	try_open(root, "dkim", "secret/dkim/probe", O_RDONLY);
	try_open(root, "mail-read", "mail/pneu/Maildir", O_RDONLY);
	try_open(root, "mail-write", "mail/pneu/probe", O_WRONLY | O_CREAT);
	try_open(root, "own-write", "mail/alice/probe", O_WRONLY | O_CREAT);
	try_open(root, "queue", "queue/tmp/probe", O_WRONLY | O_CREAT);
	try_open(root, "conf-write", "conf/account/probe", O_WRONLY | O_CREAT);
	try_open(root, "cdb-write", "cdb/probe", O_WRONLY | O_CREAT);
	try_open(root, "case", "case/probe", O_WRONLY | O_CREAT);
	try_tcp(port);
	dprintf(STDERR_FILENO, "probe prog=%s can=\"%s\"\n",
	    program_invocation_short_name, can);
	errno = e;
}

#define NEXT(name) \
	static __typeof__(name) *next; \
	if (next == NULL) \
		next = (__typeof__(name) *)dlsym(RTLD_NEXT, #name); \
	probe()

ssize_t
recvmsg(int fd, struct msghdr *m, int flags)
{
	NEXT(recvmsg);
	return next(fd, m, flags);
}

ssize_t
read(int fd, void *buf, size_t n)
{
	NEXT(read);
	return next(fd, buf, n);
}

int
poll(struct pollfd *p, nfds_t n, int ms)
{
	NEXT(poll);
	return next(p, n, ms);
}

int
epoll_wait(int fd, struct epoll_event *ev, int n, int ms)
{
	NEXT(epoll_wait);
	return next(fd, ev, n, ms);
}
