/*
 * Arguments, mailbox names, numbers sets and the strings of responses.
 */
#include "base/alloc.h"
#include "imap/out.h"
#include "imap/scan.h"
#include "imap/utf7.h"
#include "tap.h"

static struct arena ar;

/* ---- strings ---- */

static const struct {
	const char *in, *want, *rest; /* want NULL: refused */
} strings[] = {
	{ "abc d", "abc", " d" },
	{ "a]b", "a]b", "" },
	{ "\"a b\" c", "a b", " c" },
	{ "\"\"", "", "" },
	{ "\"a\\\\b\\\"c\"", "a\\b\"c", "" },
	{ "\"\\\"\"", "\"", "" },
	{ "\"a\\b\"", NULL, NULL },
	{ "\"a", NULL, NULL },
	{ "\"a\\", NULL, NULL },
	{ "\"a\\\"", NULL, NULL },
	{ "\"a\rb\"", NULL, NULL },
	{ "{3}\r\nx\ny)", "x\ny", ")" },
	{ "{3+}\r\nxyz", "xyz", "" },
	{ "~{3}\r\nxyz", "xyz", "" },
	{ "{0}\r\n", "", "" },
	{ "{4}\r\nxyz", NULL, NULL },
	{ "{99999999999999999999}\r\nxyz", NULL, NULL },
	{ "{3}xyz", NULL, NULL },
	{ "(x", NULL, NULL },
	{ "", NULL, NULL },
	{ " x", NULL, NULL },
	{ "a%", "a", "%" },
	{ "\x1f", NULL, NULL },
};

static void
test_strings(void)
{
	for (size_t i = 0; i < COUNTOF(strings); i++) {
		struct slice in = exact(strings[i].in), keep = in, s;
		bool got = imap_astring(&in, &ar, &s);

		ok(strings[i].want == NULL ? !got : got &&
		    slice_eqs(s, strings[i].want) &&
		    slice_eqs(in, strings[i].rest),
		    "astring %zu", i);
		free((void *)keep.p);
	}
}

/* ---- mailbox names: wire, UTF-8 (NULL: refused) ---- */

static const struct {
	const char *wire, *name;
} names[] = {
	{ "Sent", "Sent" },
	{ "inbox", "INBOX" },
	{ "iNbOx/x", "INBOX/x" },
	{ "inboxes", "inboxes" },
	{ "a&-b", "a&b" },
	{ "&AOk-t&AOk-", "\xc3\xa9t\xc3\xa9" },
	{ "~peter/mail/&U,BTFw-/&ZeVnLIqe-",
	    "~peter/mail/\xe5\x8f\xb0\xe5\x8c\x97/"
	    "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e" },
	{ "&2D3eAA-", "\xf0\x9f\x98\x80" },
	{ "&Jjo-!", "\xe2\x98\xba!" },
	{ "&AGE-", NULL },       /* shifted printable ASCII */
	{ "&AOk", NULL },        /* not ended */
	{ "&", NULL },
	{ "&2D0-", NULL },       /* lone high surrogate */
	{ "&3gA-", NULL },       /* lone low surrogate */
	{ "&AOk-&AOk-", NULL },  /* superfluous shift */
	{ "&AOl-", NULL },       /* bits left over */
	{ "&AO-", NULL },        /* half a character */
	{ "&A!k-", NULL },       /* not base64 */
	{ "&AO/k-", NULL },      /* "/" for "," */
	{ "&AAA-", NULL },       /* NUL */
	{ "\xc3\xa9", NULL },    /* must be shifted */
};

