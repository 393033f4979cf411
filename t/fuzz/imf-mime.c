/*
 * Whole messages: each record is one the tuple reader takes, and says nothing
 * outside of the message; IMAP texts have balanced parentheses.
 */
#include "imf/parts.h"

#include "base/tuple.h"
#include "imf/parts_read.h"
#include "fuzz/fuzz.h"

static void
balanced(struct slice s)
{
	long depth = 0;
	bool quoted = false;

	check(s.n > 2 && s.p[0] == '(' && slice_is_utf8(s));
	for (size_t i = 0; i < s.n; i++) {
		check(s.p[i] >= ' ');
		if (quoted && s.p[i] == '\\')
			i++;
		else if (s.p[i] == '"')
			quoted = !quoted;
		else if (!quoted && s.p[i] == '(')
			depth++;
		else if (!quoted && s.p[i] == ')')
			check(--depth > 0 || i == s.n - 1);
	}
	check(depth == 0 && !quoted);
}

static void
record(const struct tuple *t, size_t size)
{
	static const char *const types[] = { "imf", "field", "address",
		"part", "envelope", "envelope-utf8", "body", "preview",
		"thread" };
	uint64_t at, len;
	bool known = false;

	for (size_t i = 0; i < 9; i++)
		known = known || tuple_is(t, types[i]);
	check(known);
	if (tuple_is(t, "field"))
		check(tuple_u64(t, "at", size, &at) == 0 &&
		    tuple_u64(t, "len", size - at, &len) == 0);
	if (tuple_is(t, "envelope") || tuple_is(t, "body"))
		check(slice_is_ascii(tuple_value(t, "text")));
	if (tuple_is(t, "envelope") || tuple_is(t, "body") ||
	    tuple_is(t, "envelope-utf8"))
		balanced(tuple_value(t, "text"));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct strbuf parts = STRBUF_INIT(IMF_PARTS_BYTES);
	struct strbuf summary = STRBUF_INIT(65536);
	struct arena ar = { 0 };
	struct parts_reader pr;
	struct tuple_reader r;
	struct tuple t;
	struct part p;
	size_t records = 0, counted = 0;
	int got;

	imf_parts(slice_of(data, size), &parts, &summary);
	check(!parts.over && !summary.over);
	tuple_reader_init(&r, sb_slice(&parts));
	while ((got = tuple_next(&r, &ar, &t)) != 0) {
		check(got == 1);
		record(&t, size);
		records += tuple_is(&t, "part");
	}
	parts_reader_init(&pr, sb_slice(&parts), size);
	while (parts_next(&pr, &ar, &p) == 1)
		counted++;
	check(records == counted && counted >= 1 &&
	    counted <= IMF_PARTS_MAX);
	check(slice_starts(sb_slice(&parts), sb_slice(&summary)));
	arena_free(&ar);
	sb_free(&parts);
	sb_free(&summary);
	return 0;
}
