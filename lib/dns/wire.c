#include "dns/wire.h"

#include <arpa/nameser.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "base/alloc.h"

/* Header flags, RFC 1035 section 4.1.1 and RFC 4035 section 3.2.3. */
#define F_QR 0x8000u
#define F_OPCODE 0x7800u
#define F_TC 0x0200u
#define F_RD 0x0100u
#define F_AD 0x0020u
#define F_RCODE 0x000fu

#define HEADER 12u
#define TYPE_SOA 6
#define TYPE_OPT 41
#define CLASS_IN 1
#define EDE_OPTION 15 /* RFC 8914 section 2 */
/* Negative answers without SOA are not to be kept (RFC 2308 section 5). */
#define TTL_NONE 0
/* A TTL with the top bit set counts as 0 (RFC 2181 section 8). */
#define TTL_MAX 0x7fffffffu

/* One record of a packet: the owner unpacked, rdata where it stands. */
struct record {
	unsigned char owner[DNS_NAME_MAX];
	size_t owner_n;
	unsigned type, class;
	uint32_t ttl;
	const unsigned char *rdata;
	size_t rdlen;
};

/* A place in a packet. */
struct walk {
	struct slice packet;
	size_t at;
};

static uint16_t
get16(const unsigned char *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t
get32(const unsigned char *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

static unsigned char *
put16(unsigned char *p, unsigned v)
{
	*p++ = (unsigned char)(v >> 8);
	*p++ = (unsigned char)v;
	return p;
}

int
dns_question_init(struct dns_question *q, struct slice name,
    enum dns_type type)
{
	struct slice label;

	*q = (struct dns_question){ .type = (uint16_t)type };
	if (name.n == 0)
		return -1;
	if (name.p[name.n - 1] == '.')
		name.n--;
	while (name.n > 0) {
		bool more = slice_cut(&name, '.', &label);

		/* One octet is left for the root label. */
		if (label.n == 0 || label.n > 63 || (more && name.n == 0) ||
		    q->n + 1 + label.n + 1 > DNS_NAME_MAX)
			return -1;
		q->name[q->n++] = (unsigned char)label.n;
		for (size_t i = 0; i < label.n; i++)
			q->name[q->n++] = ascii_lower(label.p[i]);
	}
	q->name[q->n++] = 0;
	return 0;
}

bool
dns_question_eq(const struct dns_question *a, const struct dns_question *b)
{
	return a->type == b->type && a->n == b->n &&
	    memcmp(a->name, b->name, a->n) == 0;
}

size_t
dns_wire_query(unsigned char buf[DNS_QUERY_MAX], uint16_t id,
    const struct dns_question *q, bool edns)
{
	unsigned char *p = buf;

	p = put16(p, id);
	/* AD in a query asks for AD in the answer, RFC 6840 section 5.7. */
	p = put16(p, F_RD | F_AD);
	p = put16(p, 1);
	p = put16(p, 0);
	p = put16(p, 0);
	p = put16(p, edns);
	memcpy(p, q->name, q->n);
	p += q->n;
	p = put16(p, q->type);
	p = put16(p, CLASS_IN);
	if (edns) {
		*p++ = 0;
		p = put16(p, TYPE_OPT);
		p = put16(p, DNS_EDNS_SIZE);
		p = put16(p, 0);
		p = put16(p, 0);
		p = put16(p, 0);
	}
	return (size_t)(p - buf);
}

/*
 * Unpack the name at `at', whose own bytes end before `end', into lower case:
 * bytes taken from the packet, or 0 if it is bad.
 */
static size_t
unpack(struct slice packet, size_t at, size_t end,
    unsigned char out[DNS_NAME_MAX], size_t *n)
{
	int used;

	if (at >= end)
		return 0;
	used = ns_name_unpack(packet.p, packet.p + end, packet.p + at, out,
	    DNS_NAME_MAX);
	if (used <= 0)
		return 0;
	/* Lengths are below 64, so lowering every byte spares them. */
	for (*n = 0; out[*n] != 0;)
		*n += out[*n] + 1u;
	++*n;
	for (size_t i = 0; i < *n; i++)
		out[i] = ascii_lower(out[i]);
	return (size_t)used;
}

bool
dns_wire_matches(struct slice packet, uint16_t id,
    const struct dns_question *q)
{
	unsigned char name[DNS_NAME_MAX];
	unsigned flags;
	size_t used, n;

	if (packet.n < HEADER || get16(packet.p) != id)
		return false;
	flags = get16(packet.p + 2);
	if ((flags & (F_QR | F_OPCODE)) != F_QR)
		return false;
	/* A server that cannot read a query may not repeat its question. */
	if (packet.n == HEADER && get16(packet.p + 4) == 0)
		return (flags & F_RCODE) == DNS_R_FORMERR ||
		    (flags & F_RCODE) == DNS_R_NOTIMP;
	if (get16(packet.p + 4) != 1)
		return false;
	used = unpack(packet, HEADER, packet.n, name, &n);
	if (used == 0 || packet.n - HEADER - used < 4)
		return false;
	return n == q->n && memcmp(name, q->name, n) == 0 &&
	    get16(packet.p + HEADER + used) == q->type &&
	    get16(packet.p + HEADER + used + 2) == CLASS_IN;
}

bool
dns_wire_truncated(struct slice packet)
{
	return (get16(packet.p + 2) & F_TC) != 0;
}

unsigned
dns_wire_rcode(struct slice packet)
{
	return get16(packet.p + 2) & F_RCODE;
}

/* The next record: 0, or -1 if the packet ends or lies. */
static int
walk_next(struct walk *w, struct record *r)
{
	const unsigned char *p;
	size_t used;

	used = unpack(w->packet, w->at, w->packet.n, r->owner, &r->owner_n);
	if (used == 0 || w->packet.n - w->at - used < 10)
		return -1;
	p = w->packet.p + w->at + used;
	r->type = get16(p);
	r->class = get16(p + 2);
	r->ttl = get32(p + 4);
	r->rdlen = get16(p + 8);
	r->rdata = p + 10;
	w->at += used + 10;
	if (w->packet.n - w->at < r->rdlen)
		return -1;
	w->at += r->rdlen;
	return 0;
}

static uint32_t
ttl_least(uint32_t least, uint32_t ttl)
{
	if (ttl > TTL_MAX)
		ttl = 0;
	return ttl < least ? ttl : least;
}

/*
 * Wire form to text: 1; 0 if a label has a dot, a backslash, a blank, a
 * control or a non-ASCII byte. Text with escapes would let "a\.b.example" pass
 * for a name below b.example, so such names do not exist for us.
 */
static int
name_text(const unsigned char *wire, struct arena *ar, struct slice *out)
{
	unsigned char *text = arena_alloc(ar, DNS_NAME_MAX);
	size_t n = 0;

	for (size_t len; (len = *wire++) != 0;) {
		if (n > 0)
			text[n++] = '.';
		for (; len > 0; len--, wire++) {
			if (*wire <= ' ' || *wire >= 0x7f || *wire == '.' ||
			    *wire == '\\')
				return 0;
			text[n++] = *wire;
		}
	}
	*out = slice_of(text, n);
	return 1;
}

/* A name that fills the rdata from offset `from' to its end: as name_text(),
 * -1 if malformed. */
static int
rdata_name(struct slice packet, const struct record *r, size_t from,
    struct arena *ar, struct slice *out)
{
	unsigned char wire[DNS_NAME_MAX];
	size_t at = (size_t)(r->rdata - packet.p), n;

	if (r->rdlen <= from ||
	    unpack(packet, at + from, at + r->rdlen, wire, &n) !=
	    r->rdlen - from)
		return -1;
	return name_text(wire, ar, out);
}

/* TXT: character strings joined (RFC 1035 section 3.3.14). */
static int
rdata_strings(const struct record *r, struct arena *ar, struct slice *out)
{
	unsigned char *text = arena_alloc(ar, r->rdlen + 1);
	size_t at = 0, n = 0;

	while (at < r->rdlen) {
		size_t len = r->rdata[at++];

		if (r->rdlen - at < len)
			return -1;
		memcpy(text + n, r->rdata + at, len);
		n += len;
		at += len;
	}
	*out = slice_of(text, n);
	return 1;
}

static int
rdata_ip(const struct record *r, int family, size_t len, struct ip *ip)
{
	if (r->rdlen != len)
		return -1;
	*ip = (struct ip){ .family = family };
	memcpy(ip->b, r->rdata, len);
	return 1;
}

/* 1 and *rr; 0: leave this record out; -1: malformed. */
static int
rdata(struct slice packet, const struct record *r, struct arena *ar,
    struct dns_rr *rr)
{
	*rr = (struct dns_rr){ .ttl = r->ttl > TTL_MAX ? 0 : r->ttl };
	switch (r->type) {
	case DNS_A:
		return rdata_ip(r, AF_INET, 4, &rr->ip);
	case DNS_AAAA:
		return rdata_ip(r, AF_INET6, 16, &rr->ip);
	case DNS_TXT:
		return rdata_strings(r, ar, &rr->text);
	case DNS_NS:
	case DNS_CNAME:
	case DNS_PTR:
		return rdata_name(packet, r, 0, ar, &rr->name);
	case DNS_MX:
		if (r->rdlen < 3)
			return -1;
		rr->preference = get16(r->rdata);
		return rdata_name(packet, r, 2, ar, &rr->name);
	case DNS_SRV:
		if (r->rdlen < 7)
			return -1;
		rr->preference = get16(r->rdata);
		rr->weight = get16(r->rdata + 2);
		rr->port = get16(r->rdata + 4);
		return rdata_name(packet, r, 6, ar, &rr->name);
	case DNS_TLSA:
		if (r->rdlen < 3)
			return -1;
		rr->usage = r->rdata[0];
		rr->selector = r->rdata[1];
		rr->matching = r->rdata[2];
		rr->text = arena_copy(ar, slice_of(r->rdata + 3, r->rdlen - 3));
		return 1;
	default:
		return 0;
	}
}

/* The record in the answer section that makes `name' an alias: 1 and its
 * target in *name, 0 none, -1 malformed. */
static int
alias(struct walk w, unsigned count, struct dns_question *name, uint32_t *ttl)
{
	struct record r;

	for (unsigned i = 0; i < count; i++) {
		size_t at;

		if (walk_next(&w, &r) == -1)
			return -1;
		if (r.type != DNS_CNAME || r.class != CLASS_IN ||
		    r.owner_n != name->n ||
		    memcmp(r.owner, name->name, name->n) != 0)
			continue;
		at = (size_t)(r.rdata - w.packet.p);
		if (unpack(w.packet, at, at + r.rdlen, name->name, &name->n) !=
		    r.rdlen || r.rdlen == 0)
			return -1;
		*ttl = ttl_least(*ttl, r.ttl);
		return 1;
	}
	return 0;
}

/* Records of the wanted type at `name'; *w moves to the authority section. */
static int
collect(struct walk *w, unsigned count, const struct dns_question *name,
    struct arena *ar, struct dns_answer *a)
{
	struct record r;
	size_t cap = 0;
	bool left_out = false;

	for (unsigned i = 0; i < count; i++) {
		int got;

		if (walk_next(w, &r) == -1)
			return -1;
		if (r.type != name->type || r.class != CLASS_IN ||
		    r.owner_n != name->n ||
		    memcmp(r.owner, name->name, name->n) != 0)
			continue;
		if (a->count == cap) {
			size_t size = sizeof(*a->rr);

			a->rr = arena_grow(ar, a->rr, cap * size,
			    (cap * 2 + 8) * size);
			cap = cap * 2 + 8;
		}
		if ((got = rdata(w->packet, &r, ar, &a->rr[a->count])) == -1)
			return -1;
		a->ttl = ttl_least(a->ttl, r.ttl);
		a->count += got == 1;
		left_out = left_out || got == 0;
	}
	return a->count == 0 && left_out ? -1 : 0;
}

/* The first EDE option of an OPT record (RFC 8914), or -1. */
static int
opt_ede(const struct record *r)
{
	size_t at = 0;

	while (r->rdlen - at >= 4) {
		unsigned code = get16(r->rdata + at);
		size_t len = get16(r->rdata + at + 2);

		at += 4;
		if (r->rdlen - at < len)
			return -1;
		if (code == EDE_OPTION && len >= 2)
			return get16(r->rdata + at);
		at += len;
	}
	return -1;
}

/* SOA for the TTL of a negative answer, OPT for EDE and the rcode's top. */
static int
the_rest(struct walk *w, unsigned count, struct dns_answer *a,
    uint32_t *negative, unsigned *rcode)
{
	struct record r;

	for (unsigned i = 0; i < count; i++) {
		if (walk_next(w, &r) == -1)
			return -1;
		if (r.type == TYPE_SOA && r.rdlen >= 22) {
			*negative = ttl_least(*negative, r.ttl);
			*negative = ttl_least(*negative,
			    get32(r.rdata + r.rdlen - 4));
		} else if (r.type == TYPE_OPT) {
			a->ede = opt_ede(&r);
			*rcode |= r.ttl >> 24 << 4;
		}
	}
	return 0;
}

/* Codes that say: validation failed (RFC 8914 section 4). */
static bool
ede_is_bogus(int ede)
{
	return ede == 1 || ede == 2 || (ede >= 5 && ede <= 12);
}

static void
judge(struct dns_answer *a, unsigned rcode, uint32_t negative)
{
	if (rcode == DNS_R_NOERROR && a->count > 0) {
		a->status = DNS_OK;
		return;
	}
	a->count = 0;
	a->ttl = ttl_least(a->ttl, negative);
	if (rcode == DNS_R_NOERROR) {
		a->status = DNS_NODATA;
		a->reason = "no record of this type";
	} else if (rcode == DNS_R_NXDOMAIN) {
		a->status = DNS_NXDOMAIN;
		a->reason = "no such name";
	} else if (rcode == DNS_R_SERVFAIL && ede_is_bogus(a->ede)) {
		a->status = DNS_BOGUS;
		a->reason = "DNSSEC validation failed";
	} else {
		a->status = DNS_TEMP;
		a->reason = rcode == DNS_R_SERVFAIL ? "server failure" :
		    rcode == DNS_R_REFUSED ? "query refused" : "server error";
	}
	if (a->status != DNS_NODATA && a->status != DNS_NXDOMAIN) {
		a->authentic = false;
		a->ttl = TTL_NONE;
		a->canonical = SLICE_NONE;
		a->cnames = 0;
	}
}

static int
parse(struct slice packet, const struct dns_question *q, struct arena *ar,
    struct dns_answer *a)
{
	struct walk w = { .packet = packet, .at = HEADER };
	struct dns_question name = *q;
	unsigned answers = get16(packet.p + 6);
	unsigned rest = get16(packet.p + 8) + (unsigned)get16(packet.p + 10);
	unsigned rcode = dns_wire_rcode(packet);
	uint32_t negative = TTL_MAX;
	size_t n;
	int got = 0;

	w.at += unpack(packet, w.at, packet.n, name.name, &n) + 4;
	a->authentic = (get16(packet.p + 2) & F_AD) != 0;
	while (q->type != DNS_CNAME &&
	    (got = alias(w, answers, &name, &a->ttl)) == 1)
		if (++a->cnames > DNS_CNAME_MAX) {
			a->reason = "CNAME chain loops or is too long";
			return -1;
		}
	if (got == -1 || collect(&w, answers, &name, ar, a) == -1 ||
	    the_rest(&w, rest, a, &negative, &rcode) == -1)
		return -1;
	/* What was asked for may hold any byte; what aliases lead to may not. */
	if (name_text(name.name, ar, &a->canonical) == 0 && a->cnames > 0)
		return -1;
	judge(a, rcode, negative == TTL_MAX ? TTL_NONE : negative);
	return 0;
}

int
dns_wire_parse(struct slice packet, const struct dns_question *q,
    struct arena *ar, struct dns_answer *a)
{
	const char *why;

	*a = (struct dns_answer){ .ede = -1, .ttl = TTL_MAX };
	if (parse(packet, q, ar, a) == 0)
		return 0;
	why = a->reason != NULL ? a->reason : "malformed answer";
	*a = (struct dns_answer){ .status = DNS_TEMP, .ede = -1,
		.reason = why };
	return -1;
}
