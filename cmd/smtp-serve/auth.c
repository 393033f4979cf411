/* AUTH (RFC 4954): passes SASL between the client and sasl-serve. */
#include "session.h"

#include <errno.h>

#include "base/alloc.h"
#include "base/log.h"

static const struct {
	const char *name;
	bool bound; /* to the TLS channel */
} mechs[] = {
	{ "SCRAM-SHA-256-PLUS", true },
	{ "SCRAM-SHA-256", false },
	{ "SCRAM-SHA-1-PLUS", true },
	{ "SCRAM-SHA-1", false },
	{ "PLAIN", false },
	{ "LOGIN", false },
};

/* What sasl-serve's reasons are to a client. */
static const struct {
	const char *reason;
	int code;
	const char *ecode, *text;
} failures[] = {
	{ "credentials", 535, "5.7.8", "wrong name or password" },
	{ "authzid", 535, "5.7.8", "not allowed to act for that user" },
	{ "binding", 535, "5.7.7", "channel binding does not match" },
	{ "protocol", 501, "5.5.4", "malformed authentication data" },
	{ "scram", 455, "4.7.0", "malformed SCRAM message" },
	{ "encoding", 501, "5.5.2", "malformed base64" },
	{ "mechanism", 504, "5.5.4", "mechanism not supported" },
	{ "tls", 538, "5.7.11", "needs TLS" },
	{ "disabled", 525, "5.7.13", "login is disabled" },
	{ "limit", 421, "4.7.0", "too many failed logins" },
};

void
auth_list(const struct session *s, struct strbuf *out)
{
	bool binding = s->exporter.n != 0 || s->unique.n != 0;

	if (!s->tls && s->peer.require_tls)
		return;
	for (size_t i = 0; i < COUNTOF(mechs); i++)
		if (!mechs[i].bound || binding) {
			sb_putc(out, ' ');
			sb_puts(out, mechs[i].name);
		}
}

bool
auth_allowed(struct session *s)
{
	struct strbuf text = STRBUF_INIT(256);
	struct arena a = { 0 };
	struct tuple t;
	bool allowed = true;

	tuple_begin(&text, "allow");
	tuple_puts(&text, "service", s->peer.service);
	tuple_puts(&text, "ip", s->peer.ip);
	tuple_end(&text);
	/* Without sasl-serve nobody can log in anyway. */
	if (service_ask(&s->srv->sasl, true, sb_slice(&text), -1, SASL_MS, &a,
	    &t, NULL) == 0)
		allowed = !tuple_has(&t, "result", "no");
	arena_free(&a);
	sb_free(&text);
	return allowed;
}

static void
put_start(struct session *s, struct slice mech, struct slice *ir,
    struct strbuf *out)
{
	tuple_begin(out, "start");
	tuple_put(out, "mech", mech);
	tuple_puts(out, "service", s->peer.service);
	tuple_puts(out, "ip", s->peer.ip);
	tuple_puts(out, "tls", s->tls ? "yes" : "no");
	tuple_puts(out, "conn", s->peer.conn);
	tuple_opt(out, "cb-exporter", s->exporter);
	tuple_opt(out, "cb-unique", s->unique);
	if (ir != NULL)
		tuple_put(out, "ir", *ir);
	tuple_end(out);
}

/* The client's next line: 1; 0 the connection ends; -1 it cancelled. */
static int
client_says(struct session *s, struct slice *line)
{
	if (read_line(s, true, line) == 0)
		return 0;
	return slice_eq(*line, S("*")) ? -1 : 1;
}

static void
challenge(struct session *s, struct slice data)
{
	struct strbuf text = STRBUF_INIT(AUTH_LINE_MAX);

	sb_puts(&text, "334 ");
	sb_put(&text, data);
	sb_puts(&text, "\r\n");
	sb_put(&s->output, sb_slice(&text));
	sb_free(&text);
}

static void
auth_log(struct session *s, struct slice mech, const char *result,
    struct slice login)
{
	struct strbuf *l = log_begin("auth");

	tuple_puts(l, "conn", s->peer.conn);
	tuple_puts(l, "ip", s->peer.ip);
	tuple_put(l, "mech", mech);
	tuple_puts(l, "result", result);
	tuple_opt(l, "login", login);
	log_end();
}

