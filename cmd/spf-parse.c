/*
 * spf-parse - look into an SPF record: terms, errors, what it costs
 * usage   spf-parse [-e] [-i ip] [-f address] [-H helo] [record ...]
 *         spf-parse [-e] [-i ip] [-f address] [-H helo] [-C root] [-s server]
 *         -d domain
 *         spf-lookup [the same options] domain
 * fd 0    without a record and -d: the record
 * fd 1    tuple lines: of -d the record lines of the domain and of all that it
 *         includes; each term; warnings, errors; the cost
 * exit    0 good; 1 an error, no record, or over a limit of RFC 7208 section
 *         4.6.4; 100 usage; 111 no answer to be had now
 * rights  once started, no files; network: none, or with -d the resolver
 */
#include <unistd.h>

#include "addr/addr.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/tuple.h"
#include "spf/record.h"
#include "spf/spf.h"
#include "resolver.h"

#define OUT_MAX ((size_t)16 * 1024 * 1024)
#define RECORD_MAX ((size_t)64 * 1024) /* what a TXT record can hold */
/* Records looked into: loops end here, and no one needs so many. */
#define RECORDS_MAX 40
/* Section 3.4: what still fits an answer that every server can send. */
#define RECORD_FITS 450

struct parse {
	struct strbuf out;
	struct arena arena;
	bool expand;
	struct spf_macros macros;
	struct dns *dns; /* NULL without -d */
	struct dns_budget budget;
	unsigned records, lookups, unknown;
	bool error, temporary, authentic;
};

/* A record of the tree that -d looks into. */
struct node {
	struct slice domain, text;
	unsigned depth;
	bool all; /* seen so far */
};

static void look_into(struct parse *p, struct slice domain, unsigned depth);

/* The first attributes of each line; at counts from 1. */
static void
begin(struct parse *p, const char *type, const struct node *n,
    struct slice where)
{
	tuple_begin(&p->out, type);
	if (p->dns != NULL) {
		tuple_put(&p->out, "domain", n->domain);
		tuple_putu(&p->out, "depth", n->depth);
	}
	if (where.p != NULL && n->text.p != NULL)
		tuple_putu(&p->out, "at", (size_t)(where.p - n->text.p) + 1);
}

static void
say(struct parse *p, const char *type, const struct node *n,
    struct slice where, const char *text)
{
	begin(p, type, n, where);
	tuple_opt(&p->out, "term", where);
	tuple_puts(&p->out, "text", text);
	tuple_end(&p->out);
	if (strcmp(type, "error") == 0)
		p->error = true;
}

static struct slice
no_names(void *ctx)
{
	(void)ctx;
	return S("unknown");
}

/* The name that a domain-spec gives for -i, -f and -H. */
static bool
expanded(struct parse *p, const struct node *n, struct slice spec,
    struct slice *name)
{
	struct strbuf sb = STRBUF_INIT(SPF_EXPAND_MAX);
	int got;

	p->macros.domain = n->domain;
	got = spf_expand(spec, 0, &p->macros, &sb);
	*name = arena_copy(&p->arena, spf_name_fit(sb_slice(&sb)));
	sb_free(&sb);
	return got == 1;
}

static void
put_expanded(struct parse *p, const struct node *n, struct slice spec)
{
	struct slice name;

	if (p->expand && spec.n > 0)
		tuple_put(&p->out, "expanded",
		    expanded(p, n, spec, &name) ? name : SLICE_NONE);
}

/* What a term adds to the limit of ten (section 4.6.4). */
static unsigned
cost(bool asks, struct slice spec)
{
	return asks ? 1 + (spec.n > 0 && spf_uses(spec, "p")) : 0;
}

static void
put_network(struct parse *p, const struct spf_term *t)
{
	struct strbuf sb = STRBUF_INIT(64);

	ip_format(&sb, &t->ip);
	tuple_put(&p->out, "ip", sb_slice(&sb));
	tuple_putu(&p->out, "bits", t->kind == SPF_IP4 ? t->bits4 : t->bits6);
	sb_free(&sb);
}

