#include "dkim/sig.h"

#include <openssl/evp.h>

#include "addr/addr.h"
#include "base/alloc.h"
#include "dkim/taglist.h"

/* Digits of t= and x= (section 3.5); of l=. */
#define TIME_DIGITS 12
/* Octets of a signature: RSA of DKIM_RSA_MAX bits. */
#define SIGNATURE_MAX ((size_t)1024)

/* Every tag that is read. */
enum { V, A, B, BH, C, D, H, I, L, Q, SEL, T, X, TAGS };
static const char *const tag_names[TAGS] = { "v", "a", "b", "bh", "c", "d",
	"h", "i", "l", "q", "s", "t", "x" };

static const char *
collect(struct slice in, struct slice v[TAGS])
{
	struct slice tag, val;
	int r;

	while ((r = taglist_next(&in, &tag, &val)) == 1)
		for (int i = 0; i < TAGS; i++) {
			if (!slice_eqs(tag, tag_names[i]))
				continue;
			if (v[i].p != NULL)
				return "tag given twice";
			v[i] = val;
		}
	return r == -1 ? "syntax of tags" : NULL;
}

static int
decode(struct slice val, size_t most, struct arena *ar, struct slice *out)
{
	struct strbuf sb = STRBUF_INIT(most);
	int r = taglist_base64(val, &sb);

	if (r == 0)
		*out = arena_copy(ar, sb_slice(&sb));
	sb_free(&sb);
	return r == 0 && out->n != 0 ? 0 : -1;
}

static bool
read_alg(struct slice a, enum dkim_alg *alg)
{
	for (int i = DKIM_RSA_SHA256; i <= DKIM_RSA_SHA1; i++)
		if (slice_ieqs(a, dkim_alg_name(i))) {
			*alg = i;
			return true;
		}
	return false;
}

static bool
read_canon(struct slice word, enum canon *how)
{
	*how = slice_ieqs(word, "relaxed") ? CANON_RELAXED : CANON_SIMPLE;
	return *how == CANON_RELAXED || slice_ieqs(word, "simple");
}

/* header[/body], each simple if absent. */
static bool
read_canons(struct slice c, struct dkim_sig *sig)
{
	struct slice header;

	if (c.p == NULL)
		return true;
	if (!slice_cut(&c, '/', &header))
		c = S("simple");
	return read_canon(header, &sig->header) && read_canon(c, &sig->body);
}

/* i=: local part, perhaps empty, "@", and d= or a domain below it. */
static bool
read_identity(struct slice i, struct arena *ar, struct dkim_sig *sig)
{
	ptrdiff_t at = slice_rchr(i, '@');
	struct strbuf sb = STRBUF_INIT(ADDR_DOMAIN_MAX + 2);

	if (i.p == NULL) {
		sb_putc(&sb, '@');
		sb_put(&sb, sig->domain);
		sig->identity = arena_copy(ar, sb_slice(&sb));
		sig->identity_domain = sig->domain;
		sb_free(&sb);
		return true;
	}
	sig->identity = i;
	return at != -1 && domain_ascii(slice_skip(i, (size_t)at + 1), ar,
	    &sig->identity_domain) == 0 &&
	    domain_under(sig->identity_domain, sig->domain);
}

static bool
read_time(struct slice val, int64_t *t)
{
	uint64_t n;

	*t = -1;
	if (val.p == NULL)
		return true;
	if (val.n > TIME_DIGITS || slice_u64(val, INT64_MAX, &n) == -1)
		return false;
	*t = (int64_t)n;
	return true;
}

static bool
reads_dns(struct slice q)
{
	struct slice item;

	if (q.p == NULL)
		return true;
	while (taglist_item(&q, ':', &item))
		if (slice_ieqs(item, "dns/txt"))
			return true;
	return false;
}

static struct slice
without_blanks(struct slice in, struct arena *ar)
{
	unsigned char *p = arena_alloc(ar, in.n != 0 ? in.n : 1);
	size_t n = 0;

	for (size_t i = 0; i < in.n; i++)
		if (in.p[i] > ' ')
			p[n++] = in.p[i];
	return slice_of(p, n);
}