static void
auth_failed(struct session *s, struct slice mech, const struct tuple *t)
{
	struct slice reason = tuple_value(t, "reason");
	struct slice text = tuple_value(t, "text");
	uint64_t delay = 0;
	struct slice data = tuple_value(t, "data"), line;
	size_t i = 0;

	/* SCRAM's last message, which says why, is one more challenge (RFC
	 * 5802 section 7); whatever the client answers, it has failed. */
	if (data.n != 0) {
		challenge(s, data);
		if (client_says(s, &line) == 0)
			return;
	}
	if (slice_eqs(reason, "protocol") && slice_starts(mech, S("SCRAM")))
		reason = S("scram");
	while (i < COUNTOF(failures) && !slice_eqs(reason, failures[i].reason))
		i++;
	auth_log(s, mech, i < COUNTOF(failures) ? failures[i].reason : "temp",
	    SLICE_NONE);
	counter_add(s->srv->counters, COUNT_AUTH_FAILED, 1);
	if (i == COUNTOF(failures)) {
		reply(s, 454, "4.7.0", "cannot check logins now");
		return;
	}
	if (failures[i].code == 421) {
		hang_up(s, failures[i].ecode, failures[i].text);
		return;
	}
	if (tuple_u64(t, "delay", 30000, &delay) == -1)
		delay = 0;
	if (++s->auth_fails >= AUTH_SLOW) {
		s->slow = true;
		delay += (s->auth_fails - AUTH_SLOW) * UINT64_C(1000);
	}
	if (delay != 0)
		pause_ms(s, (unsigned)delay);
	if (failures[i].code == 525 && text.n != 0 && slice_is_print(text))
		reply(s, 525, "5.7.13", "%.*s", SLICE_ARG(text));
	else
		reply(s, failures[i].code, failures[i].ecode, "%s",
		    failures[i].text);
	if (s->auth_fails >= AUTH_FAILS_MAX)
		hang_up(s, "4.7.0", "too many failed logins");
}

static void
auth_done(struct session *s, const struct tuple *t)
{
	struct slice data, line;

	/* RFC 4954 section 4: data with success is one more challenge, which
	 * the client answers with nothing. */
	if (tuple_get(t, "data", &data) && data.n != 0) {
		int r;

		challenge(s, data);
		if ((r = client_says(s, &line)) == 0)
			return;
		if (r == -1 || line.n != 0) {
			reply(s, 501, "5.5.0", "cancelled");
			return;
		}
	}
	s->account = arena_copy(&s->arena, tuple_value(t, "account"));
	s->login = arena_copy(&s->arena, tuple_value(t, "login"));
	s->mech = arena_copy(&s->arena, tuple_value(t, "mech"));
	s->auth_fails = 0;
	s->slow = false;
	counter_add(s->srv->counters, COUNT_AUTH, 1);
	auth_log(s, s->mech, "ok", s->login);
	reply(s, 235, "2.7.0", "welcome");
}

/* Until sasl-serve says ok or no. */
static void
exchange(struct session *s, struct slice mech, struct strbuf *text,
    struct arena *a)
{
	bool first = true;

	for (;;) {
		struct slice line;
		struct tuple t;
		int r;

		if (service_ask(&s->srv->sasl, first, sb_slice(text), -1, SASL_MS,
		    a, &t, NULL) == -1) {
			log_sys("unable to ask sasl-serve at %s",
			    s->srv->sasl.path);
			reply(s, 454, "4.7.0", "cannot check logins now");
			return;
		}
		if (tuple_is(&t, "ok") && tuple_value(&t, "account").n != 0) {
			auth_done(s, &t);
			return;
		}
		if (!tuple_is(&t, "continue")) {
			auth_failed(s, mech, &t);
			return;
		}
		challenge(s, tuple_value(&t, "data"));
		r = client_says(s, &line);
		if (r != 1) {
			/* A new connection is cheaper than a third state. */
			service_close(&s->srv->sasl);
			if (r == -1)
				reply(s, 501, "5.5.0", "cancelled");
			return;
		}
		sb_reset(text);
		tuple_begin(text, "data");
		tuple_put(text, "data", line);
		tuple_end(text);
		first = false;
	}
}

void
do_auth(struct session *s, const struct smtp_command *c)
{
	struct strbuf text = STRBUF_INIT(AUTH_LINE_MAX * 2);
	struct slice arg = c->arg, name, mech = SLICE_NONE;
	struct arena a = { 0 };
	bool has_ir;

	if (!s->submission || s->account.n != 0 || s->t.open) {
		reply(s, 503, "5.5.1", "AUTH is not possible here");
		return;
	}
	has_ir = slice_cut(&arg, ' ', &name);
	arg = slice_trim(arg);
	if (name.n == 0 || c->trailing) {
		reply(s, 501, "5.5.2", "AUTH mechanism [initial-response]");
		return;
	}
	for (size_t i = 0; i < COUNTOF(mechs); i++)
		if (slice_ieqs(name, mechs[i].name))
			mech = slice_str(mechs[i].name);
	if (mech.n == 0) {
		reply(s, 504, "5.5.4", "mechanism not supported");
		return;
	}
	if (!s->tls && s->peer.require_tls) {
		reply(s, 538, "5.7.11", "needs TLS: use STARTTLS first");
		return;
	}
	if (slice_eq(arg, S("=")))
		arg = SLICE_NONE;
	put_start(s, mech, has_ir ? &arg : NULL, &text);
	exchange(s, mech, &text, &a);
	arena_free(&a);
	if (text.p != NULL)
		explicit_bzero(text.p, text.cap);
	explicit_bzero(s->input, s->at);
	sb_free(&text);
}
