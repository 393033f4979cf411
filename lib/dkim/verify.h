/*
 * verify.h - verifying DKIM signatures (RFC 6376 section 6, 8301, 8463, 8616)
 *
 * One result a signature, in the order of the fields. rsa-sha1 never passes
 * (RFC 8301). A signature is not looked into further and its result is policy
 * when what it vouches for can be changed by anybody: an existing Subject that
 * h= does not name, a second instance of a field that a message has once and
 * that h= names fewer times (section 8.15), or l= with more body behind it
 * (section 8.2). l= that covers the whole body passes: what section 8.2 fears
 * is text behind the signed part, and there is none in this copy.
 */
#ifndef DKIM_VERIFY_H
#define DKIM_VERIFY_H

#include "dkim/gather.h"
#include "dns/dns.h"

/* t= may be this far ahead of our clock; more is no honest signature (section
 * 3.5). */
#define DKIM_SKEW_SECONDS 86400

enum dkim_status {
	DKIM_NONE, /* no signature, or of a domain that is testing */
	DKIM_PASS,
	DKIM_FAIL,
	DKIM_POLICY,
	DKIM_TEMPERROR,
	DKIM_PERMERROR,
};

struct dkim_result {
	enum dkim_status status;
	const char *reason;  /* a constant or arena memory, NULL when passed */
	/* NULL for a message without signatures and for those over the limit. */
	const struct dkim_evidence *e;
	unsigned bits;       /* of the key, 0 unknown */
	bool dnssec;         /* the key record was authentic */
	/* For people; empty where it did not come so far. */
	struct slice query;  /* name of the key record */
	const struct dns_answer *answer;
	struct slice record; /* the one that was used, or was no good */
	bool header_good;    /* b= is the key's signature over the header */
};

const char *dkim_status_name(enum dkim_status s);

struct dkim_judge {
	int64_t now;          /* Unix time, for t= and x= */
	struct dns *dns;
	struct dns_budget *budget;
	struct arena *ar;
};

/*
 * Judge what was gathered; the body is hashed here, if a signature may still
 * pass. How many results were written to result[] (at least one: DKIM_NONE if
 * there is no signature or the header is damaged).
 */
size_t dkim_judge(const struct dkim_judge *j, struct dkim_gathered *g,
    struct dkim_result result[DKIM_SIGNATURES_MAX + 1]);

#endif
