/*
 * A session: handshake, then bytes both ways between TLS and a local stream
 * socket whose other end the asking program holds.
 *
 * An idle session owns no buffer: bytes go through one buffer that all sessions
 * share, and only what the other side cannot take now is kept (struct flow),
 * while the side it came from is not read. Each direction ends by itself: end
 * of file on one side is passed to the other after all bytes before it. Where
 * the asking program has closed its end, the peer gets the rest of the bytes,
 * close_notify and FIN, and a few seconds to take them, so that a reset does
 * not overtake a last reply.
 */
#include "serve.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/tuple.h"

#define HANDSHAKE_SECONDS 60
/* A peer that takes nothing of what it was sent for this long is gone. */
#define STALL_SECONDS 300
#define LINGER_SECONDS 5
/* The largest TLS record (RFC 8446 section 5.1): read whole or not at all. */
#define CHUNK 16384
/* Chunks moved for one session before others have their turn. */
#define CHUNKS_A_TURN 4

enum state { HANDSHAKE, RELAY, LINGER };

/* One direction. */
struct flow {
	unsigned char *kept; /* bytes that the far side could not take */
	size_t at, n;        /* kept[at..n] is left */
	bool eof;            /* the near side has ended */
	bool done;           /* and the far side knows */
};

struct session {
	struct serve *s;
	SSL *ssl;
	int tcp, plain;
	struct event *tcp_event, *plain_event;
	short tcp_want, plain_want;
	struct flow in, out; /* in: from the peer; out: to the peer */
	enum state state;
	bool read_wants_write, write_wants_read; /* as OpenSSL sees the socket */
	bool unheard; /* the asking program has gone, the peer may not have */
	session_done *done;
	void *arg;
};

static unsigned char shared[CHUNK];

static void on_tcp(evutil_socket_t fd, short what, void *arg);
static void on_plain(evutil_socket_t fd, short what, void *arg);

static void
session_free(struct session *c)
{
	if (c->tcp_event != NULL)
		event_free(c->tcp_event);
	if (c->plain_event != NULL)
		event_free(c->plain_event);
	SSL_free(c->ssl);
	close(c->tcp);
	if (c->plain != -1)
		close(c->plain);
	free(c->in.kept);
	free(c->out.kept);
	c->s->sessions--;
	free(c);
}

/* Watch a descriptor for exactly these events. */
static int
watch(struct session *c, struct event *ev, int fd, short *have, short want,
    event_callback_fn fn, int seconds)
{
	struct timeval tv = { .tv_sec = seconds };

	if (*have != want) {
		if (*have != 0)
			event_del(ev);
		*have = 0;
		if (event_assign(ev, c->s->base, fd, want | EV_PERSIST, fn,
		    c) == -1)
			return -1;
	} else if (seconds == 0)
		return 0;
	*have = want;
	if (want == 0 && seconds == 0)
		return 0;
	return event_add(ev, seconds != 0 ? &tv : NULL);
}

static int
watch_tcp(struct session *c, short want, int seconds)
{
	return watch(c, c->tcp_event, c->tcp, &c->tcp_want, want, on_tcp,
	    seconds);
}

/* Keep what could not be passed on. */
static void
flow_keep(struct flow *f, const unsigned char *p, size_t n)
{
	f->kept = xmemdup(p, n);
	f->at = 0;
	f->n = n;
}

static void
flow_took(struct flow *f, size_t n)
{
	f->at += n;
	if (f->at < f->n)
		return;
	free(f->kept);
	f->kept = NULL;
	f->at = f->n = 0;
}

/* Write to the asking program: bytes taken, 0 none now. */
static ssize_t
put_plain(struct session *c, const unsigned char *p, size_t n)
{
	ssize_t put = send(c->plain, p, n, MSG_NOSIGNAL);

	if (put > 0)
		counter_add(c->s->counters, COUNT_BYTES_IN, put);
	if (put >= 0)
		return put;
	if (errno == EAGAIN || errno == EINTR)
		return 0;
	/* What the peer says goes nowhere now; the last reply to it counts. */
	c->unheard = c->in.eof = c->in.done = true;
	return (ssize_t)n;
}

/* Write to the peer: bytes taken, 0 none now, -1 broken. */
static ssize_t
put_tls(struct session *c, const unsigned char *p, size_t n)
{
	size_t put;

	c->write_wants_read = false;
	ERR_clear_error();
	if (SSL_write_ex(c->ssl, p, n, &put) == 1) {
		counter_add(c->s->counters, COUNT_BYTES_OUT, (int64_t)put);
		return (ssize_t)put;
	}
	switch (SSL_get_error(c->ssl, 0)) {
	case SSL_ERROR_WANT_READ:
		c->write_wants_read = true;
		return 0;
	case SSL_ERROR_WANT_WRITE:
		return 0;
	default:
		return -1;
	}
}

