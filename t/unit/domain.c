/* Domain names: our own table and Unicode's IdnaTestV2. */
#include "addr/addr.h"

#include <unictype.h>
#include <unistr.h>

#include "vectors.h"

static const struct {
	const char *in, *want, *unicode;
} cases[] = {
	{ "Example.ORG", "example.org", "example.org" },
	{ "example.org.", "example.org", "example.org" },
	{ "_dmarc.example.org", "_dmarc.example.org", "_dmarc.example.org" },
	{ "B\xc3\xbc" "cher.example", "xn--bcher-kva.example",
	    "b\xc3\xbc" "cher.example" },
	{ "XN--Bcher-KVA.example", "xn--bcher-kva.example",
	    "b\xc3\xbc" "cher.example" },
	{ "fa\xc3\x9f.de", "xn--fa-hia.de", "fa\xc3\x9f.de" },
	{ "a--b.r3---sn-x.example", "a--b.r3---sn-x.example",
	    "a--b.r3---sn-x.example" },
	{ "localhost", "localhost", "localhost" },
	{ "", NULL, NULL },
	{ ".", NULL, NULL },
	{ "a..b", NULL, NULL },
	{ "-a.example", NULL, NULL },
	{ "a-.example", NULL, NULL },
	{ "a b.example", NULL, NULL },
	{ "a\xff.example", NULL, NULL },
	{ "a/b.example", NULL, NULL },
	{ "\xe2\x84\x80.example", NULL, NULL }, /* U+2100 maps to a/c */
	{ "xn--a.example", NULL, NULL },
	{ "xn--99999999999.example", NULL, NULL },
	{ "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijkl.c",
	    NULL, NULL },
};

static void
table(void)
{
	struct arena ar = { 0 };
	struct slice out, in;

	for (size_t i = 0; i < COUNTOF(cases); i++) {
		in = exact(cases[i].in);
		if (cases[i].want == NULL)
			ok(domain_ascii(in, &ar, &out) == -1, "refuse %zu", i);
		else if (ok(domain_ascii(in, &ar, &out) == 0, "accept %zu",
		    i)) {
			is(out, cases[i].want, cases[i].want);
			is(domain_unicode(out, &ar), cases[i].unicode,
			    "for people");
		}
		free((void *)(uintptr_t)in.p);
	}
	is(domain_unicode(S("xn--a.example"), &ar), "xn--a.example",
	    "what cannot be shown stays");
	is(domain_unicode(S("xn--a.xn--bcher-kva"), &ar),
	    "xn--a.xn--bcher-kva", "and what is beside it");
	ok(domain_under(S("a.example.org"), S("example.org")), "below");
	ok(domain_under(S("example.org"), S("example.org")), "equal");
	ok(!domain_under(S("badexample.org"), S("example.org")), "only a tail");
	ok(!domain_under(S("org"), S("example.org")), "above");
	ok(!domain_under(S("example.org"), S("")), "the root is no domain");
	arena_free(&ar);
}

/* \uXXXX or \x{XXXX} off *in; false if there is none. */
static bool
escape(struct slice *in, ucs4_t *c)
{
	bool brace = slice_starts(*in, S("\\x{"));
	struct slice digits;

	if (!brace && !slice_starts(*in, S("\\u")))
		return false;
	*in = slice_skip(*in, brace ? 3 : 2);
	if (brace)
		slice_cut(in, '}', &digits);
	else {
		digits = slice_sub(*in, 0, 4);
		*in = slice_skip(*in, 4);
	}
	*c = 0;
	for (size_t i = 0; i < digits.n; i++)
		*c = *c << 4 | (ucs4_t)ascii_hex(digits.p[i]);
	return true;
}

/* A column; false if it is not well-formed Unicode. */
static bool
column(struct strbuf *sb, struct slice in)
{
	uint8_t u[6];
	ucs4_t c;
	int n;

	sb_reset(sb);
	in = slice_trim(in);
	if (slice_eqs(in, "\"\""))
		return true;
	while (in.n != 0) {
		if (!escape(&in, &c)) {
			sb_putc(sb, in.p[0]);
			in = slice_skip(in, 1);
		} else if ((n = u8_uctomb(u, c, sizeof(u))) < 0)
			return false;
		else
			sb_put(sb, slice_of(u, (size_t)n));
	}
	return true;
}

/*
 * Characters that IDNA2008 lacks (NV8, XV8 in the mapping table; the test
 * file says that an implementation of IDNA2008 skips such lines), and those
 * that Unicode 15, older than the test file, does not map yet.
 */
