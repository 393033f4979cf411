#include "dkim/key.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <string.h>

#include "dkim/taglist.h"

#define ED25519_SIZE 32
#define KEYS_KEPT 16 /* RSA keys that stay decoded, under 2 KiB each */

const char *
dkim_alg_name(enum dkim_alg a)
{
	static const char *const names[] = {
		[DKIM_RSA_SHA256] = "rsa-sha256",
		[DKIM_ED25519_SHA256] = "ed25519-sha256",
		[DKIM_RSA_SHA1] = "rsa-sha1",
	};

	return names[a];
}

const EVP_MD *
dkim_sha256(void)
{
	static EVP_MD *md; /* for as long as the process lives */

	if (md == NULL)
		md = EVP_MD_fetch(NULL, "SHA256", NULL);
	return md != NULL ? md : EVP_sha256();
}

/* 1, 0 if it does not look like a DKIM record, -1. */
static int
read_tags(struct slice in, struct dkim_key *r, const char **error)
{
	struct { const char *name; struct slice *at; } known[] = {
		{ "v", &r->v }, { "k", &r->k }, { "h", &r->h }, { "s", &r->s },
		{ "t", &r->t }, { "n", &r->n }, { "p", &r->p },
	};
	struct taglist_seen seen = { .n = 0 };
	struct slice tag, val;
	int got;

	*error = NULL;
	while ((got = taglist_next(&in, &tag, &val)) == 1) {
		/* RFC 6376 section 3.6.1: v=, if there, comes first. */
		if (slice_eqs(tag, "v") && seen.n > 0)
			*error = "key record: v= is not first";
		else if (slice_eqs(tag, "v") && !slice_eqs(val, "DKIM1"))
			*error = "key record: v= is not DKIM1";
		if (*error != NULL)
			return 0;
		if (taglist_once(&seen, tag) != NULL) {
			*error = "key record: tag given twice";
			return r->v.p != NULL ? -1 : 0;
		}
		for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
			if (slice_eqs(tag, known[i].name))
				*known[i].at = val;
	}
	if (got == 0 && r->p.p != NULL)
		return 1;
	*error = got == -1 ? "key record: syntax" : "key record: no p=";
	return r->v.p != NULL ? -1 : 0;
}

/* Does the colon list have the word? */
static bool
lists(struct slice list, const char *word)
{
	struct slice item;

	while (taglist_item(&list, ':', &item))
		if (slice_ieqs(item, word))
			return true;
	return false;
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

/*
 * Keys met last. To decode one costs OpenSSL 3 several times what to verify a
 * signature with it does, and much mail comes from few signers. The bytes are
 * compared whole, so a key kept is the key given.
 */
static struct {
	struct strbuf der;
	EVP_PKEY *key;
} kept[KEYS_KEPT];
static size_t kept_next;

static EVP_PKEY *
rsa_public(struct slice der)
{
	EVP_PKEY *key;

	for (size_t i = 0; i < KEYS_KEPT; i++)
		if (kept[i].key != NULL &&
		    slice_eq(sb_slice(&kept[i].der), der))
			return EVP_PKEY_up_ref(kept[i].key) == 1 ?
			    kept[i].key : NULL;
	key = rsa_decode(der);
	if (key == NULL || EVP_PKEY_up_ref(key) != 1)
		return key;
	EVP_PKEY_free(kept[kept_next].key);
	kept[kept_next].key = key;
	sb_free(&kept[kept_next].der);
	sb_init(&kept[kept_next].der, DKIM_RECORD_MAX);
	sb_put(&kept[kept_next].der, der);
	kept_next = (kept_next + 1) % KEYS_KEPT;
	return key;
}

static const char *
read_public(struct slice p, struct dkim_key *k)
{
	struct strbuf der = STRBUF_INIT(DKIM_RECORD_MAX);
	const char *error = NULL;

	if (taglist_base64(p, &der) == -1)
		error = "key record: p= is not base64";
	else if (k->ed25519 && der.n == ED25519_SIZE)
		k->pkey = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL,
		    der.p, der.n);
	else if (!k->ed25519)
		k->pkey = rsa_public(sb_slice(&der));
	sb_free(&der);
	if (error == NULL && k->pkey == NULL)
		return "key record: p= is no key";
	if (k->pkey != NULL)
		k->bits = (unsigned)EVP_PKEY_get_bits(k->pkey);
	if (error == NULL && !k->ed25519 && k->bits < DKIM_RSA_MIN)
		return "RSA key under 1024 bits";
	if (error == NULL && k->bits > DKIM_RSA_MAX)
		return "RSA key over 8192 bits";
	return error;
}