/* Read from the peer: bytes, 0 none now (or the end: in.eof), -1 broken. */
static ssize_t
get_tls(struct session *c)
{
	size_t n;

	c->read_wants_write = false;
	ERR_clear_error();
	if (SSL_read_ex(c->ssl, shared, sizeof(shared), &n) == 1)
		return (ssize_t)n;
	switch (SSL_get_error(c->ssl, 0)) {
	case SSL_ERROR_WANT_WRITE:
		c->read_wants_write = true;
		return 0;
	case SSL_ERROR_WANT_READ:
		return 0;
	case SSL_ERROR_ZERO_RETURN:
		c->in.eof = true;
		return 0;
	default:
		return -1;
	}
}

static ssize_t
get_plain(struct session *c)
{
	ssize_t n = recv(c->plain, shared, sizeof(shared), 0);

	/* It reset: it has closed with bytes of the peer unread. */
	if (n == 0 || (n == -1 && errno == ECONNRESET)) {
		c->unheard |= n == -1;
		c->out.eof = true;
		return 0;
	}
	return n > 0 || (errno != EAGAIN && errno != EINTR) ? n : 0;
}

/*
 * Move bytes of one direction until a side has had enough. 0, or -1 when the
 * session cannot go on.
 */
static int
flow_run(struct session *c, struct flow *f, ssize_t (*get)(struct session *),
    ssize_t (*put)(struct session *, const unsigned char *, size_t))
{
	ssize_t n, took;

	if (f->kept != NULL) {
		if ((took = put(c, f->kept + f->at, f->n - f->at)) == -1)
			return -1;
		flow_took(f, (size_t)took);
	}
	for (int i = 0; i < CHUNKS_A_TURN && f->kept == NULL && !f->eof; i++) {
		if ((n = get(c)) <= 0)
			return (int)n;
		if ((took = put(c, shared, (size_t)n)) == -1)
			return -1;
		if (took < n)
			flow_keep(f, shared + took, (size_t)(n - took));
	}
	return 0;
}

/* The asking program has closed its end, not only its writing side. */
static bool
plain_gone(const struct session *c)
{
	struct pollfd p = { .fd = c->plain };

	return poll(&p, 1, 0) == 1 && (p.revents & (POLLHUP | POLLERR)) != 0;
}

/* Nothing more is to be sent; wait for the peer to see it. */
static void
linger(struct session *c)
{
	if (c->plain_event != NULL && c->plain_want != 0)
		event_del(c->plain_event);
	c->plain_want = 0;
	if (c->plain != -1)
		close(c->plain);
	c->plain = -1;
	c->state = LINGER;
	if (c->tcp_want != 0)
		event_del(c->tcp_event);
	c->tcp_want = 0;
	if (watch_tcp(c, EV_READ, LINGER_SECONDS) == -1)
		session_free(c);
}

static void
end_out(struct session *c)
{
	ERR_clear_error();
	(void)SSL_shutdown(c->ssl);
	(void)shutdown(c->tcp, SHUT_WR);
	c->out.done = true;
}

/* What to wait for now that nothing can be moved: -1 on failure. */
static int
arm(struct session *c)
{
	short tcp = 0, plain = 0;
	bool stalled = c->out.kept != NULL;

	if (!c->in.eof && c->in.kept == NULL)
		tcp |= c->read_wants_write ? EV_READ | EV_WRITE : EV_READ;
	if (stalled)
		tcp |= c->write_wants_read ? EV_READ : EV_WRITE;
	if (c->in.kept != NULL)
		plain |= EV_WRITE;
	if (!c->out.eof && !stalled)
		plain |= EV_READ;
	if (watch_tcp(c, tcp, stalled ? STALL_SECONDS : 0) == -1)
		return -1;
	return watch(c, c->plain_event, c->plain, &c->plain_want, plain,
	    on_plain, 0);
}

/* Move what can be moved, pass on what has ended, wait for more. */
static void
relay(struct session *c)
{
	bool was_stalled = c->out.kept != NULL, over;

	if (flow_run(c, &c->in, get_tls, put_plain) == -1 ||
	    flow_run(c, &c->out, get_plain, put_tls) == -1) {
		session_free(c);
		return;
	}
	/* A time-out of a stall must not go on into an idle hour. */
	if (was_stalled && c->out.kept == NULL && c->tcp_want != 0) {
		event_del(c->tcp_event);
		c->tcp_want = 0;
	}
	if (c->in.eof && !c->in.done && c->in.kept == NULL) {
		(void)shutdown(c->plain, SHUT_WR);
		c->in.done = true;
	}
	if (c->out.eof && !c->out.done && c->out.kept == NULL)
		end_out(c);
	over = c->out.done && c->in.done && !c->unheard;
	if (!over && c->out.done && plain_gone(c))
		linger(c);
	else if (over || arm(c) == -1)
		session_free(c);
}

