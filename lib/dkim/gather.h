/*
 * gather.h - what a message says of its DKIM signatures
 *
 * The half of verification that needs the message and nothing else: fields
 * cut, signatures read, header and body hashed. The other half (verify.h)
 * needs this and the DNS, not the message; so what is here can be written
 * down (record.h) and judged again later.
 */
#ifndef DKIM_GATHER_H
#define DKIM_GATHER_H

#include "addr/psl.h"
#include "dkim/sig.h"

/*
 * Signatures of a message that are considered, from the top: those nearest to
 * us. Each costs a DNS query and a public key operation. Mail that passed two
 * lists has six.
 */
#define DKIM_SIGNATURES_MAX 8

struct dkim_evidence {
	struct dkim_sig sig;
	const char *error;     /* it cannot be used: why; else NULL */
	size_t at;             /* offset in the message */
	bool suffix;           /* d= is a public suffix */
	/* There is a Subject, and h= does not name it. */
	bool subject_unsigned;
	/*
	 * A field that readers see or programs act on, and that a message has
	 * once (RFC 5322 section 3.6), occurs more often than h= names it: the
	 * one on top, which is shown, may be anybody's (RFC 6376 section
	 * 8.15). Its name, or NULL.
	 */
	const char *added;
	bool hashed_header, hashed_body;
	unsigned char header_hash[DKIM_HASH_SIZE], body_hash[DKIM_HASH_SIZE];
	uint64_t body_size;    /* canonical octets of the body in all */
};

struct dkim_gathered {
	const char *damage;    /* why the header cannot be read, or NULL */
	size_t count;          /* DKIM-Signature fields */
	/* Not the message's: the host lets a Subject be unsigned. Kept with the
	 * rest, for what it says later is another judgement. */
	bool subject_optional;
	struct dkim_evidence e[DKIM_SIGNATURES_MAX]; /* of the first of them */
	/* Empty when it comes from a record. */
	struct dkim_fields fields;
	struct slice body;
	bool live;             /* the message is there: bodies can be hashed */
};

/* Read the header and hash what the signatures cover. Slices are borrowed
 * from msg or arena memory. psl may be NULL. */
void dkim_gather(struct slice msg, struct psl *psl, struct arena *ar,
    struct dkim_gathered *g);
/* How many of the count are in e[]. */
size_t dkim_gathered_n(const struct dkim_gathered *g);

/*
 * Hash the body for the signatures with want[i]: one pass, once for each
 * canonical form, whatever the number of signatures. 0, or -1: out of memory.
 */
int dkim_gather_body(struct dkim_gathered *g,
    const bool want[DKIM_SIGNATURES_MAX]) __attribute__((warn_unused_result));

#endif
