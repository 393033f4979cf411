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

size_t
types_filter(struct slice text, struct slice list, struct strbuf *to)
{
	struct arena a = { 0 };
	struct tuple_reader r;
	struct tuple t;
	size_t dropped = 0;
	int got;

	tuple_reader_init(&r, text);
	while ((got = tuple_next(&r, &a, &t)) != 0) {
		if (got == 1 && types_have(list, t.type)) {
			sb_put(to, t.raw);
			if (t.raw.p[t.raw.n - 1] != '\n')
				sb_putc(to, '\n');
		} else
			dropped++;
		arena_reset(&a);
	}
	arena_free(&a);
	return dropped;
}
