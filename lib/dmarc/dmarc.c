#include "dmarc/dmarc.h"

#include "base/alloc.h"
#include "base/tuple.h"

/* Labels that are left after the first step of a long walk. */
#define WALK_LABELS 7

/* The records of one tree walk, the longest name first. */
struct walk {
	struct {
		struct slice domain, text;
		struct dmarc_record record;
	} at[DMARC_WALK_MAX];
	size_t count;
	bool authentic;
	const char *trouble; /* the DNS did not say */
};

const char *
dmarc_result_name(enum dmarc_result r)
{
	static const char *const names[] = {
		[DMARC_R_NONE] = "none", [DMARC_R_PASS] = "pass",
		[DMARC_R_FAIL] = "fail", [DMARC_R_TEMPERROR] = "temperror",
		[DMARC_R_PERMERROR] = "permerror",
	};

	return names[r];
}

static bool
unknown(const struct dns_answer *a)
{
	return a->status == DNS_TEMP || a->status == DNS_BOGUS ||
	    a->status == DNS_LIMIT;
}

static size_t
labels(struct slice domain)
{
	size_t n = 1;

	for (size_t i = 0; i < domain.n; i++)
		n += domain.p[i] == '.';
	return n;
}

/* Steps 4 and 7: the next target; empty at the end. */
static struct slice
parent(struct slice domain)
{
	size_t left = labels(domain);
	struct slice label;

	do {
		if (!slice_cut(&domain, '.', &label))
			return SLICE_NONE;
	} while (--left > WALK_LABELS);
	return domain;
}

static struct slice
query_name(const struct dmarc_ask *ask, struct slice domain)
{
	struct strbuf sb = STRBUF_INIT(512);
	struct slice name;

	sb_puts(&sb, "_dmarc.");
	sb_put(&sb, domain);
	name = arena_copy(ask->arena, sb_slice(&sb));
	sb_free(&sb);
	return name;
}

static void
trace_step(const struct dmarc_ask *ask, struct slice domain,
    const struct dns_answer *a, struct slice record)
{
	if (ask->trace == NULL)
		return;
	tuple_begin(ask->trace, "step");
	tuple_puts(ask->trace, "check", "dmarc");
	tuple_put(ask->trace, "domain", domain);
	tuple_puts(ask->trace, "status", dns_status_name(a->status));
	tuple_puts(ask->trace, "dnssec", a->authentic ? "yes" : "no");
	tuple_opt(ask->trace, "record", record);
	tuple_end(ask->trace);
}

/*
 * Steps 1, 2, 5, 6: ask for the record at one name. True if the walk stops
 * there. Several records at a name count as none.
 */
static bool
step(const struct dmarc_ask *ask, struct slice domain, struct walk *w)
{
	const struct dns_answer *a = dns_query(ask->dns, ask->budget,
	    query_name(ask, domain), DNS_TXT, ask->arena);
	struct dmarc_record r, one = { 0 };
	struct slice text = SLICE_NONE;
	size_t records = 0;

	w->authentic = w->authentic && a->authentic;
	if (unknown(a)) {
		w->trouble = a->reason;
		trace_step(ask, domain, a, text);
		return true;
	}
	for (size_t i = 0; i < a->count; i++)
		if (dmarc_record_parse(a->rr[i].text, &r) == 1) {
			records++;
			one = r;
			text = a->rr[i].text;
		}
	trace_step(ask, domain, a, records == 1 ? text : SLICE_NONE);
	if (records != 1)
		return false;
	w->at[w->count].domain = domain;
	w->at[w->count].text = text;
	w->at[w->count++].record = one;
	return one.psd != 'u';
}

static void
tree_walk(const struct dmarc_ask *ask, struct slice domain, struct walk *w)
{
	*w = (struct walk){ .authentic = true };
	for (struct slice d = domain; d.n > 0; d = parent(d))
		dns_prefetch(ask->dns, ask->budget, query_name(ask, d),
		    DNS_TXT);
	for (struct slice d = domain; d.n > 0; d = parent(d))
		if (step(ask, d, w))
			break;
}

/* The name one label longer than `top' on the way to `domain'. */
static struct slice
one_below(struct slice domain, struct slice top)
{
	struct slice up = domain, label;

	while (slice_cut(&up, '.', &label) && up.n > top.n)
		domain = up;
	return domain;
}

/* Section 4.10.2: the organisational domain that a walk leads to. */
static struct slice
org_of(const struct walk *w, struct slice domain)
{
	for (size_t i = 0; i < w->count; i++) {
		if (w->at[i].record.psd == 'n')
			return w->at[i].domain;
		if (w->at[i].record.psd == 'y' &&
		    !slice_eq(w->at[i].domain, domain))
			return one_below(domain, w->at[i].domain);
	}
	return w->count > 0 ? w->at[w->count - 1].domain : domain;
}

int
dmarc_discover(const struct dmarc_ask *ask, struct slice domain,
    struct dmarc_found *f, const char **reason)
{
	struct walk w;

	*f = (struct dmarc_found){ 0 };
	tree_walk(ask, domain, &w);
	if (w.trouble != NULL) {
		*reason = w.trouble;
		return -1;
	}
	f->authentic = w.authentic;
	f->org_domain = org_of(&w, domain);
	/* Section 4.10.1: at the domain, at its organisational domain, or at
	 * its public suffix, which only a walk that ended at psd=y meets. */
	for (size_t i = 0; i < w.count; i++) {
		if (!slice_eq(w.at[i].domain, domain) &&
		    !slice_eq(w.at[i].domain, f->org_domain) &&
		    w.at[i].record.psd != 'y')
			continue;
		f->found = true;
		f->record = w.at[i].record;
		f->text = w.at[i].text;
		f->policy_domain = w.at[i].domain;
		break;
	}
	return 0;
}

