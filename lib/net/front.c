#include "net/front.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/fdpass.h"
#include "base/log.h"
#include "base/rid.h"
#include "net/iplimit.h"
#include "net/net.h"

#define LISTENERS_MAX 64
#define BACKLOG 1024
#define EVENTS 64
#define SPARE_MS 10000   /* an idle child beyond the first ends after this */
#define STARTING_MAX 4   /* children started at the same time */
#define BACKOFF_MS 200   /* after a child that died before it was ready, */
#define BACKOFF_MOST 10000 /* doubled up to this */
#define STOP_MS 3000     /* children may finish this long after SIGTERM */

struct listener {
	int fd;
	char *service, *attrs;
	struct ip ip;
	uint16_t port;
};

/* A connection until a child has taken it. */
struct conn {
	int fd; /* -1 = none */
	struct ip ip;
	struct strbuf packet;
};

enum child_state { FREE, STARTING, IDLE, BUSY };

struct child {
	enum child_state state;
	pid_t pid;
	int sock;
	struct conn conn;   /* its fd is -1 once the child has taken it */
	int64_t idle_since;
};

/* Marks in epoll's data; a child has its number. */
enum { MARK_ACCEPT = -1, MARK_SIGNAL = -2 };

struct front {
	struct front_config c;
	struct iplimit *limits;
	struct listener listener[LISTENERS_MAX];
	size_t listeners;
	int accepting; /* epoll of the listeners, nested in all */
	int all;
	int signals;
	bool paused;   /* `accepting' is not watched */
	struct child *child; /* c.processes of them */
	unsigned running, starting;
	unsigned *idle; /* stack of idle children: the last is used first */
	unsigned idles;
	unsigned failures; /* children in a row that died before being ready */
	int64_t not_before;
	struct conn *held; /* whose child died before taking them */
	unsigned helds;
	bool stop;
};

struct front *
front_new(const struct front_config *c)
{
	struct front *f = xcalloc(1, sizeof(*f));

	f->c = *c;
	f->limits = iplimit_new(c->per_ip, c->rate);
	f->child = xcalloc(c->processes, sizeof(*f->child));
	f->idle = xcalloc(c->processes, sizeof(*f->idle));
	f->held = xcalloc(c->processes, sizeof(*f->held));
	f->accepting = f->all = f->signals = -1;
	return f;
}

static void
conn_drop(struct conn *c)
{
	if (c->fd != -1)
		close(c->fd);
	sb_free(&c->packet);
	c->fd = -1;
}

void
front_free(struct front *f)
{
	if (f == NULL)
		return;
	for (size_t i = 0; i < f->listeners; i++) {
		close(f->listener[i].fd);
		free(f->listener[i].service);
		free(f->listener[i].attrs);
	}
	if (f->accepting != -1)
		close(f->accepting);
	if (f->all != -1)
		close(f->all);
	if (f->signals != -1)
		close(f->signals);
	while (f->helds != 0)
		conn_drop(&f->held[--f->helds]);
	free(f->held);
	iplimit_free(f->limits);
	free(f->child);
	free(f->idle);
	free(f);
}

int
front_listen(struct front *f, const char *service, const struct ip *ip,
    uint16_t port, struct slice attrs)
{
	struct listener *l = &f->listener[f->listeners];
	int on = 1;

	if (f->listeners == LISTENERS_MAX) {
		errno = ENOSPC;
		return -1;
	}
	*l = (struct listener){ .fd = net_listen(ip, port, BACKLOG) };
	if (l->fd == -1 || fcntl(l->fd, F_SETFL, O_NONBLOCK) == -1)
		return -1;
	/* Accepted sockets inherit these. */
	setsockopt(l->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(l->fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	l->service = xstrdup(service);
	l->attrs = slice_dup(attrs);
	l->ip = *ip;
	l->port = port;
	f->listeners++;
	return 0;
}

static int
watch(int epoll, int fd, int mark)
{
	struct epoll_event ev = { .events = EPOLLIN, .data = { .fd = mark } };

	return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &ev);
}

static void
set_paused(struct front *f, bool paused)
{
	struct epoll_event ev = { .events = paused ? 0 : EPOLLIN,
		.data = { .fd = MARK_ACCEPT } };

	if (f->paused == paused)
		return;
	f->paused = paused;
	if (epoll_ctl(f->all, EPOLL_CTL_MOD, f->accepting, &ev) == -1)
		log_sys("unable to watch for connections");
}

static void
count(struct front *f, enum front_count what)
{
	counter_add(f->c.counters, what, 1);
}

/* In the child, between fork and exec. */
static void
become(const struct front *f, int sock)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (dup2(sock, STDIN_FILENO) == -1)
		_exit(111);
	execv(f->c.argv[0], f->c.argv);
	_exit(111);
}

