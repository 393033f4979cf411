/* An answer as lines, and back: the same struct, whatever is in it. */
#include "dns/record.h"

#include <stdio.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "tap.h"

static struct arena ar;

static bool
same_rr(const struct dns_rr *a, const struct dns_rr *b)
{
	return a->ttl == b->ttl && a->preference == b->preference &&
	    a->weight == b->weight && a->port == b->port &&
	    slice_eq(a->name, b->name) && slice_eq(a->text, b->text) &&
	    a->usage == b->usage && a->selector == b->selector &&
	    a->matching == b->matching && a->ip.family == b->ip.family &&
	    memcmp(a->ip.b, b->ip.b, sizeof(a->ip.b)) == 0;
}

static bool
same(const struct dns_answer *a, const struct dns_answer *b)
{
	if (a->status != b->status || a->authentic != b->authentic ||
	    a->ttl != b->ttl || !slice_eq(a->canonical, b->canonical) ||
	    a->cnames != b->cnames || a->count != b->count ||
	    a->ede != b->ede || (a->reason == NULL) != (b->reason == NULL) ||
	    (a->reason != NULL && strcmp(a->reason, b->reason) != 0))
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (!same_rr(&a->rr[i], &b->rr[i]))
			return false;
	return true;
}

/* Read lines that have by=x: 0, or -1. */
static int
reread(struct slice text, struct dns_notes *n)
{
	struct tuple_reader r;
	struct tuple t;
	int got;

	dns_notes_reset(n);
	n->by = "x";
	n->ar = &ar;
	tuple_reader_init(&r, text);
	while ((got = tuple_next(&r, &ar, &t)) == 1)
		if (dns_notes_read(n, &t) == -1)
			return -1;
	return got;
}

static void
round_trip(const char *name, struct slice owner, enum dns_type type,
    struct dns_answer *a)
{
	struct dns_notes out = { 0 }, in = { 0 };
	struct dns_question q;
	const struct dns_answer *b = NULL;

	dns_notes_reset(&out);
	out.by = "x";
	out.ar = &ar;
	if (dns_question_init(&q, owner, type) == 0 &&
	    dns_notes_add(&out, &q, a, false, SIZE_MAX) != SIZE_MAX &&
	    reread(sb_slice(&out.text), &in) == 0)
		b = dns_notes_find(&in, &q);
	if (!ok(b != NULL && same(a, b), "%s", name))
		printf("# %s\n", sb_cstr(&out.text));
	sb_free(&out.text);
	sb_free(&in.text);
}

static void
one(const char *name, enum dns_type type, struct dns_rr rr)
{
	struct dns_answer a = { .status = DNS_OK, .ttl = 300, .ede = -1,
		.canonical = S("a.test"), .rr = &rr, .count = 1 };

	rr.ttl = rr.ttl != 0 ? rr.ttl : 300;
	round_trip(name, S("A.test."), type, &a);
}

