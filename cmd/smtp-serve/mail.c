/* MAIL and RCPT (RFC 5321 sections 4.1.1.2, 4.1.1.3). */
#include "session.h"

#include <errno.h>

#include "base/alloc.h"

uint64_t
size_max(const struct session *s)
{
	return conf_host_u64(s->srv->conf, "max-message-size");
}

unsigned
rcpt_max(const struct session *s)
{
	return (unsigned)conf_host_u64(s->srv->conf, "max-recipients");
}

const char *
size_ecode(uint64_t n)
{
	return n < SIZE_USUAL ? "5.2.3" : "5.3.4";
}

void
transaction_reset(struct session *s)
{
	struct arena keep = s->t.arena;

	arena_reset(&keep);
	s->t = (struct transaction){ .arena = keep };
}

enum { SEEN_SIZE = 1, SEEN_BODY = 2, SEEN_UTF8 = 4, SEEN_AUTH = 8 };

/* SIZE=n (RFC 1870 section 6): 0, or the reply's code. */
static int
param_size(struct session *s, struct slice value)
{
	uint64_t n;

	if (slice_u64(value, UINT64_MAX, &n) == -1 && errno != ERANGE)
		return reply(s, 501, "5.5.4", "malformed SIZE");
	if (value.n > 20)
		return reply(s, 501, "5.5.4", "SIZE has too many digits");
	if (slice_u64(value, size_max(s), &n) == -1)
		return reply(s, 552,
		    slice_u64(value, SIZE_USUAL - 1, &n) == -1 ? "5.3.4" : "5.2.3",
		    "message too large");
	return 0;
}

/* One parameter of MAIL: 0, or the reply's code. */
static int
mail_param(struct session *s, const struct smtp_param *p, unsigned *seen)
{
	static const struct {
		const char *key;
		unsigned bit;
		bool value;
	} known[] = {
		{ "SIZE", SEEN_SIZE, true },
		{ "BODY", SEEN_BODY, true },
		{ "SMTPUTF8", SEEN_UTF8, false },
		{ "AUTH", SEEN_AUTH, true },
	};
	struct strbuf xtext = STRBUF_INIT(LINE_MAX_BYTES);
	size_t i = 0;
	int r = 0;

	while (i < COUNTOF(known) && !slice_ieqs(p->key, known[i].key))
		i++;
	if (i == COUNTOF(known))
		return reply(s, 555, "5.3.3", "unknown parameter");
	if (*seen & known[i].bit)
		return reply(s, 501, "5.5.4", "parameter given twice");
	*seen |= known[i].bit;
	if (p->has_value != known[i].value)
		return reply(s, 501, "5.5.4", "malformed parameter");
	if (known[i].bit == SEEN_SIZE)
		r = param_size(s, p->value);
	else if (known[i].bit == SEEN_BODY) {
		s->t.eight_bit = slice_ieqs(p->value, "8BITMIME");
		if (!s->t.eight_bit && !slice_ieqs(p->value, "7BIT"))
			r = reply(s, 555, "5.5.4", "unknown BODY");
	} else if (known[i].bit == SEEN_UTF8)
		s->t.utf8 = true;
	else if (smtp_xtext(p->value, &xtext) == -1)
		/* RFC 4954 section 5; checked, and not used. */
		r = reply(s, 501, "5.5.4", "malformed AUTH");
	sb_free(&xtext);
	return r;
}

/* Too early, or no more: 0, or the reply's code. */
static int
mail_when(struct session *s)
{
	if (s->bad > BAD_TRANSACTIONS_MAX && s->good == 0) {
		s->closing = true;
		return reply(s, 550, "5.1.0", "too many failed messages");
	}
	if (s->peer.require_tls && !s->tls)
		return reply(s, 530, "5.7.0", "use STARTTLS first");
	if (s->submission && s->account.n == 0)
		return reply(s, 530, "5.7.0", "log in first");
	if (s->t.open)
		return reply(s, 503, "5.5.1", "there is a sender already");
	if (s->messages >= MESSAGES_MAX) {
		s->closing = true;
		return reply(s, 421, "4.7.0",
		    "many messages: please connect again");
	}
	return 0;
}

