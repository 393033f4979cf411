/*
 * verify.h - verifying DKIM signatures (RFC 6376 section 6, 8301, 8463, 8616)
 *
 * One result a signature, in the order of the fields. rsa-sha1 never passes
 * (RFC 8301). A signature with l=, or one that leaves an existing Subject
 * unsigned, is not looked into further: policy, since what it vouches for can
 * be changed.
 */
#ifndef DKIM_VERIFY_H
#define DKIM_VERIFY_H

#include "dkim/sig.h"
#include "dns/dns.h"

/*
 * Signatures of a message that are considered, from the top: those nearest to
 * us. Each costs a DNS query and a public key operation.
 */
#define DKIM_SIGNATURES_MAX 8

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
	const char *reason;  /* a constant, NULL when passed */
	struct dkim_sig sig; /* domain empty if it could not be read */
	unsigned bits;       /* of the key, 0 unknown */
	bool dnssec;         /* the key record was authentic */
	/* For people; empty where it did not come so far. */
	struct slice query, record;
	unsigned char header_hash[DKIM_HASH_SIZE], body_hash[DKIM_HASH_SIZE];
	bool hashed_header, hashed_body;
};

const char *dkim_status_name(enum dkim_status s);

/*
 * Verify the signatures of a message: how many results were written to
 * result[] (at least one: DKIM_NONE if there is no signature or the header is
 * damaged). now is Unix time for x=.
 */
size_t dkim_verify(struct slice msg, int64_t now, struct dns *dns,
    struct dns_budget *budget, struct arena *ar,
    struct dkim_result result[DKIM_SIGNATURES_MAX + 1]);

#endif
