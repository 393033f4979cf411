#include "net/net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"

union sockaddr_any {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	struct sockaddr_un un;
	struct sockaddr_storage ss;
};

/* Close and give -1, keeping errno. */
static int
fail(int fd)
{
	int e = errno;

	close(fd);
	errno = e;
	return -1;
}

static int
on(int fd, int level, int name)
{
	int one = 1;

	return setsockopt(fd, level, name, &one, sizeof(one));
}

static socklen_t
inet_address(const struct ip *ip, uint16_t port, union sockaddr_any *u)
{
	memset(u, 0, sizeof(*u));
	if (ip->family == AF_INET) {
		u->in.sin_family = AF_INET;
		u->in.sin_port = htons(port);
		memcpy(&u->in.sin_addr, ip->b, 4);
		return sizeof(u->in);
	}
	u->in6.sin6_family = AF_INET6;
	u->in6.sin6_port = htons(port);
	memcpy(&u->in6.sin6_addr, ip->b, 16);
	return sizeof(u->in6);
}

int
net_listen(const struct ip *ip, uint16_t port, int backlog)
{
	union sockaddr_any u;
	socklen_t len = inet_address(ip, port, &u);
	int fd = socket(ip->family,
	    SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd == -1)
		return -1;
	if (on(fd, SOL_SOCKET, SO_REUSEADDR) == -1 ||
	    (ip->family == AF_INET6 &&
	    on(fd, IPPROTO_IPV6, IPV6_V6ONLY) == -1) ||
	    bind(fd, &u.sa, len) == -1 || listen(fd, backlog) == -1)
		return fail(fd);
	return fd;
}

/* Wait for a connection that is under way. */
static int
connect_finish(int fd, int64_t deadline)
{
	int e = 0, r = poll_until(fd, POLLOUT, deadline);
	socklen_t len = sizeof(e);

	if (r == 0)
		errno = ETIMEDOUT;
	if (r <= 0)
		return -1;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &e, &len) == -1)
		return -1;
	errno = e;
	return e == 0 ? 0 : -1;
}

int
net_connect(const struct ip *ip, uint16_t port, const struct ip *from, int ms)
{
	union sockaddr_any u;
	int64_t deadline = clock_ms() + ms;
	socklen_t len;
	int fd = socket(ip->family,
	    SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd == -1)
		return -1;
	if (from != NULL) {
		len = inet_address(from, 0, &u);
		if (bind(fd, &u.sa, len) == -1)
			return fail(fd);
	}
	len = inet_address(ip, port, &u);
	if (connect(fd, &u.sa, len) == -1 &&
	    ((errno != EINPROGRESS && errno != EINTR) ||
	    connect_finish(fd, deadline) == -1))
		return fail(fd);
	if (fcntl(fd, F_SETFL, 0) == -1 ||
	    on(fd, IPPROTO_TCP, TCP_NODELAY) == -1)
		return fail(fd);
	return fd;
}

int
net_name(int fd, int local, struct ip *ip, uint16_t *port)
{
	static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };
	union sockaddr_any u = { .sa.sa_family = AF_UNSPEC };
	socklen_t len = sizeof(u);
	int r;

	r = local ? getsockname(fd, &u.sa, &len) : getpeername(fd, &u.sa, &len);
	if (r == -1)
		return -1;
	memset(ip, 0, sizeof(*ip));
	if (u.sa.sa_family == AF_INET) {
		ip->family = AF_INET;
		memcpy(ip->b, &u.in.sin_addr, 4);
		*port = ntohs(u.in.sin_port);
	} else if (u.sa.sa_family == AF_INET6) {
		const unsigned char *b = u.in6.sin6_addr.s6_addr;
		bool v4 = memcmp(b, mapped, sizeof(mapped)) == 0;

		ip->family = v4 ? AF_INET : AF_INET6;
		memcpy(ip->b, v4 ? b + 12 : b, v4 ? 4 : 16);
		*port = ntohs(u.in6.sin6_port);
	} else {
		errno = EAFNOSUPPORT;
		return -1;
	}
	return 0;
}

/*
 * The address of a socket file. A path that does not fit goes by a descriptor
 * of its directory, *dir, which the caller closes (-1: none).
 */
static int
unix_address(const char *path, union sockaddr_any *u, int *dir)
{
	const char *slash = strrchr(path, '/');
	const size_t room = sizeof(u->un.sun_path);
	char *parent;
	int n;

	*dir = -1;
	memset(u, 0, sizeof(*u));
	u->un.sun_family = AF_UNIX;
	if (slice_cstr(slice_str(path), u->un.sun_path, room) == 0)
		return 0;
	if (slash == NULL || slash == path) {
		errno = ENAMETOOLONG;
		return -1;
	}
	parent = slice_dup(slice_of(path, (size_t)(slash - path)));
	*dir = open(parent, O_PATH | O_DIRECTORY | O_CLOEXEC);
	free(parent);
	if (*dir == -1)
		return -1;
	n = snprintf(u->un.sun_path, room, "/proc/self/fd/%d/%s", *dir,
	    slash + 1);
	if (n < 0 || (size_t)n >= room) {
		errno = ENAMETOOLONG;
		return fail(*dir);
	}
	return 0;
}

static int
unix_socket_connect(const union sockaddr_any *u)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (fd == -1)
		return -1;
	if (connect(fd, &u->sa, sizeof(u->un)) == -1)
		return fail(fd);
	return fd;
}

int
unix_connect(const char *path)
{
	union sockaddr_any u;
	int dir, fd;

	if (unix_address(path, &u, &dir) == -1)
		return -1;
	fd = unix_socket_connect(&u);
	if (dir != -1) {
		if (fd == -1)
			return fail(dir);
		close(dir);
	}
	return fd;
}

/* Whether nobody listens there; if not, errno is EADDRINUSE. */
static bool
unix_is_free(const char *path)
{
	int fd = unix_connect(path);

	if (fd == -1 && (errno == ENOENT || errno == ECONNREFUSED))
		return true;
	if (fd != -1)
		close(fd);
	errno = EADDRINUSE;
	return false;
}

/* A socket file that listens from the start: 0, or -1. */
static int
unix_bind(int fd, const char *path, mode_t mode)
{
	union sockaddr_any u;
	int dir, r;

	if (unix_address(path, &u, &dir) == -1)
		return -1;
	/*
	 * The mode of the socket becomes that of the file, less the umask:
	 * it is never wider than asked for. chmod then undoes the umask.
	 */
	r = fchmod(fd, mode) == -1 || bind(fd, &u.sa, sizeof(u.un)) == -1 ||
	    chmod(path, mode) == -1 || listen(fd, SOMAXCONN) == -1 ? -1 : 0;
	if (dir != -1 && r == -1)
		return fail(dir);
	if (dir != -1)
		close(dir);
	return r;
}

int
unix_listen(const char *path, mode_t mode)
{
	/* Between bind and listen it would refuse who connects already, and
	 * look stale to another that starts: so under a name of our own. */
	char *own = xprintf("%s.%ld", path, (long)getpid());
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK,
	    0), e;

	if (fd != -1 && (unix_bind(fd, own, mode) == -1 ||
	    !unix_is_free(path) || rename(own, path) == -1)) {
		e = errno;
		close(fd);
		unlink(own);
		errno = e;
		fd = -1;
	}
	free(own);
	return fd;
}

int
unix_peer_uid(int fd, uid_t *uid)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == -1)
		return -1;
	*uid = cred.uid;
	return 0;
}
