/*
 * One connection of smtp-serve, imap-login or a web login: packets in,
 * packets out, one exchange at a time (run/sasl in lib/README).
 */
#include "serve.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/fdpass.h"
#include "base/log.h"
#include "base/rid.h"
#include "base/tuple.h"
#include "sasl/sasl.h"

#define REQUEST_MAX ((size_t)16 * 1024)
/* Failures of an address in a minute that cost nothing; each further one
 * delays its answer by a second more, up to the most. */
#define FREE_FAILURES 3
#define DELAY_MOST_MS 10000u

struct session {
	struct serve *s;
	int fd;
	struct event *event;
	struct sasl *sasl; /* an exchange is under way */
	struct check *check;
	struct ip ip;
	struct slice ip_text;
	char service[32], conn[64], ip_name[64];
	struct identity id;
};

static void
session_free(struct session *c)
{
	if (c->check != NULL)
		check_forget(c->check);
	sasl_free(c->sasl);
	identity_free(&c->id);
	event_free(c->event);
	close(c->fd);
	c->s->sessions--;
	free(c);
}

static void
exchange_end(struct session *c)
{
	sasl_free(c->sasl);
	c->sasl = NULL;
	identity_free(&c->id);
	identity_init(&c->id);
}

/* A peer that does not take its answers is gone: -1, session freed. */
static int
send_reply(struct session *c, struct strbuf *sb)
{
	int r;

	tuple_end(sb);
	r = sb->over ? -1 : fd_send(c->fd, sb_slice(sb), NULL, 0);
	if (sb->p != NULL)
		explicit_bzero(sb->p, sb->n);
	sb_free(sb);
	if (r == -1)
		session_free(c);
	return r;
}

static void
log_result(struct session *c, const char *result)
{
	struct strbuf *l = log_begin("login");

	tuple_puts(l, "result", result);
	tuple_puts(l, "service", c->service);
	tuple_puts(l, "conn", c->conn);
	tuple_puts(l, "ip", c->ip_name);
	if (c->sasl != NULL) {
		tuple_puts(l, "mech", sasl_mech(c->sasl));
		tuple_opt(l, "login", sasl_login(c->sasl));
	}
	tuple_opt(l, "account", sb_slice(&c->id.account));
	log_end();
}

static const char *
text_of(const char *reason)
{
	static const char *const texts[][2] = {
		{ "credentials", "user name or password is wrong" },
		{ "protocol", "malformed message" },
		{ "encoding", "malformed base64 or text" },
		{ "mechanism", "no such mechanism" },
		{ "tls", "TLS is needed for this mechanism" },
		{ "binding", "channel binding does not match" },
		{ "authzid", "no other identity may be assumed" },
		{ "limit", "too many failures, try again later" },
		{ "temp", "try again later" },
	};

	for (size_t i = 0; i < COUNTOF(texts); i++)
		if (strcmp(texts[i][0], reason) == 0)
			return texts[i][1];
	return reason;
}

/* Reasons that a guesser of passwords produces. */
static bool
is_guess(const char *reason)
{
	return strcmp(reason, "credentials") == 0 ||
	    strcmp(reason, "authzid") == 0 || strcmp(reason, "binding") == 0;
}

/* End the exchange with a refusal. data: a last SCRAM message, or empty. */
static int
refuse(struct session *c, const char *reason, struct slice data)
{
	struct strbuf sb = STRBUF_INIT(REQUEST_MAX);
	unsigned failures, delay = 0;

	log_result(c, reason);
	if (is_guess(reason)) {
		counter_add(c->s->counters, COUNT_FAILED, 1);
		failures = login_limit_fail(c->s->limit, &c->ip, clock_unix());
		if (failures > FREE_FAILURES)
			delay = (failures - FREE_FAILURES) * 1000;
	}
	tuple_begin(&sb, "no");
	tuple_puts(&sb, "reason", reason);
	tuple_putu(&sb, "delay", delay < DELAY_MOST_MS ? delay : DELAY_MOST_MS);
	if (strcmp(reason, "disabled") == 0)
		tuple_put(&sb, "text", sb_slice(&c->id.text));
	else
		tuple_puts(&sb, "text", text_of(reason));
	if (data.n != 0)
		tuple_put64(&sb, "data", data);
	exchange_end(c);
	return send_reply(c, &sb);
}