static unsigned char foreign[0x110000 / 8];

static void
load_foreign(void)
{
	struct strbuf file;
	struct slice in, line;

	vectors_load("idna/IdnaMappingTable-15.0.0.txt", &file);
	in = sb_slice(&file);
	while (slice_line(&in, &line)) {
		char *end;
		unsigned long a, b;

		if (slice_find(line, S("; NV8")) == -1 &&
		    slice_find(line, S("; XV8")) == -1 &&
		    slice_find(line, S("; disallowed")) == -1)
			continue;
		a = b = strtoul((const char *)line.p, &end, 16);
		if (*end == '.')
			b = strtoul(end + 2, NULL, 16);
		for (; a <= b && a < 0x110000; a++)
			foreign[a / 8] |= (unsigned char)(1 << a % 8);
	}
	sb_free(&file);
}

/* The line has a character of a newer Unicode, or not of IDNA2008. */
static bool
is_foreign(struct slice s)
{
	ucs4_t c;

	while (s.n != 0) {
		s = slice_skip(s, (size_t)u8_mbtoucr(&c, s.p, s.n));
		if (uc_is_general_category(c, UC_UNASSIGNED) ||
		    (foreign[c / 8] >> c % 8 & 1) != 0)
			return true;
	}
	return false;
}

/*
 * Errors that we do not look for: joiners and direction across labels or in
 * A-labels that IDNA2008 lacks (B, C, V7), hyphens (V2, V3), a trailing dot
 * (A4_2).
 */
static bool
is_lenient(struct slice status)
{
	struct slice code;

	status = slice_sub(status, 1, status.n - 2);
	while (status.n != 0) {
		slice_cut(&status, ',', &code);
		code = slice_trim(code);
		if (code.p[0] != 'B' && code.p[0] != 'C' &&
		    !slice_eqs(code, "V2") && !slice_eqs(code, "V3") &&
		    !slice_eqs(code, "V7") && !slice_eqs(code, "A4_2"))
			return false;
	}
	return true;
}

struct tally {
	int lines, same, lenient, foreign, wrong;
	struct strbuf src, want, uni;
	struct arena ar;
};

static void
idna_line(struct tally *t, struct slice line)
{
	struct slice col[5], out, status, rest = line;
	bool good;

	for (int i = 0; i < 5; i++) {
		slice_cut(&rest, ';', &col[i]);
		col[i] = slice_trim(col[i]);
	}
	if (col[1].n == 0)
		col[1] = col[0];
	if (col[3].n == 0)
		col[3] = col[1];
	status = col[4].n != 0 ? col[4] : col[2];
	if (!column(&t->src, col[0]) || !column(&t->uni, col[1]) ||
	    !column(&t->want, col[3]))
		return;
	t->lines++;
	good = domain_ascii(sb_slice(&t->src), &t->ar, &out) == 0;
	if (good == (status.n <= 2) &&
	    (!good || slice_eq(out, sb_slice(&t->want))))
		t->same++;
	else if (good && status.n > 2 && is_lenient(status))
		t->lenient++;
	else if (!good && (is_foreign(sb_slice(&t->uni)) ||
	    is_foreign(sb_slice(&t->src))))
		t->foreign++;
	else {
		t->wrong++;
		diag("%s: %.*s", good ? "accepted" : "refused",
		    SLICE_ARG(line));
	}
	arena_reset(&t->ar);
}

int
main(void)
{
	struct tally t = { .src = STRBUF_INIT(4096), .want = STRBUF_INIT(4096),
		.uni = STRBUF_INIT(4096) };
	struct strbuf file;
	struct slice in, line;

	plan(0);
	table();
	if (vectors_dir() == NULL)
		return done();
	load_foreign();
	vectors_load("idna/IdnaTestV2.txt", &file);
	in = sb_slice(&file);
	while (slice_line(&in, &line))
		if (line.n != 0 && line.p[0] != '#')
			idna_line(&t, line);
	/* What is left: U+1E9E, whose mapping Unicode changed since. */
	ok(t.lines > 6000 && t.same > 5500 && t.wrong <= 2,
	    "IdnaTestV2: %d lines, %d the same, %d lenient, %d not of "
	    "IDNA2008, %d differ", t.lines, t.same, t.lenient, t.foreign,
	    t.wrong);
	sb_free(&file);
	sb_free(&t.src);
	sb_free(&t.want);
	sb_free(&t.uni);
	arena_free(&t.ar);
	return done();
}
