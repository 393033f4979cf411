/*
 * dkim-verify - verify a message's DKIM signatures (RFC 6376, 8301, 8463)
 * usage   dkim-verify [-NRdvw] [-C root] [-s server] [file]
 * fd 0    a job or a bare message; with -w, a SOCK_SEQPACKET socket of jobs;
 *         with -R, the envelope of a case; with a file, not used
 * fd 1    the job with a dkim line for each signature, or those lines alone
 * exit    0 a signature passes, 1 none does, 111 none does but one may later;
 *         100 usage, 111 temporary; as a filter 0 whatever the results
 * rights  user pneu-dns; once started, no files; network: the resolver
 */
#include <fcntl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/die.h"
#include "base/file.h"
#include "conf/conf.h"
#include "dkim/explain.h"
#include "dkim/record.h"
#include "stage/stage.h"
#include "resolver.h"

/* Characters of b= that tell signatures apart (RFC 6008 section 4). */
#define B_SHOWN 12
#define TRACE_MAX ((size_t)1024 * 1024) /* of -v, then it is cut */

struct verifier {
	struct dns *dns;
	struct psl *psl;
	bool subject_optional, detail;
};

static void
put_result(struct strbuf *out, const struct dkim_result *r)
{
	static const struct dkim_sig none;
	const struct dkim_sig *sig = r->e != NULL ? &r->e->sig : &none;

	tuple_begin(out, "dkim");
	tuple_puts(out, "result", dkim_status_name(r->status));
	tuple_opt(out, "domain", sig->domain);
	tuple_opt(out, "selector", sig->selector);
	tuple_opt(out, "alg", sig->alg_text);
	if (r->bits != 0)
		tuple_putu(out, "bits", r->bits);
	tuple_opt(out, "identity", sig->identity);
	tuple_opt(out, "b", slice_sub(sig->b_text, 0, B_SHOWN));
	if (r->query.n != 0)
		tuple_puts(out, "dnssec", r->dnssec ? "yes" : "no");
	tuple_opt(out, "reason", slice_str(r->reason));
	tuple_end(out);
}

/* What the message says, or with -R what the case says that it said; what this
 * host asks for, with -R what it asked for then. */
static void
gather(const struct verifier *v, const struct job *j, struct dkim_gathered *g)
{
	const struct tuple *bad = NULL;

	if (j->whole == NULL) {
		dkim_gather(j->msg, v->psl, j->arena, g);
		g->subject_optional = v->subject_optional;
		return;
	}
	switch (dkim_record_get(j->whole->rec, j->whole->count, j->arena, g,
	    &bad)) {
	case 0:
		die(EXIT_PERM, "no dkim-sig record in the case: it did not "
		    "come by dkim-verify");
	case -1:
		die(EXIT_PERM, "bad dkim-sig record in line %u of the case",
		    bad->line);
	}
	if (j->live)
		g->subject_optional = v->subject_optional;
}

static int
run(void *ctx, struct job *j, struct strbuf *out)
{
	struct verifier *v = ctx;
	struct dkim_result result[DKIM_SIGNATURES_MAX + 1];
	struct strbuf trace = STRBUF_INIT(TRACE_MAX);
	struct dkim_gathered *g = arena_alloc(j->arena, sizeof(*g));
	struct dns_budget budget;
	struct dkim_judge judge = {
		.now = j->time != 0 ? j->time : clock_unix(), .dns = v->dns,
		.budget = &budget, .ar = j->arena,
	};
	struct dkim_explain explain = { .judge = &judge, .g = g,
		.out = &trace, .detail = v->detail };
	size_t n;

	resolver_job(v->dns, j, DNS_DKIM, &budget);
	gather(v, j, g);
	n = dkim_judge(&judge, g, result);
	dkim_record_put(g, out);
	j->unfavourable = true;
	for (size_t i = 0; i < n; i++) {
		put_result(out, &result[i]);
		if (j->verbose)
			dkim_explain(&explain, &result[i], i + 1);
		j->unfavourable &= result[i].status != DKIM_PASS;
		j->doubtful |= result[i].status == DKIM_TEMPERROR;
	}
	j->doubtful &= j->unfavourable; /* a pass is enough */
	resolver_done(v->dns, out);
	if (trace.n > 0 && write_all(STDERR_FILENO, sb_slice(&trace)) == -1)
		j->verbose = false;
	sb_free(&trace);
	return EXIT_DONE;
}

/* What the instance says, if there is one. */
static void
learn(struct verifier *v, const char *root)
{
	struct conf *conf = conf_open(root);

	v->psl = psl_open(root);
	if (conf == NULL)
		return;
	v->subject_optional = slice_eqs(conf_host(conf, "dkim-subject"),
	    "optional");
	conf_close(conf);
}

/* The operand stands in for standard input. */
static void
use_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd == -1 || dup2(fd, STDIN_FILENO) == -1)
		die_sys(fd == -1 ? EXIT_PERM : EXIT_TEMP, "unable to open %s",
		    path);
	if (fd != STDIN_FILENO)
		close(fd);
}

int
main(int argc, char **argv)
{
	struct stage s = { .name = "dkim-verify", .types = "dkim,dkim-sig,dns",
		.quiet = "dkim-sig,dns", .run = run, .skip_parts = true };
	struct verifier v = { .dns = NULL };
	struct stage_opts o = { 0 };
	const char *servers = NULL, *root = NULL;
	int ch;

	prog_start(argc, argv, "[-NRdvw] [-C root] [-s server] [file]",
	    "verify a message's DKIM signatures",
	    "files: none; network: DNS to the resolver");
	while ((ch = getopt(argc, argv, "C:NRds:" STAGE_OPTS)) != -1)
		switch (ch) {
		case 'C': root = optarg; break;
		case 'N': o.live = true; break;
		case 'R': o.replay = true; break;
		case 'd': v.detail = o.verbose = true; break;
		case 's': servers = optarg; break;
		default:
			if (!stage_option(&o, ch, optarg))
				usage();
		}
	if (argc > optind + 1 || o.no_message || (argc > optind && o.worker))
		usage();
	if (argc > optind)
		use_file(argv[optind]);
	s.ctx = &v;
	learn(&v, conf_root(root));
	v.dns = resolver_start(&o, servers, root);
	return stage_main(&s, &o);
}
