/*
 * The schedule: a heap of groups that wait for their time, and for each
 * domain a list of those that are due. Domains take turns, so that a long
 * list for one does not keep the others waiting. A domain that cannot be
 * reached is tried with one message at a time and ever more rarely; meanwhile
 * its other messages are deferred for the same reason, without a connection.
 */
#include "queue-run.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/rid.h"

/* A domain may be back at any time: it is tried at least this often, if there
 * is mail for it (RFC 5321 section 4.5.4.1 speaks of 30 minutes). */
#define DEAD_MOST 1800
/* Workers for a domain of which nothing is known yet. */
#define UNKNOWN_MOST 4
/* Records that may wait to be written before more work is begun. */
#define OUT_MOST (QUEUE_APPEND_MAX / 2)

/* ---- domains ---- */

static size_t
hash(const char *s)
{
	uint32_t h = 2166136261u;

	for (; *s != '\0'; s++)
		h = (h ^ (unsigned char)*s) * 16777619u;
	return h;
}

static void
grow_domains(struct run *r)
{
	struct domain **old = r->bucket;
	size_t n = r->buckets;

	if (r->domains < r->buckets)
		return;
	r->buckets = n != 0 ? size_mul(n, 2) : 256;
	r->bucket = xcalloc(r->buckets, sizeof(struct domain *));
	for (size_t i = 0; i < n; i++) {
		struct domain *d, *next;

		for (d = old[i]; d != NULL; d = next) {
			size_t b = hash(d->name) & (r->buckets - 1);

			next = d->chain;
			d->chain = r->bucket[b];
			r->bucket[b] = d;
		}
	}
	free(old);
}

/* Domains are few and small: one that was seen stays. */
static struct domain *
domain_get(struct run *r, const char *name)
{
	struct domain *d;
	size_t b;

	grow_domains(r);
	b = hash(name) & (r->buckets - 1);
	for (d = r->bucket[b]; d != NULL; d = d->chain)
		if (strcmp(d->name, name) == 0)
			return d;
	d = xcalloc(1, sizeof(*d));
	d->name = xstrdup(name);
	d->chain = r->bucket[b];
	r->bucket[b] = d;
	r->domains++;
	return d;
}

/* Is mail for this domain ours? Asked again when the configuration changes. */
static bool
is_local(struct run *r, struct domain *d, const struct work *w)
{
	struct arena ar = { 0 };
	struct conf_rcpt out;
	struct addr a;

	if (d->generation == r->generation)
		return d->local;
	d->generation = r->generation;
	d->local = addr_parse(
	    slice_str(w->g->entry->rcpt[w->g->first].addr), ADDR_UTF8, &ar,
	    &a) == 0 && conf_rcpt(r->conf, &a, &ar, &out) == 0 &&
	    out.kind != RCPT_REMOTE;
	arena_free(&ar);
	return d->local;
}

static void
ring_add(struct run *r, struct domain *d)
{
	if (d->in_ring)
		return;
	d->in_ring = true;
	if (r->ring == NULL)
		d->next = d;
	else {
		d->next = r->ring->next;
		r->ring->next = d;
	}
	r->ring = d;
}

/* ---- the heap, least g->next first ---- */

static bool
before(const struct work *a, const struct work *b)
{
	return a->g->next < b->g->next;
}

static void
put_at(struct run *r, size_t i, struct work *w)
{
	r->heap[i] = w;
	w->at = i;
}

static void
sift_down(struct run *r, size_t i)
{
	struct work *w = r->heap[i];

	for (;;) {
		size_t c = 2 * i + 1;

		if (c + 1 < r->heap_count && before(r->heap[c + 1], r->heap[c]))
			c++;
		if (c >= r->heap_count || !before(r->heap[c], w))
			break;
		put_at(r, i, r->heap[c]);
		i = c;
	}
	put_at(r, i, w);
}