static void
put_mechanism(struct parse *p, const struct node *n, const struct spf_term *t,
    unsigned lookups)
{
	static const char *const results[] = { "pass", "fail", "softfail",
		"neutral" };

	begin(p, "mechanism", n, t->text);
	tuple_puts(&p->out, "name", spf_kind_name(t->kind));
	tuple_puts(&p->out, "result",
	    results[slice_chr(S("+-~?"), (unsigned char)t->qualifier)]);
	if (t->kind == SPF_IP4 || t->kind == SPF_IP6)
		put_network(p, t);
	tuple_opt(&p->out, "spec", t->spec);
	if (t->kind == SPF_A || t->kind == SPF_MX) {
		tuple_putu(&p->out, "bits4", t->bits4);
		tuple_putu(&p->out, "bits6", t->bits6);
	}
	put_expanded(p, n, t->spec);
	tuple_putu(&p->out, "lookups", lookups);
	tuple_put(&p->out, "text", t->text);
	tuple_end(&p->out);
}

/* The record that an include or redirect leads to, if that can be said. */
static void
follow(struct parse *p, const struct node *n, struct slice where,
    struct slice spec)
{
	struct slice name = spec;

	if (p->dns == NULL)
		return;
	if (slice_chr(spec, '%') != -1 &&
	    !(p->expand && expanded(p, n, spec, &name))) {
		p->unknown++;
		say(p, "warning", n, where, "what it costs depends on the "
		    "message: try -e");
		return;
	}
	look_into(p, spf_name_fit(name), n->depth + 1);
}

static void
mechanism(struct parse *p, struct node *n, const struct spf_term *t)
{
	unsigned lookups = n->all ? 0 : cost(spf_kind_asks(t->kind), t->spec);

	put_mechanism(p, n, t, lookups);
	p->lookups += lookups;
	if (n->all)
		say(p, "warning", n, t->text, "stands behind all: never used");
	else if (t->kind == SPF_ALL && t->qualifier == '+')
		say(p, "warning", n, t->text, "every host of the world passes");
	else if (t->kind == SPF_PTR)
		say(p, "warning", n, t->text, "slow and not reliable: RFC 7208 "
		    "section 5.5 asks not to use it");
	else if (t->kind == SPF_INCLUDE)
		follow(p, n, t->text, t->spec);
	n->all = n->all || t->kind == SPF_ALL;
}

static void
put_modifier(struct parse *p, const struct node *n, const struct spf_item *i,
    unsigned lookups)
{
	begin(p, "modifier", n, i->text);
	tuple_put(&p->out, "name", i->name);
	tuple_put(&p->out, "value", i->value);
	put_expanded(p, n, i->value);
	tuple_putu(&p->out, "lookups", lookups);
	tuple_put(&p->out, "text", i->text);
	tuple_end(&p->out);
}

/* A modifier's place in the record does not matter: whether redirect counts is
 * known at the end. */
static void
modifier(struct parse *p, struct node *n, const struct spf_item *i,
    struct spf_item seen[2])
{
	bool redirect = slice_ieqs(i->name, "redirect");

	if (!redirect && !slice_ieqs(i->name, "exp")) {
		put_modifier(p, n, i, 0);
		say(p, "warning", n, i->text, "not a modifier of RFC 7208: has "
		    "no effect; a mechanism has a colon");
		return;
	}
	if (seen[redirect].text.n > 0) {
		say(p, "error", n, i->text, "modifier twice");
		return;
	}
	seen[redirect] = *i;
	if (!redirect)
		put_modifier(p, n, i, 0);
}

static void
finish_redirect(struct parse *p, struct node *n, const struct spf_item *i)
{
	unsigned lookups = n->all ? 0 : cost(true, i->value);

	put_modifier(p, n, i, lookups);
	if (n->all) {
		say(p, "warning", n, i->text, "not used: there is an all");
		return;
	}
	p->lookups += lookups;
	follow(p, n, i->text, i->value);
}