static void
on_plain(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	relay(arg);
}

/* Throw away what still comes until the peer has closed as well. */
static void
drain(struct session *c)
{
	ssize_t n = recv(c->tcp, shared, sizeof(shared), 0);

	if (n == 0 || (n == -1 && errno != EAGAIN && errno != EINTR))
		session_free(c);
}

static void
handshake_failed(struct session *c, const char *reason, int ssl_error, int e)
{
	struct strbuf answer = STRBUF_INIT(512), why = STRBUF_INIT(128);

	if (reason != NULL)
		sb_puts(&why, reason);
	else
		tls_failure(ssl_error, e, &why);
	counter_add(c->s->counters, COUNT_FAILED, 1);
	tuple_begin(&answer, "tls");
	tuple_puts(&answer, "result", "fail");
	tuple_put(&answer, "reason", sb_slice(&why));
	tuple_end(&answer);
	c->done(c->arg, -1, &answer);
	sb_free(&answer);
	sb_free(&why);
	/* The alert is on its way; a reset must not overtake it. */
	(void)shutdown(c->tcp, SHUT_WR);
	linger(c);
}

static void
handshake_done(struct session *c)
{
	struct strbuf answer = STRBUF_INIT(2048);
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == -1) {
		handshake_failed(c, "other", 0, 0);
		return;
	}
	c->plain = pair[0];
	if (fcntl(c->plain, F_SETFL, O_NONBLOCK) == -1 || (c->plain_event =
	    event_new(c->s->base, c->plain, EV_READ, on_plain, c)) == NULL) {
		close(pair[1]);
		handshake_failed(c, "other", 0, 0);
		return;
	}
	counter_add(c->s->counters, COUNT_OK, 1);
	tuple_begin(&answer, "tls");
	tuple_puts(&answer, "result", "ok");
	tls_describe(c->ssl, &answer);
	tuple_end(&answer);
	c->done(c->arg, pair[1], &answer);
	sb_free(&answer);
	c->state = RELAY;
	event_del(c->tcp_event);
	c->tcp_want = 0;
	relay(c);
}

static void
handshake(struct session *c)
{
	int e, r;

	ERR_clear_error();
	errno = 0;
	r = SSL_do_handshake(c->ssl);
	e = errno;
	if (r == 1) {
		handshake_done(c);
		return;
	}
	r = SSL_get_error(c->ssl, r);
	if (r != SSL_ERROR_WANT_READ && r != SSL_ERROR_WANT_WRITE) {
		handshake_failed(c, NULL, r, e);
		return;
	}
	r = r == SSL_ERROR_WANT_READ ? EV_READ : EV_WRITE;
	if (r == c->tcp_want)
		return; /* the time-out runs on */
	if (watch_tcp(c, (short)r, HANDSHAKE_SECONDS) == -1)
		handshake_failed(c, "other", 0, 0);
}

static void
on_tcp(evutil_socket_t fd, short what, void *arg)
{
	struct session *c = arg;

	(void)fd;
	if (what & EV_TIMEOUT) {
		if (c->state == HANDSHAKE)
			handshake_failed(c, "timeout", 0, 0);
		else
			session_free(c);
		return;
	}
	switch (c->state) {
	case HANDSHAKE:
		handshake(c);
		break;
	case RELAY:
		relay(c);
		break;
	case LINGER:
		drain(c);
		break;
	}
}

struct session *
session_new(struct serve *s, enum service service, int tcp,
    session_done *done, void *arg)
{
	struct session *c = xcalloc(1, sizeof(*c));

	c->s = s;
	c->tcp = tcp;
	c->plain = -1;
	c->done = done;
	c->arg = arg;
	s->sessions++;
	if (fcntl(tcp, F_SETFL, O_NONBLOCK) == -1 ||
	    (c->ssl = tls_session_new(s->server[service], tcp)) == NULL ||
	    (c->tcp_event = event_new(s->base, tcp, EV_READ, on_tcp,
	    c)) == NULL || watch_tcp(c, EV_READ, HANDSHAKE_SECONDS) == -1) {
		session_free(c);
		return NULL;
	}
	return c;
}

static void
nobody(void *arg, int plain, const struct strbuf *answer)
{
	(void)arg;
	(void)answer;
	if (plain != -1)
		close(plain);
}

void
session_cancel(struct session *c)
{
	c->done = nobody;
	session_free(c);
}
