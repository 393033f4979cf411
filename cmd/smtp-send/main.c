/*
 * smtp-send - send messages to the mail hosts of a domain (RFC 5321)
 * usage   smtp-send [-C root] [-t seconds]
 * fd 2    log lines
 * socket  run/send: one worker for each connection; one request at a time,
 *         "send ..." and "rcpt ..." lines with the message's descriptor;
 *         answered by "result ..." lines and "end ..." (lib/README)
 * exit    0 on SIGTERM; 100 bad configuration; 111 try again
 * rights  once started: reads cdb/conf.cdb; network: TCP out, DNS
 */
#include "smtp-send.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/confine.h"
#include "base/die.h"
#include "base/fdpass.h"
#include "base/file.h"
#include "base/log.h"
#include "base/rid.h"
#include "base/tuple.h"
#include "conf/conf.h"
#include "conf/resolver.h"
#include "net/net.h"

/* A connection is kept open this long for the next message of the domain. */
#define IDLE_MS 4000
/* More workers than queue-run will ever ask for. */
#define WORKERS_MAX 1000
/* Results in one packet: each has at most some 1,500 bytes. */
#define RESULTS_PACKET 30
#define WORKER_MEMORY ((uint64_t)1 << 30)

static volatile sig_atomic_t stopping;

static void
on_stop(int sig)
{
	(void)sig;
	stopping = 1;
}

static void
on_child(int sig)
{
	(void)sig; /* only to interrupt poll() */
}

/* Bytes that may stand between < and > in a command. */
static bool
is_path(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < 0x20 || s.p[i] == 0x7f)
			return false;
	return s.n <= ADDR_LOCAL_MAX * 2 + ADDR_DOMAIN_MAX + 3;
}

static const char *
parse_send(struct request *q, const struct tuple *t, uint64_t *offset)
{
	q->id = tuple_value(t, "id");
	q->domain = tuple_value(t, "domain");
	q->from = tuple_value(t, "from");
	q->eight_bit = tuple_has(t, "body", "8bitmime");
	q->utf8 = tuple_has(t, "smtputf8", "yes");
	if (!tuple_is(t, "send") || !rid_ok(q->id))
		return "not a send record";
	if (tuple_u64(t, "size", INT64_MAX, &q->size) == -1 ||
	    tuple_u64(t, "offset", INT64_MAX, offset) == -1)
		return "bad size or offset";
	if (!is_path(q->from) || !is_path(q->domain) || q->domain.n == 0 ||
	    q->domain.n > ADDR_DOMAIN_MAX)
		return "bad sender or domain";
	return NULL;
}

/* NULL, or what is wrong with the packet. */
static const char *
parse_request(struct slice text, struct request *q, uint64_t *offset,
    struct arena *ar)
{
	struct tuple_reader rd;
	struct tuple t;
	const char *why;
	int r;

	tuple_reader_init(&rd, text);
	if (tuple_next(&rd, ar, &t) != 1)
		return "no record";
	if ((why = parse_send(q, &t, offset)) != NULL)
		return why;
	q->rcpt = arena_alloc(ar, RCPT_MAX * sizeof(*q->rcpt));
	while ((r = tuple_next(&rd, ar, &t)) == 1) {
		struct slice addr = tuple_value(&t, "addr");

		if (!tuple_is(&t, "rcpt") || q->rcpts == RCPT_MAX ||
		    addr.n == 0 || !is_path(addr))
			return "bad recipient";
		q->rcpt[q->rcpts++] = (struct rcpt){ .addr = addr };
	}
	return r == -1 ? "bad record" : q->rcpts == 0 ? "no recipient" : NULL;
}

static void
put_result(struct strbuf *sb, const struct rcpt *r)
{
	static const char *const status[] = { [R_SENT] = "sent",
		[R_REFUSED] = "refused", [R_DEFERRED] = "deferred" };

	tuple_begin(sb, "result");
	tuple_put(sb, "addr", r->addr);
	tuple_puts(sb, "status", status[r->state]);
	if (r->why.code != 0)
		tuple_putu(sb, "code", (uint64_t)r->why.code);
	tuple_opt(sb, "ecode", slice_str(r->why.ecode));
	tuple_opt(sb, "text", slice_str(r->why.text));
	tuple_opt(sb, "host", slice_str(r->why.host));
	tuple_opt(sb, "ip", slice_str(r->why.ip));
	tuple_opt(sb, "tls", slice_str(r->why.tls));
	tuple_end(sb);
}

