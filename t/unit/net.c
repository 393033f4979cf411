/* Sockets: TCP with deadlines, socket files with long names. */
#include "net/net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fdpass.h"
#include "tap.h"

static const struct ip loop4 = { AF_INET, { 127, 0, 0, 1 } };
static const struct ip loop4b = { AF_INET, { 127, 0, 0, 2 } };
static const struct ip loop6 = { AF_INET6, { [15] = 1 } };

static void
tcp(const struct ip *ip, const struct ip *from, const char *name)
{
	struct ip peer, local;
	uint16_t port = 0, other = 0;
	int one = 0, l, c, a;
	socklen_t len = sizeof(one);

	l = net_listen(ip, 0, 5);
	if (l == -1 && ip->family == AF_INET6) {
		ok(true, "%s # SKIP no IPv6", name);
		return;
	}
	ok(l != -1 && net_name(l, 1, &local, &port) == 0 && port != 0,
	    "%s: listen", name);
	c = net_connect(ip, port, from, 2000);
	ok(c != -1, "%s: connect", name);
	ok(poll_until(l, 1, clock_ms() + 2000) != 0, "%s: waiting", name);
	a = accept(l, NULL, NULL);
	ok(a != -1 && net_name(a, 0, &peer, &other) == 0 &&
	    net_name(c, 1, &local, &port) == 0 && port == other &&
	    memcmp(&peer, &local, sizeof(peer)) == 0, "%s: names", name);
	if (from != NULL)
		ok(memcmp(&peer, from, sizeof(peer)) == 0, "%s: from", name);
	ok(getsockopt(c, IPPROTO_TCP, TCP_NODELAY, &one, &len) == 0 && one,
	    "%s: TCP_NODELAY", name);
	ok((fcntl(c, F_GETFD) & FD_CLOEXEC) && !(fcntl(c, F_GETFL) & O_NONBLOCK),
	    "%s: blocking, close-on-exec", name);
	ok(net_listen(ip, 1, 1) == -1 || geteuid() == 0, "%s: port 1", name);
	close(a);
	close(c);
	net_name(l, 1, &local, &port) == 0 ? (void)0 : abort();
	close(l);
	ok(net_connect(ip, port, NULL, 2000) == -1 && errno == ECONNREFUSED,
	    "%s: refused", name);
}

/* A full accept queue takes no more connections: the deadline holds. */
static void
deadline(void)
{
	struct ip local;
	uint16_t port = 0;
	int l = net_listen(&loop4, 0, 0), c[8], n = 0, timed_out = 0;
	int64_t before = 0;

	if (l == -1 || net_name(l, 1, &local, &port) == -1)
		abort();
	for (n = 0; n < 8 && !timed_out; n++) {
		before = clock_ms();
		c[n] = net_connect(&loop4, port, NULL, 100);
		timed_out = c[n] == -1 && errno == ETIMEDOUT;
	}
	ok(timed_out, "full queue: ETIMEDOUT");
	ok(clock_ms() - before < 2000, "in time");
	while (n-- > 0)
		if (c[n] != -1)
			close(c[n]);
	close(l);
}

static void
unix_path(const char *path, const char *name)
{
	struct stat st;
	char buf[16];
	uid_t uid = (uid_t)-1;
	size_t n = 0, count = 0;
	int l, c, a, fds[1];

	umask(077);
	l = unix_listen(path, 0660);
	ok(l != -1, "%s: listen", name);
	ok(stat(path, &st) == 0 && (st.st_mode & 07777) == 0660,
	    "%s: mode whatever the umask", name);
	ok(unix_listen(path, 0600) == -1 && errno == EADDRINUSE,
	    "%s: taken", name);
	a = accept(l, NULL, NULL); /* the probe */
	close(a);
	c = unix_connect(path);
	a = accept(l, NULL, NULL);
	ok(c != -1 && a != -1 && fd_send(c, S("hi"), NULL, 0) == 0 &&
	    fd_recv(a, buf, sizeof(buf), &n, fds, 1, &count) == 1 && n == 2,
	    "%s: a packet", name);
	ok(unix_peer_uid(a, &uid) == 0 && uid == geteuid(), "%s: uid", name);
	close(a);
	close(c);
	close(l);
	ok(unix_connect(path) == -1 && errno == ECONNREFUSED,
	    "%s: nobody listens", name);
	l = unix_listen(path, 0600);
	ok(l != -1, "%s: a stale file is replaced", name);
	close(l);
	unlink(path);
	ok(unix_connect(path) == -1 && errno == ENOENT, "%s: no file", name);
}

/* Who sees the file finds a listener, at once. */
static void
listens_from_the_start(const char *dir)
{
	enum { TIMES = 300 };
	char path[4096];
	int refused = 0, status, fd[TIMES];
	pid_t pid = fork();

	for (int i = 0; i < TIMES; i++) {
		snprintf(path, sizeof(path), "%s/%d", dir, i);
		if (pid != 0) {
			fd[i] = unix_listen(path, 0600);
			continue;
		}
		while (access(path, F_OK) == -1)
			;
		refused += unix_connect(path) == -1;
	}
	if (pid == 0)
		_exit(refused != 0);
	ok(waitpid(pid, &status, 0) == pid && status == 0,
	    "%d sockets, each listens when it is seen", TIMES);
	for (int i = 0; i < TIMES; i++) {
		snprintf(path, sizeof(path), "%s/%d", dir, i);
		unlink(path);
		close(fd[i]);
	}
}

int
main(void)
{
	char dir[200] = "/tmp/pneu-net-XXXXXX", path[400], deep[130];

	plan(0);
	if (mkdtemp(dir) == NULL)
		return 1;
	tcp(&loop4, NULL, "IPv4");
	tcp(&loop4, &loop4b, "IPv4 from an address");
	tcp(&loop6, NULL, "IPv6");
	deadline();
	snprintf(path, sizeof(path), "%s/s", dir);
	unix_path(path, "short path");
	memset(deep, 'd', sizeof(deep) - 1);
	deep[sizeof(deep) - 1] = '\0';
	snprintf(path, sizeof(path), "%s/%s", dir, deep);
	if (mkdir(path, 0700) == -1)
		return 1;
	snprintf(path, sizeof(path), "%s/%s/sock", dir, deep);
	unix_path(path, "long path");
	ok(unix_listen("/nonexistent/s", 0600) == -1 && errno == ENOENT,
	    "no directory");
	listens_from_the_start(dir);
	snprintf(path, sizeof(path), "%s/%s", dir, deep);
	rmdir(path);
	ok(rmdir(dir) == 0, "nothing left");
	return done();
}