/* Start one child: 0, or -1. */
static int
start_child(struct front *f)
{
	int pair[2], i = 0;
	struct child *c;

	while (f->child[i].state != FREE)
		i++;
	c = &f->child[i];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == -1)
		return -1;
	*c = (struct child){ .state = STARTING, .sock = pair[0],
		.conn = { .fd = -1 } };
	if (fcntl(c->sock, F_SETFL, O_NONBLOCK) == -1 ||
	    watch(f->all, c->sock, i) == -1 || (c->pid = fork()) == -1) {
		int e = errno;

		close(pair[0]);
		close(pair[1]);
		*c = (struct child){ .state = FREE };
		errno = e;
		return -1;
	}
	if (c->pid == 0)
		become(f, pair[1]);
	close(pair[1]);
	f->running++;
	f->starting++;
	count(f, FRONT_STARTED);
	return 0;
}

/* Connections wait and nobody is idle. */
static void
grow(struct front *f, int64_t now)
{
	unsigned want = f->running / 4 + 1;

	if (want > STARTING_MAX)
		want = STARTING_MAX;
	while (f->starting < want && f->running < f->c.processes &&
	    now >= f->not_before)
		if (start_child(f) == -1) {
			log_sys("unable to start %s", f->c.argv[0]);
			f->not_before = now + BACKOFF_MOST;
		}
}

static void
take_out(unsigned *list, unsigned *n, unsigned number)
{
	for (unsigned i = 0; i < *n; i++)
		if (list[i] == number) {
			memmove(&list[i], &list[i + 1],
			    (*n - i - 1) * sizeof(*list));
			--*n;
			return;
		}
}

/* Give a connection to an idle child, or keep it until there is one. */
static void
hand_over(struct front *f, struct conn *conn)
{
	while (f->idles != 0) {
		unsigned number = f->idle[--f->idles];
		struct child *c = &f->child[number];

		if (fd_send(c->sock, sb_slice(&conn->packet), &conn->fd, 1) ==
		    0) {
			c->state = BUSY;
			c->conn = *conn;
			return;
		}
		/* It died just now; its end of file will be seen. */
	}
	f->held[f->helds++] = *conn;
}

static void
child_starts_failed(struct front *f)
{
	unsigned n = f->failures < 6 ? f->failures : 6;
	int64_t wait = (int64_t)BACKOFF_MS << n;

	f->starting--;
	f->failures++;
	f->not_before = clock_ms() +
	    (wait < BACKOFF_MOST ? wait : BACKOFF_MOST);
}

/*
 * A child's socket has closed: it is gone, or will be. If it did not take its
 * connection, that goes to another.
 */
static void
child_gone(struct front *f, unsigned number)
{
	struct child *c = &f->child[number];
	struct conn again = { .fd = -1 };

	if (c->state == STARTING)
		child_starts_failed(f);
	else if (c->state == IDLE)
		take_out(f->idle, &f->idles, number);
	else if (c->conn.fd != -1)
		again = c->conn;
	else
		iplimit_leave(f->limits, &c->conn.ip);
	close(c->sock);
	*c = (struct child){ .state = FREE };
	f->running--;
	if (again.fd != -1)
		hand_over(f, &again);
}

