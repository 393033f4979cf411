#include "dmarc/dmarc.h"

#include "dmarc/walk.h"

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

static void
take(struct dmarc_found *f, const struct dmarc_step *s)
{
	f->found = true;
	f->record = s->record;
	f->text = s->text;
	f->policy_domain = s->domain;
}

/*
 * Section 4.10.1: the record at the domain, at its organisational domain, or
 * at its public suffix, which only a walk that ended at psd=y meets. A record
 * at the domain itself applies whatever is above it.
 */
static int
discover_by_walk(const struct dmarc_ask *ask, struct slice domain,
    struct dmarc_found *f)
{
	struct dmarc_walk w;

	dmarc_walk(ask, domain, &w);
	f->authentic = w.authentic;
	f->trouble = w.trouble;
	if (w.trouble != NULL) {
		if (w.count == 0 || !slice_eq(w.at[0].domain, domain))
			return -1;
		take(f, &w.at[0]);
		return 0;
	}
	f->org_domain = dmarc_walk_org(&w, domain, &f->org_why);
	for (size_t i = 0; i < w.count && !f->found; i++)
		if (slice_eq(w.at[i].domain, domain) ||
		    slice_eq(w.at[i].domain, f->org_domain) ||
		    w.at[i].record.psd == 'y')
			take(f, &w.at[i]);
	return 0;
}

/* RFC 7489 section 6.6.3: the domain, then its organisational domain; several
 * records at one of them end the search. */
static int
discover_by_list(const struct dmarc_ask *ask, struct slice domain,
    struct dmarc_found *f)
{
	struct dmarc_step s;
	int records;

	f->by_list = true;
	f->authentic = true;
	f->org_domain = psl_org(ask->psl, domain);
	f->org_why = "the public suffix list says so";
	if (f->org_domain.n == 0) {
		f->trouble = "the public suffix list cannot be read";
		return -1;
	}
	records = dmarc_step(ask, domain, &s, &f->authentic, &f->trouble);
	if (records == 0 && !slice_eq(f->org_domain, domain))
		records = dmarc_step(ask, f->org_domain, &s, &f->authentic,
		    &f->trouble);
	if (records == 1)
		take(f, &s);
	return records == -1 ? -1 : 0;
}

int
dmarc_discover(const struct dmarc_ask *ask, struct slice domain,
    struct dmarc_found *f, const char **reason)
{
	int r;

	*f = (struct dmarc_found){ 0 };
	r = ask->psl != NULL ? discover_by_list(ask, domain, f) :
	    discover_by_walk(ask, domain, f);
	*reason = f->trouble;
	if (r == 0)
		dmarc_trace_found(ask, domain, f);
	return r;
}

int
dmarc_org(const struct dmarc_ask *ask, struct slice domain, struct slice *org,
    const char **reason)
{
	struct dmarc_walk w;
	const char *why;

	if (ask->psl != NULL) {
		*org = psl_org(ask->psl, domain);
		*reason = "the public suffix list cannot be read";
		return org->n > 0 ? 0 : -1;
	}
	dmarc_walk(ask, domain, &w);
	*reason = w.trouble;
	if (w.trouble != NULL)
		return -1;
	*org = dmarc_walk_org(&w, domain, &why);
	return 0;
}

/* Section 3.2.13: NXDOMAIN, so that all below it does not exist, either. */
static int
exists(const struct dmarc_ask *ask, struct slice domain, bool *authentic)
{
	const struct dns_answer *a = dns_query(ask->dns, ask->budget, domain,
	    DNS_A, ask->arena);

	*authentic = *authentic && a->authentic;
	return dmarc_unknown(a) ? -1 : a->status != DNS_NXDOMAIN;
}

static void
use_tag(struct dmarc_answer *a, enum dmarc_tag tag, enum dmarc_policy p)
{
	if (p == DMARC_UNSET)
		return;
	a->tag = tag;
	a->asked = p;
}

/* Section 4.7: the policy for the domain: 0, or -1 if the DNS does not say
 * whether it exists; then the stricter one is taken. */
static int
policy_of(const struct dmarc_ask *ask, struct slice domain,
    struct dmarc_answer *a)
{
	const struct dmarc_record *r = &a->found.record;
	int there = 1;

	a->asked = DMARC_NONE;
	use_tag(a, DMARC_T_P, r->p);
	if (slice_eq(domain, a->found.policy_domain))
		return 0;
	use_tag(a, DMARC_T_SP, r->sp);
	if (r->np == DMARC_UNSET || r->np == a->asked)
		return 0; /* no need to know */
	there = exists(ask, domain, &a->authentic);
	if (there == 0 || (there == -1 && r->np > a->asked))
		use_tag(a, DMARC_T_NP, r->np);
	return there == -1 ? -1 : 0;
}