static const struct {
	const char *name, *text;
} bad[] = {
	{ "no type", "dns by=x name=a status=nodata ad=no reason=r\n" },
	{ "another type", "dns by=x type=HINFO name=a status=nodata ad=no\n" },
	{ "no name", "dns by=x type=A status=nodata ad=no reason=r\n" },
	{ "a long label", "dns by=x type=A status=nodata ad=no reason=r name="
	    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n" },
	{ "no status at first", "dns by=x type=A name=a rr=192.0.2.1\n" },
	{ "another status", "dns by=x type=A name=a status=fine ad=no\n" },
	{ "ok without a record", "dns by=x type=A name=a status=ok ad=no\n" },
	{ "ok with a reason",
	    "dns by=x type=A name=a status=ok ad=no reason=r rr=192.0.2.1\n" },
	{ "nodata with a record",
	    "dns by=x type=A name=a status=nodata ad=no rr=192.0.2.1\n" },
	{ "AAAA in A", "dns by=x type=A name=a status=ok ad=no rr=::1\n" },
	{ "A in AAAA", "dns by=x type=AAAA name=a status=ok ad=no rr=1.2.3.4\n" },
	{ "no preference", "dns by=x type=MX name=a status=ok ad=no rr=mx\n" },
	{ "a large preference",
	    "dns by=x type=MX name=a status=ok ad=no rr=\"65536 mx\"\n" },
	{ "upper case in the question", "dns by=x type=A name=A status=nodata "
	    "ad=no reason=r\n" },
	{ "a dot at its end", "dns by=x type=A name=a. status=nodata ad=no "
	    "reason=r\n" },
	{ "upper case", "dns by=x type=PTR name=a status=ok ad=no rr=A\n" },
	{ "a blank in a name",
	    "dns by=x type=PTR name=a status=ok ad=no rr=\"a b\"\n" },
	{ "an empty label", "dns by=x type=PTR name=a status=ok ad=no rr=a..b\n" },
	{ "half a byte", "dns by=x type=TLSA name=a status=ok ad=no rr=\"3 1 1 f\"\n" },
	{ "a TTL that is none", "dns by=x type=A name=a status=ok ad=no "
	    "rr-ttl=-1 rr=192.0.2.1\n" },
	{ "more of another name", "dns by=x type=A name=a status=ok ad=no "
	    "rr=192.0.2.1\ndns by=x type=A name=b rr=192.0.2.1\n" },
};

/* Answers of many records, and what is refused. */
static void
bounds(void)
{
	struct dns_answer a = { .status = DNS_OK, .ttl = 5, .ede = -1,
		.canonical = S("a.test"), .count = 1000 };
	struct dns_answer no = { .status = DNS_LIMIT, .ede = -1,
		.reason = "no time left" };
	struct dns_notes n = { 0 };
	struct dns_question q, other;

	a.rr = arena_alloc(&ar, a.count * sizeof(*a.rr));
	for (size_t i = 0; i < a.count; i++) {
		a.rr[i].ttl = i % 3 == 0 ? 5 : 9;
		a.rr[i].text = S("v=spf1 \"x\" \n\t");
	}
	round_trip("a thousand records", S("a.test"), DNS_TXT, &a);
	dns_notes_reset(&n);
	n.by = "x";
	n.ar = &ar;
	if (dns_question_init(&q, S("a.test"), DNS_TXT) == -1 ||
	    dns_question_init(&other, S("b.test"), DNS_TXT) == -1)
		return;
	ok(dns_notes_add(&n, &q, &a, false, 100) > 100 && n.count == 0 &&
	    n.text.n == 0 && !n.text.over, "more than there is room for");
	ok(dns_notes_add(&n, &q, &no, true, SIZE_MAX) == n.text.n,
	    "the rest is refused");
	ok(reread(sb_slice(&n.text), &(struct dns_notes){ 0 }) == 0, "as a line");
	ok(dns_notes_find(&n, &other) == &no, "whatever is asked");
	sb_free(&n.text);
}

int
main(void)
{
	static const unsigned char odd[] = "\001\002\"\\=\xff\xc3\xa9\n x";
	struct dns_answer a = { .status = DNS_NXDOMAIN, .ttl = 60, .ede = 15,
		.canonical = S("c.test"), .cnames = 16, .authentic = true,
		.reason = "no such name" };
	struct dns_notes n;

	plan(22 + (int)COUNTOF(bad));
	one("A", DNS_A, (struct dns_rr){ .ip = { AF_INET, { 192, 0, 2, 1 } } });
	one("AAAA", DNS_AAAA, (struct dns_rr){ .ip = { AF_INET6, { 0x20, 1 } } });
	one("AAAA ::", DNS_AAAA, (struct dns_rr){ .ip = { AF_INET6, { 0 } } });
	one("AAAA, v4-mapped", DNS_AAAA, (struct dns_rr){ .ip = { AF_INET6,
	    { [10] = 0xff, [11] = 0xff, 192, 0, 2, 1 } } });
	one("AAAA, v4-compatible", DNS_AAAA, (struct dns_rr){ .ip = { AF_INET6,
	    { [12] = 192, 0, 2, 1 } } });
	one("PTR", DNS_PTR, (struct dns_rr){ .name = S("b.test") });
	one("PTR with odd bytes", DNS_PTR,
	    (struct dns_rr){ .name = S("a\"=_*(b.test") });
	one("MX", DNS_MX, (struct dns_rr){ .preference = 65535,
	    .name = S("mx.test") });
	one("null MX", DNS_MX, (struct dns_rr){ .preference = 0 });
	one("SRV", DNS_SRV, (struct dns_rr){ .preference = 1, .weight = 2,
	    .port = 65535, .name = S("s.test") });
	one("TLSA", DNS_TLSA, (struct dns_rr){ .usage = 3, .selector = 1,
	    .matching = 255, .text = slice_of(odd, 10) });
	one("TXT", DNS_TXT, (struct dns_rr){ .text = slice_of(odd, 11) });
	one("empty TXT", DNS_TXT, (struct dns_rr){ .text = SLICE_NONE });
	one("another TTL", DNS_TXT, (struct dns_rr){ .ttl = 9, .text = S("x") });
	round_trip("no such name, by aliases", S("a.test"), DNS_TXT, &a);
	a = (struct dns_answer){ .status = DNS_NODATA, .ede = -1,
		.reason = "no record" };
	round_trip("an odd name", slice_of(odd, 7), DNS_TXT, &a);
	round_trip("the root", S("."), DNS_TXT, &a);
	bounds();
	for (size_t i = 0; i < COUNTOF(bad); i++) {
		n = (struct dns_notes){ 0 };
		ok(reread(slice_str(bad[i].text), &n) == -1, "%s", bad[i].name);
		sb_free(&n.text);
	}
	arena_free(&ar);
	return done();
}
