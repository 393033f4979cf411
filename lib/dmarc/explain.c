#include "dmarc/walk.h"

#include "base/tuple.h"

#define NOTE_MAX 1024
#define NAMES_MAX 4 /* identities that a sentence names */

static void
begin(const struct dmarc_ask *ask, const char *what)
{
	tuple_begin(ask->trace, "step");
	tuple_puts(ask->trace, "check", what);
}

static void
end(const struct dmarc_ask *ask, struct strbuf *note)
{
	tuple_put(ask->trace, "note", sb_slice(note));
	tuple_end(ask->trace);
	sb_free(note);
}

/* What is wrong inside a record, for its owner. */
static void
complain(struct strbuf *note, const struct dmarc_record *r)
{
	for (enum dmarc_tag t = 0; t < DMARC_TAGS; t++) {
		if ((r->invalid >> t & 1) != 0)
			sb_printf(note, "; %s has a value that it cannot have",
			    dmarc_tag_name(t));
		if ((r->repeated >> t & 1) != 0)
			sb_printf(note, "; of several %s the first counts",
			    dmarc_tag_name(t));
	}
	if (r->garbage)
		sb_puts(note, "; a part is not tag=value and is ignored");
	if (r->p == DMARC_UNSET && (r->invalid >> DMARC_T_P & 1) == 0)
		sb_puts(note, "; p is missing");
	if (r->bad_policy)
		sb_puts(note, r->reports ? "; since rua is there, p=none is "
		    "meant" : "; without a valid policy and rua it asks for "
		    "nothing");
}

void
dmarc_trace_record(const struct dmarc_ask *ask, struct slice name,
    struct slice domain, const struct dns_answer *a, size_t records,
    const struct dmarc_step *s)
{
	struct strbuf note = STRBUF_INIT(NOTE_MAX);

	if (ask->trace == NULL)
		return;
	begin(ask, "dmarc");
	tuple_put(ask->trace, "domain", domain);
	tuple_put(ask->trace, "name", name);
	tuple_puts(ask->trace, "status", dns_status_name(a->status));
	tuple_puts(ask->trace, "dnssec", a->authentic ? "yes" : "no");
	if (records == 1)
		tuple_put(ask->trace, "record", s->text);
	if (dmarc_unknown(a))
		sb_printf(&note, "the DNS does not say: %s", a->reason);
	else if (a->status == DNS_BADNAME)
		sb_puts(&note, "too long to be a name: no record");
	else if (records > 1)
		sb_printf(&note, "%zu DMARC records here: none of them counts",
		    records);
	else if (records == 0)
		sb_puts(&note, a->count > 0 ? "TXT records, but none begins "
		    "with v=DMARC1" : "no record here");
	else {
		sb_puts(&note, "a DMARC record");
		if (ask->psl == NULL && s->record.psd != 'u')
			sb_printf(&note, "; psd=%c ends the walk",
			    s->record.psd);
		complain(&note, &s->record);
	}
	end(ask, &note);
}

void
dmarc_trace_found(const struct dmarc_ask *ask, struct slice domain,
    const struct dmarc_found *f)
{
	struct strbuf note = STRBUF_INIT(NOTE_MAX);

	if (ask->trace == NULL)
		return;
	begin(ask, "dmarc-org");
	tuple_put(ask->trace, "domain", domain);
	tuple_opt(ask->trace, "org-domain", f->org_domain);
	tuple_puts(ask->trace, "method", f->by_list ? "psl" : "tree");
	if (f->found)
		tuple_put(ask->trace, "policy-domain", f->policy_domain);
	if (f->org_domain.n == 0)
		sb_printf(&note, "the organisational domain is not known: %s",
		    f->trouble);
	else
		sb_printf(&note, "%.*s is the organisational domain: %s",
		    SLICE_ARG(f->org_domain), f->org_why);
	if (f->found)
		sb_printf(&note, "; the record at %.*s applies",
		    SLICE_ARG(f->policy_domain));
	end(ask, &note);
}

/* "sp=reject of example.org applies to news.example.org" */
static void
policy_sentence(struct strbuf *sb, struct slice domain,
    const struct dmarc_answer *a)
{
	sb_printf(sb, "%s=%s of %.*s applies", dmarc_tag_name(a->tag),
	    dmarc_policy_name(a->asked), SLICE_ARG(a->found.policy_domain));
	if (!slice_eq(domain, a->found.policy_domain))
		sb_printf(sb, " to %.*s", SLICE_ARG(domain));
	if (a->tag == DMARC_T_NP)
		sb_puts(sb, ", which does not exist in the DNS");
	if (a->found.record.test && a->asked != DMARC_NONE)
		sb_printf(sb, "; t=y lowers it to %s",
		    a->asked == DMARC_REJECT ? "quarantine" : "none");
}

