#include "dkim/verify.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/rsa.h>

#include "base/alloc.h"

struct verifier {
	struct dns *dns;
	struct dns_budget *budget;
	struct arena *ar;
	int64_t now;
	struct dkim_fields fields;
	struct slice body;
	bool subject;
	/* The body is hashed once for each canonical form. */
	bool hashed[2];
	unsigned char hash[2][DKIM_HASH_SIZE];
};

const char *
dkim_status_name(enum dkim_status s)
{
	static const char *const names[] = {
		[DKIM_NONE] = "none",
		[DKIM_PASS] = "pass",
		[DKIM_FAIL] = "fail",
		[DKIM_POLICY] = "policy",
		[DKIM_TEMPERROR] = "temperror",
		[DKIM_PERMERROR] = "permerror",
	};

	return names[s];
}

static void
conclude(struct dkim_result *r, enum dkim_status status, const char *reason)
{
	r->status = status;
	r->reason = reason;
}

/* Cut the header: NULL, or why nothing can be verified. */
static const char *
read_fields(struct verifier *v, struct slice msg)
{
	struct slice rest = msg;
	struct field f;
	size_t cap = 0;

	while (field_next(&rest, &f) == 1) {
		if (f.bad)
			return "malformed header";
		if (v->fields.count == DKIM_FIELDS_MAX)
			return "too many header fields";
		if (v->fields.count == cap) {
			size_t old = size_mul(cap, sizeof(f));

			cap = cap == 0 ? 64 : 2 * cap;
			v->fields.f = arena_grow(v->ar, v->fields.f, old,
			    size_mul(cap, sizeof(f)));
		}
		v->fields.f[v->fields.count++] = f;
		v->subject |= slice_ieqs(f.name, "subject");
	}
	v->body = rest;
	return NULL;
}

/* What can be said of a signature before its key is known. */
static void
check_alone(const struct verifier *v, struct dkim_result *r,
    const struct field *f)
{
	const char *error;

	if (dkim_sig_parse(f, v->ar, &r->sig, &error) == -1)
		conclude(r, DKIM_PERMERROR, error);
	else if (r->sig.expires != -1 && r->sig.expires < v->now)
		conclude(r, DKIM_PERMERROR, "expired");
	else if (slice_chr(r->sig.domain, '.') == -1)
		conclude(r, DKIM_PERMERROR, "d= is a top-level domain");
	else if (r->sig.alg == DKIM_RSA_SHA1)
		conclude(r, DKIM_PERMERROR, "sha1 is not secure");
	else if (r->sig.bh.n != DKIM_HASH_SIZE)
		conclude(r, DKIM_PERMERROR, "bh= is no SHA-256 hash");
	else if (r->sig.has_length)
		conclude(r, DKIM_POLICY, "l= leaves part of the body unsigned");
	else if (v->subject && !dkim_signs(&r->sig, "subject"))
		conclude(r, DKIM_POLICY, "Subject is not signed");
}

static struct slice
query_name(const struct verifier *v, const struct dkim_sig *sig)
{
	struct strbuf sb = STRBUF_INIT(1024);
	struct slice name;

	sb_put(&sb, sig->selector);
	sb_puts(&sb, "._domainkey.");
	sb_put(&sb, sig->domain);
	name = arena_copy(v->ar, sb_slice(&sb));
	sb_free(&sb);
	return name;
}

/* The one key record among the answers: false when concluded. */
static bool
choose_key(const struct dns_answer *a, struct dkim_result *r,
    struct dkim_key *key)
{
	const char *error = NULL;
	struct dkim_key k;
	int found = 0;

	for (size_t i = 0; i < a->count; i++) {
		switch (dkim_key_parse(a->rr[i].text, &k, &error)) {
		case 1:
			if (found++ == 0) {
				*key = k;
				r->record = a->rr[i].text;
				continue;
			}
			break;
		case -1:
			r->record = a->rr[i].text;
			break;
		}
		dkim_key_free(&k);
	}
	if (found == 1)
		return true;
	conclude(r, DKIM_PERMERROR, found > 1 ? "more than one key record" :
	    error != NULL ? error : "no key record");
	return false;
}

static bool
fetch_key(struct verifier *v, struct dkim_result *r, struct dkim_key *key)
{
	const struct dns_answer *a = dns_query(v->dns, v->budget, r->query,
	    DNS_TXT, v->ar);

	r->dnssec = a->authentic;
	switch (a->status) {
	case DNS_OK:
		return choose_key(a, r, key);
	case DNS_NXDOMAIN:
	case DNS_NODATA:
	case DNS_BADNAME:
		conclude(r, DKIM_PERMERROR, "no key record");
		return false;
	default:
		conclude(r, DKIM_TEMPERROR, a->reason != NULL ? a->reason :
		    "DNS error");
		return false;
	}
}

