#include "dkim/sig.h"

#include <openssl/evp.h>

#include "addr/addr.h"
#include "base/alloc.h"
#include "dkim/taglist.h"

/* Digits of t= and x=, and of l= (section 3.5). */
#define TIME_DIGITS 12
#define LENGTH_DIGITS 76
/* Octets of a signature: RSA of DKIM_RSA_MAX bits. */
#define SIGNATURE_MAX ((size_t)1024)

/* Every tag that is read. */
enum { V, A, B, BH, C, D, H, I, L, Q, SEL, T, X, Z, TAGS };
static const char *const tag_names[TAGS] = { "v", "a", "b", "bh", "c", "d",
	"h", "i", "l", "q", "s", "t", "x", "z" };

static const char *
collect(struct slice in, struct slice v[TAGS])
{
	struct taglist_seen seen = { .n = 0 };
	const char *error;
	struct slice tag, val;
	int r;

	while ((r = taglist_next(&in, &tag, &val)) == 1) {
		if ((error = taglist_once(&seen, tag)) != NULL)
			return error;
		for (int i = 0; i < TAGS; i++)
			if (tag.p[0] == (unsigned char)tag_names[i][0] &&
			    slice_eqs(tag, tag_names[i]))
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

/* A domain of d=, s=, i=: domain_ascii() takes a dot at the end, the grammar
 * of section 3.5 does not. */
static int
read_domain(struct slice text, struct arena *ar, struct slice *out)
{
	if (text.n == 0 || text.p[text.n - 1] == '.')
		return -1;
	return domain_ascii(text, ar, out);
}

/*
 * i=: local part, perhaps empty, "@", and d= or a domain below it. Another @
 * only in a quoted local part: "a@example.org@example.net" would be read in
 * two ways.
 */
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
	sig->identity = without_blanks(i, ar);
	if (at == -1 || (slice_chr(i, '@') != at && i.p[0] != '"'))
		return false;
	return read_domain(slice_skip(i, (size_t)at + 1), ar,
	    &sig->identity_domain) == 0 &&
	    domain_under(sig->identity_domain, sig->domain);
}

/* l=: what does not fit 64 bits is longer than any message. */
static bool
read_length(struct slice val, uint64_t *length)
{
	*length = DKIM_NO_LENGTH;
	if (val.p == NULL)
		return true;
	for (size_t i = 0; i < val.n; i++)
		if (!ascii_isdigit(val.p[i]))
			return false;
	if (slice_u64(val, DKIM_NO_LENGTH - 1, length) == -1)
		*length = DKIM_NO_LENGTH - 1;
	return val.n != 0 && val.n <= LENGTH_DIGITS;
}

/* h=: names of fields, none empty. */
static const char *
read_names(struct slice h)
{
	struct slice item;
	size_t n = 0;

	if (h.n == 0)
		return "h= absent";
	while (taglist_item(&h, ':', &item)) {
		for (size_t i = 0; i < item.n; i++)
			if (item.p[i] <= ' ' || item.p[i] >= 0x7f)
				return "h= is no list of field names";
		if (item.n == 0)
			return "h= is no list of field names";
		if (++n > DKIM_NAMES_MAX)
			return "too many names in h=";
	}
	return NULL;
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

/* Tags that say what was signed and how. */
static const char *
read_scope(struct slice v[TAGS], struct dkim_sig *sig)
{
	const char *error;

	if (!read_canons(v[C], sig))
		return "c= unknown";
	if ((error = read_names(v[H])) != NULL)
		return error;
	sig->names = v[H];
	if (dkim_signs(sig, "from") == 0)
		return "From is not signed";
	if (!read_length(v[L], &sig->length))
		return "l= is no number";
	if (!reads_dns(v[Q]))
		return "q= without dns/txt";
	if (!read_time(v[T], &sig->made) || !read_time(v[X], &sig->expires) ||
	    (sig->made != -1 && sig->expires != -1 &&
	    sig->made >= sig->expires))
		return "t= or x= malformed";
	sig->copied = v[Z];
	return NULL;
}

static const char *
read_tags(struct slice v[TAGS], struct arena *ar, struct dkim_sig *sig)
{
	if (v[D].p == NULL || read_domain(v[D], ar, &sig->domain) == -1)
		return "d= absent or no domain";
	if (v[SEL].p == NULL || read_domain(v[SEL], ar, &sig->selector) == -1)
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
	return read_scope(v, sig);
}

int
dkim_sig_parse(const struct field *f, struct arena *ar, struct dkim_sig *sig,
    const char **error)
{
	struct slice v[TAGS] = { 0 };

	*sig = (struct dkim_sig){ .raw = f->raw, .length = DKIM_NO_LENGTH,
		.made = -1, .expires = -1 };
	*error = f->raw.n > DKIM_FIELD_MAX ? DKIM_TOO_LONG :
	    collect(f->value, v);
	if (*error == NULL)
		*error = read_tags(v, ar, sig);
	return *error == NULL ? 0 : -1;
}

size_t
dkim_signs(const struct dkim_sig *sig, const char *name)
{
	struct slice names = sig->names, item;
	size_t n = 0;

	while (taglist_item(&names, ':', &item))
		n += slice_ieqs(item, name);
	return n;
}

static void
update(void *ctx, const void *p, size_t n)
{
	if (n != 0)
		EVP_DigestUpdate(ctx, p, n);
}

/* FNV-1a of a name without case: most names are told apart by it. */
static uint32_t
name_sum(struct slice name)
{
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < name.n; i++)
		h = (h ^ ascii_lower(name.p[i])) * 16777619u;
	return h;
}

/* The lowest field of that name that was not used, which it then is. */
static int
take_lowest(const struct dkim_fields *fields, struct slice name,
    const uint32_t *sum, bool *used)
{
	uint32_t want = name_sum(name);

	for (size_t i = fields->count; i > 0; i--)
		if (sum[i - 1] == want && !used[i - 1] &&
		    slice_ieq(fields->f[i - 1].name, name)) {
			used[i - 1] = true;
			return (int)i - 1;
		}
	return -1;
}

int
dkim_select(const struct dkim_fields *fields, struct slice names,
    struct slice sig_raw, struct arena *ar, int **at)
{
	bool *used = arena_alloc(ar, fields->count + 1);
	uint32_t *sum = arena_alloc(ar, size_mul(fields->count + 1,
	    sizeof(*sum)));
	struct slice item;
	int n = 0;

	*at = arena_alloc(ar, DKIM_NAMES_MAX * sizeof(**at));
	for (size_t i = 0; i < fields->count; i++) {
		sum[i] = name_sum(fields->f[i].name);
		used[i] = fields->f[i].raw.p == sig_raw.p;
	}
	while (taglist_item(&names, ':', &item)) {
		if (n == (int)DKIM_NAMES_MAX)
			return -1;
		(*at)[n++] = take_lowest(fields, item, sum, used);
	}
	return n;
}

int
dkim_hash_header(const struct dkim_fields *fields, enum canon how,
    struct slice names, struct slice sig_raw, struct arena *ar,
    unsigned char hash[DKIM_HASH_SIZE])
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	int r = -1, n, *at;

	if (md == NULL || EVP_DigestInit_ex(md, dkim_sha256(), NULL) != 1)
		goto out;
	if ((n = dkim_select(fields, names, sig_raw, ar, &at)) == -1)
		goto out;
	for (int i = 0; i < n; i++)
		if (at[i] != -1)
			canon_field(how, fields->f[at[i]].raw, true, update,
			    md);
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

	if (md != NULL && EVP_DigestInit_ex(md, dkim_sha256(), NULL) == 1) {
		canon_body_init(&c, how, update, md);
		canon_body_feed(&c, body);
		canon_body_end(&c);
		r = EVP_DigestFinal_ex(md, hash, NULL) == 1 ? 0 : -1;
	}
	EVP_MD_CTX_free(md);
	return r;
}