/* Section 4.7, np: the domain and all below it do not exist. */
static int
exists(const struct dmarc_ask *ask, struct slice domain, bool *authentic)
{
	const struct dns_answer *a = dns_query(ask->dns, ask->budget, domain,
	    DNS_A, ask->arena);

	*authentic = *authentic && a->authentic;
	return unknown(a) ? -1 : a->status != DNS_NXDOMAIN;
}

/* The policy that applies to the domain: 0, or -1 if the DNS does not say. */
static int
policy_of(const struct dmarc_ask *ask, struct slice domain,
    struct dmarc_answer *a, enum dmarc_policy *policy)
{
	const struct dmarc_record *r = &a->found.record;
	int there = 1;

	*policy = r->p;
	if (slice_eq(domain, a->found.policy_domain))
		return 0;
	if (r->sp != DMARC_UNSET)
		*policy = r->sp;
	if (r->np != DMARC_UNSET &&
	    (there = exists(ask, domain, &a->authentic)) == 0)
		*policy = r->np;
	return there == -1 ? -1 : 0;
}

/* t=y: one level below (section 4.7). */
static enum dmarc_policy
tested(const struct dmarc_record *r, enum dmarc_policy p)
{
	if (r->test)
		return p == DMARC_REJECT ? DMARC_QUARANTINE : DMARC_NONE;
	return p == DMARC_UNSET ? DMARC_NONE : p;
}

/*
 * Is the identity aligned? 1, 0, -1 if the DNS does not say. Two domains that
 * do not end in the same organisational domain need no query, so that a
 * stranger's identity costs nothing and its DNS does not matter.
 */
static int
aligned(const struct dmarc_ask *ask, struct slice domain,
    const struct dmarc_identity *id, struct dmarc_answer *a)
{
	const struct dmarc_record *r = &a->found.record;
	struct walk w;

	if (slice_eq(id->domain, domain))
		return 1;
	if (id->spf ? r->strict_spf : r->strict_dkim)
		return 0;
	if (!domain_under(id->domain, a->found.org_domain))
		return 0;
	tree_walk(ask, id->domain, &w);
	if (w.trouble != NULL)
		return -1;
	a->authentic = a->authentic && w.authentic;
	return slice_eq(org_of(&w, id->domain), a->found.org_domain);
}

static void
trace_identity(const struct dmarc_ask *ask, const struct dmarc_identity *id,
    int got)
{
	if (ask->trace == NULL)
		return;
	tuple_begin(ask->trace, "step");
	tuple_puts(ask->trace, "check", "alignment");
	tuple_puts(ask->trace, "method", id->spf ? "spf" : "dkim");
	tuple_put(ask->trace, "domain", id->domain);
	tuple_puts(ask->trace, "result", id->pass ? "pass" : "temperror");
	tuple_puts(ask->trace, "aligned", got == 1 ? "yes" : got == 0 ? "no" :
	    "unknown");
	tuple_end(ask->trace);
}

/* Go through the identities: true if one that passes is aligned. *open: one
 * that did not pass yet, or whose alignment is not known, might be. */
static bool
any_aligned(const struct dmarc_ask *ask, struct slice domain,
    const struct dmarc_identity *ids, size_t count, struct dmarc_answer *a,
    bool *open)
{
	for (size_t i = 0; i < count; i++) {
		int got = aligned(ask, domain, &ids[i], a);

		trace_identity(ask, &ids[i], got);
		if (got == 1 && ids[i].pass) {
			if (ids[i].spf)
				a->aligned_spf = true;
			else
				a->aligned_dkim = true;
		} else if (got != 0)
			*open = true;
	}
	return a->aligned_spf || a->aligned_dkim;
}

/* No record to be had: see dmarc_eval(). */
static void
undiscovered(struct slice domain, const struct dmarc_identity *ids,
    size_t count, struct dmarc_answer *a, const char *reason)
{
	a->result = DMARC_R_TEMPERROR;
	a->reason = reason;
	a->disposition = DMARC_REJECT;
	for (size_t i = 0; i < count; i++)
		if (ids[i].pass && slice_eq(ids[i].domain, domain))
			a->disposition = DMARC_NONE;
}

void
dmarc_eval(const struct dmarc_ask *ask, struct slice domain,
    const struct dmarc_identity *ids, size_t count, struct dmarc_answer *a)
{
	struct dmarc_record *r = &a->found.record;
	enum dmarc_policy policy;
	const char *reason;
	bool open = false;

	*a = (struct dmarc_answer){ .disposition = DMARC_NONE };
	if (dmarc_discover(ask, domain, &a->found, &reason) == -1) {
		undiscovered(domain, ids, count, a, reason);
		return;
	}
	a->authentic = a->found.authentic;
	if (!a->found.found) {
		a->reason = "no DMARC record";
		return;
	}
	/* Section 4.10.1: without a valid policy only reports are wanted. */
	if (r->bad_policy && !r->reports) {
		a->reason = "DMARC record without a valid policy";
		return;
	}
	if (r->bad_policy) {
		r->p = DMARC_NONE;
		r->sp = r->np = DMARC_UNSET;
	}
	if (any_aligned(ask, domain, ids, count, a, &open)) {
		a->result = DMARC_R_PASS;
		return;
	}
	if (policy_of(ask, domain, a, &policy) == -1) {
		/* Existing or not: the stricter of the two, but not for good. */
		if (r->np > policy)
			policy = r->np;
		open = true;
	}
	a->result = open ? DMARC_R_TEMPERROR : DMARC_R_FAIL;
	a->reason = open ? "the DNS does not say whether an aligned identity "
	    "passes" : NULL;
	a->disposition = tested(r, policy);
}
