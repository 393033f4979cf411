/*
 * public.h - public keys, ready to verify with
 *
 * To decode an RSA key and to make it ready costs OpenSSL 3 several times what
 * to verify a signature with it does, and much mail comes from few signers. So
 * keys met last are kept, by the text of p=, which is compared whole: a key
 * kept is the key given.
 */
#ifndef DKIM_PUBLIC_H
#define DKIM_PUBLIC_H

#include <openssl/evp.h>
#include <stdbool.h>

#include "base/slice.h"
#include "base/strbuf.h"

#define DKIM_HASH_SIZE 32
#define DKIM_ED25519_SIZE 32

struct dkim_public {
	EVP_PKEY *pkey;
	EVP_PKEY_CTX *ready;  /* RSA, after the first time */
	unsigned char raw[DKIM_ED25519_SIZE]; /* Ed25519 */
	bool ed25519;
	unsigned bits;
	struct strbuf text;   /* p= */
	unsigned holders;
};

/*
 * The key of p=, base64 with blanks: dkim_public_close() it; or NULL and *error,
 * a constant.
 */
struct dkim_public *dkim_public_open(struct slice p, bool ed25519,
    const char **error) __attribute__((warn_unused_result));
void dkim_public_close(struct dkim_public *k); /* may be NULL */

/* Is sig the key's signature over this SHA-256 hash? */
bool dkim_public_verifies(struct dkim_public *k, struct slice sig,
    const unsigned char hash[DKIM_HASH_SIZE]);

/* SHA-256, looked up once: OpenSSL 3 searches for EVP_sha256() at each use. */
const EVP_MD *dkim_sha256(void);

#endif
