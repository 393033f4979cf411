/*
 * dmarc-eval - does an identity that was verified speak for From? (RFC 9989)
 * usage   dmarc-eval [-NRvw] [-C root] [-s server] [-o tree|psl] [-i ip]
 *         [-H helo] [-f address] [-q domain] [-r domain]
 *         dmarc-lookup [-v] [-C root] [-s server] [-o tree|psl] domain
 * fd 0    a job with imf, spf and dkim lines, or a bare message; with -w, a
 *         SOCK_SEQPACKET socket of jobs; with -q and -r, not used; with -R, the
 *         envelope of a case
 * fd 1    the job with a dmarc line added, and an evaluation line if reports
 *         are asked for; with -q, the record that applies to the domain; with
 *         -r, where its reports may be sent
 * exit    0 done; -q: 0 found, 1 none; -r: 0 all addresses may have reports,
 *         1 not; 111 the DNS does not say; 100 usage
 * rights  user pneu-dns; once started, no files; network: the resolver
 */
#include <string.h>
#include <unistd.h>

#include "addr/addr.h"
#include "base/alloc.h"
#include "base/die.h"
#include "base/file.h"
#include "conf/conf.h"
#include "dmarc-eval.h"
#include "imf/parts.h"
#include "stage/stage.h"
#include "../resolver.h"

/* An spf or dkim line; those that failed come last, and only for people. */
static void
add(struct identities *ids, const struct tuple *t, bool spf, bool failed,
    struct arena *ar)
{
	enum dmarc_state state = tuple_has(t, "result", "pass") ?
	    DMARC_ID_PASSED : tuple_has(t, "result", "temperror") ?
	    DMARC_ID_OPEN : DMARC_ID_FAILED;
	struct slice domain;

	if (ids->count == IDENTITIES_MAX ||
	    (state == DMARC_ID_FAILED) != failed ||
	    domain_ascii(tuple_value(t, "domain"), ar, &domain) == -1)
		return;
	ids->id[ids->count++] = (struct dmarc_identity){ .spf = spf,
		.state = state, .domain = domain,
		.result = tuple_value(t, "result") };
}

const struct tuple *
spf_record(const struct job *j)
{
	const char *which = job_get(j, "from", "addr").n > 0 ? "mailfrom" :
	    "helo";
	const struct tuple *t = NULL;

	while ((t = job_next(j, "spf", t)) != NULL)
		if (tuple_has(t, "identity", which))
			break;
	return t;
}

/*
 * A check that stages(8) ended, as it took too long, has a line that names no
 * identity. It might have been the very domain of From: our delay refuses
 * nothing for good.
 */
static void
add_unjudged(const struct job *j, const char *check, struct slice domain,
    struct identities *ids)
{
	const struct tuple *t = NULL;

	while ((t = job_next(j, check, t)) != NULL)
		if (tuple_has(t, "by", "stages") &&
		    ids->count < IDENTITIES_MAX)
			ids->id[ids->count++] = (struct dmarc_identity){
				.spf = strcmp(check, "spf") == 0,
				.state = DMARC_ID_OPEN, .domain = domain,
				.result = tuple_value(t, "result") };
}

static void
collect(const struct job *j, struct slice domain, struct identities *ids)
{
	const struct tuple *spf = spf_record(j), *t;

	add_unjudged(j, "spf", domain, ids);
	add_unjudged(j, "dkim", domain, ids);
	for (int failed = 0; failed <= 1; failed++) {
		if (spf != NULL)
			add(ids, spf, true, failed, j->arena);
		t = NULL;
		while ((t = job_next(j, "dkim", t)) != NULL)
			add(ids, t, false, failed, j->arena);
	}
}

/*
 * One From field whose addresses have one domain that is sure (sections 5.3.1
 * and 11.5): else NULL is not the result, but why. Several addresses are fine
 * as long as it does not matter which of them somebody believes.
 */
