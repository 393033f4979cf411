/*
 * spf.h - check_host(): may this client use this domain? (RFC 7208)
 *
 * Limits of section 4.6.4: 10 terms that ask the DNS (include a mx ptr exists
 * redirect, and each term with %{p}), 2 of them without an answer, 10 names of
 * an MX or PTR answer. All queries also cost the caller's DNS budget; when it
 * is used up the result is temperror.
 */
#ifndef SPF_SPF_H
#define SPF_SPF_H

#include <stdbool.h>
#include <stdint.h>

#include "addr/addr.h"
#include "base/arena.h"
#include "base/strbuf.h"
#include "dns/dns.h"

#define SPF_TERMS_MAX 10
#define SPF_VOIDS_MAX 2
#define SPF_HOSTS_MAX 10
#define SPF_EXPLANATION_MAX 500 /* characters kept of a stranger's text */

enum spf_result {
	SPF_NONE, SPF_NEUTRAL, SPF_PASS, SPF_FAIL, SPF_SOFTFAIL,
	SPF_TEMPERROR, SPF_PERMERROR,
};

struct spf_ask {
	struct dns *dns;
	struct dns_budget *budget;
	struct arena *arena;
	struct ip ip;          /* of the client */
	struct slice local;    /* of the sender, decoded; empty = postmaster */
	struct slice domain;   /* of the sender, canonical if it can be */
	struct slice helo;     /* as given */
	struct slice receiver; /* name of this host; may be empty */
	int64_t time;          /* Unix seconds */
	struct strbuf *trace;  /* tuple lines "step ..."; may be NULL */
};

struct spf_answer {
	enum spf_result result;
	struct slice mech;     /* the term that matched; "default" if none did */
	struct slice reason;   /* of none, temperror, permerror */
	struct slice explanation; /* of a fail, printable ASCII, claimed by the
	                             domain; empty if it gives none */
	bool authentic;        /* every DNS answer that was used */
};

/* Never fails: what goes wrong is temperror or permerror. Arena memory. */
void spf_check(const struct spf_ask *ask, struct spf_answer *a);

const char *spf_result_name(enum spf_result r);

#endif
