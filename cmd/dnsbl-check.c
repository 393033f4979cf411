/*
 * dnsbl-check - what do lists in the DNS say about the client's address?
 * usage   dnsbl-check [-NRtvw] [-n] [-C root] [-s server] [-i ip] [zone [ip]]
 * fd 0    a job or a bare message; with -w, a SOCK_SEQPACKET socket of jobs;
 *         with -n, -t or an ip, not used; with -R, the envelope of a case
 * fd 1    the job with a dnsbl line for each list added, or those lines alone;
 *         with -t, a dnsbl-health line for each list and family
 * exit    0 on no block-list (-t: healthy), 1 on one (-t: not healthy);
 *         100 usage, 111 a list did not say; as a filter 0 whatever the result
 * rights  user pneu-dns; once started, no files; network: the resolver
 */
#include <sys/socket.h>
#include <unistd.h>

#include "addr/addr.h"
#include "base/clock.h"
#include "base/die.h"
#include "base/file.h"
#include "base/log.h"
#include "dns/dnsxl.h"
#include "stage/stage.h"
#include "resolver.h"

/* For which a worker remembers that a list is well, and that it did not say. */
#define HEALTH_MS (4 * 3600 * 1000)
#define UNKNOWN_MS (5 * 60 * 1000)
/* A silent server is given up before this (lib/dns/budget.h). */
#define HEALTH_WAIT_MS 10000
#define TRACE_MAX ((size_t)64 * 1024)
#define TEXT_MAX ((size_t)2048)

enum state { UNKNOWN, HEALTHY, UNHEALTHY };

struct health {
	enum state state;
	const char *reason; /* UNHEALTHY: constant text */
	int64_t until;      /* clock_ms() */
};

struct list {
	struct dnsxl x;
	bool allow;
	struct health health[2]; /* IPv4, IPv6 */
};

struct checker {
	struct dns *dns;
	struct list list[DNSXL_LISTS_MAX];
	size_t count;
	struct arena arena; /* of the lists */
};

/* One job. */
struct work {
	struct checker *c;
	struct job *job;
	struct ip ip;
	struct strbuf trace;
	struct dns_budget budget;
	struct list *list;
	size_t count;
	struct dnsxl_answer answer[DNSXL_LISTS_MAX];
	bool authentic[DNSXL_LISTS_MAX];
};

static const char *const result_names[] = { "clear", "listed", "error" };
static const char *const state_names[] = { "unknown", "healthy", "unhealthy" };

/* ---- asking ---- */

static void
start(struct checker *c, struct dns_budget *b, const struct ip *ip,
    struct slice zone, enum dns_type type)
{
	struct strbuf name = STRBUF_INIT(512);

	dnsxl_name(&name, ip, zone);
	dns_prefetch(c->dns, b, sb_slice(&name), type);
	sb_free(&name);
}

/* trace: NULL, or where a step line goes. */
static const struct dns_answer *
ask(struct checker *c, struct dns_budget *b, const struct ip *ip,
    struct slice zone, enum dns_type type, struct strbuf *trace,
    struct arena *ar)
{
	struct strbuf name = STRBUF_INIT(512);
	const struct dns_answer *a;

	dnsxl_name(&name, ip, zone);
	a = dns_query(c->dns, b, sb_slice(&name), type, ar);
	if (trace != NULL) {
		tuple_begin(trace, "step");
		tuple_puts(trace, "check", "dnsbl");
		tuple_puts(trace, "type", dns_type_name(type));
		tuple_put(trace, "name", sb_slice(&name));
		tuple_puts(trace, "status", dns_status_name(a->status));
		tuple_putu(trace, "records", a->count);
		tuple_puts(trace, "dnssec", a->authentic ? "yes" : "no");
		tuple_opt(trace, "note", slice_str(a->reason));
		tuple_end(trace);
	}
	sb_free(&name);
	return a;
}

/* ---- health (RFC 5782 section 5) ---- */