static void
sift(struct run *r, size_t i)
{
	struct work *w = r->heap[i];

	while (i > 0 && before(w, r->heap[(i - 1) / 2])) {
		put_at(r, i, r->heap[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	put_at(r, i, w);
	sift_down(r, i);
}

static void
heap_remove(struct run *r, struct work *w)
{
	size_t i = w->at;

	r->heap_count--;
	if (i == r->heap_count)
		return;
	put_at(r, i, r->heap[r->heap_count]);
	sift(r, i);
}

void
sched_push(struct run *r, struct work *w)
{
	if (r->heap_count == r->heap_cap) {
		r->heap_cap = size_add(size_mul(r->heap_cap, 2), 64);
		r->heap = xrealloc(r->heap,
		    size_mul(r->heap_cap, sizeof(struct work *)));
	}
	w->state = W_LATER;
	put_at(r, r->heap_count++, w);
	sift(r, w->at);
}

int64_t
sched_next(const struct run *r)
{
	return r->heap_count != 0 ? r->heap[0]->g->next : INT64_MAX;
}

/* ---- groups ---- */

static void
make_ready(struct run *r, struct work *w, bool front)
{
	struct domain *d = w->d;

	w->state = W_READY;
	w->next = front ? d->head : NULL;
	if (d->head == NULL)
		d->head = d->tail = w;
	else if (front)
		d->head = w;
	else {
		d->tail->next = w;
		d->tail = w;
	}
	ring_add(r, d);
}

static void
unready(struct work *w)
{
	struct work **at = &w->d->head, *last = NULL;

	while (*at != w) {
		last = *at;
		at = &(*at)->next;
	}
	*at = w->next;
	if (w->d->tail == w)
		w->d->tail = last;
}

void
sched_entry(struct run *r, struct qentry *e)
{
	if (e->leaving)
		return;
	for (size_t i = 0; i < e->groups; i++) {
		struct qgroup *g = &e->group[i];
		struct work *w = g->work;

		if (w == NULL) {
			w = g->work = xcalloc(1, sizeof(*w));
			w->g = g;
			w->d = domain_get(r, g->domain);
			w->state = W_ENDED;
			/* An attempt that a crash cut short is over. */
			for (size_t k = 0; k < g->count; k++)
				e->rcpt[g->first + k].tried = g->attempts;
		}
		if (w->state == W_ENDED && !qgroup_ended(g))
			sched_push(r, w);
	}
}

void
sched_forget(struct run *r, struct qentry *e)
{
	for (size_t i = 0; i < e->groups; i++) {
		struct work *w = e->group[i].work;

		if (w == NULL)
			continue;
		if (w->state == W_LATER)
			heap_remove(r, w);
		else if (w->state == W_READY)
			unready(w);
		free(w);
		e->group[i].work = NULL;
	}
}

void
sched_all(struct run *r)
{
	struct qentry *e = NULL;
	size_t bucket = 0;

	/* Times in the heap may have changed behind its back. */
	for (size_t i = r->heap_count / 2; i-- > 0;)
		sift_down(r, i);
	/* Somebody has asked for something: no domain is held back. */
	for (size_t i = 0; i < r->buckets; i++)
		for (struct domain *d = r->bucket[i]; d != NULL; d = d->chain)
			d->until = 0;
	while ((e = qtable_next(&r->table, &bucket, e)) != NULL)
		sched_entry(r, e);
}

void
sched_due(struct run *r, int64_t now)
{
	while (r->heap_count != 0 && r->heap[0]->g->next <= now) {
		struct work *w = r->heap[0];

		heap_remove(r, w);
		make_ready(r, w, false);
	}
}

/* Doubled after each attempt, up to a most; up to a tenth more, so that
 * messages that failed together do not all come back together. */
static int64_t
wait_after(const struct limits *l, unsigned attempts)
{
	int64_t wait = l->retry;
	uint32_t random;

	while (--attempts > 0 && wait < l->retry_most)
		wait *= 2;
	if (wait > l->retry_most)
		wait = l->retry_most;
	random_bytes(&random, sizeof(random));
	return wait + (int64_t)(random % (uint64_t)(wait / 10 + 1));
}

void
sched_dead(struct run *r, struct domain *d, const struct qresult *why)
{
	struct limits l = limits(r);
	int64_t now = clock_unix();

	/* Several attempts that failed together are one. */
	if (now < d->until)
		return;
	d->reached = false;
	d->fails++;
	l.retry_most = l.retry_most < DEAD_MOST ? l.retry_most : DEAD_MOST;
	d->until = now + wait_after(&l, d->fails);
	qrcpt_set(&d->dead, Q_WAITING, 0, slice_str(why->ecode),
	    slice_str(why->text), slice_str(why->host), slice_str(why->ip),
	    now);
}

void
sched_reached(struct domain *d)
{
	d->reached = true;
	d->fails = 0;
	d->until = 0;
}

/* The recipients of the next request. */
static void
choose_rcpts(struct work *w)
{
	struct qgroup *g = w->g;

	w->count = 0;
	for (size_t i = 0; i < g->count && w->count < SEND_RCPTS; i++) {
		struct qrcpt *c = &g->entry->rcpt[g->first + i];

		if (qrcpt_status(c) == Q_WAITING && c->tried != g->attempts)
			w->asked[w->count++] = (uint32_t)(g->first + i);
	}
}

/* A new attempt for the group. */
static void
count_attempt(struct run *r, struct work *w, const struct limits *l,
    int64_t now)
{
	struct qgroup *g = w->g;
	int64_t end = g->entry->time + l->lifetime;

	g->attempts++;
	g->last = now;
	g->next = now + wait_after(l, g->attempts);
	if (g->next < w->d->until)
		g->next = w->d->until;
	/* The last one comes when time is up, not later. */
	if (now < end && g->next > end)
		g->next = end;
	qrec_attempt(&r->out, g);
}

static void
start(struct run *r, struct work *w, struct worker *k, const struct limits *l,
    int64_t now)
{
	struct qgroup *g = w->g;

	w->d->active++;
	g->entry->busy++;
	w->state = W_BUSY;
	w->worker = k;
	k->job = w;
	k->last = w->d;
	choose_rcpts(w);
	if (w->count == 0) {
		/* Else the next part of one that is counted. */
		count_attempt(r, w, l, now);
		choose_rcpts(w);
	}
	w->next = r->starting;
	r->starting = w;
}

/* The domain is known to be dead: the attempt fails without being made. */
static void
skip(struct run *r, struct work *w, const struct limits *l, int64_t now)
{
	struct qentry *e = w->g->entry;

	choose_rcpts(w);
	if (w->count == 0) {
		count_attempt(r, w, l, now);
		choose_rcpts(w);
	}
	for (; w->count != 0; choose_rcpts(w)) {
		worker_skip(w);
		entry_results(r, w);
	}
	w->state = W_ENDED;
	if (!qgroup_ended(w->g))
		sched_push(r, w);
	if (e->busy == 0)
		entry_settle(r, e, now);
}

/* How many workers the domain may have. */
static unsigned
width(struct run *r, struct domain *d, const struct work *w,
    const struct limits *l)
{
	if (is_local(r, d, w))
		return LOCAL_MAX;
	if (d->fails != 0)
		return 1;
	return d->reached || l->per_domain < UNKNOWN_MOST ? l->per_domain :
	    UNKNOWN_MOST;
}

/* One due group of this domain: true if it is off the list. */
static bool
start_one(struct run *r, struct domain *d, const struct limits *l, int64_t now)
{
	struct work *w = d->head;
	struct worker *k;

	if (w != NULL && w->g->entry->ended) { /* dropped meanwhile */
		unready(w);
		w->state = W_ENDED;
		return true;
	}
	if (w != NULL && now < d->until) {
		unready(w);
		skip(r, w, l, now);
		return true;
	}
	if (w == NULL || d->active >= width(r, d, w, l) ||
	    (k = worker_for(r, d)) == NULL)
		return false;
	unready(w);
	start(r, w, k, l, now);
	return true;
}

void
sched_start(struct run *r, int64_t now)
{
	struct limits l = limits(r);
	struct domain *d, *prev;
	bool some = true;

	/* Round after round, one group a domain, until nobody can start. */
	while (some && r->ring != NULL && workers_free(r) &&
	    r->out.n < OUT_MOST) {
		struct domain *last = r->ring;

		some = false;
		prev = last;
		do {
			d = prev->next;
			some |= start_one(r, d, &l, now);
			if (d->head != NULL) {
				prev = d;
				continue;
			}
			/* Nothing left of it: out of the ring. */
			d->in_ring = false;
			if (d == prev) {
				r->ring = NULL;
				break;
			}
			prev->next = d->next;
			if (d == r->ring)
				r->ring = prev;
		} while (d != last && workers_free(r) && r->out.n < OUT_MOST);
	}
}

void
sched_finish(struct run *r, struct work *w, int64_t now)
{
	struct qgroup *g = w->g;
	struct qentry *e = g->entry;
	bool part = false;

	w->d->active--;
	e->busy--;
	w->worker->job = NULL;
	w->worker->since = clock_ms();
	w->worker = NULL;
	entry_results(r, w);
	w->state = W_ENDED;
	choose_rcpts(w);
	part = w->count != 0;
	if (e->ended)
		part = false;
	else if (part)
		make_ready(r, w, true);
	else if (!qgroup_ended(g))
		sched_push(r, w);
	if (w->d->head != NULL)
		ring_add(r, w->d);
	if (e->busy == 0 && !part)
		entry_settle(r, e, now);
}
