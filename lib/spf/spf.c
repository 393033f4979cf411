#include "spf/spf.h"

#include <sys/socket.h>

#include "base/alloc.h"
#include "base/tuple.h"
#include "spf/record.h"

#define NO_MATCH 0
#define MATCH 1
#define ENDED (-1) /* s->ended says with which result */

/* One check, through all its includes and redirects. */
struct state {
	const struct spf_ask *ask;
	unsigned terms, voids;
	bool asked, authentic; /* any answer; all answers */
	enum spf_result ended;
	struct slice mech, reason;
	/* Names of the client that lead back to it; found at most once. */
	bool names_known;
	struct slice names[SPF_HOSTS_MAX];
	size_t names_n;
	struct slice domain; /* for %{p} */
};

/* A record's domain while it is evaluated. */
struct frame {
	struct slice domain;
	struct spf_record record;
	unsigned depth; /* of includes and redirects, for the trace */
};

static enum spf_result check_host(struct state *s, struct slice domain,
    unsigned depth, struct frame *last);

const char *
spf_result_name(enum spf_result r)
{
	static const char *const names[] = {
		[SPF_NONE] = "none", [SPF_NEUTRAL] = "neutral",
		[SPF_PASS] = "pass", [SPF_FAIL] = "fail",
		[SPF_SOFTFAIL] = "softfail", [SPF_TEMPERROR] = "temperror",
		[SPF_PERMERROR] = "permerror",
	};

	return names[r];
}

static void
trace(const struct state *s, const struct frame *f, const char *name,
    struct slice value, const char *name2, struct slice value2)
{
	struct strbuf *t = s->ask->trace;

	if (t == NULL)
		return;
	tuple_begin(t, "step");
	tuple_puts(t, "check", "spf");
	tuple_putu(t, "depth", f->depth);
	tuple_put(t, "domain", f->domain);
	tuple_put(t, name, value);
	tuple_put(t, name2, value2);
	tuple_end(t);
}

/* End with that result, because of "why: what". */
static int
end(struct state *s, enum spf_result result, const char *why, struct slice what)
{
	struct strbuf sb = STRBUF_INIT(512);

	sb_puts(&sb, why);
	if (what.n > 0) {
		sb_puts(&sb, ": ");
		sb_put(&sb, slice_sub(what, 0, 300));
	}
	s->reason = arena_copy(s->ask->arena, sb_slice(&sb));
	s->ended = result;
	sb_free(&sb);
	return ENDED;
}

static const struct dns_answer *
ask_dns(struct state *s, struct slice name, enum dns_type type)
{
	const struct spf_ask *ask = s->ask;
	const struct dns_answer *a = dns_query(ask->dns, ask->budget, name, type,
	    ask->arena);

	/* A name that cannot be asked for says nothing about validation. */
	if (a->status != DNS_BADNAME) {
		s->asked = true;
		s->authentic = s->authentic && a->authentic;
	}
	if (ask->trace != NULL) {
		tuple_begin(ask->trace, "step");
		tuple_puts(ask->trace, "check", "dns");
		tuple_puts(ask->trace, "type", dns_type_name(type));
		tuple_put(ask->trace, "name", name);
		tuple_puts(ask->trace, "status", dns_status_name(a->status));
		tuple_putu(ask->trace, "records", a->count);
		tuple_puts(ask->trace, "dnssec", a->authentic ? "yes" : "no");
		tuple_end(ask->trace);
	}
	return a;
}

/* The answer says nothing now, though it may later. */
static bool
unknown(const struct dns_answer *a)
{
	return a->status == DNS_TEMP || a->status == DNS_BOGUS ||
	    a->status == DNS_LIMIT;
}

static bool
is_void(const struct dns_answer *a)
{
	return a->status == DNS_NXDOMAIN || a->status == DNS_NODATA;
}

static int
dns_trouble(struct state *s, const struct dns_answer *a, struct slice name)
{
	return end(s, SPF_TEMPERROR, a->reason, name);
}

/* The query of a term itself: 0; ENDED on trouble or too many voids. */
static int
term_query(struct state *s, struct slice name, enum dns_type type,
    const struct dns_answer **a)
{
	*a = ask_dns(s, name, type);
	if (unknown(*a))
		return dns_trouble(s, *a, name);
	if (is_void(*a) && ++s->voids > SPF_VOIDS_MAX)
		return end(s, SPF_PERMERROR, "too many names without an answer",
		    name);
	return 0;
}

