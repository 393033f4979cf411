#include <stdlib.h>
#include <sys/socket.h>

#include "spf/eval.h"

const struct dns_answer *
eval_query(struct state *s, struct slice name, enum dns_type type)
{
	const struct spf_ask *ask = s->ask;
	const struct dns_answer *a = dns_query(ask->dns, ask->budget, name, type,
	    ask->arena);

	/* A name that cannot be asked for says nothing about validation. */
	if (a->status != DNS_BADNAME) {
		s->asked = true;
		s->authentic = s->authentic && a->authentic;
	}
	trace_dns(s, name, type, a);
	return a;
}

bool
eval_unknown(const struct dns_answer *a)
{
	return a->status == DNS_TEMP || a->status == DNS_BOGUS ||
	    a->status == DNS_LIMIT || a->status == DNS_LARGE;
}

int
eval_trouble(struct state *s, const struct frame *f,
    const struct dns_answer *a, struct slice name)
{
	return eval_end(s, f, SPF_TEMPERROR, SPF_WHY_DNS, a->reason, name);
}

int
eval_count(struct state *s, const struct frame *f)
{
	s->answer->lookups++;
	if (s->ask->trace != NULL)
		trace_list(&s->costs, f->term, f->domain);
	if (s->answer->lookups > SPF_TERMS_MAX)
		return eval_end(s, f, SPF_PERMERROR, SPF_WHY_LOOKUPS,
		    "too many DNS lookups", f->term);
	return 0;
}

/* A term counts as void, once, if a query of its own has no answer. */
static int
count_void(struct state *s, const struct frame *f, const struct dns_answer *a,
    struct slice name)
{
	if (s->term_void ||
	    (a->status != DNS_NXDOMAIN && a->status != DNS_NODATA))
		return 0;
	s->term_void = true;
	if (s->ask->trace != NULL)
		trace_list(&s->void_names, name, f->domain);
	if (++s->answer->voids > SPF_VOIDS_MAX)
		return eval_end(s, f, SPF_PERMERROR, SPF_WHY_VOIDS,
		    "too many names without an answer", name);
	return 0;
}

/* The query of a term itself: 0; ENDED on trouble or too many voids. */
static int
term_query(struct state *s, const struct frame *f, struct slice name,
    enum dns_type type, const struct dns_answer **a)
{
	*a = eval_query(s, name, type);
	if (eval_unknown(*a))
		return eval_trouble(s, f, *a, name);
	return count_void(s, f, *a, name);
}

static enum dns_type
ip_type(const struct state *s)
{
	return s->ask->ip.family == AF_INET6 ? DNS_AAAA : DNS_A;
}

static bool
has_ip(const struct dns_answer *a, const struct ip *ip, unsigned bits4,
    unsigned bits6)
{
	unsigned bits = ip->family == AF_INET6 ? bits6 : bits4;

	for (size_t i = 0; i < a->count; i++)
		if (ip_in(ip, &a->rr[i].ip, bits))
			return true;
	return false;
}

/* Those of the first ten names of the answer that lead back to the client;
 * what fails is skipped. */
static int
validate_names(struct state *s, const struct frame *f,
    const struct dns_answer *ptr)
{
	const struct spf_ask *ask = s->ask;
	const struct dns_answer *back;

	for (size_t i = 0; i < ptr->count && i < SPF_HOSTS_MAX; i++)
		dns_prefetch(ask->dns, ask->budget, ptr->rr[i].name,
		    ip_type(s));
	for (size_t i = 0; i < ptr->count && i < SPF_HOSTS_MAX; i++) {
		back = eval_query(s, ptr->rr[i].name, ip_type(s));
		if (back->status == DNS_LIMIT)
			return eval_trouble(s, f, back, ptr->rr[i].name);
		if (has_ip(back, &ask->ip, 32, 128))
			s->names[s->names_n++] = ptr->rr[i].name;
	}
	return MATCH;
}

/* Section 5.5: the names of the client. MATCH, or ENDED when a limit is
 * reached; trouble with the PTR query gives no name. */
