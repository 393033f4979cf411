#include "dns/record.h"

#include <errno.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "dns/names.h"

/* Where an answer goes on in another line. The limits of tuple.h are far off:
 * one more record adds less than DNS_STAGE_BYTES, or it is not kept. */
#define LINE_RECORDS 64
#define LINE_BYTES ((size_t)4096)
#define TEXT_MAX ((size_t)1024 * 1024)

void
dns_notes_reset(struct dns_notes *n)
{
	struct strbuf text = n->text;

	sb_reset(&text);
	text.max = TEXT_MAX;
	*n = (struct dns_notes){ .text = text };
}

const struct dns_answer *
dns_notes_find(const struct dns_notes *n, const struct dns_question *q)
{
	for (size_t i = 0; i < n->count; i++)
		if (dns_question_eq(&n->note[i].q, q))
			return n->note[i].a;
	return n->rest;
}

/* The name of a question as text: no label of one has a dot in it. */
static void
name_of(const struct dns_question *q, struct strbuf *sb)
{
	struct slice wire = slice_of(q->name, q->n);

	sb_reset(sb);
	while (wire.n > 1) {
		if (sb->n > 0)
			sb_putc(sb, '.');
		sb_put(sb, slice_sub(wire, 1, wire.p[0]));
		wire = slice_skip(wire, wire.p[0] + (size_t)1);
	}
	if (sb->n == 0)
		sb_putc(sb, '.');
}

/* What dns_answer.canonical is without aliases. */
static struct slice
plain_canonical(enum dns_status s, struct slice name)
{
	if ((s != DNS_OK && s != DNS_NXDOMAIN && s != DNS_NODATA) ||
	    slice_eqs(name, "."))
		return SLICE_NONE;
	for (size_t i = 0; i < name.n; i++)
		if (name.p[i] <= ' ' || name.p[i] >= 0x7f ||
		    name.p[i] == '\\')
			return SLICE_NONE;
	return name;
}

static void
put_name(struct strbuf *sb, struct slice name)
{
	sb_put(sb, name.n > 0 ? name : S("."));
}

static void
rr_text(const struct dns_rr *r, unsigned type, struct strbuf *sb)
{
	sb_reset(sb);
	switch (type) {
	case DNS_A:
	case DNS_AAAA:
		ip_format(sb, &r->ip);
		break;
	case DNS_TXT:
		sb_put(sb, r->text);
		break;
	case DNS_MX:
		sb_printf(sb, "%u ", r->preference);
		put_name(sb, r->name);
		break;
	case DNS_SRV:
		sb_printf(sb, "%u %u %u ", r->preference, r->weight, r->port);
		put_name(sb, r->name);
		break;
	case DNS_TLSA:
		sb_printf(sb, "%u %u %u ", r->usage, r->selector, r->matching);
		sb_hex(sb, r->text);
		break;
	default:
		put_name(sb, r->name);
	}
}

static void
begin_line(struct strbuf *sb, const char *by, const struct dns_question *q,
    struct slice name)
{
	tuple_begin(sb, "dns");
	tuple_puts(sb, "by", by);
	tuple_puts(sb, "type", dns_type_name((enum dns_type)q->type));
	tuple_put(sb, "name", name);
}

static void
put_rrs(struct strbuf *sb, const char *by, const struct dns_question *q,
    const struct dns_answer *a, struct slice name)
{
	struct strbuf text = STRBUF_INIT(TEXT_MAX);
	size_t start = sb->n, in_line = 0;
	uint32_t ttl = a->ttl;

	for (size_t i = 0; i < a->count; i++) {
		if (in_line == LINE_RECORDS || sb->n - start > LINE_BYTES) {
			tuple_end(sb);
			start = sb->n;
			in_line = 0;
			begin_line(sb, by, q, name);
		}
		if (a->rr[i].ttl != ttl)
			tuple_putu(sb, "rr-ttl", ttl = a->rr[i].ttl);
		rr_text(&a->rr[i], q->type, &text);
		tuple_put(sb, "rr", sb_slice(&text));
		in_line++;
	}
	sb_free(&text);
}

