/*
 * sig.h - the DKIM-Signature field (RFC 6376 section 3.5), and the hashes that
 * it speaks of
 */
#ifndef DKIM_SIG_H
#define DKIM_SIG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/slice.h"
#include "dkim/canon.h"
#include "dkim/key.h"
#include "imf/field.h"

/* Fields of a message looked at, and names in h=; real mail has a tenth. */
#define DKIM_FIELDS_MAX 4096u
#define DKIM_NAMES_MAX 512u
/* Octets of a header; each signature may cover all of it. */
#define DKIM_HEADER_MAX ((size_t)1024 * 1024)
/* Octets of a DKIM-Signature field. With RSA of 8192 bits and 100 names one
 * has 3,000; more is refused, so that a case file stays small. */
#define DKIM_FIELD_MAX ((size_t)8192)
#define DKIM_TOO_LONG "signature over 8 KiB"
/* l= of no signature is that long. */
#define DKIM_NO_LENGTH UINT64_MAX

struct dkim_sig {
	struct slice raw;       /* the field */
	struct slice alg_text, b_text; /* as given; b_text without blanks */
	enum dkim_alg alg;
	enum canon header, body;
	struct slice b, bh;     /* decoded */
	struct slice domain, selector; /* canonical */
	struct slice identity;  /* i=, or "@" and the domain */
	struct slice identity_domain;
	struct slice names;     /* h= */
	struct slice copied;    /* z=, or empty */
	uint64_t length;        /* l=, or DKIM_NO_LENGTH */
	int64_t made;           /* t=, or -1 */
	int64_t expires;        /* x=, or -1 */
};

/*
 * Read a signature: 0, or -1 with *error a constant, and what could be read
 * before (domain and selector may be empty). Slices are borrowed from the
 * field or are arena memory.
 */
int dkim_sig_parse(const struct field *f, struct arena *ar,
    struct dkim_sig *sig, const char **error)
    __attribute__((warn_unused_result));

/* How often the name is in h=. */
size_t dkim_signs(const struct dkim_sig *sig, const char *name);

/* The fields of a message in order. */
struct dkim_fields {
	struct field *f;
	size_t count;
};

/*
 * The fields that h= names, in its order, from the bottom up: *at gets an
 * index of fields for each name, or -1 where there is none (left). The
 * signature's own field is none of them (section 3.5). Arena memory. The
 * number of names, or -1: more than DKIM_NAMES_MAX.
 */
int dkim_select(const struct dkim_fields *fields, struct slice names,
    struct slice sig_raw, struct arena *ar, int **at)
    __attribute__((warn_unused_result));

/*
 * SHA-256 over the fields that h= names, from the bottom up, and the signature
 * itself (section 3.7): 0, or -1 (out of memory, too many names).
 */
int dkim_hash_header(const struct dkim_fields *fields, enum canon how,
    struct slice names, struct slice sig_raw, struct arena *ar,
    unsigned char hash[DKIM_HASH_SIZE]) __attribute__((warn_unused_result));
/* SHA-256 over the body. */
int dkim_hash_body(struct slice body, enum canon how,
    unsigned char hash[DKIM_HASH_SIZE]) __attribute__((warn_unused_result));

#endif