static void
test_names(void)
{
	for (size_t i = 0; i < COUNTOF(names); i++) {
		struct strbuf sb = STRBUF_INIT(200);
		struct slice in = exact(names[i].wire), name;
		bool got = imap_name(in, &ar, false, &name);

		ok(names[i].name == NULL ? !got : got &&
		    slice_eqs(name, names[i].name), "decode %s",
		    slice_is_ascii(in) ? names[i].wire : "8-bit");
		if (got && slice_str(names[i].name).p[0] != 'I') {
			utf7_encode(&sb, name);
			is(sb_slice(&sb), names[i].wire, "and encode");
		}
		sb_free(&sb);
		free((void *)in.p);
	}
	for (uint32_t c = 1; c < 0x800; c++) {
		unsigned char raw[2] = { 0xc0 | c >> 6, 0x80 | (c & 0x3f) };
		struct slice u = c < 0x80 ?
		    slice_of(&(unsigned char){ c }, 1) : slice_of(raw, 2);
		struct strbuf w = STRBUF_INIT(20), back = STRBUF_INIT(20);

		utf7_encode(&w, u);
		if (utf7_decode(&back, sb_slice(&w)) == -1 ||
		    !slice_eq(sb_slice(&back), u)) {
			ok(false, "round trip of U+%04X", c);
			break;
		}
		sb_free(&w);
		sb_free(&back);
	}
}

/* ---- number sets, * = 10 ---- */

static const struct {
	const char *in, *want;
} sets[] = {
	{ "1", "1" }, { "*", "10" }, { "5:1", "1:5" }, { "9,3,1", "1,3,9" },
	{ "1:*", "1:10" }, { "15:*", "10:15" }, { "1,2,3:4", "1:4" },
	{ "2:4,3:9,20", "2:9,20" }, { "4294967295", "4294967295" },
	{ "1:4294967295,5", "1:4294967295" },
	{ "0", NULL }, { "1:0", NULL }, { "1,", NULL }, { "", NULL },
	{ ":1", NULL }, { "1:", NULL }, { "4294967296", NULL }, { "-1", NULL },
};

static void
test_sets(void)
{
	struct numset a, b;
	struct slice in = S("1:5,8,10:20"), in2 = S("3:8,12,20:30");
	struct strbuf sb = STRBUF_INIT(100);

	for (size_t i = 0; i < COUNTOF(sets); i++) {
		struct slice s = exact(sets[i].in), keep = s;
		bool got = numset_take(&s, &ar, &a);

		if (sets[i].want == NULL)
			ok(!got || s.n != 0, "set %s refused", sets[i].in);
		else {
			numset_resolve(&a, 10);
			sb_reset(&sb);
			numset_put(&sb, &a);
			is(sb_slice(&sb), sets[i].want, sets[i].in);
		}
		free((void *)keep.p);
	}
	ok(numset_take(&in, &ar, &a) && numset_take(&in2, &ar, &b), "two sets");
	numset_resolve(&a, 1);
	numset_resolve(&b, 1);
	ok(numset_has(&a, 10) && !numset_has(&a, 9) && !numset_has(&a, 21),
	    "membership");
	isnum((long long)numset_count(&a), 17, "count");
	numset_intersect(&a, &b, &ar);
	sb_reset(&sb);
	numset_put(&sb, &a);
	is(sb_slice(&sb), "3:5,8,12,20", "intersection");
	in = S("5:*,*");
	ok(numset_take(&in, &ar, &a), "star");
	numset_resolve(&a, 0);
	isnum((long long)a.n, 0, "star of an empty mailbox is nothing");
	sb_free(&sb);
}

/* ---- dates, flags, output ---- */

static const struct {
	const char *in;
	long long want; /* -1: refused */
} datetimes[] = {
	{ "\"17-Jul-1996 02:44:25 -0700\"", 837596665 },
	{ "\" 1-Jan-1970 00:00:00 +0000\"", 0 },
	{ "\"01-jan-1970 00:00:01 +0000\"", 1 },
	{ "\"29-Feb-2000 00:00:00 +0000\"", 951782400 },
	{ "\"29-Feb-1900 00:00:00 +0000\"", -1 },
	{ "\"31-Apr-2000 00:00:00 +0000\"", -1 },
	{ "\"17-Jul-1996 24:44:25 -0700\"", -1 },
	{ "\"17-Jul-96 02:44:25 -0700\"", -1 },
	{ "\"17-Jul-1996 02:44:25\"", -1 },
	{ "\"17-Foo-1996 02:44:25 -0700\"", -1 },
	{ "17-Jul-1996 02:44:25 -0700", -1 },
	{ "\"\"", -1 },
};