void
dmarc_trace_policy(const struct dmarc_ask *ask, struct slice domain,
    const struct dmarc_answer *a, bool sure)
{
	struct strbuf note = STRBUF_INIT(NOTE_MAX);

	if (ask->trace == NULL)
		return;
	begin(ask, "dmarc-policy");
	tuple_put(ask->trace, "policy-domain", a->found.policy_domain);
	tuple_puts(ask->trace, "tag", dmarc_tag_name(a->tag));
	tuple_puts(ask->trace, "policy", dmarc_policy_name(a->asked));
	policy_sentence(&note, domain, a);
	if (!sure)
		sb_puts(&note, "; the DNS does not say whether the domain "
		    "exists: the stricter of sp and np is taken");
	end(ask, &note);
}

static void
alignment_sentence(struct strbuf *sb, struct slice domain,
    const struct dmarc_identity *id, const struct dmarc_found *f)
{
	const char *tag = id->spf ? "aspf" : "adkim";

	if (id->state == DMARC_ID_FAILED)
		sb_printf(sb, "%s did not verify it: it does not count",
		    id->spf ? "SPF" : "DKIM");
	else if (slice_eq(id->domain, domain))
		sb_puts(sb, "it is the domain of From");
	else if (id->strict)
		sb_printf(sb, "%s=s: only %.*s itself would do", tag,
		    SLICE_ARG(domain));
	else if (id->aligned == DMARC_ALIGNED_UNKNOWN)
		sb_puts(sb, "the DNS does not say what organisation it "
		    "belongs to");
	else if (id->aligned == DMARC_ALIGNED_YES)
		sb_printf(sb, "it belongs to %.*s, as the domain of From does",
		    SLICE_ARG(f->org_domain));
	else if (f->org_domain.n == 0)
		sb_puts(sb, "it has nothing in common with the domain of "
		    "From");
	else
		sb_printf(sb, "it does not belong to %.*s",
		    SLICE_ARG(f->org_domain));
	if (id->state == DMARC_ID_OPEN)
		sb_puts(sb, "; a temporary error kept it from being verified");
}

void
dmarc_trace_identity(const struct dmarc_ask *ask, struct slice domain,
    const struct dmarc_identity *id, const struct dmarc_answer *a)
{
	static const char *const words[] = { [DMARC_ALIGNED_NO] = "no",
		[DMARC_ALIGNED_YES] = "yes",
		[DMARC_ALIGNED_UNKNOWN] = "unknown" };
	struct strbuf note = STRBUF_INIT(NOTE_MAX);

	if (ask->trace == NULL)
		return;
	begin(ask, "alignment");
	tuple_puts(ask->trace, "method", id->spf ? "spf" : "dkim");
	tuple_put(ask->trace, "domain", id->domain);
	tuple_put(ask->trace, "result", id->result);
	if (id->state != DMARC_ID_FAILED)
		tuple_puts(ask->trace, "aligned", words[id->aligned]);
	alignment_sentence(&note, domain, id, &a->found);
	end(ask, &note);
}

/* The sentence for people. */

/* "SPF for a.example and DKIM for b.example": those in that state that are
 * (not) aligned; how many. */
static size_t
name_them(struct strbuf *sb, const struct dmarc_identity *ids, size_t count,
    enum dmarc_state state, bool aligned)
{
	size_t n = 0, more = 0;

	for (size_t i = 0; i < count; i++) {
		const struct dmarc_identity *id = &ids[i];

		if (id->state != state ||
		    (id->aligned == DMARC_ALIGNED_YES) != aligned)
			continue;
		if (n++ >= NAMES_MAX) {
			more++;
			continue;
		}
		sb_printf(sb, "%s%s for %.*s", n > 1 ? " and " : "",
		    id->spf ? "SPF" : "DKIM", SLICE_ARG(id->domain));
	}
	if (more > 0)
		sb_printf(sb, " and %zu more", more);
	return n;
}

static bool
any(const struct dmarc_identity *ids, size_t count, enum dmarc_state state,
    bool strict)
{
	for (size_t i = 0; i < count; i++)
		if (ids[i].state == state && (!strict || ids[i].strict))
			return true;
	return false;
}

static void
spf_failure(struct strbuf *sb, const struct dmarc_identity *id)
{
	if (slice_eqs(id->result, "none"))
		sb_printf(sb, "%.*s has no SPF record", SLICE_ARG(id->domain));
	else if (slice_eqs(id->result, "permerror"))
		sb_printf(sb, "the SPF record of %.*s is in error",
		    SLICE_ARG(id->domain));
	else
		sb_printf(sb, "the message was forwarded or sent by a host "
		    "that the SPF record of %.*s does not name",
		    SLICE_ARG(id->domain));
}

