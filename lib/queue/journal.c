/*
 * The records of the journal: writing them, and applying them to a table.
 *
 *	attempt  domain= n=N time=UNIX next=UNIX id=
 *	         counted, and about to be made; should nothing follow, the next
 *	         one is at `next'
 *	result   addr= status=sent|failed|deferred code= ecode= text= host= ip=
 *	         time= reported=yes id=
 *	next     at=UNIX id=       queue-retry: all that waits, at this time
 *	report   dsn=ID delay=yes|no id=    a DSN is about to be queued as ID
 *	reported dsn=ID delay=yes|no id=    and has been queued
 *	done     how=sent|failed|dropped id=
 */
#include "queue/entry.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/tuple.h"

/* ---- writing ---- */

static void
put_id(struct strbuf *sb, const char *id)
{
	tuple_puts(sb, "id", id);
	tuple_end(sb);
}

void
qrec_attempt(struct strbuf *sb, const struct qgroup *g)
{
	tuple_begin(sb, "attempt");
	tuple_puts(sb, "domain", g->domain);
	tuple_putu(sb, "n", g->attempts);
	tuple_putu(sb, "time", (uint64_t)g->last);
	tuple_putu(sb, "next", (uint64_t)g->next);
	put_id(sb, g->entry->id);
}

void
qrec_result(struct strbuf *sb, const struct qentry *e, const struct qrcpt *r)
{
	const struct qresult *l = r->last;

	if (l == NULL)
		return;
	tuple_begin(sb, "result");
	tuple_puts(sb, "addr", r->addr);
	tuple_puts(sb, "status", qstatus_name(l->status));
	if (l->code != 0)
		tuple_putu(sb, "code", (uint64_t)l->code);
	tuple_opt(sb, "ecode", slice_str(l->ecode));
	tuple_opt(sb, "text", slice_str(l->text));
	tuple_opt(sb, "host", slice_str(l->host));
	tuple_opt(sb, "ip", slice_str(l->ip));
	tuple_putu(sb, "time", (uint64_t)l->time);
	if (r->reported)
		tuple_puts(sb, "reported", "yes");
	put_id(sb, e->id);
}

void
qrec_next(struct strbuf *sb, const struct qentry *e, int64_t at)
{
	tuple_begin(sb, "next");
	tuple_putu(sb, "at", (uint64_t)at);
	put_id(sb, e->id);
}

static void
put_report(struct strbuf *sb, const struct qentry *e, const char *type)
{
	tuple_begin(sb, type);
	tuple_puts(sb, "dsn", e->report);
	tuple_puts(sb, "delay", e->report_delay ? "yes" : "no");
	put_id(sb, e->id);
}

void
qrec_report(struct strbuf *sb, const struct qentry *e)
{
	put_report(sb, e, "report");
}

void
qrec_reported(struct strbuf *sb, const struct qentry *e)
{
	put_report(sb, e, "reported");
}

void
qrec_done(struct strbuf *sb, const char *id, const char *how)
{
	tuple_begin(sb, "done");
	tuple_puts(sb, "how", how);
	put_id(sb, id);
}

void
qrec_state(struct strbuf *sb, const struct qentry *e)
{
	if (e->delayed) {
		tuple_begin(sb, "reported");
		tuple_puts(sb, "delay", "yes");
		put_id(sb, e->id);
	}
	for (size_t i = 0; i < e->rcpts; i++)
		qrec_result(sb, e, &e->rcpt[i]);
	for (size_t i = 0; i < e->groups; i++)
		if (e->group[i].attempts != 0 ||
		    e->group[i].next != e->time)
			qrec_attempt(sb, &e->group[i]);
	if (e->report[0] != '\0')
		qrec_report(sb, e);
}

/* ---- results ---- */

/* Printable ASCII and valid UTF-8 stay; the rest becomes '?'. */
static char *
clean(struct slice s)
{
	bool utf8;
	char *p;

	s = slice_sub(s, 0, QUEUE_TEXT_MAX);
	/* Do not leave half a character at the end. */
	while (s.n != 0 && (s.p[s.n - 1] & 0x80) && !slice_is_utf8(s) &&
	    s.n > QUEUE_TEXT_MAX - 4)
		s.n--;
	utf8 = slice_is_utf8(s);
	p = slice_dup(s);
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = s.p[i];

		if (c < 0x20 || c == 0x7f || (c >= 0x80 && !utf8))
			p[i] = '?';
	}
	return p;
}

