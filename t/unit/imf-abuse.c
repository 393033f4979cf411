/*
 * Hostile messages: every one is read in time linear in its size, its records
 * are read back, and the limits hold.
 */
#include "imf/parts.h"

#include <time.h>

#include "base/alloc.h"
#include "base/tuple.h"
#include "imf/parts_read.h"
#include "tap.h"

/*
 * CPU seconds for a megabyte: ten times what the slowest of these takes, and
 * far below what anything quadratic would (10^6 fields: minutes).
 */
#ifdef PNEU_ASAN
#define SECONDS_PER_MB 2.0
#else
#define SECONDS_PER_MB 0.3
#endif

static struct strbuf msg = STRBUF_INIT((size_t)64 << 20);
static struct strbuf parts = STRBUF_INIT(IMF_PARTS_BYTES);

static void
repeat(const char *s, size_t n)
{
	while (n-- > 0)
		sb_puts(&msg, s);
}

static void
check(const char *name)
{
	struct strbuf summary = STRBUF_INIT(65536);
	struct arena ar = { 0 };
	struct tuple_reader r;
	struct parts_reader pr;
	struct tuple t;
	struct part p;
	double start = (double)clock(), seconds, most;
	size_t records = 0, count = 0, sound = 0;
	int got;

	sb_reset(&parts);
	imf_parts(sb_slice(&msg), &parts, &summary);
	seconds = ((double)clock() - start) / CLOCKS_PER_SEC;
	most = SECONDS_PER_MB * (1 + (double)msg.n / (1 << 20));
	ok(seconds < most, "%s: %zu bytes in %.3f s", name, msg.n, seconds);
	tuple_reader_init(&r, sb_slice(&parts));
	while ((got = tuple_next(&r, &ar, &t)) == 1) {
		records++;
		count += tuple_is(&t, "part");
	}
	parts_reader_init(&pr, sb_slice(&parts), msg.n);
	while (parts_next(&pr, &ar, &p) == 1)
		sound++;
	ok(got == 0 && count >= 1 && count <= IMF_PARTS_MAX && sound == count &&
	    records <= count + IMF_FIELDS_MAX + 1010 && summary.n < 16384,
	    "%s: %zu records, %zu parts", name, records, count);
	arena_free(&ar);
	sb_free(&summary);
	sb_reset(&msg);
}

/* abuse-cases 41. */
static void
nesting(void)
{
	sb_puts(&msg, "Content-Type: multipart/mixed; boundary=b\r\n\r\n");
	repeat("--b\r\n\r\nx\r\n", 100000);
	check("10^5 parts");
	for (int i = 0; i < 10000; i++)
		sb_printf(&msg, "Content-Type: multipart/mixed; boundary=b%d\r\n"
		    "\r\n--b%d\r\n", i, i);
	check("10^4 multiparts in each other");
	for (int i = 0; i < 10000; i++)
		sb_printf(&msg, "Content-Type: multipart/mixed; boundary=%s\r\n"
		    "\r\n--%s\r\n", i % 2 != 0 ? "a" : "ab",
		    i % 2 != 0 ? "a" : "ab");
	check("boundaries that are prefixes");
	repeat("Content-Type: message/rfc822\r\n\r\n", 10000);
	check("10^4 messages in each other");
	sb_puts(&msg, "Content-Type: multipart/digest; boundary=b\r\n\r\n");
	repeat("--b\r\n", 200000);
	check("delimiters alone");
	for (int i = 0; i < 49; i++)
		sb_printf(&msg, "Content-Type: multipart/mixed; boundary=%048d%d"
		    "\r\n\r\n--%048d%d\r\n", 0, i + 10, 0, i + 10);
	for (int i = 0; i < 100000; i++)
		sb_printf(&msg, "--%048d\n", 0);
	check("lines that are almost delimiters");
	sb_puts(&msg, "Content-Type: multipart/mixed; boundary=\"");
	repeat("x", 10240);
	sb_puts(&msg, "\"\r\n\r\n--");
	repeat("x", 10240);
	sb_puts(&msg, "\r\n\r\nbody");
	check("a boundary of 10 KB");
	sb_puts(&msg, "Content-Type: multipart/mixed; boundary=\"\"\r\n\r\n--\r\n"
	    "\r\n----\r\n");
	check("an empty boundary");
}

