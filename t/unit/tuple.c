/* The tuple reader and writer. */
#include "base/tuple.h"
#include "tap.h"

static const struct {
	const char *name, *in;
	int result; /* of the first tuple_next() */
	size_t count;
	const char *first; /* value of attribute "a" */
} cases[] = {
	{ "bare", "t a=1 b=2\n", 1, 2, "1" },
	{ "quoted", "t a=\"x y\"\n", 1, 1, "x y" },
	{ "escapes", "t a=\"q\\\" b\\\\ n\\n h\\x41\"\n", 1, 1, "q\" b\\ n\n hA" },
	{ "empty value", "t a= b=2\n", 1, 2, "" },
	{ "continuation", "t b=1\n\ta=2\n c=3\nnext\n", 1, 3, "2" },
	{ "comment and empty lines", "# x\n\n\r\nt a=1\n", 1, 1, "1" },
	{ "no final newline", "t a=1", 1, 1, "1" },
	{ "CRLF", "t a=1\r\n", 1, 1, "1" },
	{ "equals in value", "t a=b=c\n", 1, 1, "b=c" },
	{ "UTF-8", "t a=\xc3\xa9\n", 1, 1, "\xc3\xa9" },
	{ "empty input", "", 0, 0, NULL },
	{ "upper-case type", "T a=1\n", -1, 0, NULL },
	{ "no equals", "t a\n", -1, 0, NULL },
	{ "open quote", "t a=\"x\n", -1, 0, NULL },
	{ "quote in bare", "t a=x\"y\n", -1, 0, NULL },
	{ "control in quotes", "t a=\"x\001\"\n", -1, 0, NULL },
	{ "unknown escape", "t a=\"\\q\"\n", -1, 0, NULL },
	{ "short hex", "t a=\"\\x4\"\n", -1, 0, NULL },
	{ "no blank after quote", "t a=\"x\"b=1\n", -1, 0, NULL },
	{ "starts with blank", " a=1\n", -1, 0, NULL },
	{ "runs between escapes", "t a=\"\\x41bc\\n\\\\d e\\\"\"\n", 1, 1,
	    "Abc\n\\d e\"" },
	{ "control after an escape", "t a=\"\\n\001\"\n", -1, 0, NULL },
	{ "hex cut by the quote", "t a=\"x\\x4\" b=1\n", -1, 0, NULL },
	{ "escaped quote, then the end", "t a=\"x\\\"", -1, 0, NULL },
	{ "backslash at the end", "t a=\"\\", -1, 0, NULL },
};

static void
read_cases(void)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct slice in = exact(cases[i].in);
		struct tuple_reader r;
		struct arena ar = { 0 };
		struct tuple t = { 0 };
		int got;

		tuple_reader_init(&r, in);
		got = tuple_next(&r, &ar, &t);
		ok(got == cases[i].result, "%s: result %d", cases[i].name, got);
		if (got == 1) {
			isnum((long long)t.count, (long long)cases[i].count,
			    cases[i].name);
			is(tuple_value(&t, "a"), cases[i].first, cases[i].name);
		}
		arena_free(&ar);
		free((void *)(uintptr_t)in.p);
	}
}

