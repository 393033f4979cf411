#include "dkim/key.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <string.h>

#include "dkim/taglist.h"

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
			if (tag.p[0] == (unsigned char)known[i].name[0] &&
			    slice_eqs(tag, known[i].name))
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

static const char *
read_public(struct dkim_key *k)
{
	const char *error = NULL;

	k->public = dkim_public_open(k->p, k->ed25519, &error);
	if (k->public == NULL)
		return error;
	k->bits = k->public->bits;
	if (!k->ed25519 && k->bits < DKIM_RSA_MIN)
		return "RSA key under 1024 bits";
	return k->bits > DKIM_RSA_MAX ? "RSA key over 8192 bits" : NULL;
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
	    (*error = read_public(k)) == NULL)
		return 1;
	return -1;
}

void
dkim_key_free(struct dkim_key *k)
{
	dkim_public_close(k->public);
	k->public = NULL;
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
	unsigned char raw[DKIM_ED25519_SIZE], *der = NULL;
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