/* One more term that asks the DNS (section 4.6.4). */
static int
count_term(struct state *s, struct slice term)
{
	if (++s->terms > SPF_TERMS_MAX)
		return end(s, SPF_PERMERROR, "too many DNS lookups", term);
	return 0;
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

/* Section 5.5: names of the client that have its address, of the first ten.
 * What fails is skipped. MATCH, or ENDED when the budget is used up. */
static int
find_names(struct state *s)
{
	const struct spf_ask *ask = s->ask;
	struct strbuf name = STRBUF_INIT(128);
	const struct dns_answer *a, *back;

	if (s->names_known)
		return MATCH;
	s->names_known = true;
	dns_reverse(&name, &ask->ip);
	a = ask_dns(s, sb_slice(&name), DNS_PTR);
	sb_free(&name);
	if (a->status == DNS_LIMIT)
		return dns_trouble(s, a, SLICE_NONE);
	for (size_t i = 0; i < a->count && i < SPF_HOSTS_MAX; i++)
		dns_prefetch(ask->dns, ask->budget, a->rr[i].name, ip_type(s));
	for (size_t i = 0; i < a->count && i < SPF_HOSTS_MAX; i++) {
		back = ask_dns(s, a->rr[i].name, ip_type(s));
		if (back->status == DNS_LIMIT)
			return dns_trouble(s, back, a->rr[i].name);
		if (has_ip(back, &ask->ip, 32, 128))
			s->names[s->names_n++] = a->rr[i].name;
	}
	return MATCH;
}

/* %{p}: the domain itself, else a name below it, else any, else "unknown". */
static struct slice
validated(void *ctx)
{
	struct state *s = ctx;
	struct slice best = S("unknown");
	int rank = 0;

	if (find_names(s) == ENDED)
		return best;
	for (size_t i = 0; i < s->names_n; i++) {
		int r = slice_ieq(s->names[i], s->domain) ? 3 :
		    domain_under(s->names[i], s->domain) ? 2 : 1;

		if (r > rank) {
			rank = r;
			best = s->names[i];
		}
	}
	return best;
}

static struct slice
local_part(const struct spf_ask *ask)
{
	return ask->local.n > 0 ? ask->local : S("postmaster");
}

static int
expand(struct state *s, struct slice spec, struct slice domain, unsigned flags,
    struct strbuf *out)
{
	const struct spf_ask *ask = s->ask;
	struct spf_macros m = {
		.local = local_part(ask), .sender_domain = ask->domain,
		.domain = domain, .helo = ask->helo, .receiver = ask->receiver,
		.ip = ask->ip, .time = ask->time, .validated = validated,
		.ctx = s,
	};

	s->domain = domain;
	return spf_expand(spec, flags, &m, out);
}

/* The spec uses %{p}, which costs a lookup of its own. */
static bool
uses_names(struct slice spec)
{
	ptrdiff_t at;

	while ((at = slice_find(spec, S("%{"))) != -1) {
		spec = slice_skip(spec, (size_t)at + 2);
		if (spec.n > 0 && ascii_lower(spec.p[0]) == 'p')
			return true;
	}
	return false;
}

/* The target name of a term: MATCH, NO_MATCH if there is none, ENDED. */
static int
target(struct state *s, const struct frame *f, struct slice spec,
    struct slice *name)
{
	struct strbuf sb = STRBUF_INIT((size_t)2 * SPF_TEXT_MAX);
	int got;

	*name = f->domain;
	if (spec.n == 0)
		return MATCH;
	if (uses_names(spec) && count_term(s, spec) == ENDED)
		return ENDED;
	got = expand(s, spec, f->domain, 0, &sb);
	for (size_t i = 0; i < sb.n; i++) /* canonical, for comparisons */
		sb.p[i] = ascii_lower(sb.p[i]);
	*name = arena_copy(s->ask->arena, spf_name_fit(sb_slice(&sb)));
	sb_free(&sb);
	return got == 1 ? MATCH : NO_MATCH;
}

static int
match_a(struct state *s, const struct spf_term *t, struct slice name)
{
	const struct dns_answer *a;

	if (term_query(s, name, ip_type(s), &a) == ENDED)
		return ENDED;
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

static int
match_mx(struct state *s, const struct spf_term *t, struct slice name)
{
	const struct dns_answer *mx, *a;

	if (term_query(s, name, DNS_MX, &mx) == ENDED)
		return ENDED;
	if (mx->count > 1)
		qsort(mx->rr, mx->count, sizeof(*mx->rr), by_preference);
	for (size_t i = 0; i < mx->count; i++) {
		if (mx->rr[i].name.n == 0) /* null MX, RFC 7505 */
			continue;
		if (i == SPF_HOSTS_MAX)
			return end(s, SPF_PERMERROR, "more than 10 MX hosts",
			    name);
		a = ask_dns(s, mx->rr[i].name, ip_type(s));
		if (unknown(a))
			return dns_trouble(s, a, mx->rr[i].name);
		if (has_ip(a, &s->ask->ip, t->bits4, t->bits6))
			return MATCH;
	}
	return NO_MATCH;
}

static int
match_ptr(struct state *s, struct slice name)
{
	if (find_names(s) == ENDED)
		return ENDED;
	for (size_t i = 0; i < s->names_n; i++)
		if (domain_under(s->names[i], name))
			return MATCH;
	return NO_MATCH;
}

static int
match_exists(struct state *s, struct slice name)
{
	const struct dns_answer *a;

	/* A for IPv6 clients too, section 5.7. */
	if (term_query(s, name, DNS_A, &a) == ENDED)
		return ENDED;
	return a->status == DNS_OK ? MATCH : NO_MATCH;
}

/* Section 5.2, the table at its end. */
static int
match_include(struct state *s, const struct frame *f, struct slice name)
{
	struct frame inner;

	switch (check_host(s, name, f->depth + 1, &inner)) {
	case SPF_PASS: return MATCH;
	case SPF_TEMPERROR:
	case SPF_PERMERROR: return ENDED;
	case SPF_NONE:
		return end(s, SPF_PERMERROR, "include without a record", name);
	default: return NO_MATCH;
	}
}

static int
match_term(struct state *s, const struct frame *f, const struct spf_term *t)
{
	const struct ip *ip = &s->ask->ip;
	struct slice name;
	int got;

	switch (t->kind) {
	case SPF_ALL: return MATCH;
	case SPF_IP4: return ip_in(ip, &t->ip, t->bits4) ? MATCH : NO_MATCH;
	case SPF_IP6: return ip_in(ip, &t->ip, t->bits6) ? MATCH : NO_MATCH;
	default: break;
	}
	if (count_term(s, t->text) == ENDED)
		return ENDED;
	if ((got = target(s, f, t->spec, &name)) != MATCH)
		return got;
	switch (t->kind) {
	case SPF_INCLUDE: return match_include(s, f, name);
	case SPF_A: return match_a(s, t, name);
	case SPF_MX: return match_mx(s, t, name);
	case SPF_PTR: return match_ptr(s, name);
	default: return match_exists(s, name);
	}
}

/* Section 4.3: more than one label, none empty or long, no literal. */
static bool
is_checkable(struct slice domain)
{
	struct slice label;
	size_t labels = 0;
	bool more;

	if (domain.n > 0 && domain.p[domain.n - 1] == '.')
		domain.n--;
	if (domain.n > SPF_NAME_MAX || slice_starts(domain, S("[")))
		return false;
	do {
		more = slice_cut(&domain, '.', &label);
		if (label.n == 0 || label.n > 63)
			return false;
		labels++;
	} while (more);
	return labels > 1;
}

/* Sections 4.4 and 4.5: the one record of the domain. */
static enum spf_result
find_record(struct state *s, struct frame *f, struct slice *text)
{
	const struct dns_answer *a = ask_dns(s, f->domain, DNS_TXT);
	size_t count = 0;

	if (unknown(a)) {
		dns_trouble(s, a, f->domain);
		return SPF_TEMPERROR;
	}
	for (size_t i = 0; i < a->count; i++)
		if (spf_is_record(a->rr[i].text) && count++ == 0)
			*text = a->rr[i].text;
	if (count == 0) {
		end(s, SPF_NONE, a->count > 0 ? "no SPF record" : a->reason,
		    f->domain);
		return SPF_NONE;
	}
	if (count > 1) {
		end(s, SPF_PERMERROR, "more than one SPF record", f->domain);
		return SPF_PERMERROR;
	}
	return SPF_PASS;
}

static enum spf_result
redirect(struct state *s, struct frame *f)
{
	struct slice spec = f->record.redirect, name;
	unsigned depth = f->depth + 1;
	enum spf_result r;
	int got;

	if (count_term(s, spec) == ENDED)
		return s->ended;
	if ((got = target(s, f, spec, &name)) == ENDED)
		return s->ended;
	trace(s, f, "redirect", name, "spec", spec);
	r = got == MATCH ? check_host(s, name, depth, f) : SPF_NONE;
	if (r == SPF_NONE) {
		end(s, SPF_PERMERROR, "redirect without a record", name);
		return SPF_PERMERROR;
	}
	return r;
}

static enum spf_result
qualified(char qualifier)
{
	switch (qualifier) {
	case '-': return SPF_FAIL;
	case '~': return SPF_SOFTFAIL;
	case '?': return SPF_NEUTRAL;
	default: return SPF_PASS;
	}
}

/* Section 4. *last becomes the frame whose record decided, for exp. */
static enum spf_result
check_host(struct state *s, struct slice domain, unsigned depth,
    struct frame *last)
{
	struct frame f = { .domain = domain, .depth = depth };
	struct slice text, where = SLICE_NONE;
	const char *error;
	enum spf_result r;

	*last = f;
	if (!is_checkable(domain)) {
		end(s, SPF_NONE, "not a domain that can have a record", domain);
		return SPF_NONE;
	}
	if ((r = find_record(s, &f, &text)) != SPF_PASS)
		return r;
	trace(s, &f, "record", text, "match", S("found"));
	if (spf_record_parse(text, s->ask->arena, &f.record, &error,
	    &where) == -1) {
		end(s, SPF_PERMERROR, error, where);
		return SPF_PERMERROR;
	}
	*last = f;
	for (size_t i = 0; i < f.record.count; i++) {
		const struct spf_term *t = &f.record.term[i];
		int got = match_term(s, &f, t);

		trace(s, &f, "term", t->text, "match", got == MATCH ? S("yes") :
		    got == NO_MATCH ? S("no") : S("error"));
		if (got == ENDED)
			return s->ended;
		if (got == MATCH) {
			s->mech = t->text;
			return qualified(t->qualifier);
		}
	}
	if (f.record.redirect.n > 0) {
		r = redirect(s, &f);
		*last = f;
		return r;
	}
	s->mech = S("default");
	return SPF_NEUTRAL;
}

/* Section 6.2. Whatever goes wrong: no explanation. */
static struct slice
explanation(struct state *s, const struct frame *f)
{
	struct strbuf sb = STRBUF_INIT((size_t)2 * SPF_TEXT_MAX);
	struct slice text = SLICE_NONE;
	const struct dns_answer *a;

	if (f->record.exp.n == 0 ||
	    expand(s, f->record.exp, f->domain, 0, &sb) != 1)
		goto out;
	a = dns_query(s->ask->dns, s->ask->budget,
	    spf_name_fit(sb_slice(&sb)), DNS_TXT, s->ask->arena);
	if (a->status != DNS_OK || a->count != 1)
		goto out;
	sb_reset(&sb);
	if (expand(s, a->rr[0].text, f->domain, SPF_EXPLAIN, &sb) != 1 ||
	    !slice_is_print(sb_slice(&sb)))
		goto out;
	text = arena_copy(s->ask->arena, slice_sub(sb_slice(&sb), 0,
	    SPF_EXPLANATION_MAX));
out:
	sb_free(&sb);
	return text;
}

void
spf_check(const struct spf_ask *ask, struct spf_answer *a)
{
	struct state s = { .ask = ask, .authentic = true };
	struct frame last;

	*a = (struct spf_answer){ 0 };
	a->result = check_host(&s, ask->domain, 0, &last);
	a->authentic = s.asked && s.authentic;
	if (a->result == SPF_NONE || a->result == SPF_TEMPERROR ||
	    a->result == SPF_PERMERROR)
		a->reason = s.reason;
	else
		a->mech = s.mech;
	if (a->result == SPF_FAIL)
		a->explanation = explanation(&s, &last);
}