static int
find_names(struct state *s, const struct frame *f)
{
	struct strbuf name = STRBUF_INIT(128);

	if (s->ptr != NULL)
		return count_void(s, f, s->ptr, s->reverse);
	dns_reverse(&name, &s->ask->ip);
	s->reverse = arena_copy(s->ask->arena, sb_slice(&name));
	sb_free(&name);
	s->ptr = eval_query(s, s->reverse, DNS_PTR);
	if (s->ptr->status == DNS_LIMIT)
		return eval_trouble(s, f, s->ptr, SLICE_NONE);
	if (count_void(s, f, s->ptr, s->reverse) == ENDED)
		return ENDED;
	return validate_names(s, f, s->ptr);
}

/* %{p}: the domain itself, else a name below it, else any, else "unknown". */
static struct slice
validated(void *ctx)
{
	struct state *s = ctx;
	struct slice best = S("unknown");
	int rank = 0;

	if (find_names(s, s->frame) == ENDED)
		return best;
	for (size_t i = 0; i < s->names_n; i++) {
		int r = slice_ieq(s->names[i], s->frame->domain) ? 3 :
		    domain_under(s->names[i], s->frame->domain) ? 2 : 1;

		if (r > rank) {
			rank = r;
			best = s->names[i];
		}
	}
	return best;
}

int
eval_expand(struct state *s, const struct frame *f, struct slice spec,
    unsigned flags, struct strbuf *out)
{
	const struct spf_ask *ask = s->ask;
	struct spf_macros m = {
		.local = ask->local.n > 0 ? ask->local : S("postmaster"),
		.sender_domain = ask->domain, .domain = f->domain,
		.helo = ask->helo, .receiver = ask->receiver, .ip = ask->ip,
		.time = ask->time, .validated = validated, .ctx = s,
	};

	s->frame = f;
	return spf_expand(spec, flags, &m, out);
}

int
eval_target(struct state *s, const struct frame *f, struct slice spec,
    struct slice *name)
{
	struct strbuf sb = STRBUF_INIT(SPF_EXPAND_MAX);
	int got;

	*name = f->domain;
	if (spec.n == 0)
		return MATCH;
	if (slice_chr(spec, '%') == -1)
		sb_put(&sb, spec);
	/* The names of the client cost a lookup of their own. */
	else if (spf_uses(spec, "p") && eval_count(s, f) == ENDED)
		return ENDED;
	s->ended = SPF_NONE;
	got = sb.n > 0 ? 1 : eval_expand(s, f, spec, 0, &sb);
	for (size_t i = 0; i < sb.n; i++) /* canonical, for comparisons */
		sb.p[i] = ascii_lower(sb.p[i]);
	*name = arena_copy(s->ask->arena, spf_name_fit(sb_slice(&sb)));
	sb_free(&sb);
	if (s->ended != SPF_NONE) /* finding the names reached a limit */
		return ENDED;
	if (got != 1)
		trace_note(s, "its macros give no name", SLICE_NONE);
	return got == 1 ? MATCH : NO_MATCH;
}

static int
match_network(struct state *s, const struct spf_term *t)
{
	unsigned bits = t->kind == SPF_IP4 ? t->bits4 : t->bits6;

	if (t->ip.family != s->ask->ip.family)
		trace_note(s, "the client's address is of the other kind",
		    SLICE_NONE);
	return ip_in(&s->ask->ip, &t->ip, bits) ? MATCH : NO_MATCH;
}

static int
match_a(struct state *s, const struct frame *f, const struct spf_term *t,
    struct slice name)
{
	const struct dns_answer *a;

	if (term_query(s, f, name, ip_type(s), &a) == ENDED)
		return ENDED;
	trace_addresses(s, a, name);
	return has_ip(a, &s->ask->ip, t->bits4, t->bits6) ? MATCH : NO_MATCH;
}

/* By preference, so that the ten that count are the same each time. */
static int
by_preference(const void *a, const void *b)
{
	const struct dns_rr *x = a, *y = b;

	return x->preference != y->preference ?
	    (x->preference > y->preference) - (x->preference < y->preference) :
	    slice_cmp(x->name, y->name);
}

