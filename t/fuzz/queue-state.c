/* An entry's envelope and the journal, as a damaged disk may hold them. The
 * input is both, separated by a NUL. State written again reads the same. */
#include <stdlib.h>

#include "queue/dsn.h"
#include "queue/entry.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* A table with one entry, put there as qtable_load() does. */
static void
one_entry(struct qtable *t, struct qentry *e)
{
	t->buckets = 1;
	t->count = 1;
	t->bucket = calloc(1, sizeof(struct qentry *));
	if (t->bucket == NULL)
		abort();
	t->bucket[0] = e;
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct slice journal = slice_of(p, n), envelope;
	struct strbuf a = STRBUF_INIT((size_t)1 << 24),
	    b = STRBUF_INIT((size_t)1 << 24);
	struct qentry *e = calloc(1, sizeof(*e));
	struct qtable t = { 0 };
	const char *why;

	slice_cut(&journal, 0, &envelope);
	if (e == NULL)
		abort();
	if (qentry_parse(e, envelope, &why) == -1) {
		qentry_free(e);
		free(e);
		return 0;
	}
	one_entry(&t, e);
	qtable_apply(&t, journal, NULL, NULL);
	qrec_state(&a, e);
	qtable_apply(&t, sb_slice(&a), NULL, NULL);
	qrec_state(&b, e);
	if (!slice_eq(sb_slice(&a), sb_slice(&b)))
		abort();
	sb_reset(&a);
	sb_reset(&b);
	dsn_build(&(struct dsn){ .host = "a.example", .id = "aaaaaaaaaaaaaaaa",
	    .entry = e, .delay = n & 1, .original = journal }, &a, &b);
	sb_free(&a);
	sb_free(&b);
	qtable_free(&t);
	return 0;
}