static const char *
author(const struct job *j, const struct tuple *imf, struct slice *domain)
{
	if (imf == NULL)
		return "no imf record";
	if (!tuple_has(imf, "from-count", "1"))
		return tuple_has(imf, "from-count", "0") ?
		    "there is no From field" :
		    "there are several From fields";
	if (tuple_has(imf, "from-addrs", "0"))
		return "From has no address";
	if (!tuple_has(imf, "from-addrs", "1") &&
	    !tuple_has(imf, "from-domains", "1"))
		return "the addresses in From have different domains";
	if (!tuple_has(imf, "result", "ok"))
		return "the header is not well-formed";
	if (domain_ascii(tuple_value(imf, "from-domain"), j->arena,
	    domain) == -1 || slice_starts(*domain, S("[")))
		return "the address in From has no domain name";
	return NULL;
}

/*
 * What imf-parse found; a person may come with a bare message, which then was
 * parsed by make_parts(), and never in a worker.
 */
static const struct tuple *
imf_record(const struct job *j)
{
	const struct tuple *imf = job_find(j, "imf");
	struct tuple_reader rd;
	struct tuple *t;

	if (imf != NULL || j->parts.n == 0)
		return imf;
	t = arena_alloc(j->arena, sizeof(*t));
	tuple_reader_init(&rd, j->parts);
	return tuple_next(&rd, j->arena, t) == 1 && tuple_is(t, "imf") ? t :
	    NULL;
}

static int
make_parts(const struct job *j, struct strbuf *parts)
{
	struct strbuf scratch = STRBUF_INIT(TUPLE_LINE_MAX);

	if (job_find(j, "imf") == NULL)
		imf_parts(j->msg, parts, &scratch);
	sb_free(&scratch);
	return 0;
}

static void
put_answer(struct strbuf *out, struct slice domain,
    const struct dmarc_answer *a)
{
	const struct dmarc_record *r = &a->found.record;

	tuple_begin(out, "dmarc");
	tuple_puts(out, "result", dmarc_result_name(a->result));
	tuple_opt(out, "domain", domain);
	tuple_opt(out, "org-domain", a->found.org_domain);
	if (a->found.by_list)
		tuple_puts(out, "method", "psl");
	if (a->found.found) {
		tuple_put(out, "policy-domain", a->found.policy_domain);
		tuple_puts(out, "policy", dmarc_policy_name(r->p));
		if (r->sp != DMARC_UNSET)
			tuple_puts(out, "subdomain-policy",
			    dmarc_policy_name(r->sp));
	}
	tuple_puts(out, "disposition", dmarc_policy_name(a->disposition));
	if (a->tag != DMARC_T_P)
		tuple_puts(out, "tag", dmarc_tag_name(a->tag));
	if (a->lowered)
		tuple_puts(out, "testing", "yes");
	if (a->aligned_spf || a->aligned_dkim)
		tuple_puts(out, "aligned", !a->aligned_dkim ? "spf" :
		    a->aligned_spf ? "spf,dkim" : "dkim");
	tuple_puts(out, "dnssec", a->authentic ? "yes" : "no");
	tuple_opt(out, "reason", slice_str(a->reason));
	tuple_end(out);
}

static void
explain(struct strbuf *trace, struct slice domain,
    const struct identities *ids, const struct dmarc_answer *a)
{
	struct strbuf text = STRBUF_INIT(16384);

	dmarc_because(&text, domain, ids->id, ids->count, a);
	tuple_begin(trace, "because");
	tuple_puts(trace, "check", "dmarc");
	tuple_puts(trace, "result", dmarc_result_name(a->result));
	tuple_put(trace, "text", sb_slice(&text));
	tuple_end(trace);
	sb_free(&text);
}

/* A case is judged as it was then: its dmarc record says how. */
static struct psl *
list_for(const struct evaluator *e, const struct job *j)
{
	const struct tuple *t;

	if (e->chosen || j->whole == NULL || j->live)
		return e->psl;
	t = job_find(j->whole, "dmarc");
	return t != NULL && tuple_has(t, "method", "psl") ? e->psl : NULL;
}

