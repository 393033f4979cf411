/*
 * The command reader: whole, byte by byte and in every two pieces.
 */
#include "base/alloc.h"
#include "imap/reader.h"
#include "tap.h"

static const struct imap_limits limits = { 40, 20, 30, 3 };

/*
 * How the test's caller answers: a literal of 7 bytes is streamed, one that
 * does not fit is refused, others are kept. The trace of a run is text.
 */
static void
trace(struct imap_reader *r, struct slice in, struct strbuf *out)
{
	struct slice data = SLICE_NONE;
	enum imap_event ev;

	while ((ev = imap_read(r, &in, &data)) != IMAP_MORE)
		switch (ev) {
		case IMAP_COMMAND:
			sb_puts(out, "<");
			sb_put(out, sb_slice(&r->text));
			sb_puts(out, ">");
			break;
		case IMAP_TOOLONG:
			sb_puts(out, r->lost ? "LOST" : "LONG");
			break;
		case IMAP_LITERAL:
			sb_printf(out, "%s%s", r->literal.sync ? "+" : "",
			    r->literal.binary ? "~" : "");
			if (r->literal.size == 7) {
				sb_puts(out, "S");
				imap_literal_stream(r);
			} else if (imap_literal_fits(r)) {
				sb_puts(out, "K");
				imap_literal_keep(r);
			} else {
				sb_puts(out, "R");
				imap_literal_refuse(r);
			}
			break;
		case IMAP_DATA:
			sb_put(out, data);
			break;
		default:
			sb_puts(out, "/");
		}
}

static const struct {
	const char *name, *in, *want;
} cases[] = {
	{ "two lines", "a NOOP\r\nb NOOP\r\n", "<a NOOP><b NOOP>" },
	{ "bare LF", "a NOOP\nb X\n", "<a NOOP><b X>" },
	{ "empty line", "\r\na\r\n", "<><a>" },
	{ "kept literal", "a L {3}\r\nabc d\r\n", "+K<a L {3}\r\nabc d>" },
	{ "literal at the end", "a L {3+}\r\na\r\n\r\n", "K<a L {3+}\r\na\r\n>" },
	{ "two literals", "a {1+}\r\nx {2}\r\nyz\r\n",
	    "K+K<a {1+}\r\nx {2}\r\nyz>" },
	{ "empty literal", "a {0}\r\n\r\n", "+K<a {0}\r\n>" },
	{ "streamed", "a P {7+}\r\n1234567 (f)\r\nb\r\n",
	    "S1234567/< (f)><b>" },
	{ "streamed twice", "a P {7}\r\n1\n34567 ~{7}\r\n7654321\r\n",
	    "+S1\n34567/+~S7654321/<>" },
	{ "too big, waiting", "a P {21}\r\nb N\r\n", "+R<b N>" },
	{ "too big, sent anyway", "a P {21+}\r\n123456789012345678901 {2+}\r\n"
	    "xx y\r\nb N\r\n", "R<b N>" },
	{ "refused, then waiting", "a P {21+}\r\n123456789012345678901 {2}\r\n"
	    "b N\r\n", "R<b N>" },
	{ "sum too big", "a {20+}\r\n12345678901234567890{20}\r\nb\r\n",
	    "K+R<b>" },
	{ "too many", "a {0+}\r\n{0+}\r\n{0+}\r\n{0}\r\nb\r\n", "KKK+R<b>" },
	{ "number too great", "a {99999999999999999999}\r\nb\r\n", "+R<b>" },
	{ "not a literal", "a {x}\r\na {}\r\na {+}\r\na 3}\r\n",
	    "<a {x}><a {}><a {+}><a 3}>" },
	{ "line too long", "a 345678901234567890123456789012345678923\r\n"
	    "b\r\n", "LONG<b>" },
	{ "longest line", "a 3456789012345678901234567890123456789\r\n",
	    "<a 3456789012345678901234567890123456789>" },
	{ "too long with a literal", "a 3456789012345678901234567890123456789"
	    " {3+}\r\n", "LOST" },
};

static bool
run(const char *text, size_t first, size_t step, const char *want)
{
	struct slice in = exact(text);
	struct strbuf out = STRBUF_INIT(4096);
	struct imap_reader r;
	bool good;

	imap_reader_init(&r, &limits);
	trace(&r, slice_sub(in, 0, first), &out);
	for (size_t at = first; at < in.n; at += step)
		trace(&r, slice_sub(in, at, step), &out);
	good = slice_eqs(sb_slice(&out), want);
	if (!good)
		diag("split %zu: got %s", first, sb_cstr(&out));
	imap_reader_free(&r);
	sb_free(&out);
	free((void *)in.p);
	return good;
}

int
main(void)
{
	plan(2 * COUNTOF(cases));
	for (size_t i = 0; i < COUNTOF(cases); i++) {
		size_t n = strlen(cases[i].in);
		bool good = true;

		ok(run(cases[i].in, n, 1, cases[i].want), "%s", cases[i].name);
		good = run(cases[i].in, 0, 1, cases[i].want);
		for (size_t at = 1; good && at < n; at++)
			good = run(cases[i].in, at, n, cases[i].want);
		ok(good, "%s, split", cases[i].name);
	}
	return done();
}