static bool
key_fits(const struct dkim_key *k, struct dkim_result *r)
{
	const struct dkim_sig *sig = &r->sig;

	r->bits = k->bits;
	if (k->pkey == NULL)
		conclude(r, DKIM_PERMERROR, "key was revoked");
	else if (k->ed25519 != (sig->alg == DKIM_ED25519_SHA256))
		conclude(r, DKIM_PERMERROR, "key is of another type");
	else if (!k->sha256)
		conclude(r, DKIM_PERMERROR, "key is not for sha256");
	else if (!k->email)
		conclude(r, DKIM_PERMERROR, "key is not for mail");
	else if (k->strict && !slice_eq(sig->identity_domain, sig->domain))
		conclude(r, DKIM_PERMERROR, "i= is not exactly at d=");
	else
		return true;
	return false;
}

/* Is b= the key's signature over the hash? */
static bool
signature_good(const struct dkim_key *k, const struct dkim_result *r)
{
	const unsigned char *hash = r->header_hash;
	struct slice b = r->sig.b;
	EVP_MD_CTX *md = NULL;
	EVP_PKEY_CTX *ctx = NULL;
	bool good;

	if (k->ed25519) { /* RFC 8463 section 3: over the hash, as a message */
		md = EVP_MD_CTX_new();
		good = md != NULL && EVP_DigestVerifyInit(md, NULL, NULL, NULL,
		    k->pkey) == 1 && EVP_DigestVerify(md, b.p, b.n, hash,
		    DKIM_HASH_SIZE) == 1;
	} else {
		ctx = EVP_PKEY_CTX_new(k->pkey, NULL);
		good = ctx != NULL && EVP_PKEY_verify_init(ctx) == 1 &&
		    EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1 &&
		    EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256()) == 1 &&
		    EVP_PKEY_verify(ctx, b.p, b.n, hash, DKIM_HASH_SIZE) == 1;
	}
	EVP_MD_CTX_free(md);
	EVP_PKEY_CTX_free(ctx);
	ERR_clear_error();
	return good;
}

static bool
body_hash(struct verifier *v, enum canon how)
{
	if (!v->hashed[how])
		v->hashed[how] = dkim_hash_body(v->body, how, v->hash[how]) == 0;
	return v->hashed[how];
}

/* The key is there: does everything agree? */
static void
check_hashes(struct verifier *v, const struct dkim_key *k,
    struct dkim_result *r)
{
	if (dkim_hash_header(&v->fields, r->sig.header, r->sig.names,
	    r->sig.raw, v->ar, r->header_hash) == -1) {
		conclude(r, DKIM_PERMERROR, "too many names in h=");
		return;
	}
	r->hashed_header = true;
	if (!signature_good(k, r)) {
		conclude(r, DKIM_FAIL, "header was changed, or another key");
		return;
	}
	if (!body_hash(v, r->sig.body)) {
		conclude(r, DKIM_TEMPERROR, "out of memory");
		return;
	}
	memcpy(r->body_hash, v->hash[r->sig.body], DKIM_HASH_SIZE);
	r->hashed_body = true;
	if (CRYPTO_memcmp(r->body_hash, r->sig.bh.p, DKIM_HASH_SIZE) != 0)
		conclude(r, DKIM_FAIL, "body was changed");
	else
		conclude(r, DKIM_PASS, NULL);
}

static void
check_key(struct verifier *v, struct dkim_result *r)
{
	struct dkim_key key = { 0 };

	if (!fetch_key(v, r, &key))
		return;
	if (key_fits(&key, r))
		check_hashes(v, &key, r);
	/* A domain that tests is as if it did not sign, unless it did well. */
	if (key.testing && r->status != DKIM_PASS)
		r->status = DKIM_NONE;
	dkim_key_free(&key);
}

size_t
dkim_verify(struct slice msg, int64_t now, struct dns *dns,
    struct dns_budget *budget, struct arena *ar,
    struct dkim_result result[DKIM_SIGNATURES_MAX + 1])
{
	struct verifier v = { .dns = dns, .budget = budget, .ar = ar,
		.now = now };
	const char *damage = read_fields(&v, msg);
	size_t n = 0;

	memset(result, 0, sizeof(*result) * (DKIM_SIGNATURES_MAX + 1));
	for (size_t i = 0; damage == NULL && i < v.fields.count; i++) {
		struct dkim_result *r = &result[n];

		if (!slice_ieqs(v.fields.f[i].name, "dkim-signature"))
			continue;
		n++;
		if (n > DKIM_SIGNATURES_MAX) {
			conclude(r, DKIM_POLICY, "more than 8 signatures");
			break;
		}
		check_alone(&v, r, &v.fields.f[i]);
		if (r->reason == NULL) {
			r->query = query_name(&v, &r->sig);
			dns_prefetch(dns, budget, r->query, DNS_TXT);
		}
	}
	for (size_t i = 0; i < n; i++)
		if (result[i].reason == NULL)
			check_key(&v, &result[i]);
	if (n == 0)
		conclude(&result[n++], DKIM_NONE, damage != NULL ? damage :
		    "no signature");
	return n;
}