/* Whatever bytes a value holds, it is read back the same, on one line. */
static void
round_trip(void)
{
	struct strbuf sb = STRBUF_INIT(65536);
	struct arena ar = { 0 };
	struct tuple_reader r;
	struct tuple t;
	unsigned char all[256];

	for (int i = 0; i < 256; i++)
		all[i] = (unsigned char)i;
	tuple_begin(&sb, "t");
	tuple_put(&sb, "all", slice_of(all, sizeof(all)));
	tuple_puts(&sb, "utf8", "gr\xc3\xbc\xc3\x9f");
	tuple_puts(&sb, "empty", "");
	tuple_putu(&sb, "n", 18446744073709551615ull);
	tuple_end(&sb);
	ok(slice_chr(sb_slice(&sb), '\n') == (ptrdiff_t)sb.n - 1, "one line");
	ok(slice_is_utf8(sb_slice(&sb)), "valid UTF-8");
	tuple_reader_init(&r, sb_slice(&sb));
	ok(tuple_next(&r, &ar, &t) == 1, "reads back");
	ok(slice_eq(tuple_value(&t, "all"), slice_of(all, sizeof(all))),
	    "all bytes");
	is(tuple_value(&t, "utf8"), "gr\xc3\xbc\xc3\x9f", "UTF-8 value");
	is(tuple_value(&t, "empty"), "", "empty value");
	is(tuple_value(&t, "n"), "18446744073709551615", "number");
	ok(tuple_next(&r, &ar, &t) == 0, "end");
	arena_free(&ar);
	sb_free(&sb);
}

/* What stands between a= and the next attribute, as the header has it. */
static bool
may_stand(unsigned char c, bool quoted)
{
	if (c < 0x20 || c == 0x7f || c == '"' || c == '\\')
		return false;
	return quoted || c != ' ';
}

/* Each byte in the middle of a value, bare and in quotes. */
static void
each_byte(bool quoted)
{
	int wrong = 0;

	for (int c = 0; c < 256; c++) {
		const char text[] = { 't', ' ', 'a', '=', '"', 'x', (char)c,
			'y', '"', '\n' };
		struct slice in = slice_of(text, sizeof(text));
		const unsigned char want[] = { 'x', (unsigned char)c, 'y' };
		unsigned char *copy;
		struct tuple_reader r;
		struct arena ar = { 0 };
		struct tuple t = { 0 };
		bool good;

		copy = malloc(in.n);
		memcpy(copy, in.p, in.n);
		in = slice_of(copy, in.n);
		if (!quoted) { /* without the quotes */
			memmove(copy + 4, copy + 5, 3);
			copy[7] = '\n';
			in.n = 8;
		}
		tuple_reader_init(&r, in);
		good = tuple_next(&r, &ar, &t) == 1 && t.count == 1 &&
		    slice_eq(t.attr[0].value, slice_of(want, sizeof(want)));
		wrong += good != may_stand((unsigned char)c, quoted);
		arena_free(&ar);
		free(copy);
	}
	isnum(wrong, 0, quoted ? "each byte in quotes" : "each byte bare");
}

/* What has nothing escaped is not copied. */
static void
borrowed(void)
{
	struct slice in = S("t a=\"x y\" b=\"\" c=\"x \\\\\"\n");
	struct tuple_reader r;
	struct arena ar = { 0 };
	struct tuple t;

	tuple_reader_init(&r, in);
	ok(tuple_next(&r, &ar, &t) == 1, "three quoted values");
	ok(tuple_value(&t, "a").p == in.p + 5, "a value is borrowed");
	ok(tuple_value(&t, "b").p == in.p + 13, "so is an empty one");
	is(tuple_value(&t, "c"), "x \\", "one with an escape is not");
	arena_free(&ar);
}

static void
error_place(void)
{
	struct arena ar = { 0 };
	struct tuple_reader r;
	struct tuple t;

	tuple_reader_init(&r, S("a x=1\n  y=2\n\n# c\nb x\nc x=3\n"));
	ok(tuple_next(&r, &ar, &t) == 1 && t.line == 1, "first record");
	ok(tuple_next(&r, &ar, &t) == -1, "second is bad");
	isnum(r.error_line, 5, "line of the error");
	ok(r.error != NULL, "error text");
	ok(tuple_next(&r, &ar, &t) == 1 && tuple_has(&t, "x", "3"),
	    "reading goes on");
	arena_free(&ar);
}

int
main(void)
{
	plan(0);
	read_cases();
	round_trip();
	each_byte(false);
	each_byte(true);
	borrowed();
	error_place();
	return done();
}