static void
parse_record(struct parse *p, struct node *n)
{
	struct slice in = spf_terms(n->text);
	struct spf_item i, seen[2] = { { .modifier = false } };
	const char *error;
	int got;

	if (!spf_is_record(n->text)) {
		say(p, "error", n, SLICE_NONE, "does not begin with v=spf1 and "
		    "a blank");
		return;
	}
	while ((got = spf_item_next(&in, &i, &error)) != 0) {
		if (got == -1)
			say(p, "error", n, i.text, error);
		else if (i.modifier)
			modifier(p, n, &i, seen);
		else
			mechanism(p, n, &i.term);
	}
	if (seen[1].text.n > 0)
		finish_redirect(p, n, &seen[1]);
	else if (!n->all)
		say(p, "warning", n, SLICE_NONE, "no all at its end: hosts that "
		    "match nothing get neutral");
	if (n->text.n > RECORD_FITS)
		say(p, "warning", n, SLICE_NONE, "long: the answer may not fit "
		    "a datagram of 512 bytes");
}

static void
doubt(struct parse *p, const struct node *n, const struct dns_answer *a)
{
	p->temporary = true;
	say(p, "error", n, SLICE_NONE, a->reason);
}

static void
look_into(struct parse *p, struct slice domain, unsigned depth)
{
	struct node n = { .domain = domain, .depth = depth };
	const struct dns_answer *a;
	size_t count = 0;

	if (p->records++ >= RECORDS_MAX)
		return;
	if (!spf_is_checkable(domain)) {
		say(p, "error", &n, SLICE_NONE, "not a domain that can have a "
		    "record");
		return;
	}
	a = dns_query(p->dns, &p->budget, domain, DNS_TXT, &p->arena);
	p->authentic = p->authentic && a->authentic;
	if (a->status != DNS_OK && a->status != DNS_NXDOMAIN &&
	    a->status != DNS_NODATA) {
		doubt(p, &n, a);
		return;
	}
	for (size_t i = 0; i < a->count; i++) {
		if (!spf_is_record(a->rr[i].text))
			continue;
		count++;
		n.text = a->rr[i].text;
		begin(p, "record", &n, SLICE_NONE);
		tuple_puts(&p->out, "dnssec", a->authentic ? "yes" : "no");
		tuple_put(&p->out, "text", n.text);
		tuple_end(&p->out);
	}
	if (count != 1)
		say(p, "error", &n, SLICE_NONE, count > 1 ?
		    "more than one SPF record" : a->count > 0 ?
		    "no SPF record" : a->reason);
	else
		parse_record(p, &n);
}

/* Section 4.6.4, if no term matches before the last; that is the worst case. */
static bool
put_cost(struct parse *p)
{
	bool over = p->lookups > SPF_TERMS_MAX || p->records > RECORDS_MAX;

	tuple_begin(&p->out, "cost");
	if (p->dns != NULL) {
		tuple_putu(&p->out, "records", p->records > RECORDS_MAX ?
		    RECORDS_MAX : p->records);
		tuple_puts(&p->out, "dnssec", p->authentic ? "yes" : "no");
	}
	tuple_putu(&p->out, "lookups", p->lookups);
	tuple_putu(&p->out, "most", SPF_TERMS_MAX);
	if (p->unknown > 0)
		tuple_putu(&p->out, "unknown", p->unknown);
	tuple_puts(&p->out, "result", over ? "over" : "ok");
	tuple_end(&p->out);
	return over;
}

/* -i, -f and -H, for the macros. */
static void
learn_message(struct parse *p, const char *ip, const char *from,
    const char *helo)
{
	struct slice text = slice_str(from);
	ptrdiff_t at = slice_rchr(text, '@');
	struct spf_macros *m = &p->macros;

	if (ip_parse(slice_str(ip), &m->ip) == -1)
		die(EXIT_PERM, "not an IP address: %s", ip);
	m->local = at > 0 ? slice_sub(text, 0, (size_t)at) : S("postmaster");
	m->sender_domain = slice_skip(text, (size_t)(at + 1));
	if (domain_ascii(m->sender_domain, &p->arena, &m->sender_domain) == -1)
		die(EXIT_PERM, "not an address: %s", from);
	m->helo = helo != NULL ? slice_str(helo) : m->sender_domain;
	m->receiver = S("unknown");
	m->time = clock_unix();
	m->validated = no_names;
	p->expand = true;
}

