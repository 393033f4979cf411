/*
 * What becomes of an entry: results into the journal, a DSN when recipients
 * failed, the end. Nothing is removed before that is durable.
 */
#include "queue-run.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/tuple.h"
#include "queue/dsn.h"

/* After a write to the disk failed. */
#define WRITE_PAUSE_MS 2000

/* Too old to be tried again: failed, with what was said last. */
static void
expire(struct run *r, struct work *w)
{
	struct qentry *e = w->g->entry;
	struct limits l = limits(r);
	int64_t now = clock_unix();

	if (now < e->time + l.lifetime)
		return;
	for (size_t i = 0; i < w->count; i++) {
		struct qrcpt *c = &e->rcpt[w->asked[i]];

		if (qrcpt_status(c) != Q_WAITING || c->last == NULL)
			continue;
		c->last->status = Q_FAILED;
		tuple_puts(log_begin("expired"), "id", e->id);
		log_end();
	}
}

void
entry_results(struct run *r, struct work *w)
{
	struct qentry *e = w->g->entry;
	bool all_sent = true;

	expire(r, w);
	for (size_t i = 0; i < e->rcpts; i++)
		all_sent &= qrcpt_status(&e->rcpt[i]) == Q_SENT;
	if (all_sent)
		return; /* its `done' says it all */
	for (size_t i = 0; i < w->count; i++)
		qrec_result(&r->out, e, &e->rcpt[w->asked[i]]);
}

static void
log_drop(const struct qentry *e)
{
	struct strbuf *l = log_begin("dropped");

	tuple_puts(l, "id", e->id);
	tuple_puts(l, "from", e->from);
	for (size_t i = 0; i < e->rcpts; i++)
		if (qrcpt_status(&e->rcpt[i]) == Q_WAITING)
			tuple_puts(l, "addr", e->rcpt[i].addr);
	log_end();
}

static void
end_entry(struct run *r, struct qentry *e)
{
	bool failed = false;

	if (e->leaving)
		return;
	for (size_t i = 0; i < e->rcpts; i++)
		failed |= qrcpt_status(&e->rcpt[i]) == Q_FAILED;
	if (!e->ended)
		qrec_done(&r->out, e->id, failed ? "failed" : "sent");
	else if (e->dropped)
		log_drop(e);
	sched_forget(r, e);
	e->ended = e->leaving = true;
	sweep_add(r, e);
}

static void
ask_report(struct run *r, struct qentry *e, bool delay)
{
	rid_new(e->report);
	e->report_delay = delay;
	qrec_report(&r->out, e);
	r->reports = true;
}

/* Is there someone who should hear that this takes long? */
static bool
wants_delay(struct run *r, const struct qentry *e, int64_t now)
{
	struct limits l = limits(r);

	if (l.warn == 0 || e->delayed || e->from[0] == '\0' ||
	    now < e->time + l.warn)
		return false;
	for (size_t i = 0; i < e->rcpts; i++)
		if (qrcpt_status(&e->rcpt[i]) == Q_WAITING &&
		    e->rcpt[i].last != NULL &&
		    (e->rcpt[i].notify & NOTIFY_DELAY))
			return true;
	return false;
}

void
entry_settle(struct run *r, struct qentry *e, int64_t now)
{
	if (e->ended)
		end_entry(r, e);
	else if (e->report[0] != '\0')
		r->reports = true;
	else if (qentry_unreported(e))
		ask_report(r, e, false);
	else if (qentry_ended(e))
		end_entry(r, e);
	else if (wants_delay(r, e, now))
		ask_report(r, e, true);
}

/* ---- DSNs ---- */

static int
write_report(struct run *r, struct qentry *e, int64_t now)
{
	struct strbuf env = STRBUF_INIT(DSN_MAX), msg = STRBUF_INIT(DSN_MAX);
	struct strbuf host = STRBUF_INIT(256);
	struct dsn d = { .id = e->report, .now = now, .entry = e,
		.delay = e->report_delay,
		.give_up = e->time + limits(r).lifetime };
	struct queue_new n = { .count = 1 };
	struct slice all;
	int fd = queue_job_open(&r->q, e->id);

	if (fd == -1 || fd_map(fd, &all) == -1) {
		log_sys("unable to read queue entry %s", e->id);
		if (fd != -1)
			close(fd);
		return -1;
	}
	close(fd);
	sb_put(&host, conf_host(r->conf, "name"));
	d.host = sb_cstr(&host);
	d.original = slice_skip(all, (size_t)e->offset);
	dsn_build(&d, &env, &msg);
	memcpy(n.id, e->report, sizeof(n.id));
	n.envelope = sb_slice(&env);
	n.body[0] = sb_slice(&msg);
	n.error = EMSGSIZE;
	if (!env.over && !msg.over)
		queue_add(&r->q, &n, 1);
	if (n.error != 0)
		log_error("unable to queue a notice for %s: %s", e->id,
		    strerror(n.error));
	fd_unmap(all);
	sb_free(&env);
	sb_free(&msg);
	sb_free(&host);
	return n.error == 0 ? 0 : -1;
}

static void
log_report(const struct qentry *e)
{
	struct strbuf *l = log_begin("report");

	tuple_puts(l, "id", e->id);
	tuple_puts(l, "dsn", e->report);
	tuple_puts(l, "about", e->report_delay ? "delay" : "failure");
	tuple_puts(l, "to", e->from);
	log_end();
}

/* The DSN is in the queue; the original may go. */
static void
reported(struct run *r, struct qentry *e, int64_t now)
{
	struct qentry *dsn;
	const char *why;

	log_report(e);
	qrec_reported(&r->out, e);
	if (qtable_load(&r->table, &r->q, e->report, &dsn, &why) == 1)
		sched_entry(r, dsn);
	e->report[0] = '\0';
	if (e->report_delay)
		e->delayed = true;
	else
		for (size_t i = 0; i < e->rcpts; i++)
			if (qrcpt_status(&e->rcpt[i]) == Q_FAILED)
				e->rcpt[i].reported = true;
	if (e->busy == 0)
		entry_settle(r, e, now);
}

void
entry_reports(struct run *r, int64_t now)
{
	struct qentry *e = NULL, **list = NULL;
	size_t bucket = 0, count = 0, cap = 0;

	if (!r->reports)
		return;
	r->reports = false;
	while ((e = qtable_next(&r->table, &bucket, e)) != NULL) {
		if (e->report[0] == '\0' || e->ended)
			continue;
		if (count == cap) {
			cap = size_add(size_mul(cap, 2), 16);
			list = xrealloc(list, size_mul(cap, sizeof(*list)));
		}
		list[count++] = e;
	}
	for (size_t i = 0; i < count; i++) {
		if (write_report(r, list[i], now) == 0)
			reported(r, list[i], now);
		else /* looked for again with the next full scan */
			r->no_write = clock_ms() + WRITE_PAUSE_MS;
	}
	free(list);
}

/* ---- commit ---- */

void
entry_commit(struct run *r, int64_t now)
{
	struct work *w;

	do {
		if (r->out.n != 0) {
			if (queue_append(&r->q, sb_slice(&r->out)) == -1) {
				log_sys("unable to write the journal");
				r->no_write = clock_ms() + WRITE_PAUSE_MS;
				return;
			}
			sb_reset(&r->out);
		}
		sweep_go(r);
		while ((w = r->starting) != NULL) {
			r->starting = w->next;
			w->next = NULL;
			worker_send(r, w);
		}
		/* Only what is durable may be acted on. */
		if (r->out.n == 0)
			entry_reports(r, now);
	} while (r->out.n != 0 && r->starting == NULL);
}
