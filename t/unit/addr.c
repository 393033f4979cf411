/* Mailbox addresses: our own table and the is_email corpus. */
#include "addr/addr.h"

#include <errno.h>
#include <sys/socket.h>

#include "vectors.h"

static const struct {
	const char *in;
	unsigned flags;
	const char *want; /* formatted; NULL: refused */
	int error;
} cases[] = {
	{ "Ann@Example.ORG", 0, "Ann@example.org", 0 },
	{ "\"ann\"@example.org", 0, "ann@example.org", 0 },
	{ "\"a b\"@example.org", 0, "\"a b\"@example.org", 0 },
	{ "\"a\\\"b\\\\c\"@example.org", 0, "\"a\\\"b\\\\c\"@example.org", 0 },
	{ "\".a\"@example.org", 0, "\".a\"@example.org", 0 },
	{ "\"\"@example.org", 0, "\"\"@example.org", 0 },
	{ "ann@[192.0.2.1]", 0, "ann@[192.0.2.1]", 0 },
	{ "ann@[ipv6:2001:DB8::1]", 0, "ann@[IPv6:2001:db8::1]", 0 },
	{ "ann@[IPv6:::ffff:192.0.2.1]", 0, "ann@[192.0.2.1]", 0 },
	{ "ann@_x.example.org", 0, "ann@_x.example.org", 0 },
	{ "postmaster", ADDR_POSTMASTER, "postmaster", 0 },
	{ "Postmaster", ADDR_POSTMASTER, "Postmaster", 0 },
	{ "postmaster", 0, NULL, EINVAL },
	{ "ann", ADDR_POSTMASTER, NULL, EINVAL },
	{ "gr\xc3\xbc\xc3\x9f@example.org", 0, NULL, EILSEQ },
	{ "gr\xc3\xbc\xc3\x9f@example.org", ADDR_UTF8,
	    "gr\xc3\xbc\xc3\x9f@example.org", 0 },
	{ "gru\xcc\x88n@example.org", ADDR_UTF8, "gr\xc3\xbcn@example.org", 0 },
	/* U+037E becomes ';' in NFC and then needs quotes. */
	{ "a\xcd\xbe@example.org", ADDR_UTF8, "\"a;\"@example.org", 0 },
	{ "a\xff@example.org", ADDR_UTF8, NULL, EINVAL },
	{ "ann@B\xc3\xbc" "cher.example", ADDR_UTF8,
	    "ann@xn--bcher-kva.example", 0 },
	{ "ann@xn--bcher-kva.example", 0, "ann@xn--bcher-kva.example", 0 },
	{ "ann@example\xe3\x80\x82org", ADDR_UTF8, "ann@example.org", 0 },
	{ "ann@example.org ", 0, NULL, EINVAL },
	{ "ann@example.org\r\n", 0, NULL, EINVAL },
	{ "ann@b@example.org", 0, NULL, EINVAL },
	{ "@example.org", 0, NULL, EINVAL },
	{ "ann@", 0, NULL, EINVAL },
	{ "", 0, NULL, EINVAL },
	{ "\"ann@example.org\\", 0, NULL, EINVAL },
	{ "ann@[192.0.2.1", 0, NULL, EINVAL },
	{ "ann@[2001:db8::1]", 0, NULL, EINVAL },
	{ "ann@[IPv6:192.0.2.1]", 0, NULL, EINVAL },
	{ "ann@[x-tag:abc]", 0, NULL, EINVAL },
};

static void
table(void)
{
	for (size_t i = 0; i < COUNTOF(cases); i++) {
		struct strbuf sb = STRBUF_INIT(1024);
		struct slice in = exact(cases[i].in);
		struct arena ar = { 0 };
		struct addr a;
		int r = addr_parse(in, cases[i].flags, &ar, &a);

		if (cases[i].want == NULL)
			ok(r == -1 && errno == cases[i].error, "refuse %zu", i);
		else if (ok(r == 0, "accept %zu", i)) {
			addr_format(&sb, &a);
			is(sb_slice(&sb), cases[i].want, cases[i].want);
		}
		sb_free(&sb);
		arena_free(&ar);
		free((void *)(uintptr_t)in.p);
	}
}

static void
limits(void)
{
	struct strbuf sb = STRBUF_INIT(4096);
	struct arena ar = { 0 };
	struct addr a, b;

	for (int i = 0; i < ADDR_LOCAL_MAX; i++)
		sb_putc(&sb, 'a');
	sb_puts(&sb, "@example.org");
	ok(addr_parse(sb_slice(&sb), 0, &ar, &a) == 0, "longest local part");
	sb_reset(&sb);
	for (int i = 0; i < ADDR_LOCAL_MAX + 1; i++)
		sb_putc(&sb, 'a');
	sb_puts(&sb, "@example.org");
	ok(addr_parse(sb_slice(&sb), 0, &ar, &a) == -1 && errno == E2BIG,
	    "local part too long");
	sb_reset(&sb);
	for (int i = 0; i < 2000; i++)
		sb_putc(&sb, '"');
	ok(addr_parse(sb_slice(&sb), 0, &ar, &a) == -1 && errno == E2BIG,
	    "text too long");
	ok(addr_parse(S("a@x.org"), 0, &ar, &a) == 0 &&
	    addr_parse(S("A@X.org"), 0, &ar, &b) == 0 && !addr_eq(&a, &b) &&
	    addr_ieq(&a, &b), "comparison");
	ok(addr_parse(S("\"a\"@X.org"), 0, &ar, &b) == 0 && addr_eq(&a, &b),
	    "quoting does not matter");
	ok(!a.utf8 && !a.literal, "flags clear");
	ok(addr_parse(S("a@\xc3\xbc.org"), ADDR_UTF8, &ar, &a) == 0 && a.utf8,
	    "U-label needs SMTPUTF8");
	sb_free(&sb);
	arena_free(&ar);
}

