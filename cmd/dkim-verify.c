/*
 * dkim-verify - verify a message's DKIM signatures (RFC 6376, 8301, 8463)
 * usage   dkim-verify [-vw] [-C root] [-s server]
 * fd 0    a job or a bare message; with -w, a SOCK_SEQPACKET socket of jobs
 * fd 1    the job with a dkim line for each signature, or those lines alone
 * exit    0 a signature passes, 1 none does; 100 usage, 111 temporary; as a
 *         filter 0 whatever the results
 * rights  user pneu-dns; once started, no files; network: the resolver
 */
#include <unistd.h>

#include "base/clock.h"
#include "base/die.h"
#include "base/file.h"
#include "dkim/verify.h"
#include "stage/stage.h"
#include "resolver.h"

/* Characters of b= that tell signatures apart (RFC 6008 section 4). */
#define B_SHOWN 12
#define TRACE_MAX ((size_t)256 * 1024)

static void
put_hash(struct strbuf *sb, const char *name, const unsigned char *hash)
{
	struct strbuf text = STRBUF_INIT(128);

	sb_base64(&text, slice_of(hash, DKIM_HASH_SIZE));
	tuple_put(sb, name, sb_slice(&text));
	sb_free(&text);
}

/* -v: what led to a result. */
static void
put_step(struct strbuf *sb, const struct dkim_result *r)
{
	const struct dkim_evidence *e = r->e;

	if (e == NULL)
		return;
	tuple_begin(sb, "step");
	tuple_puts(sb, "check", "dkim");
	tuple_putu(sb, "at", e->at);
	tuple_putu(sb, "len", e->sig.raw.n);
	tuple_opt(sb, "h", e->sig.names);
	tuple_opt(sb, "query", r->query);
	tuple_opt(sb, "record", r->record);
	if (e->hashed_header)
		put_hash(sb, "header-hash", e->header_hash);
	if (e->hashed_body)
		put_hash(sb, "body-hash", e->body_hash);
	if (e->sig.bh.n == DKIM_HASH_SIZE)
		put_hash(sb, "bh", e->sig.bh.p);
	tuple_end(sb);
}

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

static int
run(void *ctx, struct job *j, struct strbuf *out)
{
	struct dkim_result result[DKIM_SIGNATURES_MAX + 1];
	struct strbuf trace = STRBUF_INIT(TRACE_MAX);
	struct dkim_gathered *g = arena_alloc(j->arena, sizeof(*g));
	struct dns_budget budget;
	struct dkim_judge judge = {
		.now = j->time != 0 ? j->time : clock_unix(), .dns = ctx,
		.budget = &budget, .ar = j->arena,
	};
	size_t n;

	resolver_job(ctx, j, DNS_DKIM, &budget);
	dkim_gather(j->msg, j->arena, g);
	n = dkim_judge(&judge, g, result);
	j->unfavourable = true;
	for (size_t i = 0; i < n; i++) {
		if (j->verbose)
			put_step(&trace, &result[i]);
		put_result(out, &result[i]);
		j->unfavourable &= result[i].status != DKIM_PASS;
	}
	resolver_done(ctx, out);
	if (trace.n > 0 && write_all(STDERR_FILENO, sb_slice(&trace)) == -1)
		j->verbose = false;
	sb_free(&trace);
	return EXIT_DONE;
}

int
main(int argc, char **argv)
{
	struct stage s = { .name = "dkim-verify", .types = "dkim,dns",
		.quiet = "dns", .run = run,
		.skip_parts = true };
	struct stage_opts o = { 0 };
	const char *servers = NULL, *root = NULL;
	int ch;

	prog_start(argc, argv, "[-vw] [-C root] [-s server]",
	    "verify a message's DKIM signatures",
	    "files: none; network: DNS to the resolver");
	while ((ch = getopt(argc, argv, "C:s:" STAGE_OPTS)) != -1)
		switch (ch) {
		case 'C': root = optarg; break;
		case 's': servers = optarg; break;
		default:
			if (!stage_option(&o, ch, optarg))
				usage();
		}
	if (argc != optind || o.no_message)
		usage();
	s.ctx = resolver_begin(servers, root);
	return stage_main(&s, &o);
}
