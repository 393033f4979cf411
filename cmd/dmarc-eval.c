/*
 * dmarc-eval - does an identity that was verified speak for From? (RFC 9989)
 * usage   dmarc-eval [-Rvw] [-C root] [-s server] [-q domain]
 * fd 0    a job with imf, spf and dkim lines; with -w, a SOCK_SEQPACKET socket
 *         of jobs; with -q, not used; with -R, the envelope of a case
 * fd 1    the job with a dmarc line added; with -q, the record that applies to
 *         the domain
 * exit    0 done; -q: 0 found, 1 none, 111 the DNS does not say; 100 usage
 * rights  user pneu-dns; once started, no files; network: the resolver
 */
#include <unistd.h>

#include "addr/addr.h"
#include "base/alloc.h"
#include "base/die.h"
#include "base/file.h"
#include "dmarc/dmarc.h"
#include "dns/dns.h"
#include "stage/stage.h"
#include "resolver.h"

#define TRACE_MAX ((size_t)256 * 1024)
/* Signatures and identities that count; dkim-verify looks at fewer. */
#define IDENTITIES_MAX 64

struct identities {
	struct dmarc_identity id[IDENTITIES_MAX];
	size_t count;
};

/* An spf or dkim line that passed, or might have but for the DNS. */
static void
add(struct identities *ids, const struct tuple *t, bool spf, struct arena *ar)
{
	bool pass = tuple_has(t, "result", "pass");
	struct slice domain;

	if (ids->count == IDENTITIES_MAX ||
	    (!pass && !tuple_has(t, "result", "temperror")) ||
	    domain_ascii(tuple_value(t, "domain"), ar, &domain) == -1)
		return;
	ids->id[ids->count++] = (struct dmarc_identity){ .spf = spf,
		.pass = pass, .domain = domain };
}

/*
 * Only the MAIL FROM identity counts (section 3.2.4); for the null sender it
 * is postmaster at the HELO name, which is what the HELO line says.
 */
static void
collect(const struct job *j, struct identities *ids)
{
	const char *which = job_get(j, "from", "addr").n > 0 ? "mailfrom" :
	    "helo";
	const struct tuple *t = NULL;

	while ((t = job_next(j, "spf", t)) != NULL)
		if (tuple_has(t, "identity", which))
			add(ids, t, true, j->arena);
	while ((t = job_next(j, "dkim", t)) != NULL)
		add(ids, t, false, j->arena);
}

/* One From field with one address whose domain is sure: else NULL and why. */
static const char *
author(const struct job *j, struct slice *domain)
{
	const struct tuple *imf = job_find(j, "imf");

	if (imf == NULL)
		return "no imf record";
	if (!tuple_has(imf, "from-count", "1"))
		return "not one From field";
	if (!tuple_has(imf, "from-addrs", "1"))
		return "not one address in From";
	if (!tuple_has(imf, "result", "ok"))
		return "the header is not well-formed";
	if (domain_ascii(tuple_value(imf, "from-domain"), j->arena,
	    domain) == -1 || slice_starts(*domain, S("[")))
		return "From has no domain";
	return NULL;
}

static void
put_policy(struct strbuf *out, const char *name, enum dmarc_policy p)
{
	if (p != DMARC_UNSET)
		tuple_puts(out, name, dmarc_policy_name(p));
}

static void
put_answer(struct strbuf *out, struct slice domain,
    const struct dmarc_answer *a)
{
	const struct dmarc_record *r = &a->found.record;

	tuple_begin(out, "dmarc");
	tuple_puts(out, "result", dmarc_result_name(a->result));
	tuple_opt(out, "domain", domain);
	if (a->found.found) {
		tuple_put(out, "policy-domain", a->found.policy_domain);
		tuple_puts(out, "policy", dmarc_policy_name(r->p));
		put_policy(out, "subdomain-policy", r->sp);
	}
	tuple_puts(out, "disposition", dmarc_policy_name(a->disposition));
	if (a->aligned_spf || a->aligned_dkim)
		tuple_puts(out, "aligned", !a->aligned_dkim ? "spf" :
		    a->aligned_spf ? "spf,dkim" : "dkim");
	tuple_puts(out, "dnssec", a->authentic ? "yes" : "no");
	tuple_opt(out, "reason", slice_str(a->reason));
	tuple_end(out);
}

