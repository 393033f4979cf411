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

#define DKIM_HASH_SIZE 32
/* Fields of a message looked at, and names in h=; real mail has a tenth. */
#define DKIM_FIELDS_MAX 4096u
#define DKIM_NAMES_MAX 512u

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
	bool has_length;        /* l= is there */
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

/* Is the name in h=? */
bool dkim_signs(const struct dkim_sig *sig, const char *name);

/* The fields of a message in order. */
struct dkim_fields {
	struct field *f;
	size_t count;
};

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