static void
child_ready(struct front *f, unsigned number)
{
	struct child *c = &f->child[number];

	if (c->state == STARTING) {
		f->starting--;
		f->failures = 0;
		f->not_before = 0;
	} else {
		iplimit_leave(f->limits, &c->conn.ip);
		conn_drop(&c->conn);
	}
	c->state = IDLE;
	c->idle_since = clock_ms();
	f->idle[f->idles++] = number;
	if (f->helds != 0) {
		struct conn conn = f->held[--f->helds];

		hand_over(f, &conn);
	}
}

static void
child_says(struct front *f, unsigned number)
{
	struct child *c = &f->child[number];
	char text[64];
	size_t n, fds;
	int r = fd_recv(c->sock, text, sizeof(text), &n, NULL, 0, &fds);

	if (r == -1 && (errno == EPROTO || errno == EAGAIN))
		return;
	if (r != 1)
		child_gone(f, number);
	else if (c->state == BUSY && slice_eq(slice_of(text, n), S("taken\n")))
		conn_drop(&c->conn); /* the child has a copy of its own */
	else if (c->state != IDLE) /* or it was said twice */
		child_ready(f, number);
}

static bool
is_any(const struct ip *ip)
{
	static const unsigned char zero[16];

	return memcmp(ip->b, zero, ip->family == AF_INET ? 4 : 16) == 0;
}

static void
put_ip(struct strbuf *p, const char *name, const struct ip *ip)
{
	struct strbuf text = STRBUF_INIT(64);

	ip_format(&text, ip);
	tuple_put(p, name, sb_slice(&text));
	sb_free(&text);
}

/* A connection that is within the limits. */
static void
dispatch(struct front *f, const struct listener *l, int fd, const struct ip *ip,
    uint16_t port)
{
	struct conn conn = { .fd = fd, .ip = *ip,
		.packet = STRBUF_INIT(4096) };
	struct strbuf *p = &conn.packet;
	struct ip local = l->ip;
	uint16_t local_port = l->port;
	char id[RID_LEN + 1];

	if (is_any(&local) && net_name(fd, 1, &local, &local_port) == -1) {
		iplimit_leave(f->limits, ip);
		close(fd); /* it has gone already */
		return;
	}
	rid_new(id);
	tuple_begin(p, "conn");
	tuple_puts(p, "id", id);
	tuple_puts(p, "service", l->service);
	put_ip(p, "ip", ip);
	tuple_putu(p, "port", port);
	put_ip(p, "local-ip", &local);
	tuple_putu(p, "local-port", local_port);
	sb_puts(p, l->attrs);
	tuple_end(p);
	hand_over(f, &conn);
}

static void
refuse(struct front *f, const struct listener *l, int fd, const struct ip *ip)
{
	struct slice text = f->c.refusal(l->service);
	struct strbuf *line = log_begin("refuse");

	tuple_puts(line, "service", l->service);
	put_ip(line, "ip", ip);
	log_end();
	count(f, FRONT_REFUSED);
	if (text.n != 0 &&
	    send(fd, text.p, text.n, MSG_DONTWAIT | MSG_NOSIGNAL) == -1 &&
	    errno != EPIPE && errno != ECONNRESET)
		log_sys("unable to refuse a connection");
	close(fd);
}

/* Take one connection: false when none waits. */
static bool
accept_one(struct front *f, const struct listener *l)
{
	struct ip ip;
	uint16_t port;
	int fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC);

	if (fd == -1) {
		if (errno == EMFILE || errno == ENFILE || errno == ENOMEM ||
		    errno == ENOBUFS) {
			log_sys("unable to accept");
			f->not_before = clock_ms() + BACKOFF_MS;
			set_paused(f, true);
		}
		return errno == ECONNABORTED;
	}
	if (net_name(fd, 0, &ip, &port) == -1)
		close(fd);
	else if (!iplimit_enter(f->limits, &ip, clock_ms() / 1000))
		refuse(f, l, fd, &ip);
	else {
		count(f, FRONT_ACCEPTED);
		dispatch(f, l, fd, &ip, port);
	}
	return true;
}

