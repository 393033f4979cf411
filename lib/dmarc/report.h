/*
 * report.h - may reports go to the addresses of a record? (RFC 9990 section 3)
 *
 * Whoever publishes a record can name anybody's address in it, so an address
 * outside the organisation must consent: a record v=DMARC1 at
 * POLICY-DOMAIN._report._dmarc.HOST.
 */
#ifndef DMARC_REPORT_H
#define DMARC_REPORT_H

#include "dmarc/dmarc.h"

enum dmarc_consent {
	DMARC_CONSENT_OWN,     /* of the same organisation: none is needed */
	DMARC_CONSENT_YES,
	DMARC_CONSENT_NO,
	DMARC_CONSENT_UNKNOWN, /* the DNS does not say now */
	DMARC_CONSENT_BAD,     /* no mailto: URI of an address: not used */
};

struct dmarc_target {
	enum dmarc_consent consent;
	struct slice host;    /* canonical; empty with DMARC_CONSENT_BAD */
	struct slice address; /* of the mailto: URI, decoded; arena memory */
	struct slice name;    /* that was asked for consent; may be empty */
	/* The list of URIs that the consenting record names instead, as it
	 * stands; empty: use the one of the policy record. */
	struct slice instead;
	const char *reason;   /* a constant, unless own or yes */
};

/*
 * uri: an element of rua or ruf (tag) of the record *f, from dmarc_uri_next().
 * Each costs up to DMARC_WALK_MAX queries and one more.
 */
void dmarc_target(const struct dmarc_ask *ask, const struct dmarc_found *f,
    const char *tag, struct slice uri, struct dmarc_target *t);

const char *dmarc_consent_name(enum dmarc_consent c);

#endif
