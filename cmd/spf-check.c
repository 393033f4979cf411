/*
 * spf-check - may this client use this HELO name and this sender? (RFC 7208)
 * usage   spf-check [-FNRvw] [-n] [-C root] [-s server] [-i ip] [-H helo]
 *         [-f address]
 * fd 0    a job or a bare message; with -w, a SOCK_SEQPACKET socket of jobs;
 *         with -n, not used; with -R, the envelope of a case
 * fd 1    the job with spf lines added, or the spf lines alone; one for HELO,
 *         then one for MAIL FROM unless the sender is empty
 * exit    0 the last identity passes, 1 it does not; 100 usage, 111 temporary,
 *         also of the last identity; as a filter 0 whatever the result
 * rights  user pneu-dns; once started, no files; network: the resolver
 */
#include <unistd.h>

#include "addr/addr.h"
#include "base/die.h"
#include "base/file.h"
#include "conf/conf.h"
#include "dns/dns.h"
#include "spf/received.h"
#include "spf/spf.h"
#include "stage/stage.h"
#include "resolver.h"

#define TRACE_MAX ((size_t)256 * 1024) /* of -v, then it is cut */
#define BECAUSE_MAX ((size_t)8192) /* of -v: a verdict in words */

struct checker {
	struct dns *dns;
	struct arena arena;
	struct slice host; /* name of this host, for %{r}; may be empty */
	bool field;        /* -F: print Received-SPF fields */
};

/* One identity: HELO, or MAIL FROM. */
struct identity {
	const char *name;
	struct slice local, domain;
};

static struct slice
canonical(struct slice domain, struct arena *ar)
{
	struct slice out;

	/* What is not a domain stays as it is: spf_check() says "none". */
	return domain_ascii(domain, ar, &out) == 0 ? out : domain;
}

/* MAIL FROM; from a person's hand it may be any text with an @. */
static struct identity
sender(struct slice from, struct arena *ar)
{
	struct identity id = { .name = "mailfrom" };
	ptrdiff_t at = slice_rchr(from, '@');
	struct addr a;

	if (addr_parse(from, ADDR_UTF8, ar, &a) == 0) {
		id.local = a.local;
		id.domain = a.domain;
	} else {
		if (at != -1)
			id.local = slice_sub(from, 0, (size_t)at);
		id.domain = canonical(slice_skip(from, (size_t)(at + 1)), ar);
	}
	return id;
}

/* -v: the verdict in words. */
static void
put_because(const struct spf_ask *ask, const struct spf_answer *a)
{
	struct strbuf text = STRBUF_INIT(BECAUSE_MAX);

	spf_because(ask, a, &text);
	tuple_begin(ask->trace, "because");
	tuple_puts(ask->trace, "check", "spf");
	tuple_puts(ask->trace, "result", spf_result_name(a->result));
	tuple_puts(ask->trace, "identity", ask->identity);
	tuple_put(ask->trace, "text", sb_slice(&text));
	tuple_end(ask->trace);
	sb_free(&text);
}

static void
put_record(const struct spf_ask *ask, const struct identity *id,
    const struct spf_answer *a, struct strbuf *out)
{
	tuple_begin(out, "spf");
	tuple_puts(out, "result", spf_result_name(a->result));
	tuple_puts(out, "identity", id->name);
	tuple_put(out, "domain", id->domain);
	tuple_opt(out, "mech", a->mech);
	tuple_puts(out, "dnssec", a->authentic ? "yes" : "no");
	tuple_opt(out, "reason", a->reason);
	tuple_opt(out, "explanation", a->explanation);
	if (a->explanation.n > 0) /* it may have %{r}: for -R */
		tuple_opt(out, "receiver", ask->receiver);
	tuple_end(out);
}

/* -F: as deliver(8) makes it of the record. */
static void
put_field(const struct job *j, const struct spf_ask *ask,
    const struct spf_answer *a, struct strbuf *out)
{
	const struct spf_received r = {
		.result = slice_str(spf_result_name(a->result)),
		.identity = slice_str(ask->identity), .domain = ask->domain,
		.mech = a->mech, .reason = a->reason,
		.ip = job_get(j, "client", "ip"),
		.helo = job_get(j, "client", "helo"),
		.from = job_get(j, "from", "addr"), .receiver = ask->receiver,
	};

	spf_received(out, &r, "\n");
}

static enum spf_result
check(const struct checker *c, const struct job *j, struct spf_ask *ask,
    const struct identity *id, struct strbuf *out)
{
	struct spf_answer a;

	ask->identity = id->name;
	ask->local = id->local;
	ask->domain = id->domain;
	spf_check(ask, &a);
	if (c->field)
		put_field(j, ask, &a, out);
	else
		put_record(ask, id, &a, out);
	if (ask->trace != NULL)
		put_because(ask, &a);
	return a.result;
}