/* The operands as one record, or what standard input has. */
static struct slice
read_record(struct parse *p, char **word)
{
	struct strbuf sb = STRBUF_INIT(RECORD_MAX);
	struct slice text;

	if (*word == NULL && fd_slurp(STDIN_FILENO, &sb) == -1)
		die_sys(EXIT_PERM, "unable to read a record of at most 64 KiB");
	for (; *word != NULL; word++) {
		sb_puts(&sb, *word);
		if (word[1] != NULL)
			sb_putc(&sb, ' ');
	}
	text = sb_slice(&sb);
	while (text.n > 0 && (text.p[text.n - 1] == '\n' ||
	    text.p[text.n - 1] == '\r'))
		text.n--;
	text = arena_copy(&p->arena, text);
	sb_free(&sb);
	return text;
}

static void
run_record(struct parse *p, char **word)
{
	struct confine cage = { 0 };
	struct node n = { .depth = 0 };

	if (confine(&cage) == -1)
		die_sys(EXIT_TEMP, "unable to confine");
	n.text = read_record(p, word);
	n.domain = p->macros.sender_domain;
	parse_record(p, &n);
}

static void
run_domain(struct parse *p, const char *domain, const char *servers,
    const char *root)
{
	struct slice name;

	p->dns = resolver_begin(servers, root);
	if (domain_ascii(slice_str(domain), &p->arena, &name) == -1)
		die(EXIT_PERM, "not a domain name: %s", domain);
	dns_budget_init(&p->budget, DNS_MESSAGE_QUERIES, DNS_MESSAGE_MS);
	look_into(p, name, 0);
}

int
main(int argc, char **argv)
{
	struct parse p = { .out = STRBUF_INIT(OUT_MAX), .authentic = true };
	const char *ip = NULL, *from = NULL, *helo = NULL;
	const char *domain = NULL, *servers = NULL, *root = NULL;
	bool lookup, expand = false, over;
	int ch;

	prog_set(argv[0]);
	lookup = strcmp(prog_name(), "spf-lookup") == 0;
	prog_start(argc, argv, lookup ? "[-e] [-i ip] [-f address] [-H helo] "
	    "[-C root] [-s server] domain" : "[-e] [-i ip] [-f address] "
	    "[-H helo] [-C root] [-s server] [-d domain | record ...]",
	    "look into an SPF record: terms, errors, what it costs",
	    "files: none; network: none, or with -d DNS to the resolver");
	/* The first operand ends the options: records have words like -all. */
	while ((ch = getopt(argc, argv, "+C:d:ef:H:i:s:")) != -1)
		switch (ch) {
		case 'C': root = optarg; break;
		case 'd': domain = optarg; break;
		case 'e': expand = true; break;
		case 'f': from = optarg; break;
		case 'H': helo = optarg; break;
		case 'i': ip = optarg; break;
		case 's': servers = optarg; break;
		default: usage();
		}
	if (lookup && domain == NULL && argc - optind == 1)
		domain = argv[optind++];
	if ((lookup && domain == NULL) || (domain != NULL && argc != optind) ||
	    (expand && (ip == NULL || from == NULL)))
		usage();
	if (expand)
		learn_message(&p, ip, from, helo);
	if (domain != NULL)
		run_domain(&p, domain, servers, root);
	else
		run_record(&p, argv + optind);
	over = put_cost(&p);
	if (p.out.over || write_all(STDOUT_FILENO, sb_slice(&p.out)) == -1)
		die_sys(EXIT_TEMP, "unable to write");
	dns_close(p.dns);
	sb_free(&p.out);
	arena_free(&p.arena);
	return p.temporary ? EXIT_TEMP : p.error || over ? EXIT_NO : EXIT_DONE;
}