int
dkim_key_parse(struct slice text, struct dkim_key *k, const char **error)
{
	int got;

	*k = (struct dkim_key){ 0 };
	*error = "key record over 8 KiB";
	if (text.n > DKIM_RECORD_MAX)
		return -1;
	if ((got = read_tags(text, k, error)) != 1)
		return got;
	k->testing = lists(k->t, "y");
	k->strict = lists(k->t, "s");
	k->sha256 = k->h.p == NULL || lists(k->h, "sha256");
	k->email = k->s.p == NULL || lists(k->s, "*") || lists(k->s, "email");
	k->ed25519 = slice_ieqs(k->k, "ed25519");
	if (k->k.p != NULL && !k->ed25519 && !slice_ieqs(k->k, "rsa"))
		*error = "key record: unknown key type";
	else if (k->p.n == 0 /* revoked */ ||
	    (*error = read_public(k->p, k)) == NULL)
		return 1;
	return -1;
}

void
dkim_key_free(struct dkim_key *k)
{
	EVP_PKEY_free(k->pkey);
	k->pkey = NULL;
}

EVP_PKEY *
dkim_key_new(bool ed25519, unsigned bits)
{
	EVP_PKEY *key;

	if (ed25519)
		key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	else if (bits < DKIM_RSA_MIN || bits > DKIM_RSA_MAX)
		return NULL;
	else
		key = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)bits);
	return key;
}

bool
dkim_key_is_ed25519(const EVP_PKEY *key)
{
	return EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519;
}

/* Never ask for a passphrase. */
static int
no_passphrase(char *buf, int size, int rw, void *arg)
{
	(void)buf, (void)size, (void)rw, (void)arg;
	return 0;
}

EVP_PKEY *
dkim_key_read(struct slice pem)
{
	BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.n);
	EVP_PKEY *key = bio == NULL ? NULL :
	    PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);

	BIO_free(bio);
	ERR_clear_error();
	if (key == NULL || dkim_key_is_ed25519(key) ||
	    (EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA &&
	    EVP_PKEY_get_bits(key) >= (int)DKIM_RSA_MIN))
		return key;
	EVP_PKEY_free(key);
	return NULL;
}

int
dkim_key_write(EVP_PKEY *key, struct strbuf *pem)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *p;
	long n;
	int r = -1;

	if (bio != NULL && PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL,
	    0, NULL, NULL) == 1 && (n = BIO_get_mem_data(bio, &p)) > 0) {
		sb_put(pem, slice_of(p, (size_t)n));
		OPENSSL_cleanse(p, (size_t)n);
		r = pem->over ? -1 : 0;
	}
	BIO_free(bio);
	return r;
}

int
dkim_key_record(EVP_PKEY *key, struct strbuf *text)
{
	unsigned char raw[ED25519_SIZE], *der = NULL;
	size_t raw_n = sizeof(raw);
	int n;

	if (dkim_key_is_ed25519(key)) {
		if (EVP_PKEY_get_raw_public_key(key, raw, &raw_n) != 1)
			return -1;
		sb_puts(text, "v=DKIM1; k=ed25519; h=sha256; p=");
		sb_base64(text, slice_of(raw, raw_n));
		return 0;
	}
	if ((n = i2d_PUBKEY(key, &der)) <= 0)
		return -1;
	sb_puts(text, "v=DKIM1; k=rsa; h=sha256; p=");
	sb_base64(text, slice_of(der, (size_t)n));
	OPENSSL_free(der);
	return 0;
}