/* Somebody connects: without an idle child it waits until there is one. */
static void
accept_all(struct front *f)
{
	struct epoll_event ev[LISTENERS_MAX];
	int n;

	if (f->idles == 0 || f->helds != 0) {
		set_paused(f, true);
		return;
	}
	n = epoll_wait(f->accepting, ev, LISTENERS_MAX, 0);
	for (int i = 0; i < n; i++)
		while (f->idles != 0 && accept_one(f, &f->listener[ev[i].data.fd]))
			;
}

static void
reap(struct front *f)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
			continue;
		if (f->stop && WIFSIGNALED(status))
			continue;
		count(f, FRONT_DIED);
		if (WIFSIGNALED(status))
			log_error("%s (%ld) died of signal %d", f->c.argv[0],
			    (long)pid, WTERMSIG(status));
		else
			log_error("%s (%ld) exited %d", f->c.argv[0], (long)pid,
			    WEXITSTATUS(status));
	}
}

static void
on_signal(struct front *f)
{
	struct signalfd_siginfo si;

	if (read(f->signals, &si, sizeof(si)) != sizeof(si))
		return;
	if (si.ssi_signo == SIGCHLD)
		reap(f);
	else
		f->stop = true;
}

/* End what has been idle for long, but the one used last. */
static void
trim(struct front *f, int64_t now)
{
	while (f->idles > 1) {
		unsigned number = f->idle[0];

		if (now - f->child[number].idle_since < SPARE_MS)
			return;
		child_gone(f, number);
	}
}

/* How long epoll may wait. */
static int
patience(const struct front *f, int64_t now)
{
	/* For a child to be started, or until one may accept again. */
	if ((f->paused || f->helds != 0) && f->not_before > now)
		return (int)(f->not_before - now);
	if (f->idles > 1)
		return SPARE_MS / 2;
	return -1;
}

static int
open_loop(struct front *f)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGCHLD);
	f->all = epoll_create1(EPOLL_CLOEXEC);
	f->accepting = epoll_create1(EPOLL_CLOEXEC);
	f->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (f->all == -1 || f->accepting == -1 || f->signals == -1 ||
	    sigprocmask(SIG_BLOCK, &set, NULL) == -1 ||
	    watch(f->all, f->signals, MARK_SIGNAL) == -1 ||
	    watch(f->all, f->accepting, MARK_ACCEPT) == -1)
		return -1;
	for (size_t i = 0; i < f->listeners; i++)
		if (watch(f->accepting, f->listener[i].fd, (int)i) == -1)
			return -1;
	return 0;
}

static void
stop_children(struct front *f)
{
	int64_t by = clock_ms() + STOP_MS;

	for (unsigned i = 0; i < f->c.processes; i++)
		if (f->child[i].state != FREE) {
			kill(f->child[i].pid, SIGTERM);
			close(f->child[i].sock);
		}
	while (f->running != 0 && clock_left(by) > 0) {
		int status;
		pid_t pid = waitpid(-1, &status, WNOHANG);

		if (pid == -1 && errno == ECHILD)
			return;
		if (pid <= 0)
			poll_until(f->signals, EPOLLIN, clock_ms() + 50);
	}
	for (unsigned i = 0; i < f->c.processes; i++)
		if (f->child[i].state != FREE)
			kill(f->child[i].pid, SIGKILL);
}

static void
on_event(struct front *f, int mark)
{
	if (mark == MARK_ACCEPT)
		accept_all(f);
	else if (mark == MARK_SIGNAL)
		on_signal(f);
	else if (f->child[mark].state != FREE)
		child_says(f, (unsigned)mark);
}

int
front_run(struct front *f)
{
	struct epoll_event ev[EVENTS];

	if (open_loop(f) == -1)
		return -1;
	while (!f->stop) {
		int64_t now = clock_ms();
		int n = epoll_wait(f->all, ev, EVENTS, patience(f, now));

		if (n == -1 && errno != EINTR)
			return -1;
		for (int i = 0; i < n; i++)
			on_event(f, ev[i].data.fd);
		now = clock_ms();
		if (f->idles != 0 && f->helds == 0 && now >= f->not_before)
			set_paused(f, false);
		else if (f->idles == 0 && (f->paused || f->helds != 0))
			grow(f, now);
		trim(f, now);
	}
	stop_children(f);
	return 0;
}
