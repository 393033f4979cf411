/*
 * dmarc.h - policy discovery, alignment and verdict (RFC 9989)
 *
 * Organisational domains are found by the DNS tree walk of section 4.10: at
 * most 8 queries for the domain of From, and as many for each identity that
 * lies below its organisational domain without being equal to it.
 */
#ifndef DMARC_DMARC_H
#define DMARC_DMARC_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/strbuf.h"
#include "dmarc/record.h"
#include "dns/dns.h"

#define DMARC_WALK_MAX 8 /* section 4.10 */

enum dmarc_result {
	DMARC_R_NONE, DMARC_R_PASS, DMARC_R_FAIL, DMARC_R_TEMPERROR,
	DMARC_R_PERMERROR,
};

struct dmarc_ask {
	struct dns *dns;
	struct dns_budget *budget;
	struct arena *arena;
	struct strbuf *trace; /* tuple lines "step ..."; may be NULL */
};

/* An identity that SPF or DKIM looked at. */
struct dmarc_identity {
	bool spf;            /* else DKIM */
	bool pass;           /* verified; else: a temporary error kept it open */
	struct slice domain; /* canonical */
};

/* What applies to a From domain. */
struct dmarc_found {
	bool found;
	struct dmarc_record record;
	struct slice text;   /* the record as published */
	struct slice policy_domain;
	struct slice org_domain;
	bool authentic;      /* every DNS answer used */
};

struct dmarc_answer {
	enum dmarc_result result;
	struct dmarc_found found;
	/* What the policy asks for this message, t=y applied. With a
	 * temperror: what it would be if no identity turns out to pass. */
	enum dmarc_policy disposition;
	bool aligned_spf, aligned_dkim;
	bool authentic;
	const char *reason;  /* a constant; NULL with pass and fail */
};

/*
 * Find the record for a domain (canonical). 0, or -1 and *reason, a constant:
 * the DNS does not say now.
 */
int dmarc_discover(const struct dmarc_ask *ask, struct slice domain,
    struct dmarc_found *f, const char **reason)
    __attribute__((warn_unused_result));

/*
 * Judge a message with one From domain. Identities that fail are not given.
 * A temporary error counts only if the identity would be aligned; and when
 * the record itself cannot be had, an identity that passes for the very
 * domain of From makes the disposition none, otherwise it is reject: with a
 * temperror that asks for a temporary refusal.
 */
void dmarc_eval(const struct dmarc_ask *ask, struct slice domain,
    const struct dmarc_identity *ids, size_t count, struct dmarc_answer *a);

const char *dmarc_result_name(enum dmarc_result r);

#endif