/* What the answers for test entry 1 and 2 say. */
static void
judge_health(const struct dnsxl *x, const struct dns_answer *absent,
    const struct dns_answer *present, struct arena *ar, struct health *h)
{
	struct dnsxl any = { .zone = x->zone }, all = any;
	struct dnsxl_answer one, two;

	dnsxl_read(&all, absent, ar, &one);
	dnsxl_read(&any, present, ar, &two);
	*h = (struct health){ .state = UNHEALTHY,
		.until = clock_ms() + HEALTH_MS };
	if (one.temporary || two.temporary) {
		h->state = UNKNOWN;
		h->until = clock_ms() + UNKNOWN_MS;
		h->reason = one.temporary ? one.reason : two.reason;
	} else if (one.result == DNSXL_ERROR || two.result == DNSXL_ERROR)
		h->reason = one.result == DNSXL_ERROR ? one.reason :
		    two.reason;
	else if (one.result == DNSXL_LISTED)
		h->reason = "its test entry 1, which must not be listed, is: "
		    "it lists everything";
	else if (two.result == DNSXL_CLEAR)
		h->reason = "its test entry 2, which must be listed, is not: "
		    "it is no list, or none for this kind of address";
	else
		h->state = HEALTHY;
}

static void
log_unhealthy(const struct list *l, int family)
{
	const struct health *h = &l->health[family == AF_INET6];
	struct strbuf *line;

	if (h->state != UNHEALTHY)
		return;
	line = log_begin("dnsbl-unhealthy");
	tuple_put(line, "zone", l->x.zone);
	tuple_puts(line, "family", family == AF_INET ? "ipv4" : "ipv6");
	tuple_puts(line, "reason", h->reason);
	tuple_puts(line, "text", "not asked for the next 4 hours; take it out "
	    "of conf/host if this stays");
	log_end();
}

/* Make sure that the health of each list is known for the family. */
static void
look_after(struct checker *c, struct list *list, size_t count, int family,
    struct strbuf *trace, struct arena *ar)
{
	const struct ip one = dnsxl_test_ip(family, 1);
	const struct ip two = dnsxl_test_ip(family, 2);
	int64_t now = clock_ms();
	bool due[DNSXL_LISTS_MAX];
	struct dns_budget b;

	dns_budget_init(&b, 2 * DNSXL_LISTS_MAX, HEALTH_WAIT_MS);
	for (size_t i = 0; i < count; i++) {
		due[i] = list[i].health[family == AF_INET6].until <= now;
		if (!due[i])
			continue;
		start(c, &b, &one, list[i].x.zone, DNS_A);
		start(c, &b, &two, list[i].x.zone, DNS_A);
	}
	for (size_t i = 0; i < count; i++) {
		const struct dns_answer *first;

		if (!due[i])
			continue;
		first = ask(c, &b, &one, list[i].x.zone, DNS_A, trace, ar);
		judge_health(&list[i].x, first, ask(c, &b, &two,
		    list[i].x.zone, DNS_A, trace, ar), ar,
		    &list[i].health[family == AF_INET6]);
		log_unhealthy(&list[i], family);
	}
	dns_forget(c->dns);
}

/* ---- the job ---- */

/* The lists that a case names, and what it says of their health. */
static void
lists_of_case(struct work *w)
{
	const struct tuple *t = NULL;

	w->list = arena_alloc(w->job->arena,
	    DNSXL_LISTS_MAX * sizeof(*w->list));
	while (w->count < DNSXL_LISTS_MAX &&
	    (t = job_next(w->job->whole, "dnsbl", t)) != NULL) {
		struct list *l = &w->list[w->count];

		*l = (struct list){ .allow = tuple_has(t, "kind", "allow") };
		if (dnsxl_parse(tuple_value(t, "zone"), w->job->arena,
		    &l->x) != NULL)
			continue;
		w->count++;
		if (!tuple_has(t, "result", "unhealthy"))
			continue;
		l->health[0] = (struct health){ .state = UNHEALTHY,
			.reason = arena_cstr(w->job->arena,
			    tuple_value(t, "reason")) };
		l->health[1] = l->health[0];
	}
}