/* This host's name; with -R what it was then. */
static struct slice
receiver(const struct checker *c, const struct job *j)
{
	const struct tuple *t = NULL;
	struct slice name = SLICE_NONE;

	if (j->whole == NULL || j->live)
		return c->host;
	while ((t = job_next(j->whole, "spf", t)) != NULL &&
	    !tuple_get(t, "receiver", &name))
		;
	return name;
}

static int
run(void *ctx, struct job *j, struct strbuf *out)
{
	struct checker *c = ctx;
	struct strbuf trace = STRBUF_INIT(TRACE_MAX);
	struct strbuf late = STRBUF_INIT(TRACE_MAX);
	struct strbuf unused = STRBUF_INIT(JOB_ENVELOPE_MAX);
	struct strbuf second = STRBUF_INIT(JOB_ENVELOPE_MAX);
	struct dns_budget budget;
	struct slice from = job_get(j, "from", "addr");
	struct spf_ask ask = {
		.dns = c->dns, .budget = &budget, .arena = j->arena,
		.receiver = receiver(c, j), .client = job_get(j, "iprev", "name"),
		.helo = job_get(j, "client", "helo"),
		.time = j->time, .trace = j->verbose ? &trace : NULL,
	};
	struct identity helo = { .name = "helo",
		.domain = canonical(ask.helo, j->arena) };
	struct identity mailfrom = sender(from, j->arena);
	enum spf_result r = SPF_NONE;

	if (!slice_is_ascii(ask.helo)) /* RFC 8616 section 4 */
		ask.helo = helo.domain;
	if (ip_parse(job_get(j, "client", "ip"), &ask.ip) == -1)
		ask.ip.family = 0;
	resolver_job(c->dns, j, DNS_SPF, &budget);
	/*
	 * HELO comes last, so that the record of a name that a stranger chose
	 * freely does not use up what MAIL FROM needs: DMARC rests on that.
	 */
	if (from.n > 0) {
		if (ask.ip.family != 0 && spf_is_checkable(helo.domain))
			dns_prefetch(c->dns, &budget, helo.domain, DNS_TXT);
		ask.trace = j->verbose ? &late : NULL;
		r = check(c, j, &ask, &mailfrom, &second);
		ask.trace = j->verbose ? &trace : NULL;
		(void)check(c, j, &ask, &helo, out);
	} else
		r = check(c, j, &ask, &helo, out);
	sb_put(out, sb_slice(&second));
	sb_put(&trace, sb_slice(&late));
	j->unfavourable = r != SPF_PASS;
	j->doubtful = r == SPF_TEMPERROR;
	resolver_done(c->dns, c->field ? &unused : out);
	if (trace.n > 0 && write_all(STDERR_FILENO, sb_slice(&trace)) == -1)
		j->verbose = false;
	sb_free(&trace);
	sb_free(&late);
	sb_free(&unused);
	sb_free(&second);
	return EXIT_DONE;
}

/* host name= of the instance, if there is one. */
static void
learn_host(struct checker *c, const char *root)
{
	struct conf *conf = conf_open(root);

	if (conf == NULL)
		return;
	c->host = arena_copy(&c->arena, conf_host(conf, "name"));
	conf_close(conf);
}

int
main(int argc, char **argv)
{
	struct stage s = { .name = "spf-check", .types = "spf,dns", .quiet = "dns",
		.run = run,
		.skip_message = true, .skip_parts = true };
	struct checker c = { .dns = NULL };
	struct stage_opts o = { 0 };
	const char *servers = NULL, *root = NULL;
	int ch;

	prog_start(argc, argv, "[-FNRvw] [-n] [-C root] [-s server] [-i ip] "
	    "[-H helo] [-f address]",
	    "may this client use this name and this sender?",
	    "files: none; network: DNS to the resolver");
	while ((ch = getopt(argc, argv, "C:FNRs:" STAGE_OPTS)) != -1)
		switch (ch) {
		case 'C': root = optarg; break;
		case 'F': c.field = s.text = true; break;
		case 'N': o.live = true; break;
		case 'R': o.replay = true; break;
		case 's': servers = optarg; break;
		default:
			if (!stage_option(&o, ch, optarg))
				usage();
		}
	if (argc != optind ||
	    (c.field && o.worker))
		usage();
	s.ctx = &c;
	learn_host(&c, conf_root(root));
	c.dns = resolver_start(&o, servers, root);
	return stage_main(&s, &o);
}
