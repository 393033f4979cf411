/*
 * key.h - DKIM keys: private ones in files, public ones in DNS
 */
#ifndef DKIM_KEY_H
#define DKIM_KEY_H

#include <openssl/evp.h>
#include <stdbool.h>

#include "base/arena.h"
#include "base/slice.h"
#include "base/strbuf.h"
#include "dkim/public.h"

enum dkim_alg { DKIM_RSA_SHA256, DKIM_ED25519_SHA256, DKIM_RSA_SHA1 };

/* RFC 8301 section 3.2: fewer bits are no signature. More than the most cost
 * a verifier more than any signer needs. */
#define DKIM_RSA_MIN 1024u
#define DKIM_RSA_MAX 8192u
#define DKIM_RSA_NEW 2048u
/* Octets of a key record; TXT records of real keys have under 1,000. */
#define DKIM_RECORD_MAX ((size_t)8192)

const char *dkim_alg_name(enum dkim_alg a);

/*
 * A key record, RFC 6376 section 3.6.1. Tags that are unknown mean nothing; so
 * does g= of RFC 4871, which RFC 6376 has no more.
 */
struct dkim_key {
	/* As given; p is NULL if absent. */
	struct slice v, k, h, s, t, n, p;
	struct dkim_public *public; /* NULL: revoked */
	bool ed25519;
	unsigned bits;
	bool testing;    /* t=y */
	bool strict;     /* t=s: no subdomains in i= */
	bool sha256;     /* h= allows it */
	bool email;      /* s= allows it */
};

/*
 * 1 and *k; 0 if the text is not a DKIM record at all; -1 if it is one that
 * cannot be used; at 0 and -1 *error is a constant that says why. The slices
 * of *k are borrowed from text. dkim_key_free() in any case.
 *
 * p= of RSA is a SubjectPublicKeyInfo, as everybody writes it, or the bare
 * RSAPublicKey that RFC 6376 section 3.6.1 asks for (erratum 3017): both are
 * the same key and neither can be mistaken for the other.
 */
int dkim_key_parse(struct slice text, struct dkim_key *k, const char **error)
    __attribute__((warn_unused_result));
void dkim_key_free(struct dkim_key *k);

/* A new private key; bits for RSA. NULL: bad size, or OpenSSL failed. */
EVP_PKEY *dkim_key_new(bool ed25519, unsigned bits);
/* A private key from PEM (PKCS#8 or PKCS#1), or NULL: neither RSA of enough
 * bits nor Ed25519, or encrypted. */
EVP_PKEY *dkim_key_read(struct slice pem);
/* PKCS#8 PEM: 0, or -1. */
int dkim_key_write(EVP_PKEY *key, struct strbuf *pem)
    __attribute__((warn_unused_result));
bool dkim_key_is_ed25519(const EVP_PKEY *key);

/* "v=DKIM1; k=rsa; h=sha256; p=..." for a private or public key: 0, or -1. */
int dkim_key_record(EVP_PKEY *key, struct strbuf *text)
    __attribute__((warn_unused_result));

#endif
