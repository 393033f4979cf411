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
	size_t tried;          /* names */
	const struct dns_answer *ptr, *doubt; /* doubt: had no answer */
	struct slice doubtful; /* its name */
};

static bool
unknown(const struct dns_answer *a)
{
	return a->status == DNS_TEMP || a->status == DNS_BOGUS ||
	    a->status == DNS_LIMIT || a->status == DNS_LARGE;
}

static bool
has_ip(const struct dns_answer *a, const struct ip *ip)
{
	for (size_t i = 0; i < a->count; i++)
		if (ip_in(&a->rr[i].ip, ip, ip->family == AF_INET ? 32 : 128))
			return true;
	return false;
}

/* -v: what an answer means. */
static void
put_note(const struct check *c, const struct dns_answer *a, enum dns_type type,
    struct strbuf *note)
{
	if (a->status != DNS_OK)
		sb_puts(note, a->reason != NULL ? a->reason : "no answer");
	else if (type == DNS_PTR)
		sb_printf(note, "the address has %zu name%s, of which %s tried",
		    a->count, a->count == 1 ? "" : "s",
		    a->count == 1 ? "it is" : a->count > DNS_IPREV_NAMES ?
		    "the first 10 are" : "each is");
	else if (has_ip(a, &c->ip))
		sb_puts(note, "this is the client's address: the name is its "
		    "own");
	else {
		sb_puts(note, "not the client's address: ");
		ip_format(note, &a->rr[0].ip);
		if (a->count > 1)
			sb_printf(note, " and %zu more", a->count - 1);
	}
}

static void
put_step(struct check *c, const struct dns_answer *a, enum dns_type type,
    struct slice name)
{
	struct strbuf note = STRBUF_INIT(TRACE_MAX);

	put_note(c, a, type, &note);
	tuple_begin(&c->trace, "step");
	tuple_puts(&c->trace, "check", "dns");
	tuple_puts(&c->trace, "type", dns_type_name(type));
	tuple_put(&c->trace, "name", name);
	tuple_puts(&c->trace, "status", dns_status_name(a->status));
	tuple_putu(&c->trace, "records", a->count);
	tuple_puts(&c->trace, "dnssec", a->authentic ? "yes" : "no");
	tuple_put(&c->trace, "note", sb_slice(&note));
	tuple_end(&c->trace);
	sb_free(&note);
}

static const struct dns_answer *
ask(struct check *c, struct slice name, enum dns_type type)
{
	const struct dns_answer *a = dns_query(c->dns, &c->budget, name, type,
	    c->job->arena);

	c->authentic = c->authentic && a->authentic;
	if (unknown(a)) {
		c->doubt = a;
		c->doubtful = arena_copy(c->job->arena, name);
	}
	if (c->job->verbose)
		put_step(c, a, type, name);
	return a;
}

/*
 * The names in the order of the answer; the first that leads back counts. All
 * are asked for at once. RFC 8601 section 3 wants a limit, for the owner of the
 * address writes the list.
 */
static void
try_names(struct check *c, const struct dns_answer *ptr)
{
	enum dns_type type = c->ip.family == AF_INET ? DNS_A : DNS_AAAA;
	size_t count = ptr->count < DNS_IPREV_NAMES ? ptr->count :
	    DNS_IPREV_NAMES;
	const struct dns_answer *a;

	for (size_t i = 1; i < count; i++)
		dns_prefetch(c->dns, &c->budget, ptr->rr[i].name, type);
	for (; c->tried < count; c->tried++) {
		a = ask(c, ptr->rr[c->tried].name, type);
		if (has_ip(a, &c->ip)) {
			c->result = "pass";
			c->name = ptr->rr[c->tried].name;
			return;
		}
	}
	c->result = c->doubt != NULL ? "temperror" : "fail";
	c->reason = c->doubt != NULL ? c->doubt->reason : ptr->count > count ?
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
	c->ptr = ptr = ask(c, sb_slice(&name), DNS_PTR);
	sb_free(&name);
	c->reason = ptr->reason;
	if (ptr->status == DNS_OK)
		try_names(c, ptr);
	else
		c->result = unknown(ptr) ? "temperror" : "permerror";
}

/* Why no name is sure, and what its owner can do. */
static void
say_no(const struct check *c, struct strbuf *sb)
{
	const char *type = c->ip.family == AF_INET ? "A" : "AAAA";
	struct slice first;

	if (c->ptr == NULL) {
		sb_puts(sb, "The client's address is not known: the client "
		    "record has no ip=, or -i was not given one.");
	} else if (c->doubt != NULL) {
		sb_puts(sb, "The DNS did not say what is at ");
		sb_put(sb, c->doubtful);
		sb_printf(sb, " (%s). That may pass; if it stays, the servers "
		    "of that zone or the resolver need care.",
		    c->doubt->reason != NULL ? c->doubt->reason : "no answer");
	} else if (c->ptr->status != DNS_OK) {
		sb_puts(sb, "The address has no name: there is no PTR record "
		    "for it. Who gave the address to its owner can add one "
		    "with the name of the host.");
	} else {
		first = c->ptr->rr[0].name;
		if (first.n == 0)
			first = S(".");
		sb_puts(sb, "The address says that it is ");
		sb_put(sb, first);
		if (c->ptr->count > 1)
			sb_printf(sb, " (and %zu other names)",
			    c->ptr->count - 1);
		sb_printf(sb, ", but none of the %zu name%s tried has this "
		    "address, and anyone can write any name into his PTR "
		    "record. Give ", c->tried, c->tried == 1 ? "" : "s");
		sb_put(sb, first);
		sb_printf(sb, " an %s record with the address, or correct the "
		    "PTR record.", type);
	}
}

static void
put_because(struct check *c)
{
	struct strbuf text = STRBUF_INIT(TRACE_MAX);

	if (c->name.n > 0) {
		sb_puts(&text, "The address has a PTR record with the name ");
		sb_put(&text, c->name);
		sb_puts(&text, ", and that name has this address: both owners "
		    "agree.");
	} else
		say_no(c, &text);
	tuple_begin(&c->trace, "because");
	tuple_puts(&c->trace, "check", "iprev");
	tuple_puts(&c->trace, "result", c->result);
	tuple_put(&c->trace, "text", sb_slice(&text));
	tuple_end(&c->trace);
	sb_free(&text);
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
	j->doubtful = strcmp(c.result, "temperror") == 0;
	if (j->verbose)
		put_because(&c);
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
