/* The `dns' records of a case: what is taken is written and taken again. */
#include <stdlib.h>

#include "base/alloc.h"
#include "dns/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int
take(struct slice text, struct dns_notes *n, struct arena *ar)
{
	struct tuple_reader r;
	struct tuple t;
	int got;

	dns_notes_reset(n);
	n->by = "x";
	n->ar = ar;
	tuple_reader_init(&r, text);
	while ((got = tuple_next(&r, ar, &t)) == 1)
		if (dns_notes_read(n, &t) == -1)
			return -1;
	return got;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dns_notes in = { 0 }, out = { 0 }, again = { 0 };
	struct arena ar = { 0 };

	if (take(slice_of(data, size), &in, &ar) == 0) {
		dns_notes_reset(&out);
		out.by = "x";
		out.ar = &ar;
		for (size_t i = 0; i < in.count; i++)
			if (dns_notes_add(&out, &in.note[i].q, in.note[i].a,
			    in.note[i].a == in.rest, SIZE_MAX) == SIZE_MAX)
				abort();
		if (take(sb_slice(&out.text), &again, &ar) == -1 ||
		    again.count != in.count)
			abort();
		for (size_t i = 0; i < in.count; i++) {
			const struct dns_answer *a = in.note[i].a;
			const struct dns_answer *b = again.note[i].a;

			if (!dns_question_eq(&in.note[i].q, &again.note[i].q) ||
			    a->status != b->status || a->count != b->count ||
			    a->ttl != b->ttl || a->ede != b->ede ||
			    !slice_eq(a->canonical, b->canonical))
				abort();
		}
	}
	sb_free(&in.text);
	sb_free(&out.text);
	sb_free(&again.text);
	arena_free(&ar);
	return 0;
}