static const struct health *
health_of(const struct work *w, size_t i)
{
	return &w->list[i].health[w->ip.family == AF_INET6];
}

/* Why, for people. */
static void
put_because(struct work *w, size_t i, const char *result, struct slice text)
{
	const struct list *l = &w->list[i];
	const struct dnsxl_answer *a = &w->answer[i];
	struct strbuf sb = STRBUF_INIT(TEXT_MAX), ip = STRBUF_INIT(64);

	ip_format(&ip, &w->ip);
	sb_put(&sb, l->x.zone);
	if (health_of(w, i)->state == UNHEALTHY)
		sb_printf(&sb, " fails its own test: %s. What it says is not "
		    "used; take it out of conf/host if this stays.",
		    health_of(w, i)->reason);
	else if (a->result == DNSXL_ERROR)
		sb_printf(&sb, " did not say anything that can be used: %s.%s",
		    a->reason, slice_eqs(a->codes, "") ? "" : " Lists refuse "
		    "resolvers that many share or that ask too much; use one "
		    "of your own.");
	else if (a->result == DNSXL_CLEAR)
		sb_printf(&sb, " does not list %s%s.", sb_cstr(&ip),
		    a->codes.n == 0 ? "" : " with a code that counts here");
	else {
		sb_printf(&sb, " %s %s", l->allow ? "vouches for" : "lists",
		    sb_cstr(&ip));
		if (text.n != 0) {
			sb_puts(&sb, " and says: ");
			sb_put(&sb, text);
		}
		sb_puts(&sb, l->allow ? "." :
		    ". Only who runs the list can take the address off it.");
	}
	tuple_begin(&w->trace, "because");
	tuple_puts(&w->trace, "check", "dnsbl");
	tuple_puts(&w->trace, "result", result);
	tuple_put(&w->trace, "zone", l->x.zone);
	tuple_put(&w->trace, "text", sb_slice(&sb));
	tuple_end(&w->trace);
	sb_free(&sb);
	sb_free(&ip);
}

static struct strbuf *
trace_of(struct work *w)
{
	return w->job->verbose ? &w->trace : NULL;
}

static void
put_list(struct work *w, size_t i, struct strbuf *out)
{
	const struct list *l = &w->list[i];
	const struct health *h = health_of(w, i);
	const struct dnsxl_answer *a = &w->answer[i];
	const char *result = h->state == UNHEALTHY ? "unhealthy" :
	    result_names[a->result];
	struct slice text = slice_str(h->state == UNHEALTHY ? h->reason :
	    a->reason);
	struct strbuf zone = STRBUF_INIT(TEXT_MAX);

	if (h->state != UNHEALTHY && a->result == DNSXL_LISTED)
		text = dnsxl_text(ask(w->c, &w->budget, &w->ip, l->x.zone,
		    DNS_TXT, trace_of(w), w->job->arena), w->job->arena);
	dnsxl_format(&zone, &l->x);
	tuple_begin(out, "dnsbl");
	tuple_put(out, "zone", sb_slice(&zone));
	tuple_puts(out, "result", result);
	tuple_puts(out, "kind", l->allow ? "allow" : "block");
	tuple_opt(out, "code", a->codes);
	tuple_opt(out, "reason", text);
	tuple_puts(out, "dnssec", w->authentic[i] ? "yes" : "no");
	tuple_end(out);
	if (w->job->verbose)
		put_because(w, i, result, text);
	sb_free(&zone);
}

