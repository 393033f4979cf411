/* The tuple reader; what it reads, the writer writes and it reads again. */
#include "base/tuple.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
again(const struct tuple *t)
{
	struct strbuf sb = STRBUF_INIT(1 << 22);
	struct arena a = { 0 };
	struct tuple_reader r;
	struct tuple u;

	sb_puts(&sb, "t");
	for (size_t i = 0; i < t->count; i++) {
		char *name = slice_dup(t->attr[i].name);

		tuple_put(&sb, name, t->attr[i].value);
		free(name);
	}
	tuple_end(&sb);
	tuple_reader_init(&r, sb_slice(&sb));
	if (sb.n <= TUPLE_LINE_MAX) {
		if (tuple_next(&r, &a, &u) != 1 || u.count != t->count)
			abort();
		for (size_t i = 0; i < t->count; i++)
			if (!slice_eq(t->attr[i].value, u.attr[i].value))
				abort();
	}
	arena_free(&a);
	sb_free(&sb);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tuple_reader r;
	struct arena a = { 0 };
	struct tuple t;
	int got;

	tuple_reader_init(&r, slice_of(data, size));
	while ((got = tuple_next(&r, &a, &t)) != 0)
		if (got == 1)
			again(&t);
	arena_free(&a);
	return 0;
}