/* All hosts but the first, which most often is the one, are asked for at
 * once. */
static void
prefetch_hosts(struct state *s, const struct dns_answer *mx)
{
	for (size_t i = 1; i < mx->count && i < SPF_HOSTS_MAX; i++)
		dns_prefetch(s->ask->dns, s->ask->budget, mx->rr[i].name,
		    ip_type(s));
}

static int
match_mx(struct state *s, const struct frame *f, const struct spf_term *t,
    struct slice name)
{
	const struct dns_answer *mx, *a;

	if (term_query(s, f, name, DNS_MX, &mx) == ENDED)
		return ENDED;
	if (mx->count == 0)
		trace_note(s, "no MX at ", name);
	if (mx->count > 1)
		qsort(mx->rr, mx->count, sizeof(*mx->rr), by_preference);
	for (size_t i = 0; i < mx->count; i++) {
		if (i == 1)
			prefetch_hosts(s, mx);
		if (mx->rr[i].name.n == 0) /* null MX, RFC 7505 */
			continue;
		if (i == SPF_HOSTS_MAX)
			return eval_end(s, f, SPF_PERMERROR, SPF_WHY_HOSTS,
			    "more than 10 MX hosts", name);
		a = eval_query(s, mx->rr[i].name, ip_type(s));
		if (eval_unknown(a))
			return eval_trouble(s, f, a, mx->rr[i].name);
		trace_addresses(s, a, mx->rr[i].name);
		if (has_ip(a, &s->ask->ip, t->bits4, t->bits6))
			return MATCH;
	}
	return NO_MATCH;
}

static int
match_ptr(struct state *s, const struct frame *f, struct slice name)
{
	if (find_names(s, f) == ENDED)
		return ENDED;
	if (s->names_n == 0)
		trace_note(s, "no name of the client leads back to it",
		    SLICE_NONE);
	for (size_t i = 0; i < s->names_n; i++) {
		trace_note(s, "the client is ", s->names[i]);
		if (domain_under(s->names[i], name))
			return MATCH;
	}
	return NO_MATCH;
}

static int
match_exists(struct state *s, const struct frame *f, struct slice name)
{
	const struct dns_answer *a;

	/* A for IPv6 clients too, section 5.7. */
	if (term_query(s, f, name, DNS_A, &a) == ENDED)
		return ENDED;
	trace_note(s, a->status == DNS_OK ? "there is " : "there is no ", name);
	return a->status == DNS_OK ? MATCH : NO_MATCH;
}

/* Section 5.2, the table at its end. */
static int
match_include(struct state *s, const struct frame *f, struct slice name)
{
	struct frame inner;
	enum spf_result r = eval_host(s, name, f->depth + 1, &inner);

	switch (r) {
	case SPF_PASS: break;
	case SPF_TEMPERROR:
	case SPF_PERMERROR: return ENDED;
	case SPF_NONE:
		return eval_end(s, f, SPF_PERMERROR, SPF_WHY_INCLUDE,
		    "include without a record", name);
	default: break;
	}
	trace_note(s, r == SPF_PASS ? "pass by the record of " :
	    "no pass by the record of ", name);
	return r == SPF_PASS ? MATCH : NO_MATCH;
}

int
eval_term(struct state *s, const struct frame *f, const struct spf_term *t)
{
	struct slice name;
	int got;

	s->term_void = false;
	if (t->kind == SPF_ALL)
		return MATCH;
	if (t->kind == SPF_IP4 || t->kind == SPF_IP6)
		return match_network(s, t);
	if (eval_count(s, f) == ENDED)
		return ENDED;
	if ((got = eval_target(s, f, t->spec, &name)) != MATCH)
		return got;
	switch (t->kind) {
	case SPF_INCLUDE: return match_include(s, f, name);
	case SPF_A: return match_a(s, f, t, name);
	case SPF_MX: return match_mx(s, f, t, name);
	case SPF_PTR: return match_ptr(s, f, name);
	default: return match_exists(s, f, name);
	}
}