static void
test_dates(void)
{
	struct strbuf sb = STRBUF_INIT(100);
	int64_t t;

	for (size_t i = 0; i < COUNTOF(datetimes); i++) {
		struct slice in = exact(datetimes[i].in), keep = in;
		bool got = imap_datetime(&in, &t) && in.n == 0;

		isnum(got ? t : -1, datetimes[i].want, datetimes[i].in);
		free((void *)keep.p);
	}
	for (long day = -800000; day < 100; day += 1) {
		time_t when = day * 86400L;
		struct tm tm;

		gmtime_r(&when, &tm);
		if (imap_days(tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday) !=
		    day) {
			ok(false, "day %ld", day);
			break;
		}
	}
	imap_put_datetime(&sb, 837596665);
	is(sb_slice(&sb), "\"17-Jul-1996 09:44:25 +0000\"", "write a date");
	sb_free(&sb);
}

static void
test_flags(void)
{
	static const char *const bad[] = { "(\\*)", "(a", "(a[]\")",
		"(\"\\\\Seen\")", "" };
	struct slice in = S("(\\Seen $Junk x)"), *flags;
	size_t count;

	ok(imap_flags(&in, &ar, &flags, &count) && count == 3 &&
	    slice_eqs(flags[0], "\\Seen") && slice_eqs(flags[2], "x"), "flags");
	in = S("()");
	ok(imap_flags(&in, &ar, &flags, &count) && count == 0, "no flags");
	in = S("\\Seen a");
	ok(imap_flags(&in, &ar, &flags, &count) && count == 2, "bare flags");
	for (size_t i = 0; i < COUNTOF(bad); i++) {
		in = slice_str(bad[i]);
		ok(!imap_flags(&in, &ar, &flags, &count) || in.n != 0,
		    "bad flags %s", bad[i]);
	}
}

static void
test_out(void)
{
	struct strbuf sb = STRBUF_INIT(5000);
	unsigned char long_one[IMAP_QUOTED_MAX + 1];

	imap_put_string(&sb, S("a\\\"b"), false);
	is(sb_slice(&sb), "\"a\\\\\\\"b\"", "quoted");
	sb_reset(&sb);
	imap_put_string(&sb, S("a\nb"), false);
	is(sb_slice(&sb), "{3}\r\na\nb", "literal for LF");
	sb_reset(&sb);
	imap_put_string(&sb, S("\xc3\xa9"), false);
	is(sb_slice(&sb), "{2}\r\n\xc3\xa9", "literal for 8-bit");
	sb_reset(&sb);
	imap_put_string(&sb, S("\xc3\xa9"), true);
	is(sb_slice(&sb), "\"\xc3\xa9\"", "quoted UTF-8");
	sb_reset(&sb);
	imap_put_string(&sb, S("\xe9"), true);
	is(sb_slice(&sb), "{1}\r\n\xe9", "literal for what is not UTF-8");
	sb_reset(&sb);
	imap_put_string(&sb, S("a\0b"), true);
	is(sb_slice(&sb), "{2}\r\nab", "no NUL");
	sb_reset(&sb);
	imap_put_astring(&sb, S("nil"), true);
	is(sb_slice(&sb), "\"nil\"", "nil is no atom");
	sb_reset(&sb);
	imap_put_mailbox(&sb, S("a&\xc3\xa9 b"), false);
	is(sb_slice(&sb), "\"a&-&AOk- b\"", "mailbox");
	sb_reset(&sb);
	memset(long_one, 'x', sizeof(long_one));
	imap_put_string(&sb, slice_of(long_one, sizeof(long_one)), false);
	ok(sb.p[0] == '{', "literal for what is long");
	sb_free(&sb);
}

int
main(void)
{
	plan(0);
	test_strings();
	test_names();
	test_sets();
	test_dates();
	test_flags();
	test_out();
	arena_free(&ar);
	return done();
}