/* The password is proven. data: the last SCRAM message, or empty. */
static int
accept_login(struct session *c, struct slice data)
{
	struct strbuf sb = STRBUF_INIT(REQUEST_MAX);

	login_limit_reset(c->s->limit, &c->ip, clock_unix());
	if (c->id.disabled)
		return refuse(c, "disabled", SLICE_NONE);
	log_result(c, "ok");
	counter_add(c->s->counters, COUNT_OK, 1);
	tuple_begin(&sb, "ok");
	tuple_put(&sb, "account", sb_slice(&c->id.account));
	tuple_put(&sb, "login", sb_slice(&c->id.login));
	tuple_puts(&sb, "mech", sasl_mech(c->sasl));
	if (data.n != 0)
		tuple_put64(&sb, "data", data);
	exchange_end(c);
	return send_reply(c, &sb);
}

static void
on_checked(void *arg, int result)
{
	struct session *c = arg;

	c->check = NULL;
	if (result == 1 && c->id.known) {
		cache_add(c->s->checks, c->id.record.argon,
		    sasl_password(c->sasl));
		(void)!accept_login(c, SLICE_NONE);
	} else
		(void)!refuse(c, result == -1 ? "temp" : "credentials",
		    SLICE_NONE);
}

static int
check_plain(struct session *c)
{
	struct serve *s = c->s;
	struct slice password = sasl_password(c->sasl);

	if (identify(s, sasl_login(c->sasl), &c->id) == -1)
		return refuse(c, "temp", SLICE_NONE);
	if (c->id.known && cache_has(s->checks, c->id.record.argon, password))
		return accept_login(c, SLICE_NONE);
	c->check = check_begin(s->checks, c->id.known ? c->id.record.argon :
	    s->dummy, password, on_checked, c);
	if (c->check != NULL)
		return 0;
	counter_add(s->counters, COUNT_BUSY, 1);
	return refuse(c, "temp", SLICE_NONE);
}

static int
find_keys(struct session *c, struct strbuf *out)
{
	struct scram_keys k;

	if (identify(c->s, sasl_login(c->sasl), &c->id) == -1 ||
	    identity_keys(c->s, &c->id, sasl_hash(c->sasl), &k) == -1)
		return -1;
	return (int)sasl_keys(c->sasl, &k, c->id.known, out);
}

/* Do what the machine asks for. */
static int
step(struct session *c, int result, struct strbuf *out)
{
	struct strbuf sb = STRBUF_INIT(REQUEST_MAX);

	if (result == SASL_KEYS && (result = find_keys(c, out)) == -1)
		return refuse(c, "temp", SLICE_NONE);
	switch (result) {
	case SASL_CONTINUE:
		tuple_begin(&sb, "continue");
		tuple_put64(&sb, "data", sb_slice(out));
		return send_reply(c, &sb);
	case SASL_CHECK:
		return check_plain(c);
	case SASL_OK:
		return accept_login(c, sb_slice(out));
	default:
		return refuse(c, sasl_reason(c->sasl), sb_slice(out));
	}
}

/* Attributes of the connection that the caller speaks for: 0, or -1. */
static int
take_peer(struct session *c, const struct tuple *t)
{
	struct slice ip = tuple_value(t, "ip");

	if (ip_parse(ip, &c->ip) == -1 ||
	    slice_cstr(ip, c->ip_name, sizeof(c->ip_name)) == -1 ||
	    slice_cstr(tuple_value(t, "service"), c->service,
	    sizeof(c->service)) == -1 ||
	    slice_cstr(tuple_value(t, "conn"), c->conn, sizeof(c->conn)) == -1)
		return -1;
	return 0;
}

static int
start_machine(struct session *c, const struct tuple *t)
{
	unsigned char random[18];
	struct strbuf exporter = STRBUF_INIT(256), unique = STRBUF_INIT(256);
	struct strbuf nonce = STRBUF_INIT(SASL_NONCE_MAX);
	struct sasl_channel ch = { .tls = tuple_has(t, "tls", "yes") };
	int r;

	r = sb_unhex(&exporter, tuple_value(t, "cb-exporter"));
	if (r == 0)
		r = sb_unhex(&unique, tuple_value(t, "cb-unique"));
	ch.exporter = sb_slice(&exporter);
	ch.unique = sb_slice(&unique);
	random_bytes(random, sizeof(random));
	sb_base64(&nonce, slice_of(random, sizeof(random)));
	if (r == 0)
		c->sasl = sasl_init(tuple_value(t, "mech"), &ch,
		    sb_slice(&nonce));
	sb_free(&exporter);
	sb_free(&unique);
	sb_free(&nonce);
	return r;
}