static char *
clean_or_null(struct slice s)
{
	return s.n != 0 ? clean(s) : NULL;
}

void
qrcpt_set(struct qrcpt *r, enum qstatus status, int code, struct slice ecode,
    struct slice text, struct slice host, struct slice ip, int64_t time)
{
	struct qresult *l = r->last;

	if (l == NULL)
		l = r->last = xcalloc(1, sizeof(*l));
	free(l->text);
	free(l->host);
	free(l->ip);
	*l = (struct qresult){ .status = status, .code = code, .time = time };
	if (!slice_is_print(ecode) ||
	    slice_cstr(ecode, l->ecode, sizeof(l->ecode)) == -1)
		l->ecode[0] = '\0';
	l->text = clean(text);
	l->host = clean_or_null(host);
	l->ip = clean_or_null(ip);
}

/* ---- applying ---- */

static int64_t
number(const struct tuple *t, const char *name, int64_t otherwise)
{
	uint64_t n;

	return tuple_u64(t, name, INT64_MAX, &n) == 0 ? (int64_t)n : otherwise;
}

static void
apply_attempt(struct qentry *e, const struct tuple *t)
{
	struct slice domain = tuple_value(t, "domain");

	for (size_t i = 0; i < e->groups; i++) {
		struct qgroup *g = &e->group[i];

		if (!slice_eqs(domain, g->domain))
			continue;
		g->attempts = (unsigned)(number(t, "n", 0) & 0xffff);
		g->last = number(t, "time", 0);
		g->next = number(t, "next", g->last);
	}
}

static void
apply_result(struct qentry *e, const struct tuple *t)
{
	struct slice addr = tuple_value(t, "addr"),
	    status = tuple_value(t, "status");
	enum qstatus s = Q_WAITING;

	while (s <= Q_DROPPED && !slice_eqs(status, qstatus_name(s)))
		s++;
	if (s > Q_DROPPED)
		return;
	for (size_t i = 0; i < e->rcpts; i++) {
		struct qrcpt *r = &e->rcpt[i];

		if (!slice_eqs(addr, r->addr))
			continue;
		qrcpt_set(r, s, (int)(number(t, "code", 0) % 1000),
		    tuple_value(t, "ecode"), tuple_value(t, "text"),
		    tuple_value(t, "host"), tuple_value(t, "ip"),
		    number(t, "time", 0));
		r->reported |= tuple_has(t, "reported", "yes");
	}
}

static void
apply_reported(struct qentry *e, const struct tuple *t)
{
	e->report[0] = '\0';
	if (tuple_has(t, "delay", "yes")) {
		e->delayed = true;
		return;
	}
	for (size_t i = 0; i < e->rcpts; i++)
		if (qrcpt_status(&e->rcpt[i]) == Q_FAILED)
			e->rcpt[i].reported = true;
}

static void
apply(struct qentry *e, const struct tuple *t)
{
	if (tuple_is(t, "attempt"))
		apply_attempt(e, t);
	else if (tuple_is(t, "result"))
		apply_result(e, t);
	else if (tuple_is(t, "done")) {
		e->ended = true;
		e->dropped = tuple_has(t, "how", "dropped");
	} else if (tuple_is(t, "reported"))
		apply_reported(e, t);
	else if (tuple_is(t, "report") && rid_ok(tuple_value(t, "dsn"))) {
		memcpy(e->report, tuple_value(t, "dsn").p, RID_LEN);
		e->report_delay = tuple_has(t, "delay", "yes");
	} else if (tuple_is(t, "next"))
		for (size_t i = 0; i < e->groups; i++)
			e->group[i].next = number(t, "at", e->group[i].next);
}

void
qtable_apply(struct qtable *t, struct slice records,
    void (*gone)(void *ctx, struct slice id), void *ctx)
{
	struct arena ar = { 0 };
	struct tuple_reader rd;
	struct tuple rec;
	int r;

	tuple_reader_init(&rd, records);
	while ((r = tuple_next(&rd, &ar, &rec)) != 0) {
		struct slice id = tuple_value(&rec, "id");
		struct qentry *e;

		if (r == -1 || !rid_ok(id))
			continue;
		e = qtable_find(t, id);
		if (e != NULL)
			apply(e, &rec);
		else if (gone != NULL && tuple_is(&rec, "done"))
			gone(ctx, id);
		arena_reset(&ar);
	}
	arena_free(&ar);
}
