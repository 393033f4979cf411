/*
 * scram.h - what a server keeps for SCRAM, and its arithmetic (RFC 5802
 * section 3, RFC 7677)
 */
#ifndef SASL_SCRAM_H
#define SASL_SCRAM_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"
#include "base/strbuf.h"

enum scram_hash { SCRAM_SHA1, SCRAM_SHA256, SCRAM_HASHES };

#define SCRAM_KEY_MAX 32
#define SCRAM_SALT_MAX 64
/* Octets of a new salt. */
#define SCRAM_SALT 16
/*
 * A client pays this at every login without a cache, so a phone must do it
 * in well under a second; RFC 7677 asks for at least 4,096.
 */
#define SCRAM_ITERATIONS 20000
#define SCRAM_ITERATIONS_MAX 10000000u

struct scram_keys {
	unsigned iterations;
	size_t salt_n;
	unsigned char salt[SCRAM_SALT_MAX];
	unsigned char stored[SCRAM_KEY_MAX]; /* StoredKey */
	unsigned char server[SCRAM_KEY_MAX]; /* ServerKey */
};

/* Octets of a key: 20 or 32. */
size_t scram_size(enum scram_hash h);

/*
 * StoredKey and ServerKey from a prepared password and the salt and
 * iterations already in *k. Takes iterations times a microsecond or so.
 * 0, or -1 when the crypto library fails.
 */
int scram_derive(enum scram_hash h, struct slice password,
    struct scram_keys *k) __attribute__((warn_unused_result));

/* "ITERATIONS:SALT$STORED:SERVER" in base64, after RFC 5803. */
void scram_format(struct strbuf *sb, enum scram_hash h,
    const struct scram_keys *k);
/* The other way: 0, or -1 if the text is not of that form. */
int scram_parse(struct slice text, enum scram_hash h, struct scram_keys *k)
    __attribute__((warn_unused_result));

/*
 * Is this the proof of who knows the password? message is the AuthMessage.
 * Constant time. If true, sig gets the ServerSignature.
 */
bool scram_check(enum scram_hash h, const struct scram_keys *k,
    struct slice message, struct slice proof, unsigned char *sig);

/* HMAC with the hash; mac has room for SCRAM_KEY_MAX. 0, or -1. */
int scram_hmac(enum scram_hash h, struct slice key, struct slice data,
    unsigned char *mac) __attribute__((warn_unused_result));

#endif