static void
put_answer(struct strbuf *sb, const char *by, const struct dns_question *q,
    const struct dns_answer *a, bool rest)
{
	struct strbuf text = STRBUF_INIT(2 * DNS_NAME_MAX);
	struct slice name;

	name_of(q, &text);
	name = sb_slice(&text);
	begin_line(sb, by, q, name);
	tuple_puts(sb, "status", dns_status_name(a->status));
	tuple_puts(sb, "ad", a->authentic ? "yes" : "no");
	if (a->ttl != 0)
		tuple_putu(sb, "ttl", a->ttl);
	if (!slice_eq(a->canonical, plain_canonical(a->status, name)))
		tuple_put(sb, "canonical", a->canonical);
	if (a->cnames != 0)
		tuple_putu(sb, "cnames", a->cnames);
	if (a->ede != -1)
		tuple_putu(sb, "ede", (uint64_t)a->ede);
	if (rest)
		tuple_puts(sb, "rest", "yes");
	tuple_opt(sb, "reason", slice_str(a->reason));
	put_rrs(sb, by, q, a, name);
	tuple_end(sb);
	sb_free(&text);
}

static void
add(struct dns_notes *n, const struct dns_question *q, struct dns_answer *a,
    bool rest)
{
	if (n->count == n->cap) {
		size_t grown = n->cap != 0 ? n->cap * 2 : 16;

		n->note = arena_grow(n->ar, n->note,
		    n->cap * sizeof(*n->note), grown * sizeof(*n->note));
		n->cap = grown;
	}
	n->note[n->count++] = (struct dns_note){ .q = *q, .a = a };
	if (rest)
		n->rest = a;
}

size_t
dns_notes_add(struct dns_notes *n, const struct dns_question *q,
    struct dns_answer *a, bool rest, size_t most)
{
	size_t before = n->text.n, size;

	put_answer(&n->text, n->by, q, a, rest);
	size = n->text.over ? SIZE_MAX : n->text.n - before;
	if (size > most) {
		sb_cut(&n->text, before);
		n->text.over = false;
		return size;
	}
	add(n, q, a, rest);
	return size;
}

/* A name as name_text() of wire.c makes it; "." is the empty one. */
static int
read_name(struct slice text, struct slice *name)
{
	struct dns_question q;

	*name = SLICE_NONE;
	if (slice_eqs(text, "."))
		return 0;
	*name = text;
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] <= ' ' || text.p[i] >= 0x7f ||
		    text.p[i] == '\\' || ascii_lower(text.p[i]) != text.p[i])
			return -1;
	return text.n > 0 && text.p[text.n - 1] == '.' ? -1 :
	    dns_question_init(&q, text, DNS_A);
}

/* A number and the blank behind it. */
static int
read_number(struct slice *in, uint64_t most, uint64_t *out)
{
	struct slice word;

	return slice_cut(in, ' ', &word) ? slice_u64(word, most, out) : -1;
}

/* A v4-mapped address is not what ip_parse() says of it: the record is AAAA. */
static int
read_ip(struct slice text, unsigned type, struct ip *ip)
{
	struct ip v6 = { AF_INET6, { [10] = 0xff, [11] = 0xff } };

	if (ip_parse(text, ip) == -1 ||
	    (type == DNS_AAAA) != (slice_chr(text, ':') != -1))
		return -1;
	if (type == DNS_AAAA && ip->family == AF_INET) {
		memcpy(v6.b + 12, ip->b, 4);
		*ip = v6;
	}
	return 0;
}

static int
read_tlsa(struct slice text, struct arena *ar, struct dns_rr *r)
{
	struct strbuf hex = STRBUF_INIT(TEXT_MAX);
	uint64_t n[3];
	int got = -1;

	if (read_number(&text, 255, &n[0]) == 0 &&
	    read_number(&text, 255, &n[1]) == 0 &&
	    read_number(&text, 255, &n[2]) == 0)
		got = sb_unhex(&hex, text);
	if (got == 0) {
		r->usage = (uint8_t)n[0];
		r->selector = (uint8_t)n[1];
		r->matching = (uint8_t)n[2];
		r->text = arena_copy(ar, sb_slice(&hex));
	}
	sb_free(&hex);
	return got;
}

static int
read_srv(struct slice text, struct dns_rr *r)
{
	uint64_t n[3];

	if (read_number(&text, UINT16_MAX, &n[0]) == -1 ||
	    read_number(&text, UINT16_MAX, &n[1]) == -1 ||
	    read_number(&text, UINT16_MAX, &n[2]) == -1)
		return -1;
	r->preference = (uint16_t)n[0];
	r->weight = (uint16_t)n[1];
	r->port = (uint16_t)n[2];
	return read_name(text, &r->name);
}

static int
read_rr(struct slice text, unsigned type, struct arena *ar, struct dns_rr *r)
{
	uint64_t n;

	switch (type) {
	case DNS_A:
	case DNS_AAAA:
		return read_ip(text, type, &r->ip);
	case DNS_TXT:
		r->text = text;
		return 0;
	case DNS_MX:
		if (read_number(&text, UINT16_MAX, &n) == -1)
			return -1;
		r->preference = (uint16_t)n;
		return read_name(text, &r->name);
	case DNS_SRV:
		return read_srv(text, r);
	case DNS_TLSA:
		return read_tlsa(text, ar, r);
	default:
		return read_name(text, &r->name);
	}
}

