#include "dkim/verify.h"

#include <openssl/crypto.h>

#include "base/alloc.h"

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

static const char *
added_reason(const struct dkim_judge *j, const char *name)
{
	struct strbuf sb = STRBUF_INIT(128);
	const char *text;

	sb_printf(&sb, "a second %s is not signed", name);
	text = arena_cstr(j->ar, sb_slice(&sb));
	sb_free(&sb);
	return text;
}

/* What can be said of a signature before its key is known. */
static void
check_alone(const struct dkim_judge *j, const struct dkim_gathered *g,
    struct dkim_result *r)
{
	const struct dkim_evidence *e = r->e;
	const struct dkim_sig *sig = &e->sig;

	if (e->error != NULL)
		conclude(r, DKIM_PERMERROR, e->error);
	else if (sig->expires != -1 && sig->expires < j->now)
		conclude(r, DKIM_PERMERROR, "expired");
	else if (e->suffix)
		conclude(r, DKIM_PERMERROR, "d= is a public suffix");
	else if (sig->alg == DKIM_RSA_SHA1)
		conclude(r, DKIM_PERMERROR, "sha1 is not secure");
	else if (sig->bh.n != DKIM_HASH_SIZE)
		conclude(r, DKIM_PERMERROR, "bh= is no SHA-256 hash");
	else if (sig->made != -1 && sig->made - DKIM_SKEW_SECONDS > j->now)
		conclude(r, DKIM_POLICY, "t= is in the future");
	else if (e->subject_unsigned && !g->subject_optional)
		conclude(r, DKIM_POLICY, "Subject is not signed");
	else if (e->added != NULL)
		conclude(r, DKIM_POLICY, added_reason(j, e->added));
	else if (!e->hashed_header)
		conclude(r, DKIM_TEMPERROR, "out of memory");
}

static struct slice
query_name(struct arena *ar, const struct dkim_sig *sig)
{
	struct strbuf sb = STRBUF_INIT(1024);
	struct slice name;

	sb_put(&sb, sig->selector);
	sb_puts(&sb, "._domainkey.");
	sb_put(&sb, sig->domain);
	name = arena_copy(ar, sb_slice(&sb));
	sb_free(&sb);
	return name;
}

/* The one key record among the answers: false when concluded. */
static bool
choose_key(struct dkim_result *r, struct dkim_key *key)
{
	const struct dns_answer *a = r->answer;
	const char *error = NULL, *bad = NULL;
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
			bad = error;
			if (found == 0)
				r->record = a->rr[i].text;
			break;
		}
		dkim_key_free(&k);
	}
	if (found == 1)
		return true;
	if (found > 1)
		dkim_key_free(key);
	conclude(r, DKIM_PERMERROR, found > 1 ? "more than one key record" :
	    bad != NULL ? bad : "no key record");
	return false;
}

static bool
fetch_key(const struct dkim_judge *j, struct dkim_result *r,
    struct dkim_key *key)
{
	r->answer = dns_query(j->dns, j->budget, r->query, DNS_TXT, j->ar);
	r->dnssec = r->answer->authentic;
	switch (r->answer->status) {
	case DNS_OK:
		return choose_key(r, key);
	case DNS_NXDOMAIN:
	case DNS_NODATA:
	case DNS_BADNAME:
		conclude(r, DKIM_PERMERROR, "no key record");
		return false;
	case DNS_LARGE: /* more than DKIM_RECORD_MAX allows */
		conclude(r, DKIM_PERMERROR, "key record over 8 KiB");
		return false;
	default:
		conclude(r, DKIM_TEMPERROR, r->answer->reason != NULL ?
		    r->answer->reason : "DNS error");
		return false;
	}
}

static bool
key_fits(const struct dkim_key *k, struct dkim_result *r)
{
	const struct dkim_sig *sig = &r->e->sig;

	r->bits = k->bits;
	if (k->public == NULL)
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

/* Fetch the key and look at the header's signature: false when concluded. */
static bool
check_header(const struct dkim_judge *j, struct dkim_result *r, bool *testing)
{
	struct dkim_key key = { 0 };

	if (!fetch_key(j, r, &key))
		return false;
	*testing = key.testing;
	if (key_fits(&key, r)) {
		r->header_good = dkim_public_verifies(key.public,
		    r->e->sig.b, r->e->header_hash);
		if (!r->header_good)
			conclude(r, DKIM_FAIL,
			    "header was changed, or another key");
	}
	dkim_key_free(&key);
	return r->header_good;
}

/* The header is as it was signed: is the body? */
static void
check_body(struct dkim_result *r)
{
	const struct dkim_evidence *e = r->e;
	const struct dkim_sig *sig = &e->sig;

	if (!e->hashed_body)
		conclude(r, DKIM_TEMPERROR, "the body was not hashed");
	else if (sig->length != DKIM_NO_LENGTH && sig->length > e->body_size)
		conclude(r, DKIM_FAIL, "body is shorter than l=");
	else if (CRYPTO_memcmp(e->body_hash, sig->bh.p, DKIM_HASH_SIZE) != 0)
		conclude(r, DKIM_FAIL, "body was changed");
	else if (sig->length < e->body_size)
		conclude(r, DKIM_POLICY, "l= leaves part of the body unsigned");
	else
		conclude(r, DKIM_PASS, NULL);
}

static void
check_keys(const struct dkim_judge *j, struct dkim_gathered *g,
    struct dkim_result *result, size_t n)
{
	bool testing[DKIM_SIGNATURES_MAX] = { false };
	bool want[DKIM_SIGNATURES_MAX] = { false };
	bool any = false;

	for (size_t i = 0; i < n; i++)
		if (result[i].reason == NULL)
			any |= want[i] = check_header(j, &result[i],
			    &testing[i]);
	/* A failure leaves hashed_body false. */
	if (any && g->live)
		(void)!dkim_gather_body(g, want);
	for (size_t i = 0; i < n; i++) {
		if (want[i])
			check_body(&result[i]);
		/* Who tests is as if he did not sign, unless he did well. */
		if (testing[i] && result[i].status != DKIM_PASS)
			result[i].status = DKIM_NONE;
	}
}

size_t
dkim_judge(const struct dkim_judge *j, struct dkim_gathered *g,
    struct dkim_result result[DKIM_SIGNATURES_MAX + 1])
{
	size_t n = dkim_gathered_n(g);

	memset(result, 0, sizeof(*result) * (DKIM_SIGNATURES_MAX + 1));
	for (size_t i = 0; i < n; i++) {
		struct dkim_result *r = &result[i];

		r->e = &g->e[i];
		check_alone(j, g, r);
		if (r->reason != NULL)
			continue;
		r->query = query_name(j->ar, &r->e->sig);
		dns_prefetch(j->dns, j->budget, r->query, DNS_TXT);
	}
	check_keys(j, g, result, n);
	if (g->count > n)
		conclude(&result[n++], DKIM_POLICY, "more than 8 signatures");
	if (n == 0)
		conclude(&result[n++], DKIM_NONE, g->damage != NULL ?
		    g->damage : "no signature");
	return n;
}
