/*
 * iprev-check - does the client's address have a name that leads back to it?
 * usage   iprev-check [-NRvw] [-n] [-C root] [-s server] [-i ip]
 * fd 0    a job or a bare message; with -w, a SOCK_SEQPACKET socket of jobs;
 *         with -n, not used; with -R, the envelope of a case
 * fd 1    the job with an iprev line added, or that line alone
 * exit    0 pass, 1 not; 100 usage, 111 temporary; as a filter 0 whatever the
 *         result
 * rights  user pneu-dns; once started, no files; network: the resolver
 */
#include <sys/socket.h>
#include <unistd.h>

#include "addr/addr.h"
#include "base/die.h"
#include "base/file.h"
#include "dns/dns.h"
#include "stage/stage.h"
#include "resolver.h"

#define TRACE_MAX ((size_t)64 * 1024)

struct check {
	struct dns *dns;
	struct dns_budget budget;
	struct job *job;
	struct strbuf trace;
	struct ip ip;
	/* The outcome. */
	const char *result, *reason;
	struct slice name;
	bool authentic;
};

static bool
unknown(const struct dns_answer *a)
{
	return a->status == DNS_TEMP || a->status == DNS_BOGUS ||
	    a->status == DNS_LIMIT;
}

static const struct dns_answer *
ask(struct check *c, struct slice name, enum dns_type type)
{
	const struct dns_answer *a = dns_query(c->dns, &c->budget, name, type,
	    c->job->arena);

	c->authentic = c->authentic && a->authentic;
	if (c->job->verbose) {
		tuple_begin(&c->trace, "step");
		tuple_puts(&c->trace, "check", "dns");
		tuple_puts(&c->trace, "type", dns_type_name(type));
		tuple_put(&c->trace, "name", name);
		tuple_puts(&c->trace, "status", dns_status_name(a->status));
		tuple_putu(&c->trace, "records", a->count);
		tuple_puts(&c->trace, "dnssec", a->authentic ? "yes" : "no");
		tuple_end(&c->trace);
	}
	return a;
}

static bool
has_ip(const struct dns_answer *a, const struct ip *ip)
{
	for (size_t i = 0; i < a->count; i++)
		if (ip_in(&a->rr[i].ip, ip, ip->family == AF_INET ? 32 : 128))
			return true;
	return false;
}

/* The names in the order of the answer; the first that leads back counts. */
static void
try_names(struct check *c, const struct dns_answer *ptr)
{
	enum dns_type type = c->ip.family == AF_INET ? DNS_A : DNS_AAAA;
	size_t count = ptr->count < DNS_IPREV_NAMES ? ptr->count :
	    DNS_IPREV_NAMES;
	const struct dns_answer *a;
	bool doubt = false;

	for (size_t i = 1; i < count; i++)
		dns_prefetch(c->dns, &c->budget, ptr->rr[i].name, type);
	for (size_t i = 0; i < count; i++) {
		a = ask(c, ptr->rr[i].name, type);
		if (has_ip(a, &c->ip)) {
			c->result = "pass";
			c->name = ptr->rr[i].name;
			return;
		}
		if (unknown(a)) {
			doubt = true;
			c->reason = a->reason;
		}
	}
	c->result = doubt ? "temperror" : "fail";
	if (!doubt)
		c->reason = ptr->count > count ?
		    "none of the first 10 names leads back to the address" :
		    "no name leads back to the address";
}

static void
check(struct check *c, struct slice ip)
{
	struct strbuf name = STRBUF_INIT(128);
	const struct dns_answer *ptr;

	if (ip_parse(ip, &c->ip) == -1) {
		c->authentic = false;
		c->result = "permerror";
		c->reason = "client address unknown";
		return;
	}
	dns_reverse(&name, &c->ip);
	ptr = ask(c, sb_slice(&name), DNS_PTR);
	sb_free(&name);
	c->reason = ptr->reason;
	if (ptr->status == DNS_OK)
		try_names(c, ptr);
	else
		c->result = unknown(ptr) ? "temperror" : "permerror";
}

static int
run(void *ctx, struct job *j, struct strbuf *out)
{
	struct check c = { .dns = ctx, .job = j, .authentic = true,
		.trace = STRBUF_INIT(TRACE_MAX) };
	struct slice ip = job_get(j, "client", "ip");

	resolver_job(ctx, j, DNS_IPREV, &c.budget);
	check(&c, ip);
	tuple_begin(out, "iprev");
	tuple_puts(out, "result", c.result);
	tuple_opt(out, "name", c.name);
	tuple_put(out, "ip", ip);
	tuple_puts(out, "dnssec", c.authentic ? "yes" : "no");
	tuple_opt(out, "reason", slice_str(c.name.n > 0 ? NULL : c.reason));
	tuple_end(out);
	j->unfavourable = c.name.n == 0;
	resolver_done(ctx, out);
	if (c.trace.n > 0 &&
	    write_all(STDERR_FILENO, sb_slice(&c.trace)) == -1)
		j->verbose = false;
	sb_free(&c.trace);
	return EXIT_DONE;
}

int
main(int argc, char **argv)
{
	struct stage s = { .name = "iprev-check", .types = "iprev,dns",
		.quiet = "dns", .run = run,
		.skip_message = true, .skip_parts = true };
	struct stage_opts o = { 0 };
	const char *servers = NULL, *root = NULL;
	int ch;

	prog_start(argc, argv, "[-NRvw] [-n] [-C root] [-s server] [-i ip]",
	    "does the client's address have a name that leads back to it?",
	    "files: none; network: DNS to the resolver");
	while ((ch = getopt(argc, argv, "C:NRs:" STAGE_OPTS)) != -1)
		switch (ch) {
		case 'C': root = optarg; break;
		case 'N': o.live = true; break;
		case 'R': o.replay = true; break;
		case 's': servers = optarg; break;
		default:
			if (!stage_option(&o, ch, optarg))
				usage();
		}
	if (argc != optind)
		usage();
	s.ctx = resolver_start(&o, servers, root);
	return stage_main(&s, &o);
}
