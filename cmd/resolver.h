/*
 * resolver.h - what programs that only ask DNS have in common
 *
 * A stage opens its resolver with resolver_start(): with -R (replay) one that
 * knows what the case has, with -N one that asks today. Its run() begins with resolver_job() and ends with
 * resolver_done(), behind its own lines; in between it asks with dns_query() and
 * the budget. Whether the answers come from the DNS or from the case makes no
 * difference to it.
 */
#ifndef CMD_RESOLVER_H
#define CMD_RESOLVER_H

#include <assert.h>

#include "base/confine.h"
#include "base/die.h"
#include "conf/conf.h"
#include "conf/resolver.h"
#include "dns/budget.h"
#include "stage/stage.h"

/*
 * The resolver of option -s (NULL: not given), else of the instance, and from
 * here on no file and no network but DNS. Ends the program if it cannot.
 */
static inline struct dns *
resolver_begin(const char *servers, const char *root)
{
	struct dns *d = resolver_open(servers, conf_root(root));
	uint16_t ports[DNS_SERVERS_MAX + 1];
	const struct confine cage = { .flags = CONFINE_DNS, .ports = ports };

	if (d == NULL)
		die_sys(EXIT_PERM, "unable to use resolver %s",
		    servers != NULL ? servers : "of conf or resolv.conf");
	dns_ports(d, ports);
	if (confine(&cage) == -1)
		die_sys(EXIT_TEMP, "unable to confine");
	return d;
}

/* One that knows what the case has; from here on no file and no network. */
static inline struct dns *
resolver_replay(void)
{
	const struct confine cage = { 0 };

	if (confine(&cage) == -1)
		die_sys(EXIT_TEMP, "unable to confine");
	return dns_replay_open();
}

/* What options -R and -N ask for; both want no option of another face. */
static inline struct dns *
resolver_start(const struct stage_opts *o, const char *servers,
    const char *root)
{
	if ((o->replay || o->live) && (o->given || o->worker))
		usage();
	return o->replay && !o->live ? resolver_replay() :
	    resolver_begin(servers, root);
}

/*
 * A job begins: its budget (lib/dns/budget.h); and what is asked is noted, or
 * with -R the answers are those of the case.
 */
static inline void
resolver_job(struct dns *d, const struct job *j, enum dns_stage stage,
    struct dns_budget *budget)
{
	const struct dns_allowance *may = &dns_allowance[stage];
	const struct tuple *bad = NULL;

	dns_budget_init(budget, may->queries, may->ms);
	budget->bytes = may->bytes;
	budget->most = may->most;
	if (!dns_replays(d)) {
		dns_note(d, may->by, j->arena);
		return;
	}
	assert(j->whole != NULL); /* stage_main() sees to it */
	if (dns_replay_load(d, may->by, j->whole->rec, j->whole->count,
	    j->arena, &bad) == -1)
		die(EXIT_PERM, "bad dns record in line %u of the case",
		    bad->line);
}

/* The job ends: its `dns' lines behind the stage's own ones (-R: none). */
static inline void
resolver_done(struct dns *d, struct strbuf *out)
{
	sb_put(out, dns_noted(d));
	dns_forget(d);
}

#endif
