/*
 * spf.h - check_host(): may this client use this domain? (RFC 7208)
 *
 * Limits of section 4.6.4: 10 terms that ask the DNS (include a mx ptr exists
 * redirect, and each term with %{p}), 2 of them without an answer, 10 names of
 * an MX or PTR answer. A term is without an answer if the query for its own
 * name has none; the hosts of an MX answer do not count. All queries also cost
 * the caller's DNS budget; when it is used up the result is temperror.
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

/* Why a check has no verdict. */
enum spf_why {
	SPF_WHY_VERDICT,      /* it has one */
	SPF_WHY_NO_CLIENT,    /* its address is not known */
	SPF_WHY_BAD_DOMAIN,   /* nothing that could have a record */
	SPF_WHY_NO_RECORD,
	SPF_WHY_TWO_RECORDS,
	SPF_WHY_SYNTAX,
	SPF_WHY_DNS,          /* no answer to be had now, or budget used up */
	SPF_WHY_LOOKUPS,      /* more than SPF_TERMS_MAX */
	SPF_WHY_VOIDS,        /* more than SPF_VOIDS_MAX */
	SPF_WHY_HOSTS,        /* an MX answer of more than SPF_HOSTS_MAX */
	SPF_WHY_INCLUDE,      /* include of a domain without a record */
	SPF_WHY_REDIRECT,     /* the same of redirect */
};

struct spf_ask {
	struct dns *dns;
	struct dns_budget *budget;
	struct arena *arena;
	const char *identity;  /* "helo" or "mailfrom", for texts */
	struct ip ip;          /* of the client; family 0: not known */
	struct slice client;   /* its name, for texts; may be empty */
	struct slice local;    /* of the sender, decoded; empty = postmaster */
	struct slice domain;   /* of the sender, canonical if it can be */
	struct slice helo;     /* as given, A-labels if it can be */
	struct slice receiver; /* name of this host; may be empty */
	int64_t time;          /* Unix seconds */
	struct strbuf *trace;  /* tuple lines "step ..."; may be NULL */
};

struct spf_answer {
	enum spf_result result;
	enum spf_why why;
	struct slice mech;     /* the term that matched; "default" if none did */
	struct slice reason;   /* of none, temperror, permerror */
	struct slice explanation; /* of a fail, printable ASCII, claimed by the
	                             domain; empty if it gives none */
	bool authentic;        /* every DNS answer that was used */
	/* Where it ended: a domain, its record, the term and its offset there;
	 * record and term are empty if it did not come to that. */
	struct slice domain, record, term;
	size_t at;
	unsigned lookups, voids; /* counted, section 4.6.4 */
	struct slice costs;    /* with trace: the terms that were counted */
	struct slice void_names; /* with trace: names without an answer */
};

/* Never fails: what goes wrong is temperror or permerror. Arena memory. */
void spf_check(const struct spf_ask *ask, struct spf_answer *a);

const char *spf_result_name(enum spf_result r);

/* The domain can have a record: more than one label, printable ASCII, none
 * empty or over 63 octets, no address literal (section 4.3). */
bool spf_is_checkable(struct slice domain);

/* One or two sentences about an answer, for an administrator. */
void spf_because(const struct spf_ask *ask, const struct spf_answer *a,
    struct strbuf *out);

#endif