static int
run(void *ctx, struct job *j, struct strbuf *out)
{
	struct strbuf trace = STRBUF_INIT(TRACE_MAX);
	struct dns_budget budget;
	struct dmarc_ask ask = { .dns = ctx, .budget = &budget,
		.arena = j->arena, .trace = j->verbose ? &trace : NULL };
	struct dmarc_answer a = { .result = DMARC_R_PERMERROR,
		.disposition = DMARC_REJECT };
	struct identities ids = { .count = 0 };
	struct slice domain = SLICE_NONE;

	resolver_job(ctx, j, DNS_DMARC, &budget);
	a.reason = author(j, &domain);
	if (a.reason == NULL) {
		collect(j, &ids);
		dmarc_eval(&ask, domain, ids.id, ids.count, &a);
	}
	put_answer(out, domain, &a);
	j->unfavourable = a.result != DMARC_R_PASS && a.result != DMARC_R_NONE;
	resolver_done(ctx, out);
	if (trace.n > 0 && write_all(STDERR_FILENO, sb_slice(&trace)) == -1)
		j->verbose = false;
	sb_free(&trace);
	return EXIT_DONE;
}

/* -q: what applies to a domain. */
static int
query(struct dns *d, const char *operand, bool verbose)
{
	struct strbuf out = STRBUF_INIT(TRACE_MAX);
	struct strbuf trace = STRBUF_INIT(TRACE_MAX);
	struct arena ar = { 0 };
	struct dns_budget budget;
	struct dmarc_ask ask = { .dns = d, .budget = &budget, .arena = &ar,
		.trace = verbose ? &trace : NULL };
	struct dmarc_found f;
	struct slice domain;
	const char *reason;
	int got;

	if (domain_ascii(slice_str(operand), &ar, &domain) == -1)
		die(EXIT_PERM, "not a domain name: %s", operand);
	dns_budget_init(&budget, DNS_MESSAGE_QUERIES, DNS_MESSAGE_MS);
	got = dmarc_discover(&ask, domain, &f, &reason);
	if (write_all(STDERR_FILENO, sb_slice(&trace)) == -1 || got == -1)
		die(EXIT_TEMP, "unable to look up %s: %s", operand,
		    got == -1 ? reason : "stderr");
	tuple_begin(&out, "dmarc-record");
	tuple_put(&out, "domain", domain);
	tuple_put(&out, "org-domain", f.org_domain);
	if (f.found) {
		tuple_put(&out, "policy-domain", f.policy_domain);
		tuple_puts(&out, "valid", f.record.bad_policy ? "no" : "yes");
		put_policy(&out, "policy", f.record.p);
		put_policy(&out, "subdomain-policy", f.record.sp);
		put_policy(&out, "nonexistent-policy", f.record.np);
		tuple_put(&out, "record", f.text);
	}
	tuple_puts(&out, "dnssec", f.authentic ? "yes" : "no");
	tuple_end(&out);
	if (write_all(STDOUT_FILENO, sb_slice(&out)) == -1)
		die_sys(EXIT_TEMP, "unable to write");
	sb_free(&out);
	sb_free(&trace);
	arena_free(&ar);
	return f.found ? EXIT_DONE : EXIT_NO;
}

int
main(int argc, char **argv)
{
	struct stage s = { .name = "dmarc-eval", .types = "dmarc,dns",
		.quiet = "dns", .run = run,
		.skip_message = true, .skip_parts = true };
	struct stage_opts o = { 0 };
	const char *servers = NULL, *root = NULL, *domain = NULL;
	int ch;

	prog_start(argc, argv, "[-Rvw] [-C root] [-s server] [-q domain]",
	    "does an identity that was verified speak for From?",
	    "files: none; network: DNS to the resolver");
	while ((ch = getopt(argc, argv, "C:Rq:s:" STAGE_OPTS)) != -1)
		switch (ch) {
		case 'C': root = optarg; break;
		case 'q': domain = optarg; break;
		case 'R': o.replay = true; break;
		case 's': servers = optarg; break;
		default:
			if (!stage_option(&o, ch, optarg))
				usage();
		}
	if (argc != optind ||
	    (o.replay && (o.given || o.worker || domain != NULL)))
		usage();
	s.ctx = o.replay ? resolver_replay() : resolver_begin(servers, root);
	if (domain != NULL)
		return query(s.ctx, domain, o.verbose);
	return stage_main(&s, &o);
}