/* What the corpus calls header-only and we take as SMTP does in practice. */
static bool
tolerated(struct slice diagnosis, struct slice id)
{
	/* Local parts up to ADDR_LOCAL_MAX octets; 39: a path of 257. */
	return slice_eqs(diagnosis, "ISEMAIL_RFC5322_LOCAL_TOOLONG") ||
	    slice_eqs(id, "39") ||
	    /* "::" for a single group: RFC 4291 reads it. */
	    slice_eqs(diagnosis, "ISEMAIL_RFC5321_IPV6DEPRECATED");
}

static struct slice
element(struct slice test, struct slice open)
{
	ptrdiff_t at = slice_find(test, open);
	struct slice value = SLICE_NONE;

	if (at != -1) {
		test = slice_skip(test, (size_t)at + open.n);
		slice_cut(&test, '<', &value);
	}
	return value;
}

/* XML entities; U+24xx stands for the control character xx. */
static void
unxml(struct strbuf *sb, struct slice in)
{
	while (in.n != 0) {
		if (slice_starts(in, S("&amp;"))) {
			sb_putc(sb, '&');
			in = slice_skip(in, 5);
		} else if (slice_starts(in, S("&#x24"))) {
			sb_putc(sb, (unsigned char)(ascii_hex(in.p[5]) << 4 |
			    ascii_hex(in.p[6])));
			in = slice_skip(in, 8);
		} else if (slice_starts(in, S("&#xA9;"))) {
			sb_puts(sb, "\xc2\xa9");
			in = slice_skip(in, 6);
		} else {
			sb_putc(sb, in.p[0]);
			in = slice_skip(in, 1);
		}
	}
}

static void
corpus(void)
{
	struct strbuf xml, sb = STRBUF_INIT(4096);
	struct slice in, id, category, diagnosis;
	struct arena ar = { 0 };
	struct addr a;
	ptrdiff_t at;
	int tests = 0, wrong = 0;

	vectors_load("addresses/tests.xml", &xml);
	in = sb_slice(&xml);
	while ((at = slice_find(in, S("<test id="))) != -1) {
		bool want, got;

		in = slice_skip(in, (size_t)at + 10);
		slice_cut(&in, '"', &id);
		category = element(in, S("<category>"));
		diagnosis = element(in, S("<diagnosis>"));
		sb_reset(&sb);
		unxml(&sb, element(slice_sub(in, 0,
		    (size_t)slice_find(in, S("</test>"))), S("<address>")));
		want = slice_eqs(category, "ISEMAIL_VALID_CATEGORY") ||
		    slice_eqs(category, "ISEMAIL_DNSWARN") ||
		    slice_eqs(category, "ISEMAIL_RFC5321") ||
		    tolerated(diagnosis, id);
		got = addr_parse(sb_slice(&sb), ADDR_UTF8, &ar, &a) == 0;
		tests++;
		if (want != got && ++wrong)
			diag("%s %.*s: %s", got ? "accepted" : "refused",
			    SLICE_ARG(diagnosis), sb_cstr(&sb));
		arena_reset(&ar);
	}
	ok(tests > 150 && wrong == 0, "is_email corpus: %d addresses, %d wrong",
	    tests, wrong);
	arena_free(&ar);
	sb_free(&xml);
	sb_free(&sb);
}

static void
addresses_of_hosts(void)
{
	struct strbuf sb = STRBUF_INIT(64);
	struct ip ip, net;

	ok(ip_parse(S("192.0.2.1"), &ip) == 0 && ip.family == AF_INET, "IPv4");
	ok(ip_parse(S("::ffff:192.0.2.1"), &ip) == 0 && ip.family == AF_INET,
	    "IPv4-mapped");
	ip_format(&sb, &ip);
	is(sb_slice(&sb), "192.0.2.1", "mapped as IPv4");
	ok(ip_parse(S("192.0.2.129"), &net) == 0 && ip_in(&ip, &net, 24) &&
	    !ip_in(&ip, &net, 25) && ip_in(&ip, &net, 0), "IPv4 networks");
	ok(!ip_in(&ip, &net, 33), "prefix too long");
	ok(ip_parse(S("2001:db8:0:0::1"), &ip) == 0 && ip.family == AF_INET6,
	    "IPv6");
	ok(!ip_in(&ip, &net, 0), "families differ");
	sb_reset(&sb);
	ip_format(&sb, &ip);
	is(sb_slice(&sb), "2001:db8::1", "IPv6 formatted");
	ok(ip_parse(S("2001:db8::ffff"), &net) == 0 && ip_in(&ip, &net, 112) &&
	    !ip_in(&ip, &net, 113), "IPv6 networks");
	ok(ip_parse(S("192.0.2"), &ip) == -1, "three groups");
	ok(ip_parse(S("192.0.2.01"), &ip) == -1, "leading zero");
	ok(ip_parse(S(" 192.0.2.1"), &ip) == -1, "blank");
	ok(ip_parse(S("192.0.2.1\0x"), &ip) == -1, "NUL");
	ok(ip_parse(S(""), &ip) == -1 && ip.family == 0, "empty");
	sb_free(&sb);
}

int
main(void)
{
	plan(0);
	table();
	limits();
	addresses_of_hosts();
	if (vectors_dir() != NULL)
		corpus();
	return done();
}