static int
send_results(int sock, const struct request *q, const struct session *s)
{
	struct strbuf sb = STRBUF_INIT(PACKET_MAX);
	int r = 0;

	for (size_t i = 0; i < q->rcpts && r == 0; i++) {
		put_result(&sb, &q->rcpt[i]);
		if ((i + 1) % RESULTS_PACKET == 0 && i + 1 < q->rcpts) {
			r = fd_send(sock, sb_slice(&sb), NULL, 0);
			sb_reset(&sb);
		}
	}
	tuple_begin(&sb, "end");
	tuple_put(&sb, "id", q->id);
	tuple_puts(&sb, "open", s->fd != -1 ? "yes" : "no");
	tuple_end(&sb);
	if (r == 0)
		r = fd_send(sock, sb_slice(&sb), NULL, 0);
	sb_free(&sb);
	return r;
}

/* One request. -1 when the socket is of no use any more. */
static int
handle(int sock, struct slice text, int fd, struct session *s,
    struct arena *ar)
{
	struct request q = { .owner = sock };
	struct slice all = SLICE_NONE;
	const char *why;
	uint64_t offset = 0;
	int r = -1;

	why = parse_request(text, &q, &offset, ar);
	if (why == NULL && (fd == -1 || fd_map(fd, &all) == -1 ||
	    all.n < offset || all.n - offset != q.size))
		why = "bad message file";
	if (why != NULL) {
		log_error("request refused: %s", why);
		goto out;
	}
	q.msg = slice_skip(all, (size_t)offset);
	deliver(s, &q, ar);
	r = send_results(sock, &q, s);
out:
	fd_unmap(all);
	return r;
}

/*
 * Wait for a request. The open connection is given up when it has been idle
 * for long, or when the host closes it. 1, or 0 when queue-run has gone.
 */
static int
wait_request(int sock, struct session *s)
{
	int64_t until = clock_ms() + IDLE_MS;

	for (;;) {
		struct pollfd p[2] = { { .fd = sock, .events = POLLIN },
			{ .fd = s->fd, .events = POLLIN } };
		int n;

		n = poll(p, 2, s->fd == -1 ? -1 : (int)clock_left(until));
		if (n == -1 && errno != EINTR)
			return 0;
		if (n > 0 && p[0].revents != 0)
			return (p[0].revents & POLLIN) != 0;
		if (s->fd != -1 && n > 0 && p[1].revents != 0)
			session_drop(s); /* closed, or 421 */
		else if (s->fd != -1 && clock_left(until) == 0)
			session_quit(s);
	}
}

static void
settings(struct sender *s, struct conf *c)
{
	free(s->name);
	s->name = slice_dup(conf_host(c, "name"));
	s->port = (uint16_t)conf_host_u64(c, "mx-port");
}

/* Between two units of work. resolv.conf is out of reach by now: without
 * resolver= what was read at the start stays. */
static void
refresh(struct sender *s)
{
	struct dns *d;

	if (conf_refresh(s->conf) != 1)
		return;
	settings(s, s->conf);
	if (conf_host(s->conf, "resolver").n == 0)
		return;
	if ((d = resolver_of(s->conf)) == NULL) {
		log_sys("unable to use the resolver");
		return;
	}
	dns_close(s->dns);
	s->dns = d;
}

