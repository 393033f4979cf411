/*
 * dns-lookup - ask the resolver of this host (RFC 1035)
 * usage   dns-lookup [-C root] [-s server[,server]] [-t ms] type name
 * fd 0    not used
 * fd 1    a dns tuple with the outcome, then one tuple a record
 * exit    0 found, 1 no such name or record, 100 bad usage or name, 111 no
 *         answer to be had now
 * rights  once started, no files; network: the resolver
 */
#include <stdio.h>
#include <unistd.h>

#include "addr/addr.h"
#include "base/alloc.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/die.h"
#include "base/file.h"
#include "base/tuple.h"
#include "dns/dns.h"
#include "resolver.h"

#define OUT_MAX ((size_t)4 * 1024 * 1024) /* a 64 KB answer, all escaped */

/* "ips" asks for A and AAAA. */
static const struct kind {
	const char *name;
	enum dns_type type, second;
} kinds[] = {
	{ "a", DNS_A, 0 }, { "aaaa", DNS_AAAA, 0 },
	{ "ips", DNS_A, DNS_AAAA }, { "mx", DNS_MX, 0 },
	{ "txt", DNS_TXT, 0 }, { "ptr", DNS_PTR, 0 },
	{ "cname", DNS_CNAME, 0 }, { "ns", DNS_NS, 0 },
	{ "srv", DNS_SRV, 0 }, { "tlsa", DNS_TLSA, 0 },
};

static void
put_ip(struct strbuf *out, const struct ip *ip)
{
	struct strbuf text = STRBUF_INIT(64);

	ip_format(&text, ip);
	tuple_put(out, "ip", sb_slice(&text));
	sb_free(&text);
}

static void
put_hex(struct strbuf *out, struct slice data)
{
	struct strbuf text = STRBUF_INIT(2 * 65536);

	sb_hex(&text, data);
	tuple_put(out, "data", sb_slice(&text));
	sb_free(&text);
}

static void
put_record(struct strbuf *out, enum dns_type type, const struct dns_rr *rr)
{
	static const char *const names[] = {
		[DNS_A] = "a", [DNS_NS] = "ns", [DNS_CNAME] = "cname",
		[DNS_PTR] = "ptr", [DNS_MX] = "mx", [DNS_TXT] = "txt",
		[DNS_AAAA] = "aaaa", [DNS_SRV] = "srv", [DNS_TLSA] = "tlsa",
	};

	tuple_begin(out, names[type]);
	switch (type) {
	case DNS_A:
	case DNS_AAAA:
		put_ip(out, &rr->ip);
		break;
	case DNS_TXT:
		tuple_put(out, "text", rr->text);
		break;
	case DNS_TLSA:
		tuple_putu(out, "usage", rr->usage);
		tuple_putu(out, "selector", rr->selector);
		tuple_putu(out, "matching", rr->matching);
		put_hex(out, rr->text);
		break;
	case DNS_MX:
	case DNS_SRV:
		tuple_putu(out, type == DNS_MX ? "preference" : "priority",
		    rr->preference);
		if (type == DNS_SRV) {
			tuple_putu(out, "weight", rr->weight);
			tuple_putu(out, "port", rr->port);
		}
		/* FALLTHROUGH */
	default:
		tuple_put(out, "host", rr->name.n > 0 ? rr->name : S("."));
		break;
	}
	tuple_putu(out, "ttl", rr->ttl);
	tuple_end(out);
}

static int
exit_code(enum dns_status status)
{
	switch (status) {
	case DNS_OK: return EXIT_DONE;
	case DNS_NXDOMAIN:
	case DNS_NODATA: return EXIT_NO;
	case DNS_BADNAME: return EXIT_PERM;
	default: return EXIT_TEMP;
	}
}

static int
lookup(struct dns *d, struct dns_budget *b, struct slice name,
    enum dns_type type, struct strbuf *out)
{
	struct arena ar = { 0 };
	const struct dns_answer *a = dns_query(d, b, name, type, &ar);
	int code = exit_code(a->status);

	tuple_begin(out, "dns");
	tuple_put(out, "name", name);
	tuple_puts(out, "type", dns_type_name(type));
	tuple_puts(out, "status", dns_status_name(a->status));
	tuple_puts(out, "dnssec", a->authentic ? "yes" : "no");
	tuple_putu(out, "ttl", a->ttl);
	if (a->cnames > 0)
		tuple_put(out, "canonical", a->canonical);
	if (a->ede != -1)
		tuple_putu(out, "ede", (unsigned)a->ede);
	if (a->reason != NULL)
		tuple_puts(out, "reason", a->reason);
	tuple_end(out);
	for (size_t i = 0; i < a->count; i++)
		put_record(out, type, &a->rr[i]);
	arena_free(&ar);
	return code;
}

/* The operand as a name to ask for; an IP address for PTR is turned around. */
static struct slice
name_of(const char *operand, enum dns_type type, struct arena *ar)
{
	struct slice name = slice_str(operand);
	struct strbuf text = STRBUF_INIT(128);
	struct ip ip;

	if (type == DNS_PTR && ip_parse(name, &ip) == 0) {
		dns_reverse(&text, &ip);
		name = arena_copy(ar, sb_slice(&text));
		sb_free(&text);
	} else if (!slice_eqs(name, ".") &&
	    domain_ascii(name, ar, &name) == -1)
		die(EXIT_PERM, "not a domain name: %s", operand);
	return name;
}

int
main(int argc, char **argv)
{
	const struct kind *kind = NULL;
	const char *servers = NULL, *root = NULL;
	struct strbuf out = STRBUF_INIT(OUT_MAX);
	struct arena ar = { 0 };
	struct slice name;
	struct dns_budget b;
	struct dns *d;
	uint64_t ms = DNS_MESSAGE_MS;
	int ch, code, second;

	prog_start(argc, argv,
	    "[-C root] [-s server[,server]] [-t ms] type name",
	    "ask the resolver of this host", "files: none; network: DNS to the resolver");
	while ((ch = getopt(argc, argv, "C:s:t:")) != -1)
		switch (ch) {
		case 'C': root = optarg; break;
		case 's': servers = optarg; break;
		case 't':
			if (slice_u64(slice_str(optarg), 600000, &ms) == -1)
				usage();
			break;
		default: usage();
		}
	if (argc - optind != 2)
		usage();
	for (size_t i = 0; i < COUNTOF(kinds); i++)
		if (slice_ieqs(slice_str(argv[optind]), kinds[i].name))
			kind = &kinds[i];
	if (kind == NULL)
		die(EXIT_PERM, "not a record type: %s", argv[optind]);
	name = name_of(argv[optind + 1], kind->type, &ar);
	d = resolver_begin(servers, root);
	dns_budget_init(&b, DNS_MESSAGE_QUERIES, (int)ms);
	if (kind->second != 0)
		dns_prefetch(d, &b, name, kind->second);
	code = lookup(d, &b, name, kind->type, &out);
	if (kind->second != 0) {
		second = lookup(d, &b, name, kind->second, &out);
		/* Found if either is; otherwise the doubt of either counts. */
		if (code == EXIT_DONE || second == EXIT_DONE)
			code = EXIT_DONE;
		else if (second > code)
			code = second;
	}
	if (out.over || write_all(STDOUT_FILENO, sb_slice(&out)) == -1)
		die_sys(EXIT_TEMP, "unable to write");
	dns_close(d);
	sb_free(&out);
	arena_free(&ar);
	return code;
}
