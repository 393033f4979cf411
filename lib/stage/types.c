#include "stage/types.h"

bool
types_have(struct slice list, struct slice type)
{
	struct slice one;

	while (list.n != 0) {
		slice_cut(&list, ',', &one);
		if (slice_eq(one, type))
			return true;
	}
	return false;
}

static void
put_record(struct strbuf *to, const struct tuple *t)
{
	sb_put(to, t->raw);
	if (t->raw.p[t->raw.n - 1] != '\n')
		sb_putc(to, '\n');
}

size_t
types_split(struct slice text, struct slice list, struct strbuf *to,
    struct strbuf *other)
{
	struct arena a = { 0 };
	struct tuple_reader r;
	struct tuple t;
	size_t dropped = 0;
	int got;

	tuple_reader_init(&r, text);
	while ((got = tuple_next(&r, &a, &t)) != 0) {
		bool in = got == 1 && types_have(list, t.type);

		dropped += !in;
		if (in)
			put_record(to, &t);
		else if (got == 1 && other != NULL)
			put_record(other, &t);
		arena_reset(&a);
	}
	arena_free(&a);
	return dropped;
}

size_t
types_filter(struct slice text, struct slice list, struct strbuf *to)
{
	return types_split(text, list, to, NULL);
}

struct slice
types_prefix(struct slice text, struct slice list)
{
	struct slice start = text;
	struct arena a = { 0 };
	struct tuple_reader r;
	struct tuple t;

	tuple_reader_init(&r, text);
	while (tuple_next(&r, &a, &t) == 1 && types_have(list, t.type)) {
		text = r.in;
		arena_reset(&a);
	}
	arena_free(&a);
	return slice_sub(start, 0, start.n - text.n);
}