static void
ask_all(struct work *w)
{
	struct arena *ar = w->job->arena;

	for (size_t i = 0; i < w->count; i++)
		if (health_of(w, i)->state != UNHEALTHY)
			start(w->c, &w->budget, &w->ip, w->list[i].x.zone,
			    DNS_A);
	for (size_t i = 0; i < w->count; i++) {
		const struct dns_answer *a;

		if (health_of(w, i)->state == UNHEALTHY)
			continue;
		a = ask(w->c, &w->budget, &w->ip, w->list[i].x.zone, DNS_A,
		    trace_of(w), ar);
		dnsxl_read(&w->list[i].x, a, ar, &w->answer[i]);
		w->authentic[i] = a->authentic;
		if (w->answer[i].result == DNSXL_LISTED)
			start(w->c, &w->budget, &w->ip, w->list[i].x.zone,
			    DNS_TXT);
	}
}

static int
run(void *ctx, struct job *j, struct strbuf *out)
{
	struct checker *c = ctx;
	struct work w = { .c = c, .job = j, .trace = STRBUF_INIT(TRACE_MAX),
		.list = c->list, .count = c->count };

	if (j->whole != NULL && !j->live)
		lists_of_case(&w);
	if (w.count == 0)
		return EXIT_DONE;
	if (ip_parse(job_get(j, "client", "ip"), &w.ip) == -1) {
		w.ip.family = 0;
		for (size_t i = 0; i < w.count; i++)
			w.answer[i] = (struct dnsxl_answer){
				.result = DNSXL_ERROR,
				.reason = "client address unknown" };
	} else if (j->whole == NULL || j->live)
		look_after(c, c->list, c->count, w.ip.family, trace_of(&w),
		    j->arena);
	resolver_job(c->dns, j, DNS_DNSBL, &w.budget);
	if (w.ip.family != 0)
		ask_all(&w);
	for (size_t i = 0; i < w.count; i++) {
		put_list(&w, i, out);
		if (w.list[i].allow)
			continue;
		j->unfavourable = j->unfavourable ||
		    w.answer[i].result == DNSXL_LISTED;
		j->doubtful = j->doubtful ||
		    w.answer[i].result == DNSXL_ERROR ||
		    health_of(&w, i)->state == UNHEALTHY;
	}
	j->doubtful = j->doubtful && !j->unfavourable;
	resolver_done(c->dns, out);
	if (w.trace.n > 0 &&
	    write_all(STDERR_FILENO, sb_slice(&w.trace)) == -1)
		j->verbose = false;
	sb_free(&w.trace);
	return EXIT_DONE;
}

/* ---- start ---- */

static void
add_list(struct checker *c, struct slice text, bool allow)
{
	struct list *l = &c->list[c->count];
	const char *wrong;

	if (c->count == DNSXL_LISTS_MAX) {
		log_error("more than %d lists: %.*s is not asked",
		    DNSXL_LISTS_MAX, SLICE_ARG(text));
		return;
	}
	*l = (struct list){ .allow = allow };
	wrong = dnsxl_parse(text, &c->arena, &l->x);
	if (wrong != NULL)
		die(EXIT_PERM, "%.*s: %s", SLICE_ARG(text), wrong);
	c->count++;
}

/* Those of conf/host, if there is an instance. */
static void
learn_lists(struct checker *c, const char *root)
{
	static const char *const attrs[] = { "dnsbl", "dnswl" };
	struct slice text[DNSXL_LISTS_MAX + 1];
	struct conf *conf = conf_open(root);

	if (conf == NULL)
		return;
	for (size_t k = 0; k < 2; k++) {
		size_t n = conf_host_all(conf, attrs[k], text,
		    DNSXL_LISTS_MAX + 1);

		for (size_t i = 0; i < n; i++)
			add_list(c, arena_copy(&c->arena, text[i]), k == 1);
	}
	conf_close(conf);
}