/* The life of a worker: until queue-run closes the connection. */
static void
work(int sock, struct sender *sender)
{
	static char buf[PACKET_MAX];
	struct arena ar = { 0 };
	struct session s;
	size_t n, fds;
	int fd, r;

	session_init(&s, sender);
	while (wait_request(sock, &s) == 1) {
		fd = -1;
		r = fd_recv(sock, buf, sizeof(buf), &n, &fd, 1, &fds);
		if (r == 0 || (r == -1 && errno != EPROTO))
			break;
		refresh(sender);
		r = handle(sock, slice_of(buf, r == 1 ? n : 0), fd, &s, &ar);
		if (fd != -1)
			close(fd);
		arena_reset(&ar);
		if (r == -1)
			break;
	}
	session_quit(&s);
	arena_free(&ar);
}

static int
start_worker(int listener, int sock, struct sender *sender)
{
	pid_t parent = getpid(), pid = fork();

	if (pid != 0) {
		close(sock);
		return pid == -1 ? -1 : 0;
	}
	/* No worker outlives the service. */
	if (prctl(PR_SET_PDEATHSIG, SIGTERM) == -1 || getppid() != parent)
		_exit(EXIT_TEMP);
	signal(SIGTERM, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	signal(SIGCHLD, SIG_DFL);
	close(listener);
	if (fcntl(sock, F_SETFL, 0) == -1)
		_exit(EXIT_TEMP);
	work(sock, sender);
	_exit(EXIT_DONE);
}

static void
serve(int listener, struct sender *sender)
{
	unsigned workers = 0;

	while (!stopping) {
		struct pollfd p = { .fd = listener, .events = POLLIN };
		int sock;

		while (workers > 0 && waitpid(-1, NULL, WNOHANG) > 0)
			workers--;
		/* The time-out catches a child that ends before poll(). */
		if (poll(&p, workers < WORKERS_MAX ? 1 : 0, 10000) <= 0)
			continue;
		sock = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		if (sock == -1)
			continue;
		refresh(sender);
		if (start_worker(listener, sock, sender) == -1)
			log_sys("unable to start a worker");
		else
			workers++;
	}
}

static SSL_CTX *
tls_context(void)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	if (ctx == NULL ||
	    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1)
		die(EXIT_TEMP, "unable to set up TLS");
	SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
	    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
	return ctx;
}

static void
on_signals(void)
{
	struct sigaction stop = { .sa_handler = on_stop },
	    child = { .sa_handler = on_child };

	sigaction(SIGTERM, &stop, NULL);
	sigaction(SIGINT, &stop, NULL);
	sigaction(SIGCHLD, &child, NULL);
	signal(SIGPIPE, SIG_IGN);
}

int
main(int argc, char **argv)
{
	struct confine cage = { .flags = CONFINE_ACCEPT | CONFINE_FORK |
		CONFINE_CONNECT | CONFINE_DNS, .memory = WORKER_MEMORY };
	const char *root = NULL, *read[2] = { NULL, NULL };
	struct sender sender = { 0 };
	uint64_t n = 0;
	char *path;
	int ch, listener;

	prog_start(argc, argv, "[-C root] [-t seconds]",
	    "send messages to the mail hosts of a domain",
	    "files: reads cdb/conf.cdb; network: TCP out, DNS");
	while ((ch = getopt(argc, argv, "C:t:")) != -1)
		switch (ch) {
		case 'C': root = optarg; break;
		case 't':
			if (slice_u64(slice_str(optarg), 86400, &n) == -1)
				usage();
			break;
		default: usage();
		}
	if (optind != argc)
		usage();
	root = conf_root(root);
	if ((sender.conf = conf_open(root)) == NULL)
		die_sys(EXIT_TEMP, "unable to read %s/cdb/conf.cdb", root);
	sender.limit_s = (int)n;
	settings(&sender, sender.conf);
	sender.tls = tls_context();
	if ((sender.dns = resolver_open(NULL, root)) == NULL)
		die_sys(EXIT_PERM, "unable to use the resolver");
	path = xprintf("%s/run/send", root);
	if ((listener = unix_listen(path, 0660)) == -1)
		die_sys(EXIT_TEMP, "unable to listen on %s", path);
	free(path);
	on_signals();
	read[0] = xprintf("%s/cdb", root);
	cage.read = read;
	if (confine(&cage) == -1)
		die_sys(EXIT_TEMP, "unable to confine");
	serve(listener, &sender);
	return EXIT_DONE;
}
