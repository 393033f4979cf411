/* DNS questions and answers as bytes. */
#include "dns/wire.h"

#include <sys/socket.h>

#include "base/alloc.h"
#include "tap.h"

#define X63 "123456789012345678901234567890123456789012345678901234567890123"

static const struct {
	const char *name;
	int result;
	size_t n; /* on the wire */
} names[] = {
	{ "example.org", 0, 13 }, { "example.org.", 0, 13 }, { ".", 0, 1 },
	{ "a", 0, 3 }, { "", -1, 0 }, { "a..b", -1, 0 }, { ".a", -1, 0 },
	{ "a..", -1, 0 }, { "..", -1, 0 }, { X63 ".a", 0, 67 },
	{ X63 "4.a", -1, 0 },
	{ X63 "." X63 "." X63 "." "1234567890123456789012345678901234567890"
	    "123456789012345678901", 0, 255 },
	{ X63 "." X63 "." X63 "." "1234567890123456789012345678901234567890"
	    "1234567890123456789012", -1, 0 },
	{ "a b\\.c", 0, 8 },
};

static void
questions(void)
{
	struct dns_question q;

	for (size_t i = 0; i < COUNTOF(names); i++) {
		int got = dns_question_init(&q, slice_str(names[i].name), DNS_A);

		ok(got == names[i].result && (got == -1 || q.n == names[i].n),
		    "question %zu", i);
	}
}

/* An answer to A for "a.test" with id 0x1234: flags, counts, the rest. */
static struct slice
packet(unsigned char *buf, unsigned flags, unsigned answers, unsigned more,
    struct slice rest)
{
	static const unsigned char q[] = "\1A\4test\0\0\1\0\1";
	unsigned char head[12] = { 0x12, 0x34, (unsigned char)(flags >> 8),
		(unsigned char)flags, 0, 1, 0, (unsigned char)answers, 0, 0, 0,
		(unsigned char)more };

	memcpy(buf, head, 12);
	memcpy(buf + 12, q, 12);
	if (rest.n != 0)
		memcpy(buf + 24, rest.p, rest.n);
	return slice_of(buf, 24 + rest.n);
}

#define RR(type, len) "\xc0\x0c\0" type "\0\1\0\0\1\x2c\0" len
#define OPT(len) "\0\0\x29\x10\0\0\0\0\0\0" len

static const struct {
	const char *name;
	unsigned flags, answers, more;
	struct slice rest;
	int result;
	enum dns_status status;
	int ede;
} answers[] = {
	{ "A", 0x8180, 1, 0, S(RR("\1", "\4") "\300\0\2\1"), 0, DNS_OK, -1 },
	{ "no record", 0x8180, 0, 0, S(""), 0, DNS_NODATA, -1 },
	{ "no name", 0x8183, 0, 0, S(""), 0, DNS_NXDOMAIN, -1 },
	{ "failure", 0x8182, 0, 0, S(""), 0, DNS_TEMP, -1 },
	{ "bogus", 0x8182, 0, 1, S(OPT("\6") "\0\x0f\0\2\0\6"), 0, DNS_BOGUS, 6 },
	{ "network error", 0x8182, 0, 1, S(OPT("\6") "\0\x0f\0\2\0\x17"), 0,
	    DNS_TEMP, 23 },
	{ "short option", 0x8182, 0, 1, S(OPT("\6") "\0\x0f\0\3\0\6"), 0,
	    DNS_TEMP, -1 },
	{ "A of another name", 0x8180, 1, 0,
	    S("\1b\xc0\x0e\0\1\0\1\0\0\1\x2c\0\4\300\0\2\1"), 0, DNS_NODATA, -1 },
	{ "A in capitals", 0x8180, 1, 0,
	    S("\1A\4TEST\0\0\1\0\1\0\0\1\x2c\0\4\300\0\2\1"), 0, DNS_OK, -1 },
	{ "other class", 0x8180, 1, 0,
	    S("\xc0\x0c\0\1\0\3\0\0\1\x2c\0\4\300\0\2\1"), 0, DNS_NODATA, -1 },
	{ "A of three bytes", 0x8180, 1, 0, S(RR("\1", "\3") "\300\0\2"), -1,
	    DNS_TEMP, -1 },
	{ "cut", 0x8180, 1, 0, S(RR("\1", "\4") "\300\0"), -1, DNS_TEMP, -1 },
	{ "loop", 0x8180, 1, 0, S(RR("\5", "\2") "\xc0\x0c"), -1, DNS_TEMP, -1 },
};

static void
parse(void)
{
	struct dns_question q;
	struct dns_answer a;
	unsigned char buf[128];

	if (dns_question_init(&q, S("a.test"), DNS_A) == -1)
		return;
	for (size_t i = 0; i < COUNTOF(answers); i++) {
		struct arena ar = { 0 };
		struct slice p = packet(buf, answers[i].flags,
		    answers[i].answers, answers[i].more, answers[i].rest);
		struct slice copy = slice_of(xmemdup(p.p, p.n), p.n);
		int got;

		ok(dns_wire_matches(copy, 0x1234, &q), "%s: matches",
		    answers[i].name);
		got = dns_wire_parse(copy, &q, &ar, &a);
		ok(got == answers[i].result && a.status == answers[i].status &&
		    a.ede == answers[i].ede, "%s", answers[i].name);
		arena_free(&ar);
		free((void *)(uintptr_t)copy.p);
	}
}

static void
mismatches(void)
{
	struct dns_question q, other;
	unsigned char buf[128];
	struct slice p = packet(buf, 0x8180, 0, 0, SLICE_NONE);

	if (dns_question_init(&q, S("a.test"), DNS_A) == -1 ||
	    dns_question_init(&other, S("b.test"), DNS_A) == -1)
		return;
	ok(!dns_wire_matches(p, 0x1235, &q), "other id");
	ok(!dns_wire_matches(p, 0x1234, &other), "other name");
	other = q;
	other.type = DNS_MX;
	ok(!dns_wire_matches(p, 0x1234, &other), "other type");
	for (size_t n = 0; n < p.n; n++) {
		void *copy = xmemdup(p.p, n);

		if (dns_wire_matches(slice_of(copy, n), 0x1234, &q))
			break;
		free(copy);
		if (n + 1 == p.n)
			ok(true, "no part of a packet matches");
	}
	buf[2] = 1;
	ok(!dns_wire_matches(p, 0x1234, &q), "a query");
	buf[2] = 0x81;
	buf[5] = 2;
	ok(!dns_wire_matches(p, 0x1234, &q), "two questions");
}

static void
reverse(void)
{
	struct strbuf sb = STRBUF_INIT(128);
	struct ip ip = { AF_INET, { 192, 0, 2, 1 } };

	dns_reverse(&sb, &ip);
	is(sb_slice(&sb), "1.2.0.192.in-addr.arpa", "IPv4 turned around");
	sb_reset(&sb);
	ip = (struct ip){ AF_INET6, { 0x20, 1, 0xd, 0xb8, [15] = 0xf } };
	dns_reverse(&sb, &ip);
	is(sb_slice(&sb), "f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0."
	    "8.b.d.0.1.0.0.2.ip6.arpa", "IPv6 turned around");
	sb_free(&sb);
}

int
main(void)
{
	plan(0);
	questions();
	parse();
	mismatches();
	reverse();
	return done();
}
