/* Cutting header fields. */
#include "imf/field.h"

#include "tap.h"

static const struct {
	const char *in;
	const char *want; /* "name|value|name|value|body"; "!" for bad */
} cases[] = {
	{ "A: 1\r\nB: 2\r\n\r\nbody", "A| 1|B| 2|body" },
	{ "A: 1\nB: 2\n\nbody", "A| 1|B| 2|body" },
	{ "A: 1\r\n\t2\r\n 3\r\n\r\n", "A| 1\r\n\t2\r\n 3|" },
	{ "A : 1\r\n\r\nx", "A| 1|x" },
	{ "A:1", "A|1|" },
	{ "A:\r\n", "A||" },
	{ "A:1\r\n \r\n\r\nx", "A|1\r\n |x" },
	{ "\r\nbody\r\n", "body\r\n" },
	{ "", "" },
	{ "no colon\r\nA: 1\r\n\r\n", "!no colon|A| 1|" },
	{ "From ann@example.org Mon Sep 17 00:00:00 2001\nA:1\n\nx",
	    "!From ann@example.org Mon Sep 17 00:00:00 2001|A|1|x" },
	{ " first is folded\r\nA:1\r\n\r\n", "! first is folded|A|1|" },
	{ "\xc3\xa9: 1\r\n\r\n", "!\xc3\xa9: 1|" },
	{ ": 1\r\n\r\n", "!: 1|" },
	{ "A: 1\rB: 2\r\n\r\n", "A| 1\rB: 2|" },
	{ "A: 1\r\n\rB: 2\r\n\r\n", "A| 1|!\rB: 2|" },
};

int
main(void)
{
	struct slice body, head;
	struct strbuf sb = STRBUF_INIT(4096);

	plan(0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct slice msg = exact(cases[i].in), in = msg;
		struct field f;
		size_t raw = 0;

		sb_reset(&sb);
		while (field_next(&in, &f) == 1) {
			if (f.bad)
				sb_putc(&sb, '!');
			else {
				sb_put(&sb, f.name);
				sb_putc(&sb, '|');
			}
			sb_put(&sb, f.value);
			sb_putc(&sb, '|');
			raw += f.raw.n;
		}
		sb_put(&sb, in);
		is(sb_slice(&sb), cases[i].want, "fields");
		head = header_of(msg, &body);
		ok(slice_eq(body, in) && head.n + body.n == msg.n &&
		    raw <= head.n && head.n - raw <= 2, "header_of agrees");
		free((void *)(uintptr_t)msg.p);
	}
	sb_reset(&sb);
	field_unfold(&sb, S(" a\r\n b\n\tc \r\n "));
	is(sb_slice(&sb), "a b\tc", "unfold");
	sb_free(&sb);
	return done();
}
