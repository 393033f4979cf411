/*
 * auth.c - AUTHENTICATE and LOGIN: pass SASL between client and sasl-serve
 */
#include <poll.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/tuple.h"
#include "login.h"

#define DELAY_MAX 30000 /* of what sasl-serve may ask for */

static const struct {
	const char *name;
	bool bound;  /* to the TLS channel */
	bool plain;  /* shows the password to who listens */
} mechs[] = {
	{ "SCRAM-SHA-256-PLUS", true, false },
	{ "SCRAM-SHA-256", false, false },
	{ "SCRAM-SHA-1-PLUS", true, false },
	{ "SCRAM-SHA-1", false, false },
	{ "PLAIN", false, true },
	{ "LOGIN", false, true },
};

/* What sasl-serve's reasons are to a client (RFC 5530). */
static const struct {
	const char *reason, *answer;
} failures[] = {
	{ "credentials", "NO [AUTHENTICATIONFAILED] wrong name or password" },
	{ "authzid", "NO [AUTHORIZATIONFAILED] not allowed for that user" },
	{ "binding", "NO [AUTHENTICATIONFAILED] channel binding differs: is "
	    "somebody in between?" },
	{ "protocol", "BAD malformed authentication data" },
	{ "encoding", "BAD malformed base64" },
	{ "mechanism", "NO [CANNOT] mechanism not supported" },
	{ "tls", "NO [PRIVACYREQUIRED] use STARTTLS first" },
	{ "disabled", "NO [CONTACTADMIN] login is disabled" },
	{ "limit", "NO [UNAVAILABLE] too many failed logins" },
};

void
put_mechanisms(struct login *l)
{
	bool binding = l->exporter.n != 0 || l->unique.n != 0;

	for (size_t i = 0; i < COUNTOF(mechs); i++)
		if ((!mechs[i].bound || binding) &&
		    (!mechs[i].plain || l->tls || !l->require_tls))
			sb_printf(&l->out, " AUTH=%s", mechs[i].name);
}

bool
auth_allowed(struct login *l)
{
	struct strbuf text = STRBUF_INIT(512);
	struct tuple t;
	bool allowed = true;

	tuple_begin(&text, "allow");
	tuple_puts(&text, "service", l->service);
	tuple_puts(&text, "ip", l->ip);
	tuple_end(&text);
	/* Without sasl-serve nobody can log in anyway. */
	if (service_ask(&l->sv->sasl, true, sb_slice(&text), -1, SASL_MS,
	    &l->ar, &t, NULL) == 0)
		allowed = !tuple_has(&t, "result", "no");
	sb_free(&text);
	return allowed;
}

static void
log_auth(struct login *l, struct slice mech, struct slice result,
    struct slice user)
{
	struct strbuf *o = log_begin("auth");

	tuple_puts(o, "conn", l->conn);
	tuple_puts(o, "ip", l->ip);
	tuple_put(o, "mech", mech);
	tuple_put(o, "result", result);
	tuple_opt(o, "login", user);
	log_end();
}

static void
failed(struct login *l, struct slice tag, struct slice mech,
    const struct tuple *t)
{
	struct slice reason = tuple_value(t, "reason");
	uint64_t delay;
	size_t i = 0;

	while (i < COUNTOF(failures) && !slice_eqs(reason, failures[i].reason))
		i++;
	log_auth(l, mech, reason, SLICE_NONE);
	if (tuple_u64(t, "delay", DELAY_MAX, &delay) == -1)
		delay = 0;
	if (++l->fails > FAILS_FREE)
		delay += (uint64_t)(l->fails - FAILS_FREE) * 1000;
	if (delay != 0)
		(void)poll(NULL, 0, (int)delay);
	put(l, "%.*s %s", SLICE_ARG(tag), i < COUNTOF(failures) ?
	    failures[i].answer : "NO [UNAVAILABLE] cannot check logins now");
	if (l->fails >= FAILS_MAX || slice_eqs(reason, "limit"))
		bye(l, "too many failed logins");
}

static void
succeeded(struct login *l, struct slice tag, struct slice mech,
    const struct tuple *t)
{
	struct slice account = tuple_value(t, "account");
	struct slice user = tuple_value(t, "login");

	log_auth(l, mech, S("ok"), user);
	put_flush(l);
	if (!l->over && !hand_over(l, tag, account, user))
		put(l, "%.*s NO [UNAVAILABLE] cannot open the account now",
		    SLICE_ARG(tag));
}

/* A challenge out, the client's line in: 1, 0 gone, -1 cancelled. */
static int
challenge(struct login *l, struct slice data, struct slice *answer)
{
	sb_puts(&l->out, "+ ");
	sb_put(&l->out, data);
	sb_puts(&l->out, "\r\n");
	switch (next_event(l)) {
	case IMAP_COMMAND:
		*answer = arena_copy(&l->ar, sb_slice(&l->reader.text));
		return slice_eqs(*answer, "*") ? -1 : 1;
	case IMAP_MORE:
		return 0;
	default:
		bye(l, "malformed authentication data");
		return 0;
	}
}