static const char *
read_tags(struct slice v[TAGS], struct arena *ar, struct dkim_sig *sig)
{
	int64_t t;

	if (v[D].p == NULL || domain_ascii(v[D], ar, &sig->domain) == -1)
		return "d= absent or no domain";
	if (v[SEL].p == NULL || domain_ascii(v[SEL], ar, &sig->selector) == -1)
		return "s= absent or no selector";
	sig->alg_text = v[A];
	sig->b_text = without_blanks(v[B], ar);
	if (!slice_eqs(v[V], "1"))
		return "v= absent or not 1";
	if (!read_identity(v[I], ar, sig))
		return "i= is not at d= or below";
	if (!read_alg(v[A], &sig->alg))
		return "a= absent or unknown";
	if (decode(v[B], SIGNATURE_MAX, ar, &sig->b) == -1)
		return "b= absent or not base64";
	if (decode(v[BH], SIGNATURE_MAX, ar, &sig->bh) == -1)
		return "bh= absent or not base64";
	if (!read_canons(v[C], sig))
		return "c= unknown";
	if (v[H].n == 0)
		return "h= absent";
	sig->names = v[H];
	if (!dkim_signs(sig, "from"))
		return "From is not signed";
	sig->has_length = v[L].p != NULL;
	if (!reads_dns(v[Q]))
		return "q= without dns/txt";
	if (!read_time(v[T], &t) || !read_time(v[X], &sig->expires) ||
	    (t != -1 && sig->expires != -1 && t >= sig->expires))
		return "t= or x= malformed";
	return NULL;
}

int
dkim_sig_parse(const struct field *f, struct arena *ar, struct dkim_sig *sig,
    const char **error)
{
	struct slice v[TAGS] = { 0 };

	*sig = (struct dkim_sig){ .raw = f->raw, .expires = -1 };
	*error = collect(f->value, v);
	if (*error == NULL)
		*error = read_tags(v, ar, sig);
	return *error == NULL ? 0 : -1;
}

bool
dkim_signs(const struct dkim_sig *sig, const char *name)
{
	struct slice names = sig->names, item;

	while (taglist_item(&names, ':', &item))
		if (slice_ieqs(item, name))
			return true;
	return false;
}

static void
update(void *ctx, const void *p, size_t n)
{
	if (n != 0)
		EVP_DigestUpdate(ctx, p, n);
}

/* The lowest field of that name that was not used, or NULL. */
static const struct field *
take_lowest(const struct dkim_fields *fields, struct slice name, bool *used)
{
	for (size_t i = fields->count; i > 0; i--)
		if (!used[i - 1] && slice_ieq(fields->f[i - 1].name, name)) {
			used[i - 1] = true;
			return &fields->f[i - 1];
		}
	return NULL;
}

int
dkim_hash_header(const struct dkim_fields *fields, enum canon how,
    struct slice names, struct slice sig_raw, struct arena *ar,
    unsigned char hash[DKIM_HASH_SIZE])
{
	bool *used = arena_alloc(ar, fields->count + 1);
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	const struct field *f;
	struct slice item;
	size_t n = 0;
	int r = -1;

	if (md == NULL || EVP_DigestInit_ex(md, EVP_sha256(), NULL) != 1)
		goto out;
	while (taglist_item(&names, ':', &item)) {
		if (n++ == DKIM_NAMES_MAX)
			goto out;
		if ((f = take_lowest(fields, item, used)) != NULL)
			canon_field(how, f->raw, true, update, md);
	}
	canon_signature(how, sig_raw, update, md);
	r = EVP_DigestFinal_ex(md, hash, NULL) == 1 ? 0 : -1;
out:
	EVP_MD_CTX_free(md);
	return r;
}

int
dkim_hash_body(struct slice body, enum canon how,
    unsigned char hash[DKIM_HASH_SIZE])
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	struct canon_body c;
	int r = -1;

	if (md != NULL && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1) {
		canon_body_init(&c, how, update, md);
		canon_body_feed(&c, body);
		canon_body_end(&c);
		r = EVP_DigestFinal_ex(md, hash, NULL) == 1 ? 0 : -1;
	}
	EVP_MD_CTX_free(md);
	return r;
}
