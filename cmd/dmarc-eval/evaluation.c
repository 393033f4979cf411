#include "dmarc-eval.h"

#include "addr/addr.h"
#include "base/alloc.h"
#include "base/tuple.h"

/* RFC 9990: no more in a row of a report. */
#define SIGNATURES_MAX 100

/* The order in which signatures are worth a line, RFC 9990. */
enum worth { PASS_STRICT, PASS_ALIGNED, PASS_OTHER, NO_PASS, WORTHS };

static enum worth
worth_of(const struct tuple *t, struct slice domain, struct slice from,
    const struct identities *ids)
{
	if (!tuple_has(t, "result", "pass"))
		return NO_PASS;
	if (slice_eq(domain, from))
		return PASS_STRICT;
	for (size_t i = 0; i < ids->count; i++)
		if (!ids->id[i].spf && slice_eq(ids->id[i].domain, domain) &&
		    ids->id[i].aligned == DMARC_ALIGNED_YES)
			return PASS_ALIGNED;
	return PASS_OTHER;
}

/* auth=METHOD:RESULT:DOMAIN:SELECTOR, or SCOPE for spf; none has a colon. */
static void
put_auth(struct strbuf *out, const char *method, const struct tuple *t,
    struct slice domain, struct slice last)
{
	struct strbuf sb = STRBUF_INIT(1024);

	sb_printf(&sb, "%s:", method);
	sb_put(&sb, tuple_value(t, "result"));
	sb_putc(&sb, ':');
	sb_put(&sb, domain);
	sb_putc(&sb, ':');
	sb_put(&sb, last);
	if (!sb.over)
		tuple_put(out, "auth", sb_slice(&sb));
	sb_free(&sb);
}

static void
put_signatures(struct strbuf *out, const struct job *j, struct slice from,
    const struct identities *ids)
{
	const struct tuple *t;
	struct slice domain;
	size_t n = 0;

	for (enum worth w = PASS_STRICT; w < WORTHS; w++) {
		t = NULL;
		while ((t = job_next(j, "dkim", t)) != NULL)
			if (domain_ascii(tuple_value(t, "domain"), j->arena,
			    &domain) == 0 &&
			    worth_of(t, domain, from, ids) == w &&
			    n++ < SIGNATURES_MAX)
				put_auth(out, "dkim", t, domain,
				    tuple_value(t, "selector"));
	}
}

static void
put_published(struct strbuf *out, const struct dmarc_found *f)
{
	const struct dmarc_record *r = &f->record;

	tuple_put(out, "policy-domain", f->policy_domain);
	tuple_puts(out, "discovery", f->by_list ? "psl" : "treewalk");
	tuple_puts(out, "p", dmarc_policy_name(r->p));
	if (r->sp != DMARC_UNSET)
		tuple_puts(out, "sp", dmarc_policy_name(r->sp));
	if (r->np != DMARC_UNSET)
		tuple_puts(out, "np", dmarc_policy_name(r->np));
	tuple_puts(out, "adkim", r->strict_dkim ? "s" : "r");
	tuple_puts(out, "aspf", r->strict_spf ? "s" : "r");
	tuple_puts(out, "testing", r->test ? "y" : "n");
	if (r->psd != 'u')
		tuple_puts(out, "psd", r->psd == 'y' ? "y" : "n");
	/* Without ruf, fo means nothing (section 4.7). */
	if (r->ruf.n > 0 && (r->invalid >> DMARC_T_FO & 1) == 0)
		tuple_opt(out, "fo", r->fo);
}

/* The domain of MAIL FROM; empty for the null sender. */
static struct slice
envelope_from(const struct job *j)
{
	struct slice from = job_get(j, "from", "addr"), domain;
	struct addr a;

	if (addr_parse(from, ADDR_UTF8, j->arena, &a) == 0)
		return a.domain;
	domain = slice_skip(from, (size_t)(slice_rchr(from, '@') + 1));
	return domain_ascii(domain, j->arena, &domain) == 0 ? domain :
	    SLICE_NONE;
}

void
put_evaluation(struct strbuf *out, const struct job *j, struct slice domain,
    const struct identities *ids, const struct dmarc_answer *a)
{
	const struct tuple *spf = spf_record(j);
	struct slice d;

	if (!a->found.found || !a->found.record.reports ||
	    (a->result != DMARC_R_PASS && a->result != DMARC_R_FAIL))
		return;
	tuple_begin(out, "evaluation");
	tuple_puts(out, "id", j->id);
	tuple_putu(out, "time", j->time > 0 ? (uint64_t)j->time : 0);
	put_published(out, &a->found);
	tuple_put(out, "source-ip", job_get(j, "client", "ip"));
	tuple_puts(out, "result", dmarc_result_name(a->result));
	tuple_puts(out, "disposition", dmarc_policy_name(a->disposition));
	tuple_puts(out, "dkim", a->aligned_dkim ? "pass" : "fail");
	tuple_puts(out, "spf", a->aligned_spf ? "pass" : "fail");
	if (a->lowered)
		tuple_puts(out, "reason", "policy_test_mode");
	tuple_put(out, "header-from", domain);
	tuple_put(out, "envelope-from", envelope_from(j));
	put_signatures(out, j, domain, ids);
	if (spf != NULL && domain_ascii(tuple_value(spf, "domain"), j->arena,
	    &d) == 0)
		put_auth(out, "spf", spf, d, tuple_has(spf, "identity",
		    "helo") ? S("helo") : S("mfrom"));
	tuple_end(out);
}