/* Ask until sasl-serve says ok or no. `first' is the start packet. */
static void
exchange(struct login *l, struct slice tag, struct slice mech,
    struct strbuf *packet, bool talk)
{
	bool first = true;

	for (;;) {
		struct slice answer, data;
		struct tuple t;
		int r;

		if (service_ask(&l->sv->sasl, first, sb_slice(packet), -1,
		    SASL_MS, &l->ar, &t, NULL) == -1) {
			log_sys("ask %s", l->sv->sasl.path);
			put(l, "%.*s NO [UNAVAILABLE] cannot check logins now",
			    SLICE_ARG(tag));
			return;
		}
		data = tuple_value(&t, "data");
		if (tuple_is(&t, "ok") && tuple_value(&t, "account").n != 0) {
			/* The server's last word; the answer is empty. */
			if (data.n != 0 && challenge(l, data, &answer) != 1)
				return;
			succeeded(l, tag, mech, &t);
			return;
		}
		if (!tuple_is(&t, "continue") || !talk) {
			if (data.n != 0 && talk &&
			    challenge(l, data, &answer) == 0)
				return;
			failed(l, tag, mech, &t);
			return;
		}
		r = challenge(l, data, &answer);
		if (r != 1) {
			service_close(&l->sv->sasl);
			if (r == -1)
				put(l, "%.*s BAD cancelled", SLICE_ARG(tag));
			return;
		}
		sb_reset(packet);
		tuple_begin(packet, "data");
		tuple_put(packet, "data", answer);
		tuple_end(packet);
		first = false;
	}
}

static void
begin(struct login *l, struct slice tag, struct slice mech,
    const struct slice *ir, bool talk)
{
	struct strbuf p = STRBUF_INIT(4 * LINE_LIMIT);

	tuple_begin(&p, "start");
	tuple_put(&p, "mech", mech);
	tuple_puts(&p, "service", l->service);
	tuple_puts(&p, "ip", l->ip);
	tuple_puts(&p, "tls", l->tls ? "yes" : "no");
	tuple_puts(&p, "conn", l->conn);
	tuple_opt(&p, "cb-exporter", l->exporter);
	tuple_opt(&p, "cb-unique", l->unique);
	if (ir != NULL)
		tuple_put(&p, "ir", *ir);
	tuple_end(&p);
	exchange(l, tag, mech, &p, talk);
	if (p.p != NULL)
		explicit_bzero(p.p, p.cap);
	sb_free(&p);
}

void
cmd_authenticate(struct login *l, struct slice tag, struct slice args)
{
	struct slice name, ir;
	bool has_ir;
	size_t i = 0;

	if (!imap_sp(&args) || !imap_atom(&args, &name)) {
		put(l, "%.*s BAD mechanism expected", SLICE_ARG(tag));
		return;
	}
	has_ir = imap_sp(&args);
	ir = slice_eqs(args, "=") ? SLICE_NONE : args;
	if (!has_ir && args.n != 0) {
		put(l, "%.*s BAD mechanism expected", SLICE_ARG(tag));
		return;
	}
	while (i < COUNTOF(mechs) && !slice_ieqs(name, mechs[i].name))
		i++;
	if (i == COUNTOF(mechs))
		put(l, "%.*s NO [CANNOT] mechanism not supported",
		    SLICE_ARG(tag));
	else if (mechs[i].plain && !l->tls && l->require_tls)
		put(l, "%.*s NO [PRIVACYREQUIRED] use STARTTLS first",
		    SLICE_ARG(tag));
	else
		begin(l, tag, slice_str(mechs[i].name), has_ir ? &ir : NULL,
		    true);
}

void
cmd_login(struct login *l, struct slice tag, struct slice args)
{
	struct strbuf plain = STRBUF_INIT(LITERALS_LIMIT + LINE_LIMIT);
	struct strbuf ir = STRBUF_INIT(2 * (LITERALS_LIMIT + LINE_LIMIT));
	struct slice user, password, coded;

	if (!imap_sp(&args) || !imap_astring(&args, &l->ar, &user) ||
	    !imap_sp(&args) || !imap_astring(&args, &l->ar, &password) ||
	    args.n != 0 || slice_chr(user, '\0') != -1 ||
	    slice_chr(password, '\0') != -1) {
		put(l, "%.*s BAD name and password expected", SLICE_ARG(tag));
		return;
	}
	if (!l->tls && l->require_tls) {
		put(l, "%.*s NO [PRIVACYREQUIRED] use STARTTLS first",
		    SLICE_ARG(tag));
		return;
	}
	sb_putc(&plain, '\0');
	sb_put(&plain, user);
	sb_putc(&plain, '\0');
	sb_put(&plain, password);
	sb_base64(&ir, sb_slice(&plain));
	coded = sb_slice(&ir);
	begin(l, tag, S("PLAIN"), &coded, false);
	explicit_bzero(plain.p, plain.cap);
	explicit_bzero(ir.p, ir.cap);
	sb_free(&plain);
	sb_free(&ir);
}
