/* The table of commands, and one connection from banner to end. */
#include "session.h"

#include "base/alloc.h"
#include "base/log.h"

static void
do_rset(struct session *s, const struct smtp_command *c)
{
	if (c->arg.n != 0) {
		reply(s, 501, "5.5.2", "RSET takes no argument");
		return;
	}
	transaction_reset(s);
	reply(s, 250, "2.0.0", "ok");
}

static void
do_noop(struct session *s, const struct smtp_command *c)
{
	(void)c;
	reply(s, 250, "2.0.0", "ok");
}

static void
do_quit(struct session *s, const struct smtp_command *c)
{
	if (c->arg.n != 0) {
		reply(s, 501, "5.5.2", "QUIT takes no argument");
		return;
	}
	reply(s, 221, "2.0.0", "bye");
	s->closing = true;
}

static void
do_help(struct session *s, const struct smtp_command *c)
{
	(void)c;
	reply(s, 214, "2.0.0", "see RFC 5321");
}

/* RFC 5321 section 7.3: neither yes nor no. */
static void
do_verify(struct session *s, const struct smtp_command *c)
{
	if (c->arg.n == 0)
		reply(s, 501, "5.5.2", "needs a name");
	else
		reply(s, 252, "2.7.0", "send mail and see");
}

static const struct {
	enum smtp_verb verb;
	bool anytime; /* before EHLO too */
	void (*run)(struct session *, const struct smtp_command *);
} commands[] = {
	{ SMTP_MAIL, false, do_mail },
	{ SMTP_RCPT, false, do_rcpt },
	{ SMTP_DATA, false, do_data },
	{ SMTP_EHLO, true, do_hello },
	{ SMTP_HELO, true, do_hello },
	{ SMTP_QUIT, true, do_quit },
	{ SMTP_RSET, true, do_rset },
	{ SMTP_NOOP, true, do_noop },
	{ SMTP_STARTTLS, false, do_starttls },
	{ SMTP_AUTH, false, do_auth },
	{ SMTP_HELP, true, do_help },
	{ SMTP_VRFY, true, do_verify },
	{ SMTP_EXPN, true, do_verify },
};

static void
unknown_verb(struct session *s)
{
	/* HTTP, TLS or worse: say as little as possible, echo nothing. */
	if (s->commands == 1) {
		reply(s, 500, "5.5.2", "this is SMTP");
		s->closing = true;
	} else
		reply(s, 500, "5.5.1", "unknown command");
}

static void
dispatch(struct session *s, struct slice line)
{
	struct smtp_command c;
	size_t i = 0;

	smtp_command(line, &c);
	while (i < COUNTOF(commands) && commands[i].verb != c.verb)
		i++;
	if (i == COUNTOF(commands))
		unknown_verb(s);
	else if (!smtp_line_ok(line))
		reply(s, 501, "5.5.2", "control bytes or broken UTF-8");
	else if (!commands[i].anytime && s->helo.n == 0)
		reply(s, 503, "5.5.1", "EHLO first");
	else
		commands[i].run(s, &c);
}

/* Reading, dispatching, and the limits that hold for all commands. */
static void
serve(struct session *s)
{
	struct slice line;

	while (!s->closing && read_line(s, false, &line) == 1) {
		if (stopping) {
			hang_up(s, "4.3.2", "shutting down");
			return;
		}
		if (++s->commands > COMMANDS_MAX) {
			hang_up(s, "4.7.0", "too many commands");
			return;
		}
		dispatch(s, line);
		if (s->errors >= ERRORS_MAX && !s->closing)
			hang_up(s, "4.7.0", "too many errors");
	}
}

static void
connection_log(const struct session *s)
{
	struct strbuf *l = log_begin("connection");

	tuple_puts(l, "id", s->peer.conn);
	tuple_puts(l, "service", s->peer.service);
	tuple_puts(l, "ip", s->peer.ip);
	tuple_opt(l, "helo", s->helo);
	tuple_opt(l, "tls", s->tls_version);
	tuple_opt(l, "account", s->account);
	tuple_putu(l, "accepted", s->good);
	tuple_putu(l, "refused", s->bad);
	tuple_putu(l, "unknown", s->unknown);
	tuple_putu(l, "errors", s->errors);
	tuple_putu(l, "bytes", s->bytes);
	log_end();
}

/* The banner: false if there is none. */
static bool
greet(struct session *s)
{
	struct strbuf text = STRBUF_INIT(512);
	uint64_t delay = conf_host_u64(s->srv->conf, "banner-delay");

	if (slice_eqs(slice_str(s->peer.service), "submissions") &&
	    tls_begin(s) == -1)
		return false;
	if (s->submission && !auth_allowed(s)) {
		hang_up(s, "4.7.0", "too many failed logins");
		return false;
	}
	/* RFC 5321 section 3.1: who talks before the greeting is no mail
	 * server. */
	if (delay != 0 && !s->submission &&
	    talks_within(s, (unsigned)delay * 1000)) {
		reply(s, 554, "5.5.1", "you talk before the greeting");
		return false;
	}
	sb_puts(&text, s->peer.name);
	sb_puts(&text, " ESMTP pneu");
	reply_lines(s, 220, sb_slice(&text));
	sb_free(&text);
	return true;
}

void
session_run(struct session *s)
{
	s->submission = !slice_eqs(slice_str(s->peer.service), "smtp");
	counter_add(s->srv->counters, COUNT_CONNECTIONS, 1);
	io_start(s);
	if (greet(s))
		serve(s);
	/* What cannot be written now has no reader. */
	if (flush(s) == -1)
		s->closing = true;
	connection_log(s);
	sb_free(&s->output);
	arena_free(&s->t.arena);
	arena_free(&s->arena);
	arena_free(&s->tls_arena);
}
