/* EHLO, HELO, STARTTLS. */
#include "session.h"

#include <errno.h>
#include <unistd.h>

#include "base/log.h"

/*
 * RFC 5321 section 4.1.1.1. A submitting client often does not know its name
 * (RFC 6409 section 4.2), so there any text goes; what is no name is not kept.
 */
static struct slice
hello_name(struct session *s, const struct smtp_command *c)
{
	struct slice arg = slice_trim(c->arg), name;

	if (s->submission) {
		if (smtp_hello_ok(arg, true))
			return arena_copy(&s->arena, arg);
		return arg.n == 0 ? SLICE_NONE : slice_str(s->peer.ip);
	}
	/* Some clients put a comment behind an address literal. */
	slice_cut(&arg, ' ', &name);
	if (arg.n != 0 && name.n != 0 && name.p[0] != '[')
		return SLICE_NONE;
	if (!smtp_hello_ok(name, c->verb == SMTP_EHLO))
		return SLICE_NONE;
	return arena_copy(&s->arena, name);
}

static void
extensions(struct session *s)
{
	struct strbuf text = STRBUF_INIT(2048);

	sb_puts(&text, s->peer.name);
	sb_puts(&text, "\nPIPELINING");
	sb_printf(&text, "\nSIZE %llu", (unsigned long long)size_max(s));
	if (!s->tls && s->socket)
		sb_puts(&text, "\nSTARTTLS");
	if (s->submission) {
		sb_puts(&text, "\nAUTH");
		auth_list(s, &text);
	}
	sb_printf(&text, "\nENHANCEDSTATUSCODES\n8BITMIME\n"
	    "LIMITS RCPTMAX=%u\nSMTPUTF8", rcpt_max(s));
	reply_lines(s, 250, sb_slice(&text));
	sb_free(&text);
}

void
do_hello(struct session *s, const struct smtp_command *c)
{
	struct slice name = hello_name(s, c);

	if (name.n == 0) {
		reply(s, 501, "5.5.2", "that is not a host name");
		return;
	}
	transaction_reset(s);
	s->helo = name;
	s->esmtp = c->verb == SMTP_EHLO;
	if (s->esmtp)
		extensions(s);
	else
		reply_lines(s, 250, slice_str(s->peer.name));
}

static void
tls_log(struct session *s, struct slice reason)
{
	struct strbuf *l = log_begin("tls");

	tuple_puts(l, "conn", s->peer.conn);
	tuple_puts(l, "ip", s->peer.ip);
	tuple_puts(l, "result", "fail");
	tuple_put(l, "reason", reason);
	log_end();
	counter_add(s->srv->counters, COUNT_TLS_FAILED, 1);
}

static int
tls_request(struct session *s, struct arena *a, struct tuple *t, int *plain)
{
	struct strbuf text = STRBUF_INIT(256);
	int r;

	tuple_begin(&text, "tls");
	tuple_puts(&text, "service", s->peer.service);
	tuple_puts(&text, "conn", s->peer.conn);
	tuple_end(&text);
	*plain = -1;
	r = service_ask(&s->srv->tls, true, sb_slice(&text), s->in, TLS_MS, a, t,
	    plain);
	sb_free(&text);
	return r;
}

/* The plain descriptor takes the place of the TCP connection. */
static int
take_over(struct session *s, int plain)
{
	int r = dup2(plain, s->in) == -1 ||
	    (s->out != s->in && dup2(plain, s->out) == -1);

	close(plain);
	if (r == 0)
		io_timeouts(s);
	return r != 0 ? -1 : 0;
}

int
tls_begin(struct session *s)
{
	struct arena *a = &s->tls_arena;
	struct tuple t;
	int plain;

	if (tls_request(s, a, &t, &plain) == -1) {
		log_sys("unable to ask tls-serve");
		tls_log(s, S("no tls-serve"));
		return -1;
	}
	if (!tuple_is(&t, "tls") || !tuple_has(&t, "result", "ok") ||
	    plain == -1) {
		if (plain != -1)
			close(plain);
		tls_log(s, tuple_value(&t, "reason"));
		return -1;
	}
	if (take_over(s, plain) == -1)
		return -1;
	s->tls = true;
	s->tls_version = tuple_value(&t, "version");
	s->cipher = tuple_value(&t, "cipher");
	s->sni = tuple_value(&t, "sni");
	s->exporter = tuple_value(&t, "exporter");
	s->unique = tuple_value(&t, "unique");
	counter_add(s->srv->counters, COUNT_TLS, 1);
	return 0;
}

/* RFC 3207 section 4.2: what was said before TLS is forgotten. */
static void
forget_plain(struct session *s)
{
	transaction_reset(s);
	s->helo = s->account = s->login = s->mech = SLICE_NONE;
	s->esmtp = false;
	arena_reset(&s->arena);
}

void
do_starttls(struct session *s, const struct smtp_command *c)
{
	if (c->arg.n != 0) {
		reply(s, 501, "5.5.2", "STARTTLS takes no argument");
		return;
	}
	if (s->tls || !s->socket || s->account.n != 0) {
		reply(s, 503, "5.5.1", "STARTTLS is not possible here");
		return;
	}
	/* RFC 3207 section 6: nothing that came in plain text may be run
	 * inside TLS; a client has nothing to say before our answer. */
	if (input_left(s) != 0) {
		reply(s, 501, "5.5.2", "commands behind STARTTLS");
		s->closing = true;
		return;
	}
	if (service_fd(&s->srv->tls) == -1) {
		log_sys("unable to reach tls-serve at %s", s->srv->tls.path);
		reply(s, 454, "4.7.0", "TLS is not available now");
		return;
	}
	reply(s, 220, "2.0.0", "go ahead");
	if (flush(s) == -1)
		return;
	forget_plain(s);
	if (tls_begin(s) == -1)
		s->closing = true;
}