static int
health_line(const struct list *l, int family, struct strbuf *out)
{
	const struct health *h = &l->health[family == AF_INET6];

	tuple_begin(out, "dnsbl-health");
	tuple_put(out, "zone", l->x.zone);
	tuple_puts(out, "family", family == AF_INET ? "ipv4" : "ipv6");
	tuple_puts(out, "result", state_names[h->state]);
	tuple_opt(out, "reason", slice_str(h->reason));
	tuple_end(out);
	return h->state == HEALTHY ? EXIT_DONE :
	    h->state == UNHEALTHY ? EXIT_NO : EXIT_TEMP;
}

/* -t: the lists and nothing else. A list of one family alone is a good one. */
static int
test_lists(struct checker *c, const char *address, bool verbose)
{
	struct strbuf out = STRBUF_INIT(TRACE_MAX);
	struct strbuf trace = STRBUF_INIT(TRACE_MAX);
	int family[] = { AF_INET, AF_INET6 }, worst = EXIT_DONE;
	size_t families = 2;
	struct ip ip;

	if (address != NULL) {
		if (ip_parse(slice_str(address), &ip) == -1)
			die(EXIT_PERM, "not an IP address: %s", address);
		family[0] = ip.family;
		families = 1;
	}
	for (size_t f = 0; f < families; f++)
		look_after(c, c->list, c->count, family[f],
		    verbose ? &trace : NULL, &c->arena);
	for (size_t i = 0; i < c->count; i++) {
		int best = EXIT_TEMP;

		for (size_t f = 0; f < families; f++) {
			int one = health_line(&c->list[i], family[f], &out);

			best = one < best ? one : best;
		}
		worst = best > worst ? best : worst;
	}
	if (write_all(STDERR_FILENO, sb_slice(&trace)) == -1 ||
	    write_all(STDOUT_FILENO, sb_slice(&out)) == -1)
		die_sys(EXIT_TEMP, "unable to write");
	sb_free(&trace);
	sb_free(&out);
	return worst;
}

/* Options and operands: is it -t? */
static bool
options(int argc, char **argv, struct checker *c, struct stage_opts *o,
    const char **servers, const char **address)
{
	const char *root = NULL;
	bool test = false;
	int ch;

	while ((ch = getopt(argc, argv, "C:NRs:t" STAGE_OPTS)) != -1)
		switch (ch) {
		case 'C': root = optarg; break;
		case 'N': o->live = true; break;
		case 'R': o->replay = true; break;
		case 's': *servers = optarg; break;
		case 't': test = true; break;
		default:
			if (!stage_option(o, ch, optarg))
				usage();
		}
	if (argc - optind > 2 || ((o->replay || o->live) && (optind < argc ||
	    test)) || (test && (o->given || o->worker)))
		usage();
	*address = argc - optind == 2 ? argv[optind + 1] : NULL;
	if (*address != NULL && !test &&
	    (!stage_option(o, 'n', NULL) || !stage_option(o, 'i', *address)))
		usage();
	if (optind < argc)
		add_list(c, slice_str(argv[optind]), false);
	else if (!o->replay)
		learn_lists(c, conf_root(root));
	/* As a filter it may have nothing to do; a person wants an answer. */
	if (c->count == 0 && (o->given || test))
		die(EXIT_PERM, "no list: name its zone, or set dnsbl= in "
		    "conf/host");
	c->dns = resolver_start(o, *servers, root);
	return test;
}

int
main(int argc, char **argv)
{
	static struct checker c;
	const struct stage s = { .name = "dnsbl-check", .types = "dnsbl,dns",
		.quiet = "dns", .run = run, .ctx = &c,
		.skip_message = true, .skip_parts = true };
	struct stage_opts o = { 0 };
	const char *servers = NULL, *address;

	prog_start(argc, argv, "[-NRtvw] [-n] [-C root] [-s server] [-i ip] "
	    "[zone [ip]]",
	    "what do lists in the DNS say about the client's address?",
	    "files: none; network: DNS to the resolver");
	if (options(argc, argv, &c, &o, &servers, &address))
		return test_lists(&c, address, o.verbose);
	return stage_main(&s, &o);
}
