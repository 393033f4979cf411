#include "sasl/scram.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

static const EVP_MD *
md_of(enum scram_hash h)
{
	return h == SCRAM_SHA1 ? EVP_sha1() : EVP_sha256();
}

size_t
scram_size(enum scram_hash h)
{
	return h == SCRAM_SHA1 ? 20 : 32;
}

int
scram_hmac(enum scram_hash h, struct slice key, struct slice data,
    unsigned char *mac)
{
	/* HMAC() takes a null key for "as before"; it may not be null here. */
	return HMAC(md_of(h), key.n != 0 ? key.p : mac, (int)key.n, data.p,
	    data.n, mac, NULL) != NULL ? 0 : -1;
}

static int
digest(enum scram_hash h, const unsigned char *p, unsigned char *out)
{
	return EVP_Digest(p, scram_size(h), out, NULL, md_of(h), NULL) == 1 ?
	    0 : -1;
}

int
scram_derive(enum scram_hash h, struct slice password, struct scram_keys *k)
{
	unsigned char salted[SCRAM_KEY_MAX], client[SCRAM_KEY_MAX];
	struct slice key = slice_of(salted, scram_size(h));
	int r = -1;

	if (PKCS5_PBKDF2_HMAC((const char *)password.p, (int)password.n, k->salt,
	    (int)k->salt_n, (int)k->iterations, md_of(h), (int)scram_size(h),
	    salted) == 1 &&
	    scram_hmac(h, key, S("Client Key"), client) == 0 &&
	    scram_hmac(h, key, S("Server Key"), k->server) == 0)
		r = digest(h, client, k->stored);
	OPENSSL_cleanse(salted, sizeof(salted));
	OPENSSL_cleanse(client, sizeof(client));
	return r;
}

void
scram_format(struct strbuf *sb, enum scram_hash h, const struct scram_keys *k)
{
	sb_printf(sb, "%u:", k->iterations);
	sb_base64(sb, slice_of(k->salt, k->salt_n));
	sb_putc(sb, '$');
	sb_base64(sb, slice_of(k->stored, scram_size(h)));
	sb_putc(sb, ':');
	sb_base64(sb, slice_of(k->server, scram_size(h)));
}

/* Base64 of at least `least' and at most cap octets into p: 0, or -1. */
static int
unbase64(struct slice text, size_t least, size_t cap, unsigned char *p,
    size_t *n)
{
	struct strbuf sb = STRBUF_INIT(cap + 3);
	int r = -1;

	if (sb_unbase64(&sb, text) == 0 && !sb.over && sb.n >= least &&
	    sb.n <= cap) {
		if (sb.n != 0)
			memcpy(p, sb.p, sb.n);
		*n = sb.n;
		r = 0;
	}
	sb_free(&sb);
	return r;
}

int
scram_parse(struct slice text, enum scram_hash h, struct scram_keys *k)
{
	struct slice part;
	uint64_t iterations;
	size_t n, size = scram_size(h);

	*k = (struct scram_keys){ 0 };
	if (!slice_cut(&text, ':', &part) ||
	    slice_u64(part, SCRAM_ITERATIONS_MAX, &iterations) == -1 ||
	    iterations == 0)
		return -1;
	k->iterations = (unsigned)iterations;
	if (!slice_cut(&text, '$', &part) ||
	    unbase64(part, 1, sizeof(k->salt), k->salt, &k->salt_n) == -1)
		return -1;
	if (!slice_cut(&text, ':', &part) ||
	    unbase64(part, size, size, k->stored, &n) == -1)
		return -1;
	return unbase64(text, size, size, k->server, &n);
}

bool
scram_check(enum scram_hash h, const struct scram_keys *k,
    struct slice message, struct slice proof, unsigned char *sig)
{
	unsigned char client[SCRAM_KEY_MAX], stored[SCRAM_KEY_MAX];
	size_t size = scram_size(h);

	if (proof.n != size ||
	    scram_hmac(h, slice_of(k->stored, size), message, client) == -1)
		return false;
	for (size_t i = 0; i < size; i++)
		client[i] ^= proof.p[i];
	return digest(h, client, stored) == 0 &&
	    CRYPTO_memcmp(stored, k->stored, size) == 0 &&
	    scram_hmac(h, slice_of(k->server, size), message, sig) == 0;
}
