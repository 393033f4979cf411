#include "queue/select.h"

#include <stdlib.h>

#include "base/alloc.h"

struct loading {
	struct qselection *s;
	struct queue *q;
};

static int
load(void *ctx, const char *id)
{
	struct loading *l = ctx;
	struct qentry *e;
	const char *why;

	if (qtable_load(&l->s->table, l->q, id, &e, &why) == -1)
		l->s->bad++;
	return 0;
}

static int
order_of(int64_t a, int64_t b, const char *x, const char *y)
{
	return a != b ? (a < b ? -1 : 1) : strcmp(x, y);
}

static int
by_next(const void *a, const void *b)
{
	const struct qentry *x = *(struct qentry *const *)a,
	    *y = *(struct qentry *const *)b;

	return order_of(qentry_next(x), qentry_next(y), x->id, y->id);
}

static int
by_queued(const void *a, const void *b)
{
	const struct qentry *x = *(struct qentry *const *)a,
	    *y = *(struct qentry *const *)b;

	return order_of(x->time, y->time, x->id, y->id);
}

static void
reverse(struct qselection *s)
{
	for (size_t i = 0, j = s->count; i + 1 < j; i++) {
		struct qentry *e = s->entry[i];

		s->entry[i] = s->entry[--j];
		s->entry[j] = e;
	}
}

static void
choose(struct qselection *s, const struct qfilter *f, int64_t now)
{
	struct qentry *e = NULL;
	size_t bucket = 0;

	s->entry = xcalloc(s->table.count, sizeof(struct qentry *));
	while ((e = qtable_next(&s->table, &bucket, e)) != NULL)
		if (!e->ended && qfilter_match(f, e, now))
			s->entry[s->count++] = e;
}

int
qselect(struct qselection *s, struct queue *q, const struct qfilter *f,
    enum qorder order, bool descending, int64_t now)
{
	struct strbuf journal = STRBUF_INIT((size_t)1 << 40);
	struct loading l = { s, q };
	int r;

	*s = (struct qselection){ 0 };
	/* The entries first: what ends while they are read stands in the
	 * journal then. */
	r = queue_job_each(q, load, &l);
	if (r == 0)
		r = queue_read(q, &journal);
	if (r == 0)
		qtable_apply(&s->table, sb_slice(&journal), NULL, NULL);
	sb_free(&journal);
	if (r != 0)
		return -1;
	choose(s, f, now);
	qsort(s->entry, s->count, sizeof(struct qentry *),
	    order == QORDER_NEXT ? by_next : by_queued);
	if (descending)
		reverse(s);
	if (f->most != 0 && s->count > f->most)
		s->count = (size_t)f->most;
	return 0;
}

void
qselect_free(struct qselection *s)
{
	free(s->entry);
	qtable_free(&s->table);
	*s = (struct qselection){ 0 };
}