/* abuse-cases 42. */
static void
headers(void)
{
	repeat("X: y\r\n", 1000000);
	check("10^6 fields");
	sb_puts(&msg, "Subject: ");
	repeat("0123456789abcdef", 1 << 20);
	check("a field of 16 MB");
	sb_puts(&msg, "Subject: x\r\n");
	repeat(" \r\n", 1000000);
	check("10^6 folds");
	sb_puts(&msg, "To: ");
	repeat("a@b.org,", 1000000);
	check("10^6 addresses");
	repeat("From: a@b.org, c@d.org\r\n", 40000);
	check("40,000 From fields");
	sb_puts(&msg, "Content-Type: a/b");
	for (int i = 99999; i >= 0; i--)
		sb_printf(&msg, ";\r\n name*%d*=a%%41", i);
	check("10^5 pieces of a parameter");
	sb_puts(&msg, "Content-Type: a/b");
	for (int i = 0; i < 60; i++) {
		sb_printf(&msg, "; p%d=\"", i);
		repeat("\xc3\xbc", 1200);
		sb_putc(&msg, '"');
	}
	check("long parameters");
	sb_puts(&msg, "Subject: =?utf-8?b?");
	repeat("QUJD", 1 << 18);
	sb_puts(&msg, "?=");
	check("an encoded word of 1 MB");
	sb_puts(&msg, "Subject: ");
	repeat("=?", 1 << 19);
	check("encoded words that do not go on");
	sb_puts(&msg, "From: ");
	repeat("(", 1 << 20);
	check("2^20 open comments");
	sb_puts(&msg, "From: \"");
	repeat("\\\"", 1 << 19);
	sb_puts(&msg, "\\");
	check("an open quoted string that ends in a backslash");
	sb_puts(&msg, "References: ");
	repeat("<a@b> ", 200000);
	check("200,000 references");
	sb_puts(&msg, "Subject: ");
	repeat("[x] re: (fwd) ", 1 << 16);
	check("a subject of prefixes");
}

/* abuse-cases 44, 45, 47. */
static void
content(void)
{
	sb_puts(&msg, "Content-Type: text/html\r\n\r\n");
	repeat("<div><!", 1 << 19);
	check("10^6 open tags");
	sb_puts(&msg, "Content-Type: text/html\r\n\r\n");
	repeat("&&#x;&#xffffffff;<style>", 1 << 17);
	check("entities and style");
	sb_puts(&msg, "Content-Type: text/plain\r\n\r\n");
	repeat("> a\r\n\r\n", 1 << 18);
	check("all quoted");
	sb_puts(&msg, "Content-Transfer-Encoding: base64\r\n"
	    "Content-Type: text/plain; charset=iso-2022-jp\r\n\r\n");
	repeat("GyRC/w!*", 1 << 18);
	check("broken base64 and charset");
	sb_puts(&msg, "Content-Transfer-Encoding: quoted-printable\r\n\r\n");
	repeat(" \t", 1 << 19);
	sb_puts(&msg, "=");
	check("blanks in quoted-printable");
	sb_put(&msg, S("From \0\r\r\n\n\0"));
	check("NUL, CR, LF");
	repeat("\r", 1 << 20);
	check("CR alone");
	repeat("\n", 1 << 20);
	check("LF alone");
}

/* A BODYSTRUCTURE too long for a record is given without parameters. */
static void
long_structure(void)
{
	struct arena ar = { 0 };
	struct slice text;

	sb_puts(&msg, "Content-Type: multipart/mixed; boundary=b\r\n\r\n");
	for (int i = 0; i < 900; i++) {
		sb_puts(&msg, "--b\r\nContent-Type: a/b; name=\"");
		repeat("x", 500);
		sb_puts(&msg, "\"\r\n\r\n\r\n");
	}
	check("900 parts with long names");
	ok(parts_text(sb_slice(&parts), "body", &ar, &text) == 1 &&
	    slice_starts(text, S("((\"A\" \"B\" NIL NIL NIL \"7BIT\" 0 NIL NIL "
	    "NIL NIL)")), "lean structure");
	arena_free(&ar);
}

int
main(void)
{
	plan(0);
	nesting();
	headers();
	content();
	long_structure();
	sb_free(&msg);
	sb_free(&parts);
	return done();
}