/* May this address send here? 0, or the reply's code. */
static int
mail_policy(struct session *s, const struct addr *a)
{
	struct conf_rcpt r;
	int may;

	if (a->literal && s->submission)
		return reply(s, 550, "5.7.1", "not your address");
	if (a->literal)
		return reply(s, 550, "5.7.0",
		    "no mail from address literals");
	if (!s->submission)
		return 0;
	may = conf_may_send(s->srv->conf, s->account, a, &s->t.arena);
	if (may == -1 || conf_rcpt(s->srv->conf, a, &s->t.arena, &r) == -1)
		return reply(s, 451, "4.3.0", "configuration is damaged");
	if (r.kind == RCPT_DISABLED)
		return reply(s, 451, "4.3.0", "that domain is disabled");
	if (may == 0)
		return reply(s, 550, "5.7.1", "not your address");
	return 0;
}

/* The reverse-path, once the parameters are known: 0, or the reply's code. */
static int
mail_from(struct session *s, struct slice mailbox)
{
	struct strbuf text = STRBUF_INIT(1024);
	struct addr a;
	int r;

	if (mailbox.n == 0)
		return 0;
	if (addr_parse(mailbox, s->t.utf8 ? ADDR_UTF8 : 0, &s->t.arena, &a) ==
	    -1) {
		if (errno == EILSEQ && !s->t.utf8)
			return reply(s, 550, "5.6.7",
			    "a non-ASCII address needs SMTPUTF8");
		return reply(s, 501, "5.5.2", "malformed address");
	}
	if ((r = mail_policy(s, &a)) != 0)
		return r;
	addr_format(&text, &a);
	s->t.from = arena_copy(&s->t.arena, sb_slice(&text));
	sb_free(&text);
	return 0;
}

static int
mail(struct session *s, struct slice arg)
{
	struct slice mailbox;
	struct smtp_param p;
	unsigned seen = 0;
	int r, more;

	if ((r = mail_when(s)) != 0)
		return r;
	if (smtp_path(&arg, "FROM:", &mailbox) == -1)
		return reply(s, 501, "5.5.2", "MAIL FROM:<address>");
	while ((more = smtp_param(&arg, &p)) == 1)
		if ((r = mail_param(s, &p, &seen)) != 0)
			return r;
	if (more == -1)
		return reply(s, 501, "5.5.2", "malformed parameter");
	return mail_from(s, mailbox);
}

void
do_mail(struct session *s, const struct smtp_command *c)
{
	/* Whatever goes wrong, no part of it may live on: a client that sends
	 * commands ahead would add its recipients to another message. */
	if (mail(s, c->arg) != 0) {
		transaction_reset(s);
		return;
	}
	s->t.open = true;
	reply(s, 250, "2.1.0", "ok");
}

static bool
same_rcpt(const struct addr *a, const struct addr *b, bool local)
{
	return local ? addr_ieq(a, b) : addr_eq(a, b);
}

/* Record one recipient unless it is there already: was it new? */
static bool
add_rcpt(struct session *s, const struct addr *a, const struct conf_rcpt *r,
    struct slice alias)
{
	struct transaction *t = &s->t;
	struct strbuf text = STRBUF_INIT(1024);
	bool local = r->kind == RCPT_LOCAL;

	for (size_t i = 0; i < t->count; i++)
		if (same_rcpt(&t->rcpt[i].parsed, a, local))
			return false;
	if (t->count == t->cap) {
		size_t cap = t->cap != 0 ? t->cap * 2 : 4;

		t->rcpt = arena_grow(&t->arena, t->rcpt,
		    t->cap * sizeof(*t->rcpt), cap * sizeof(*t->rcpt));
		t->cap = cap;
	}
	addr_format(&text, a);
	t->rcpt[t->count++] = (struct rcpt){
		.addr = arena_copy(&t->arena, sb_slice(&text)),
		.account = arena_copy(&t->arena, r->account),
		.mailbox = arena_copy(&t->arena, r->mailbox),
		.alias = alias,
		.parsed = *a,
	};
	sb_free(&text);
	return true;
}

/* Inbound: a record for each member. 0, or the reply's code. */
static int
add_members(struct session *s, const struct addr *list,
    const struct conf_rcpt *alias)
{
	struct arena *ar = &s->t.arena;
	struct strbuf name = STRBUF_INIT(1024);
	struct tuple_reader tr;
	struct tuple t;
	struct slice list_addr;
	bool any = false;

	addr_format(&name, list);
	list_addr = arena_copy(ar, sb_slice(&name));
	sb_free(&name);
	tuple_reader_init(&tr, arena_copy(ar, alias->members));
	while (tuple_next(&tr, ar, &t) == 1) {
		struct conf_rcpt r = { .kind = RCPT_LOCAL };
		struct addr a;

		if (s->t.count >= RCPT_RECORDS_MAX)
			return reply(s, 452, "4.5.3", "too many recipients");
		if (!tuple_is(&t, "member") || addr_parse(
		    tuple_value(&t, "addr"), ADDR_UTF8, ar, &a) == -1)
			continue;
		r.account = tuple_value(&t, "account");
		if (!tuple_get(&t, "mailbox", &r.mailbox))
			r.mailbox = S("INBOX");
		add_rcpt(s, &a, &r, list_addr);
		any = true;
	}
	return any ? 0 : reply(s, 550, "5.1.1", "that list has no members");
}