static int
run(void *ctx, struct job *j, struct strbuf *out)
{
	struct evaluator *e = ctx;
	struct strbuf trace = STRBUF_INIT(TRACE_MAX);
	struct dns_budget budget;
	struct dmarc_ask ask = { .dns = e->dns, .budget = &budget,
		.arena = j->arena, .psl = list_for(e, j),
		.trace = j->verbose ? &trace : NULL };
	struct dmarc_answer a = { .result = DMARC_R_PERMERROR,
		.disposition = DMARC_REJECT };
	struct identities ids = { .count = 0 };
	struct slice domain = SLICE_NONE;

	resolver_job(e->dns, j, DNS_DMARC, &budget);
	a.reason = author(j, imf_record(j), &domain);
	if (a.reason == NULL) {
		collect(j, domain, &ids);
		dmarc_eval(&ask, domain, ids.id, ids.count, &a);
	}
	put_answer(out, domain, &a);
	put_evaluation(out, j, domain, &ids, &a);
	j->unfavourable = a.result != DMARC_R_PASS && a.result != DMARC_R_NONE;
	j->doubtful = a.result == DMARC_R_TEMPERROR;
	if (j->verbose)
		explain(&trace, domain, &ids, &a);
	resolver_done(e->dns, out);
	if (trace.n > 0 && write_all(STDERR_FILENO, sb_slice(&trace)) == -1)
		j->verbose = false;
	sb_free(&trace);
	return EXIT_DONE;
}

/* How organisations are found: -o, else the host's setting, else the walk. */
static bool
by_list(const char *option, const char *root)
{
	struct conf *c;
	bool list = false;

	if (option != NULL) {
		if (strcmp(option, "psl") != 0 && strcmp(option, "tree") != 0)
			usage();
		return strcmp(option, "psl") == 0;
	}
	if ((c = conf_open(conf_root(root))) != NULL) {
		list = slice_eqs(conf_host(c, "dmarc-org"), "psl");
		conf_close(c);
	}
	return list;
}

/* Without the list mail is judged all the same, by the walk. */
static struct psl *
open_list(const char *root)
{
	struct psl *p = psl_open(conf_root(root));

	if (p == NULL)
		warn_sys("unable to open %s/cdb/psl.cdb (psl-build makes it): "
		    "the tree walk is used", conf_root(root));
	return p;
}

int
main(int argc, char **argv)
{
	struct stage s = { .name = "dmarc-eval",
		.types = "dmarc,evaluation,dns", .quiet = "evaluation,dns",
		.run = run, .skip_message = true, .skip_parts = true,
		.make_parts = make_parts };
	struct stage_opts o = { 0 };
	struct evaluator e = { 0 };
	const char *servers = NULL, *root = NULL, *domain = NULL, *org = NULL;
	bool reports = false, only_look;
	int ch;

	prog_set(argv[0]);
	only_look = strcmp(prog_name(), "dmarc-lookup") == 0;
	prog_start(argc, argv, only_look ?
	    "[-v] [-C root] [-s server] [-o tree|psl] domain" :
	    "[-NRvw] [-C root] [-s server] [-o tree|psl] [-i ip] [-H helo] "
	    "[-f address] [-q domain] [-r domain]", only_look ?
	    "what DMARC record applies to a domain" :
	    "does an identity that was verified speak for From?",
	    "files: none; network: DNS to the resolver");
	while ((ch = getopt(argc, argv, only_look ? "C:o:s:v" :
	    "C:NRo:q:r:s:wvi:H:f:")) != -1)
		switch (ch) {
		case 'C': root = optarg; break;
		case 'o': org = optarg; break;
		case 'r':
		case 'q':
			domain = optarg;
			reports = ch == 'r';
			break;
		case 'N': o.live = true; break;
		case 'R': o.replay = true; break;
		case 's': servers = optarg; break;
		default:
			if (!stage_option(&o, ch, optarg))
				usage();
		}
	if (only_look && optind < argc)
		domain = argv[optind++];
	if (argc != optind || (only_look && domain == NULL) ||
	    ((o.replay || o.live) && domain != NULL))
		usage();
	e.chosen = org != NULL;
	if (by_list(org, root))
		e.psl = open_list(root);
	else if (o.replay && !e.chosen)
		e.psl = psl_open(conf_root(root));
	e.dns = resolver_start(&o, servers, root);
	s.ctx = &e;
	if (domain != NULL)
		return lookup(&e, domain, reports, o.verbose);
	return stage_main(&s, &o);
}