/* Neither SPF nor DKIM passed for anybody. */
static void
nothing_verified(struct strbuf *sb, const struct dmarc_identity *ids,
    size_t count)
{
	const struct dmarc_identity *spf = NULL;
	size_t signatures = 0;

	for (size_t i = 0; i < count; i++)
		if (ids[i].spf)
			spf = &ids[i];
		else
			signatures++;
	if (spf != NULL)
		spf_failure(sb, spf);
	else
		sb_puts(sb, "SPF was not checked");
	sb_puts(sb, signatures > 0 ? ", and no DKIM signature is valid" :
	    ", and there is no DKIM signature");
}

/* Why nothing speaks for From. */
static void
nothing_aligned(struct strbuf *sb, struct slice domain,
    const struct dmarc_identity *ids, size_t count,
    const struct dmarc_answer *a)
{
	struct slice org = a->found.org_domain;

	if (count == 0)
		sb_puts(sb, "nothing was checked before: there is no spf and "
		    "no dkim line; let spf-check and dkim-verify run first");
	else if (!any(ids, count, DMARC_ID_PASSED, false))
		nothing_verified(sb, ids, count);
	else {
		name_them(sb, ids, count, DMARC_ID_PASSED, false);
		if (any(ids, count, DMARC_ID_PASSED, true))
			sb_printf(sb, " passed, but strict alignment is asked "
			    "for: only %.*s itself would do",
			    SLICE_ARG(domain));
		else
			sb_printf(sb, " passed, but that does not belong to "
			    "%.*s", SLICE_ARG(org.n > 0 ? org : domain));
	}
}

static void
because_fail(struct strbuf *sb, struct slice domain,
    const struct dmarc_identity *ids, size_t count,
    const struct dmarc_answer *a)
{
	policy_sentence(sb, domain, a);
	sb_puts(sb, ": ");
	nothing_aligned(sb, domain, ids, count, a);
	if (count > 0)
		sb_printf(sb, ". If the message is genuine, its sender should "
		    "sign it with DKIM as %.*s", SLICE_ARG(domain));
}

static void
because_temp(struct strbuf *sb, struct slice domain,
    const struct dmarc_identity *ids, size_t count,
    const struct dmarc_answer *a)
{
	size_t mark;

	if (!a->found.found) {
		sb_printf(sb, "the DMARC record for %.*s cannot be had now "
		    "(%s)", SLICE_ARG(domain), a->reason);
		sb_puts(sb, a->disposition == DMARC_NONE ? ", but that very "
		    "domain is verified" : "; a later attempt may succeed, so "
		    "the message is refused for now");
		return;
	}
	sb_printf(sb, "%s", a->reason);
	sb_puts(sb, ": ");
	mark = sb->n;
	name_them(sb, ids, count, DMARC_ID_OPEN, true);
	if (sb->n == mark)
		sb_puts(sb, a->found.trouble != NULL ? a->found.trouble :
		    "a query for it failed");
	else
		sb_puts(sb, " met a temporary error");
	sb_puts(sb, "; until then ");
	policy_sentence(sb, domain, a);
}

static void
because_none(struct strbuf *sb, struct slice domain,
    const struct dmarc_answer *a)
{
	if (a->found.found)
		sb_printf(sb, "the record at %.*s has no valid policy and no "
		    "address for reports, so DMARC does not apply; its owner "
		    "should correct p, sp or np",
		    SLICE_ARG(a->found.policy_domain));
	else if (slice_eq(domain, a->found.org_domain))
		sb_printf(sb, "%.*s publishes no DMARC record, so DMARC does "
		    "not apply", SLICE_ARG(domain));
	else
		sb_printf(sb, "neither %.*s nor %.*s publishes a DMARC record,"
		    " so DMARC does not apply", SLICE_ARG(domain),
		    SLICE_ARG(a->found.org_domain));
}

void
dmarc_because(struct strbuf *sb, struct slice domain,
    const struct dmarc_identity *ids, size_t count,
    const struct dmarc_answer *a)
{
	switch (a->result) {
	case DMARC_R_PASS:
		name_them(sb, ids, count, DMARC_ID_PASSED, true);
		sb_printf(sb, " passed, and that speaks for %.*s",
		    SLICE_ARG(domain));
		break;
	case DMARC_R_FAIL: because_fail(sb, domain, ids, count, a); break;
	case DMARC_R_TEMPERROR:
		because_temp(sb, domain, ids, count, a);
		break;
	case DMARC_R_NONE: because_none(sb, domain, a); break;
	case DMARC_R_PERMERROR:
		sb_printf(sb, "%s: nobody can say whose policy applies, so "
		    "the message is refused; its sender must send it with one "
		    "From field and the addresses of one domain", a->reason);
		break;
	}
}
