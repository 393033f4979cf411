#include "dkim/public.h"

#include <openssl/err.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "dkim/taglist.h"

/* Octets of a decoded p=; RSA of 8192 bits has 1,062. */
#define KEY_MAX ((size_t)8192)
#define KEYS_KEPT 64 /* under 8 KiB each */

const EVP_MD *
dkim_sha256(void)
{
	static EVP_MD *md; /* for as long as the process lives */

	if (md == NULL)
		md = EVP_MD_fetch(NULL, "SHA256", NULL);
	return md != NULL ? md : EVP_sha256();
}

/* A DER element off *in, with a length of one to three octets, and its
 * content. */
static bool
der_take(struct slice *in, unsigned char tag, struct slice *content)
{
	size_t n, head = 2;

	if (in->n < 2 || in->p[0] != tag)
		return false;
	n = in->p[1];
	if (n > 0x80 && n <= 0x82 && in->n >= 2 + (n & 0x7f)) {
		head += n & 0x7f;
		n = head == 3 ? in->p[2] :
		    (size_t)in->p[2] << 8 | in->p[3];
	} else if (n >= 0x80)
		return false;
	if (n > in->n - head)
		return false;
	*content = slice_sub(*in, head, n);
	*in = slice_skip(*in, head + n);
	return true;
}

/*
 * The RSA key inside a SubjectPublicKeyInfo for rsaEncryption (RFC 3279 section
 * 2.3.1). d2i_PUBKEY() can do that, but takes four times as long as the rest of
 * a verification, to find out what kind of key it has.
 */
static bool
rsa_inside(struct slice der, struct slice *key)
{
	static const unsigned char algorithm[] = { 0x06, 0x09, 0x2a, 0x86,
		0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00 };
	struct slice all, part;

	if (!der_take(&der, 0x30, &all) || der.n != 0 ||
	    !der_take(&all, 0x30, &part) ||
	    !slice_eq(part, slice_of(algorithm, sizeof(algorithm))) ||
	    !der_take(&all, 0x03, &part) || all.n != 0 ||
	    part.n == 0 || part.p[0] != 0)
		return false;
	*key = slice_skip(part, 1);
	return true;
}

/* p= of RSA is a SubjectPublicKeyInfo, or (erratum 3017) the bare RSA key. */
static EVP_PKEY *
rsa_decode(struct slice der)
{
	const unsigned char *p = der.p;
	EVP_PKEY *key;

	if (rsa_inside(der, &der))
		p = der.p;
	key = d2i_PublicKey(EVP_PKEY_RSA, NULL, &p, (long)der.n);
	if (key == NULL) { /* parameters left out, other forms of a length */
		p = der.p;
		key = d2i_PUBKEY(NULL, &p, (long)der.n);
	}
	if (key != NULL && (EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA ||
	    p != der.p + der.n)) {
		EVP_PKEY_free(key);
		key = NULL;
	}
	ERR_clear_error();
	return key;
}

/* All that stays the same from one signature to the next. */
static EVP_PKEY_CTX *
rsa_ready(EVP_PKEY *key)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);

	if (ctx != NULL && EVP_PKEY_verify_init(ctx) == 1 &&
	    EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1 &&
	    EVP_PKEY_CTX_set_signature_md(ctx, dkim_sha256()) == 1)
		return ctx;
	EVP_PKEY_CTX_free(ctx);
	return NULL;
}

/* Fill in the key: NULL, or why it is none. */
static const char *
decode(struct dkim_public *k, struct slice p)
{
	struct strbuf der = STRBUF_INIT(KEY_MAX);
	const char *error = NULL;

	if (taglist_base64(p, &der) == -1)
		error = "key record: p= is not base64";
	else if (k->ed25519 && der.n == sizeof(k->raw)) {
		memcpy(k->raw, der.p, der.n);
		k->pkey = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL,
		    der.p, der.n);
	} else if (!k->ed25519)
		k->pkey = rsa_decode(sb_slice(&der));
	sb_free(&der);
	if (error == NULL && k->pkey == NULL)
		error = "key record: p= is no key";
	if (error == NULL)
		k->bits = (unsigned)EVP_PKEY_get_bits(k->pkey);
	return error;
}

static struct dkim_public *kept[KEYS_KEPT];
static size_t kept_next;

static void
keep(struct dkim_public *k)
{
	dkim_public_close(kept[kept_next]);
	k->holders++;
	kept[kept_next] = k;
	kept_next = (kept_next + 1) % KEYS_KEPT;
}

struct dkim_public *
dkim_public_open(struct slice p, bool ed25519, const char **error)
{
	struct dkim_public *k;

	for (size_t i = 0; i < KEYS_KEPT && kept[i] != NULL; i++)
		if (kept[i]->ed25519 == ed25519 &&
		    slice_eq(sb_slice(&kept[i]->text), p)) {
			kept[i]->holders++;
			return kept[i];
		}
	k = xcalloc(1, sizeof(*k));
	k->ed25519 = ed25519;
	k->holders = 1;
	if ((*error = decode(k, p)) != NULL) {
		dkim_public_close(k);
		return NULL;
	}
	sb_init(&k->text, p.n);
	sb_put(&k->text, p);
	keep(k);
	return k;
}

void
dkim_public_close(struct dkim_public *k)
{
	if (k == NULL || --k->holders != 0)
		return;
	EVP_PKEY_CTX_free(k->ready);
	EVP_PKEY_free(k->pkey);
	sb_free(&k->text);
	free(k);
}

/*
 * Ed25519 by libsodium, which takes half as long as OpenSSL 3.0. It needs no
 * sodium_init() for that: no random numbers, and one implementation. RFC 8463
 * section 3: the signature is over the hash, as a message.
 */
bool
dkim_public_verifies(struct dkim_public *k, struct slice sig,
    const unsigned char hash[DKIM_HASH_SIZE])
{
	bool good;

	if (k->ed25519)
		return sig.n == crypto_sign_BYTES &&
		    crypto_sign_verify_detached(sig.p, hash, DKIM_HASH_SIZE,
		    k->raw) == 0;
	if (k->ready == NULL)
		k->ready = rsa_ready(k->pkey);
	good = k->ready != NULL && EVP_PKEY_verify(k->ready, sig.p, sig.n,
	    hash, DKIM_HASH_SIZE) == 1;
	if (!good)
		ERR_clear_error();
	return good;
}