static int
do_start(struct session *c, const struct tuple *t)
{
	struct strbuf in = STRBUF_INIT(SASL_MESSAGE_MAX);
	struct strbuf out = STRBUF_INIT(SASL_MESSAGE_MAX * 2);
	struct slice ir = SLICE_NONE, decoded;
	bool has_ir = tuple_get(t, "ir", &ir);
	int r;

	if (c->sasl != NULL || take_peer(c, t) == -1)
		return -1;
	if (!login_limit_ok(c->s->limit, &c->ip, clock_unix())) {
		counter_add(c->s->counters, COUNT_LIMITED, 1);
		return refuse(c, "limit", SLICE_NONE) == -1 ? 1 : 0;
	}
	if (start_machine(c, t) == -1)
		return -1;
	if (c->sasl == NULL)
		return refuse(c, "mechanism", SLICE_NONE) == -1 ? 1 : 0;
	if (sb_unbase64(&in, ir) == -1 || in.over)
		r = refuse(c, "encoding", SLICE_NONE);
	else {
		decoded = sb_slice(&in);
		r = step(c, (int)sasl_start(c->sasl, has_ir ? &decoded : NULL,
		    &out), &out);
	}
	if (in.p != NULL)
		explicit_bzero(in.p, in.n);
	sb_free(&in);
	sb_free(&out);
	return r == -1 ? 1 : 0;
}

static int
do_data(struct session *c, const struct tuple *t)
{
	struct strbuf in = STRBUF_INIT(SASL_MESSAGE_MAX);
	struct strbuf out = STRBUF_INIT(SASL_MESSAGE_MAX * 2);
	int r;

	if (c->sasl == NULL || c->check != NULL)
		return -1;
	if (sb_unbase64(&in, tuple_value(t, "data")) == -1 || in.over)
		r = refuse(c, "encoding", SLICE_NONE);
	else
		r = step(c, (int)sasl_feed(c->sasl, sb_slice(&in), &out), &out);
	if (in.p != NULL)
		explicit_bzero(in.p, in.n);
	sb_free(&in);
	sb_free(&out);
	return r == -1 ? 1 : 0;
}

static int
do_allow(struct session *c, const struct tuple *t)
{
	struct strbuf sb = STRBUF_INIT(REQUEST_MAX);

	if (c->sasl != NULL || take_peer(c, t) == -1)
		return -1;
	tuple_begin(&sb, "allow");
	tuple_puts(&sb, "result", login_limit_ok(c->s->limit, &c->ip,
	    clock_unix()) ? "yes" : "no");
	return send_reply(c, &sb) == -1 ? 1 : 0;
}

/* No answer: the caller has gone on to something else. */
static int
do_abort(struct session *c, const struct tuple *t)
{
	(void)t;
	if (c->check != NULL) {
		check_forget(c->check);
		c->check = NULL;
	}
	exchange_end(c);
	return 0;
}

static const struct {
	const char *type;
	/* 0; -1 a bad request; 1 the session is gone. */
	int (*run)(struct session *, const struct tuple *);
} requests[] = {
	{ "start", do_start },
	{ "data", do_data },
	{ "abort", do_abort },
	{ "allow", do_allow },
};

static int
request(struct session *c, struct slice text)
{
	struct arena ar = { 0 };
	struct tuple_reader r;
	struct tuple t, more;
	int result = -1;

	tuple_reader_init(&r, text);
	if (tuple_next(&r, &ar, &t) == 1 && tuple_next(&r, &ar, &more) == 0)
		for (size_t i = 0; i < COUNTOF(requests); i++)
			if (tuple_is(&t, requests[i].type)) {
				result = requests[i].run(c, &t);
				break;
			}
	arena_free(&ar);
	return result;
}

static void
on_packet(evutil_socket_t fd, short what, void *arg)
{
	unsigned char buf[REQUEST_MAX];
	struct session *c = arg;
	size_t n, count;
	int r;

	(void)what;
	r = fd_recv(fd, buf, sizeof(buf), &n, NULL, 0, &count);
	if (r == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	r = r == 1 ? request(c, slice_of(buf, n)) : r == 0 ? 2 : -1;
	explicit_bzero(buf, sizeof(buf));
	if (r == -1)
		log_error("bad request on run/sasl, connection closed");
	if (r == -1 || r == 2)
		session_free(c);
}

int
session_new(struct serve *s, int fd)
{
	struct session *c = xcalloc(1, sizeof(*c));

	c->s = s;
	c->fd = fd;
	identity_init(&c->id);
	c->event = event_new(s->base, fd, EV_READ | EV_PERSIST, on_packet, c);
	if (c->event != NULL && event_add(c->event, NULL) == 0) {
		s->sessions++;
		return 0;
	}
	if (c->event != NULL)
		event_free(c->event);
	free(c);
	return -1;
}