/* Room for `more' records behind those of the note. */
static void
rr_room(struct dns_note *note, size_t more, struct arena *ar)
{
	struct dns_answer *a = note->a;
	size_t size = sizeof(*a->rr);

	if (note->cap - a->count >= more)
		return;
	note->cap = 2 * a->count + more;
	a->rr = arena_grow(ar, a->rr, a->count * size, note->cap * size);
}

/* The rr= and rr-ttl= of a line, behind those that the note has already. */
static int
read_rrs(struct dns_notes *n, const struct tuple *t, struct dns_note *note)
{
	struct dns_answer *a = note->a;
	uint32_t ttl = a->count > 0 ? a->rr[a->count - 1].ttl : a->ttl;

	rr_room(note, t->count, n->ar);
	for (size_t i = 0; i < t->count; i++) {
		const struct attr *at = &t->attr[i];
		struct dns_rr *r = &a->rr[a->count];
		uint64_t v;

		if (slice_eqs(at->name, "rr-ttl")) {
			if (slice_u64(at->value, UINT32_MAX, &v) == -1)
				return -1;
			ttl = (uint32_t)v;
		} else if (slice_eqs(at->name, "rr")) {
			*r = (struct dns_rr){ .ttl = ttl };
			if (read_rr(at->value, note->q.type, n->ar, r) == -1)
				return -1;
			a->count++;
		}
	}
	return 0;
}

/* A number that need not be there: 0, or -1 if it is bad. */
static int
read_opt(const struct tuple *t, const char *name, uint64_t most, uint64_t *out)
{
	return tuple_u64(t, name, most, out) == -1 && errno != ENOENT ? -1 : 0;
}

static int
read_answer(const struct tuple *t, struct slice name, struct arena *ar,
    struct dns_answer *a)
{
	uint64_t ttl = 0, cnames = 0, ede = UINT64_MAX;
	struct slice reason;

	if (dns_status_of(tuple_value(t, "status"), &a->status) == -1 ||
	    read_opt(t, "ttl", UINT32_MAX, &ttl) == -1 ||
	    read_opt(t, "cnames", DNS_CNAME_MAX, &cnames) == -1 ||
	    read_opt(t, "ede", UINT16_MAX, &ede) == -1)
		return -1;
	a->authentic = tuple_has(t, "ad", "yes");
	a->ttl = (uint32_t)ttl;
	a->cnames = (unsigned)cnames;
	a->ede = ede == UINT64_MAX ? -1 : (int)ede;
	if (tuple_get(t, "reason", &reason))
		a->reason = arena_cstr(ar, reason);
	if (!tuple_get(t, "canonical", &a->canonical))
		a->canonical = plain_canonical(a->status, name);
	else if (a->canonical.n > 0 &&
	    read_name(a->canonical, &a->canonical) == -1)
		return -1;
	return a->reason != NULL && a->status == DNS_OK ? -1 : 0;
}

/* The question of a line, whose name is written as name_of() does. */
static int
read_question(const struct tuple *t, struct dns_question *q)
{
	struct strbuf text = STRBUF_INIT(2 * DNS_NAME_MAX);
	struct slice name = tuple_value(t, "name");
	enum dns_type type;
	bool same;

	if (dns_type_of(tuple_value(t, "type"), &type) == -1 ||
	    dns_question_init(q, name, type) == -1)
		return -1;
	name_of(q, &text);
	same = slice_eq(sb_slice(&text), name);
	sb_free(&text);
	return same ? 0 : -1;
}

int
dns_notes_read(struct dns_notes *n, const struct tuple *t)
{
	struct dns_note *last = n->count > 0 ? &n->note[n->count - 1] : NULL;
	struct dns_answer *a;
	struct dns_question q;
	struct slice status;

	if (read_question(t, &q) == -1)
		return -1;
	if (!tuple_get(t, "status", &status))
		return last == NULL || !dns_question_eq(&last->q, &q) ||
		    last->a->status != DNS_OK ? -1 : read_rrs(n, t, last);
	a = arena_alloc(n->ar, sizeof(*a));
	if (read_answer(t, tuple_value(t, "name"), n->ar, a) == -1)
		return -1;
	add(n, &q, a, tuple_has(t, "rest", "yes"));
	return read_rrs(n, t, &n->note[n->count - 1]) == -1 ||
	    (a->status == DNS_OK) != (a->count > 0) ? -1 : 0;
}
