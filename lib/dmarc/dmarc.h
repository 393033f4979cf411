/*
 * dmarc.h - policy discovery, alignment and verdict (RFC 9989)
 *
 * Organisational domains are found by the DNS tree walk of section 4.10: at
 * most 8 queries for the domain of From, and as many for each identity that
 * lies below its organisational domain without being equal to it. Or, as in
 * RFC 7489, by the public suffix list: at most 2 queries for a message.
 */
#ifndef DMARC_DMARC_H
#define DMARC_DMARC_H

#include <stdbool.h>

#include "addr/psl.h"
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
	struct psl *psl;      /* the list to use; NULL: the tree walk */
	struct strbuf *trace; /* tuple lines "step ..."; may be NULL */
};

enum dmarc_state {
	DMARC_ID_FAILED, /* not verified: it is only explained */
	DMARC_ID_OPEN,   /* a temporary error kept it from being verified */
	DMARC_ID_PASSED,
};

enum dmarc_aligned {
	DMARC_ALIGNED_NO, DMARC_ALIGNED_YES,
	DMARC_ALIGNED_UNKNOWN, /* the DNS does not say */
};

/* An identity that SPF or DKIM looked at. */
struct dmarc_identity {
	bool spf;            /* else DKIM */
	enum dmarc_state state;
	struct slice domain; /* canonical */
	struct slice result; /* what SPF or DKIM said, for people */
	enum dmarc_aligned aligned; /* set by dmarc_eval() */
	bool strict;         /* set: not aligned because of adkim=s, aspf=s */
};

/* What applies to a From domain. */
struct dmarc_found {
	bool found;
	struct dmarc_record record;
	struct slice text;   /* the record as published */
	struct slice policy_domain;
	/* Empty: not known, because the walk met trouble above the domain's
	 * own record. */
	struct slice org_domain;
	const char *org_why; /* what led to it; a constant */
	bool by_list;        /* found by the public suffix list */
	const char *trouble; /* what the walk met, or NULL; a constant */
	bool authentic;      /* every DNS answer used */
};

struct dmarc_answer {
	enum dmarc_result result;
	struct dmarc_found found;
	/* What the policy asks for this message, t=y applied. With a
	 * temperror: what it would be if no identity turns out to pass. */
	enum dmarc_policy disposition;
	enum dmarc_tag tag;  /* that gave the policy: p, sp or np */
	enum dmarc_policy asked; /* what it says; RFC 9989 4.10.1 applied */
	bool lowered;        /* by t=y */
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
 * Judge a message with one From domain. A temporary error counts only if the
 * identity would be aligned; and when the record itself cannot be had, an
 * identity that passes for the very domain of From makes the disposition none,
 * otherwise it is reject: with a temperror that asks for a temporary refusal.
 */
void dmarc_eval(const struct dmarc_ask *ask, struct slice domain,
    struct dmarc_identity *ids, size_t count, struct dmarc_answer *a);

/*
 * One or two sentences for an administrator: what led to the answer, and what
 * can be done.
 */
void dmarc_because(struct strbuf *text, struct slice domain,
    const struct dmarc_identity *ids, size_t count,
    const struct dmarc_answer *a);

/*
 * The organisational domain of any domain: 0, or -1 and *reason, a constant.
 */
int dmarc_org(const struct dmarc_ask *ask, struct slice domain,
    struct slice *org, const char **reason)
    __attribute__((warn_unused_result));

const char *dmarc_result_name(enum dmarc_result r);

#endif