/* t=y: one level below (section 4.7). */
static void
apply_test(struct dmarc_answer *a)
{
	a->disposition = a->asked;
	a->lowered = a->found.record.test && a->asked != DMARC_NONE;
	if (a->lowered)
		a->disposition = a->asked == DMARC_REJECT ?
		    DMARC_QUARANTINE : DMARC_NONE;
}

/* Is the last label the same? Then one name might be above both. */
static bool
same_top(struct slice a, struct slice b)
{
	ptrdiff_t i = slice_rchr(a, '.'), j = slice_rchr(b, '.');

	return slice_eq(slice_skip(a, (size_t)(i + 1)),
	    slice_skip(b, (size_t)(j + 1)));
}

/*
 * Section 4.10.2. Two domains that do not end in the same organisational
 * domain need no query, so that a stranger's identity costs nothing and its
 * DNS does not matter.
 */
static enum dmarc_aligned
alignment(const struct dmarc_ask *ask, struct slice domain,
    const struct dmarc_identity *id, struct dmarc_answer *a)
{
	const struct dmarc_found *f = &a->found;
	const char *why;
	struct dmarc_walk w;

	if (slice_eq(id->domain, domain))
		return DMARC_ALIGNED_YES;
	if (id->strict)
		return DMARC_ALIGNED_NO;
	if (f->org_domain.n == 0)
		return same_top(id->domain, domain) ? DMARC_ALIGNED_UNKNOWN :
		    DMARC_ALIGNED_NO;
	if (!domain_under(id->domain, f->org_domain))
		return DMARC_ALIGNED_NO;
	if (f->by_list)
		return slice_eq(psl_org(ask->psl, id->domain),
		    f->org_domain) ? DMARC_ALIGNED_YES : DMARC_ALIGNED_NO;
	dmarc_walk(ask, id->domain, &w);
	if (w.trouble != NULL)
		return DMARC_ALIGNED_UNKNOWN;
	a->authentic = a->authentic && w.authentic;
	return slice_eq(dmarc_walk_org(&w, id->domain, &why),
	    f->org_domain) ? DMARC_ALIGNED_YES : DMARC_ALIGNED_NO;
}

/* True if an identity that passes is aligned. *open: one that did not pass
 * yet, or whose alignment is not known, might be. */
static bool
any_aligned(const struct dmarc_ask *ask, struct slice domain,
    struct dmarc_identity *ids, size_t count, struct dmarc_answer *a,
    bool *open)
{
	const struct dmarc_record *r = &a->found.record;

	for (size_t i = 0; i < count; i++) {
		struct dmarc_identity *id = &ids[i];

		id->strict = id->spf ? r->strict_spf : r->strict_dkim;
		if (id->state != DMARC_ID_FAILED) {
			id->aligned = alignment(ask, domain, id, a);
			if (id->aligned == DMARC_ALIGNED_YES &&
			    id->state == DMARC_ID_PASSED) {
				if (id->spf)
					a->aligned_spf = true;
				else
					a->aligned_dkim = true;
			} else if (id->aligned != DMARC_ALIGNED_NO)
				*open = true;
		}
		dmarc_trace_identity(ask, domain, id, a);
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
		if (ids[i].state == DMARC_ID_PASSED &&
		    slice_eq(ids[i].domain, domain))
			a->disposition = DMARC_NONE;
}

/* Why no policy applies, NULL if one does. Section 4.10.1: without a valid
 * policy, but with an address for reports, p=none is meant. */
static const char *
inapplicable(struct dmarc_found *f)
{
	struct dmarc_record *r = &f->record;

	if (!f->found)
		return "no DMARC record";
	if (r->bad_policy && !r->reports)
		return "DMARC record without a valid policy";
	if (r->bad_policy) {
		r->p = DMARC_NONE;
		r->sp = r->np = DMARC_UNSET;
	}
	return NULL;
}

void
dmarc_eval(const struct dmarc_ask *ask, struct slice domain,
    struct dmarc_identity *ids, size_t count, struct dmarc_answer *a)
{
	const char *reason;
	bool open = false, sure;

	*a = (struct dmarc_answer){ .disposition = DMARC_NONE };
	if (dmarc_discover(ask, domain, &a->found, &reason) == -1) {
		undiscovered(domain, ids, count, a, reason);
		return;
	}
	a->authentic = a->found.authentic;
	a->reason = inapplicable(&a->found);
	if (a->reason != NULL)
		return;
	if (any_aligned(ask, domain, ids, count, a, &open)) {
		a->result = DMARC_R_PASS;
		return;
	}
	sure = policy_of(ask, domain, a) == 0;
	dmarc_trace_policy(ask, domain, a, sure);
	apply_test(a);
	a->result = open || !sure ? DMARC_R_TEMPERROR : DMARC_R_FAIL;
	if (a->result == DMARC_R_TEMPERROR)
		a->reason = open ? "the DNS does not say whether an aligned "
		    "identity passes" : "the DNS does not say whether the "
		    "domain of From exists";
}