static int
rcpt_unknown(struct session *s, const char *text)
{
	counter_add(s->srv->counters, COUNT_RCPT_UNKNOWN, 1);
	if (++s->unknown >= UNKNOWN_MAX) {
		hang_up(s, "4.7.0", "too many unknown recipients");
		return 421;
	}
	if (s->unknown >= UNKNOWN_SLOW)
		pause_ms(s, UNKNOWN_MS);
	reply(s, 550, "5.1.1", "%s", text);
	s->errors--; /* these have a limit of their own */
	return 550;
}

/* What the address is to us: 0 accepted, or the reply's code. */
static int
rcpt_resolve(struct session *s, const struct addr *a)
{
	struct conf_rcpt r = { .kind = RCPT_REMOTE };

	if (!a->literal && conf_rcpt(s->srv->conf, a, &s->t.arena, &r) == -1)
		return reply(s, 451, "4.3.0", "configuration is damaged");
	switch (r.kind) {
	case RCPT_DISABLED:
		return reply(s, 450, "4.2.1", "that domain is disabled");
	case RCPT_UNKNOWN:
		return rcpt_unknown(s, "no such user here");
	case RCPT_REFUSED:
		if (r.code == 421)
			return reply(s, 451, "4.3.0", "%.*s",
			    SLICE_ARG(r.text));
		return reply(s, 550, "5.1.1", "%.*s", SLICE_ARG(r.text));
	case RCPT_REMOTE:
		if (!s->submission)
			return rcpt_unknown(s, "no mail for that domain here");
		break;
	case RCPT_ALIAS:
		if (!s->submission) {
			int code = add_members(s, a, &r);

			s->t.rcpts += code == 0;
			return code;
		}
		break;
	case RCPT_LOCAL:
		break;
	}
	if (s->submission) /* all go through the queue */
		r.account = r.mailbox = SLICE_NONE;
	s->t.rcpts += add_rcpt(s, a, &r, SLICE_NONE);
	return 0;
}

static int
rcpt_limits(struct session *s)
{
	if (s->t.rcpts >= rcpt_max(s) || s->t.count >= RCPT_RECORDS_MAX)
		return reply(s, 452, "4.5.3", "too many recipients");
	/* A bounce has one recipient, the sender of what bounced. */
	if (!s->submission && s->t.from.n == 0 && s->t.rcpts >= 1)
		return reply(s, 452, "4.5.3",
		    "one recipient for a null sender");
	return 0;
}

static int
rcpt(struct session *s, struct slice arg)
{
	struct slice mailbox;
	struct smtp_param p;
	struct addr a;
	int r;

	if (!s->t.open)
		return reply(s, 503, "5.5.1", "MAIL first");
	if (smtp_path(&arg, "TO:", &mailbox) == -1 || mailbox.n == 0)
		return reply(s, 501, "5.5.2", "RCPT TO:<address>");
	if ((r = smtp_param(&arg, &p)) == -1)
		return reply(s, 501, "5.5.2", "malformed parameter");
	if (r == 1)
		return reply(s, 555, "5.3.3", "unknown parameter");
	if ((r = rcpt_limits(s)) != 0)
		return r;
	if (addr_parse(mailbox, ADDR_POSTMASTER | (s->t.utf8 ? ADDR_UTF8 : 0),
	    &s->t.arena, &a) == -1) {
		if (errno == EILSEQ && !s->t.utf8)
			return reply(s, 553, "5.6.7",
			    "a non-ASCII address needs SMTPUTF8");
		return reply(s, 501, "5.5.2", "malformed address");
	}
	return rcpt_resolve(s, &a);
}

void
do_rcpt(struct session *s, const struct smtp_command *c)
{
	if (rcpt(s, c->arg) == 0)
		reply(s, 250, "2.1.0", "ok");
}
