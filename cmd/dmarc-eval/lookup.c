#include "dmarc-eval.h"

#include <unistd.h>

#include "addr/addr.h"
#include "base/die.h"
#include "base/file.h"
#include "base/tuple.h"
#include "dmarc/report.h"

/* A record may name any number of addresses: 8 queries for each domain. */
#define QUERIES_MAX 200
#define MS_MAX 30000

/* What a person asked for about one domain. */
struct question {
	struct dmarc_ask ask;
	struct slice domain;
	struct dmarc_found f;
	struct strbuf out;
};

static void
put_policy(struct strbuf *out, const char *name, enum dmarc_policy p)
{
	if (p != DMARC_UNSET)
		tuple_puts(out, name, dmarc_policy_name(p));
}

static void
put_record(struct question *q)
{
	const struct dmarc_found *f = &q->f;
	const struct dmarc_record *r = &f->record;
	struct strbuf *out = &q->out;

	tuple_begin(out, "dmarc-record");
	tuple_put(out, "domain", q->domain);
	tuple_put(out, "org-domain", f->org_domain);
	if (f->found) {
		tuple_put(out, "policy-domain", f->policy_domain);
		tuple_puts(out, "valid", r->bad_policy ? "no" : "yes");
		put_policy(out, "policy", r->p);
		put_policy(out, "subdomain-policy", r->sp);
		put_policy(out, "nonexistent-policy", r->np);
		tuple_puts(out, "adkim", r->strict_dkim ? "s" : "r");
		tuple_puts(out, "aspf", r->strict_spf ? "s" : "r");
		tuple_puts(out, "psd", r->psd == 'y' ? "y" :
		    r->psd == 'n' ? "n" : "u");
		tuple_puts(out, "testing", r->test ? "y" : "n");
		tuple_opt(out, "rua", r->rua);
		tuple_opt(out, "ruf", r->ruf);
		tuple_opt(out, "fo", r->fo);
		tuple_put(out, "record", f->text);
	}
	tuple_puts(out, "dnssec", f->authentic ? "yes" : "no");
	tuple_end(out);
}

/* The URIs of one tag; false if one of them may not have reports. */
static bool
put_targets(struct question *q, const char *tag, struct slice list,
    bool *doubt)
{
	struct dmarc_target t;
	struct slice uri;
	bool good = true;

	while (dmarc_uri_next(&list, &uri)) {
		dmarc_target(&q->ask, &q->f, tag, uri, &t);
		tuple_begin(&q->out, "report");
		tuple_puts(&q->out, "tag", tag);
		tuple_put(&q->out, "uri", uri);
		tuple_opt(&q->out, "host", t.host);
		tuple_puts(&q->out, "consent", dmarc_consent_name(t.consent));
		tuple_opt(&q->out, "name", t.name);
		tuple_opt(&q->out, "instead", t.instead);
		tuple_opt(&q->out, "reason", slice_str(t.reason));
		tuple_end(&q->out);
		good = good && (t.consent == DMARC_CONSENT_OWN ||
		    t.consent == DMARC_CONSENT_YES);
		*doubt = *doubt || t.consent == DMARC_CONSENT_UNKNOWN;
	}
	return good;
}

/* Where reports go: the exit code. */
static int
put_reports(struct question *q)
{
	const struct dmarc_record *r = &q->f.record;
	bool doubt = false, good;

	if (!q->f.found)
		return EXIT_NO;
	good = put_targets(q, "rua", r->rua, &doubt);
	good = put_targets(q, "ruf", r->ruf, &doubt) && good;
	if (doubt)
		return EXIT_TEMP;
	return good && q->out.n > 0 ? EXIT_DONE : EXIT_NO;
}

int
lookup(const struct evaluator *e, const char *operand, bool reports,
    bool verbose)
{
	struct strbuf trace = STRBUF_INIT(TRACE_MAX);
	struct arena ar = { 0 };
	struct dns_budget budget;
	struct question q = { .out = STRBUF_INIT(TRACE_MAX),
		.ask = { .dns = e->dns, .budget = &budget, .arena = &ar,
		    .psl = e->psl, .trace = verbose ? &trace : NULL } };
	const char *reason;
	int got, code;

	if (domain_ascii(slice_str(operand), &ar, &q.domain) == -1)
		die(EXIT_PERM, "not a domain name: %s", operand);
	dns_budget_init(&budget, QUERIES_MAX, MS_MAX);
	got = dmarc_discover(&q.ask, q.domain, &q.f, &reason);
	if (got == -1)
		code = EXIT_TEMP;
	else if (reports)
		code = put_reports(&q);
	else {
		put_record(&q);
		code = q.f.found ? EXIT_DONE : EXIT_NO;
	}
	if (write_all(STDERR_FILENO, sb_slice(&trace)) == -1 ||
	    write_all(STDOUT_FILENO, sb_slice(&q.out)) == -1)
		die_sys(EXIT_TEMP, "unable to write");
	if (got == -1)
		die(EXIT_TEMP, "unable to look up %s: %s", operand, reason);
	sb_free(&q.out);
	sb_free(&trace);
	arena_free(&ar);
	return code;
}
