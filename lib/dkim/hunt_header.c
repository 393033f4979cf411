/* Changes of the header, undone until the signature is good. */
#include "dkim/hunt.h"

#include <openssl/err.h>
#include <openssl/rsa.h>

#include "base/alloc.h"
#include "dkim/taglist.h"
#include "dkim/verify.h"

#define VARIANTS_MAX 160 /* single changes kept to be tried in pairs */
#define SHOWN_MAX 60     /* octets of a value shown in a sentence */
#define TAGS_MAX 4       /* taken off a Subject */

/* A name of h= and what of it is hashed. */
struct slot {
	struct slice name;
	int at; /* field, or -1 */
	struct slice text;
};

/* A slot's text as it may have been, and the sentence that says so. */
struct variant {
	int slot;
	struct slice text;
	const char *told;
};

struct hunt {
	const struct dkim_gathered *g;
	const struct dkim_sig *sig;
	const struct dkim_key *key;
	struct arena *ar;
	enum canon how;
	bool known;               /* want is the hash that was signed */
	unsigned char want[DKIM_HASH_SIZE];
	unsigned tries;           /* left */
	size_t hashed;            /* bytes so far */
	EVP_MD_CTX *md;
	struct slot *slot;
	int slots;
	struct slice sig_text;
	struct variant v[VARIANTS_MAX];
	size_t variants;
	struct strbuf *why;
	bool found;
};

static void
to_strbuf(void *ctx, const void *p, size_t n)
{
	sb_put(ctx, slice_of(p, n));
}

static const char * __attribute__((format(printf, 2, 3)))
say(struct hunt *h, const char *fmt, ...)
{
	struct strbuf sb = STRBUF_INIT(1024);
	const char *text;
	va_list ap;

	va_start(ap, fmt);
	sb_vprintf(&sb, fmt, ap);
	va_end(ap);
	text = arena_cstr(h->ar, sb_slice(&sb));
	sb_free(&sb);
	return text;
}

static const char *
shown(struct hunt *h, struct slice s)
{
	s = slice_trim(s);
	return say(h, "\"%.*s\"%s", SLICE_ARG(slice_sub(s, 0, SHOWN_MAX)),
	    s.n > SHOWN_MAX ? "..." : "");
}

static struct slice
canonical(struct hunt *h, struct slice raw)
{
	struct strbuf sb = STRBUF_INIT(2 * DKIM_HEADER_MAX);
	struct slice out;

	canon_field(h->how, raw, true, to_strbuf, &sb);
	out = arena_copy(h->ar, sb_slice(&sb));
	sb_free(&sb);
	return out;
}

/* Found, or enough was tried. */
static bool
over(const struct hunt *h)
{
	return h->found || h->tries == 0 || h->hashed > DKIM_HUNT_HASHED_MAX;
}

static bool
met(struct hunt *h, const unsigned char hash[DKIM_HASH_SIZE])
{
	if (h->known)
		return memcmp(hash, h->want, DKIM_HASH_SIZE) == 0;
	return dkim_public_verifies(h->key->public, h->sig->b, hash);
}

/* The slots, some with another text. */
static bool
try_slots(struct hunt *h, const struct slot *slot, int n, struct slice sig_text,
    const struct variant *a, const struct variant *b)
{
	unsigned char hash[DKIM_HASH_SIZE];

	if (over(h))
		return false;
	h->tries--;
	if (EVP_DigestInit_ex(h->md, dkim_sha256(), NULL) != 1)
		return false;
	for (int i = 0; i < n; i++) {
		struct slice t = a != NULL && a->slot == i ? a->text :
		    b != NULL && b->slot == i ? b->text : slot[i].text;

		EVP_DigestUpdate(h->md, t.p, t.n);
		h->hashed += t.n;
	}
	EVP_DigestUpdate(h->md, sig_text.p, sig_text.n);
	if (EVP_DigestFinal_ex(h->md, hash, NULL) != 1 || !met(h, hash))
		return false;
	h->found = true;
	if (a != NULL)
		sb_puts(h->why, a->told);
	if (b != NULL) {
		sb_putc(h->why, ' ');
		sb_puts(h->why, b->told);
	}
	return true;
}

static void
try_whole(struct hunt *h, const struct slot *slot, int n,
    struct slice sig_text, const char *told)
{
	if (try_slots(h, slot, n, sig_text, NULL, NULL))
		sb_puts(h->why, told);
}

/* A field as it may have been in the place of a slot. */
static void
try_text(struct hunt *h, int slot, struct slice text, const char *told)
{
	struct variant v = { slot, text, told };

	if (slice_eq(text, h->slot[slot].text))
		return;
	try_slots(h, h->slot, h->slots, h->sig_text, &v, NULL);
	if (h->variants < VARIANTS_MAX)
		h->v[h->variants++] = v;
}

static void
try_value(struct hunt *h, int slot, struct slice value, const char *told)
{
	struct strbuf raw = STRBUF_INIT(2 * DKIM_HEADER_MAX);
	const struct slot *s = &h->slot[slot];

	sb_put(&raw, s->at != -1 ? h->g->fields.f[s->at].name : s->name);
	sb_puts(&raw, ": ");
	sb_put(&raw, slice_trim(value));
	sb_puts(&raw, "\r\n");
	try_text(h, slot, canonical(h, sb_slice(&raw)), told);
	sb_free(&raw);
}

static struct slot *
make_slots(struct hunt *h, const struct dkim_fields *fields, int *n)
{
	struct slice names = h->sig->names, item;
	struct slot *slot;
	int *at;

	*n = dkim_select(fields, names, h->sig->raw, h->ar, &at);
	slot = arena_alloc(h->ar, (size_t)(*n + 1) * sizeof(*slot));
	for (int i = 0; i < *n && taglist_item(&names, ':', &item); i++) {
		slot[i] = (struct slot){ .name = item, .at = at[i] };
		if (at[i] != -1)
			slot[i].text = canonical(h, fields->f[at[i]].raw);
	}
	return slot;
}

static struct slice
signature_text(struct hunt *h)
{
	struct strbuf sb = STRBUF_INIT(2 * DKIM_FIELD_MAX);
	struct slice out;

	canon_signature(h->how, h->sig->raw, to_strbuf, &sb);
	out = arena_copy(h->ar, sb_slice(&sb));
	sb_free(&sb);
	return out;
}

/* Without one of the fields: who was signed instead moves up. */
static void
try_without(struct hunt *h, int field)
{
	const struct dkim_fields *all = &h->g->fields;
	const struct field *f = &all->f[field];
	struct dkim_fields less = { .count = all->count - 1 };
	struct slot *slot;
	int n;

	less.f = arena_alloc(h->ar, size_mul(all->count, sizeof(*f)));
	memcpy(less.f, all->f, (size_t)field * sizeof(*f));
	memcpy(less.f + field, f + 1,
	    (all->count - (size_t)field - 1) * sizeof(*f));
	slot = make_slots(h, &less, &n);
	try_whole(h, slot, n, h->sig_text, say(h, "The field %.*s at byte %zu, "
	    "%s, was added after the message was signed: without it the "
	    "signature over the header is good.", SLICE_ARG(f->name),
	    (size_t)(f->raw.p - all->f[0].raw.p), shown(h, f->value)));
}

static void
each_without(struct hunt *h)
{
	for (int i = 0; i < h->slots && !over(h); i++)
		if (h->slot[i].at != -1)
			try_without(h, h->slot[i].at);
	for (int i = 0; i < h->slots && !over(h); i++) {
		if (h->slot[i].at == -1)
			continue;
		try_text(h, i, SLICE_NONE, say(h, "%.*s was not there when the "
		    "message was signed.",
		    SLICE_ARG(h->g->fields.f[h->slot[i].at].name)));
	}
}

/* What stands at the start of a Subject and was put there: "[x]", "***x***",
 * "(x)", "Re:"; its length or 0. */
static size_t
subject_tag(struct slice s)
{
	static const char *const words[] = { "re:", "fwd:", "fw:", "aw:", "wg:",
		"sv:", "spam:" };
	ptrdiff_t end = -1;
	size_t n = 0;

	if (s.n != 0 && s.p[0] == '[')
		end = slice_chr(s, ']');
	else if (s.n != 0 && s.p[0] == '(')
		end = slice_chr(s, ')');
	else if (s.n != 0 && (s.p[0] == '*' || s.p[0] == '{')) {
		unsigned char close = s.p[0] == '*' ? '*' : '}';

		while (n < s.n && s.p[n] == s.p[0])
			n++;
		end = slice_chr(slice_skip(s, n), close);
		if (end != -1)
			for (end += (ptrdiff_t)n; (size_t)end + 1 < s.n &&
			    s.p[end + 1] == close; end++)
				;
	}
	for (size_t i = 0; end == -1 && i < COUNTOF(words); i++)
		if (slice_istarts(s, slice_str(words[i])))
			end = (ptrdiff_t)strlen(words[i]) - 1;
	return (size_t)(end + 1);
}

static void
subject_variants(struct hunt *h, int slot, struct slice value)
{
	struct slice rest = slice_trim(value);
	size_t n;

	for (int i = 0; i < TAGS_MAX && (n = subject_tag(rest)) != 0; i++) {
		struct slice tag;

		rest = slice_ltrim(slice_skip(rest, n));
		tag = slice_sub(value, 0, (size_t)(rest.p - value.p));
		try_value(h, slot, rest, say(h, "The Subject was rewritten "
		    "after signing: without %s in front of it the signature "
		    "over the header is good. Mailing lists and filters do "
		    "that.", shown(h, tag)));
	}
}

/* Fields in which rewriting hosts keep what From was. */
static void
from_variants(struct hunt *h, int slot)
{
	static const char *const kept[] = { "Reply-To", "X-Original-From",
		"Original-From", "X-Google-Original-From", "X-MailFrom" };
	const struct dkim_fields *all = &h->g->fields;

	for (size_t k = 0; k < COUNTOF(kept); k++)
		for (size_t i = 0; i < all->count && !over(h); i++)
			if (slice_ieqs(all->f[i].name, kept[k]))
				try_value(h, slot, all->f[i].value, say(h,
				    "From was rewritten after signing: with "
				    "what is in %s now, %s, the signature over "
				    "the header is good. Mailing lists do that "
				    "for the sake of DMARC.", kept[k],
				    shown(h, all->f[i].value)));
}

/* Fields with few values. */
static void
common_variants(struct hunt *h, int slot)
{
	static const struct {
		const char *name, *value;
	} common[] = {
		{ "Content-Transfer-Encoding", "7bit" },
		{ "Content-Transfer-Encoding", "8bit" },
		{ "Content-Transfer-Encoding", "quoted-printable" },
		{ "Content-Transfer-Encoding", "base64" },
		{ "Content-Transfer-Encoding", "binary" },
		{ "MIME-Version", "1.0" },
		{ "Content-Type", "text/plain" },
		{ "Content-Type", "text/plain; charset=utf-8" },
		{ "Content-Type", "text/plain; charset=\"utf-8\"" },
		{ "Content-Type", "text/plain; charset=UTF-8" },
		{ "Content-Type", "text/plain; charset=\"UTF-8\"" },
		{ "Content-Type", "text/plain; charset=us-ascii" },
		{ "Content-Type", "text/html; charset=utf-8" },
		{ "Content-Type", "text/html; charset=\"utf-8\"" },
		{ "Content-Type", "text/html; charset=\"UTF-8\"" },
	};

	for (size_t i = 0; i < COUNTOF(common); i++)
		if (slice_ieqs(h->slot[slot].name, common[i].name))
			try_value(h, slot, slice_str(common[i].value), say(h,
			    "%s was \"%s\" when the message was signed: a host "
			    "on the way converted it.", common[i].name,
			    common[i].value));
}

/* The value with each `from' byte made `to', or left out if to is 0. */
static struct slice
with_byte(struct hunt *h, struct slice s, char from, char to)
{
	struct strbuf sb = STRBUF_INIT(DKIM_HEADER_MAX);
	struct slice out;

	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] != (unsigned char)from)
			sb_putc(&sb, s.p[i]);
		else if (to != 0)
			sb_putc(&sb, (unsigned char)to);
	out = arena_copy(h->ar, sb_slice(&sb));
	sb_free(&sb);
	return out;
}

/* The value folded after each comma; simple sees the difference. */
static struct slice
folded(struct hunt *h, struct slice flat, const char *fold)
{
	struct strbuf sb = STRBUF_INIT(DKIM_HEADER_MAX);
	struct slice item, out;
	bool more;

	do {
		more = slice_cut(&flat, ',', &item);
		sb_put(&sb, slice_trim(item));
		sb_puts(&sb, more ? fold : "");
	} while (more);
	out = arena_copy(h->ar, sb_slice(&sb));
	sb_free(&sb);
	return out;
}

/* Another spelling of the same: white space, quotes, case. */
static void
spelling_variants(struct hunt *h, int slot, const struct field *f)
{
	const char *told = say(h, "%.*s was respelled after signing (white "
	    "space, folds, quotes or case): a host on the way wrote the field "
	    "anew.", SLICE_ARG(f->name));
	struct strbuf flat = STRBUF_INIT(DKIM_HEADER_MAX), low = flat;
	struct slice tight;

	field_unfold(&flat, f->value);
	try_value(h, slot, f->value, told);
	try_value(h, slot, sb_slice(&flat), told);
	try_value(h, slot, with_byte(h, sb_slice(&flat), '\t', ' '), told);
	tight = with_byte(h, f->value, '\r', 0);
	tight = with_byte(h, with_byte(h, tight, '\n', 0), '\t', 0);
	try_value(h, slot, tight, told);
	try_value(h, slot, with_byte(h, tight, ' ', 0), told);
	try_value(h, slot, with_byte(h, f->value, '"', 0), told);
	for (size_t i = 0; i < flat.n; i++)
		sb_putc(&low, ascii_lower(flat.p[i]));
	try_value(h, slot, sb_slice(&low), told);
	try_value(h, slot, folded(h, sb_slice(&flat), ", "), told);
	try_value(h, slot, folded(h, sb_slice(&flat), ",\r\n "), told);
	try_value(h, slot, folded(h, sb_slice(&flat), ",\r\n\t"), told);
	sb_free(&flat);
	sb_free(&low);
}

/* Another field of the same name in the slot's place. */
static void
instance_variants(struct hunt *h, int slot)
{
	const struct dkim_fields *all = &h->g->fields;

	for (size_t i = 0; i < all->count && !over(h); i++)
		if ((int)i != h->slot[slot].at &&
		    slice_ieq(all->f[i].name, h->slot[slot].name))
			try_text(h, slot, canonical(h, all->f[i].raw), say(h,
			    "Of several %.*s fields the one at byte %zu is the "
			    "signed one; they were added or put in another "
			    "order after signing.", SLICE_ARG(all->f[i].name),
			    (size_t)(all->f[i].raw.p - all->f[0].raw.p)));
}

/* z=: what the signer says the fields were (section 3.5). */
static void
copied_variants(struct hunt *h)
{
	struct slice list = h->sig->copied, item, name;
	struct slot *slot = arena_alloc(h->ar,
	    (size_t)(h->slots + 1) * sizeof(*slot));
	struct strbuf sb = STRBUF_INIT(DKIM_FIELD_MAX);
	bool any = false;

	memcpy(slot, h->slot, (size_t)h->slots * sizeof(*slot));
	while (list.n != 0 && !over(h) && taglist_item(&list, '|', &item)) {
		struct slice value;

		sb_reset(&sb);
		slice_cut(&item, ':', &name);
		name = slice_trim(name);
		if (taglist_qp(item, &sb) == -1)
			continue;
		value = arena_copy(h->ar, sb_slice(&sb));
		for (int i = 0; i < h->slots; i++) {
			size_t before = h->variants;

			if (!slice_ieq(h->slot[i].name, name))
				continue;
			try_value(h, i, value, say(h, "%.*s was %s when the "
			    "message was signed (z= has a copy) and was "
			    "changed since.", SLICE_ARG(name), shown(h, value)));
			if (h->variants > before) {
				slot[i].text = h->v[before].text;
				any = true;
			}
			break;
		}
	}
	if (any)
		try_whole(h, slot, h->slots, h->sig_text, "Several fields were "
		    "changed after signing: with the copies in z= the "
		    "signature over the header is good.");
	sb_free(&sb);
}

/* Slips of the signer's software. */
static void
signer_variants(struct hunt *h)
{
	struct strbuf sb = STRBUF_INIT(2 * DKIM_FIELD_MAX);
	struct dkim_fields up = h->g->fields;
	struct slice text = h->sig_text;
	enum canon how = h->how;
	struct slot *slot;
	int n;

	h->how = how == CANON_SIMPLE ? CANON_RELAXED : CANON_SIMPLE;
	slot = make_slots(h, &up, &n);
	try_whole(h, slot, n, signature_text(h), how == CANON_SIMPLE ?
	    "The signer hashed the header as relaxed, but c= says simple: its "
	    "software or configuration is wrong." : "The signer hashed the "
	    "header as simple, but c= says relaxed: its software or "
	    "configuration is wrong.");
	h->how = how;
	sb_put(&sb, text);
	sb_puts(&sb, "\r\n");
	try_whole(h, h->slot, h->slots, sb_slice(&sb), "The signer hashed a "
	    "line end behind its own DKIM-Signature (RFC 6376 section 3.7 "
	    "forbids it): its software is wrong.");
	sb_free(&sb);
	up.f = arena_alloc(h->ar, size_mul(up.count, sizeof(*up.f)));
	for (size_t i = 0; i < up.count; i++)
		up.f[i] = h->g->fields.f[up.count - 1 - i];
	slot = make_slots(h, &up, &n);
	try_whole(h, slot, n, text, "The signer took fields that occur several "
	    "times from the top instead of from the bottom (RFC 6376 section "
	    "5.4.2), or a host on the way turned them round.");
}

static void
slot_variants(struct hunt *h, int slot)
{
	const struct slot *s = &h->slot[slot];
	const struct field *f = s->at == -1 ? NULL : &h->g->fields.f[s->at];

	common_variants(h, slot);
	instance_variants(h, slot);
	if (f == NULL)
		return;
	if (slice_ieqs(f->name, "subject"))
		subject_variants(h, slot, f->value);
	if (slice_ieqs(f->name, "from"))
		from_variants(h, slot);
	spelling_variants(h, slot, f);
}

static void
pairs(struct hunt *h)
{
	for (size_t i = 0; i < h->variants && !over(h); i++)
		for (size_t k = i + 1; k < h->variants && !over(h); k++)
			if (h->v[i].slot != h->v[k].slot)
				try_slots(h, h->slot, h->slots, h->sig_text,
				    &h->v[i], &h->v[k]);
}

enum signed_hash { HASH_KNOWN, HASH_OF_OTHER_KEY, HASH_OF_OTHER_KIND };

/* DER of DigestInfo before a SHA-256 hash (RFC 8017 section 9.2, note 1). */
static const unsigned char sha256_info[] = { 0x30, 0x31, 0x30, 0x0d, 0x06, 0x09,
	0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04,
	0x20 };

/* Take the hash that was signed out of an RSA signature. */
static enum signed_hash
recover(struct hunt *h)
{
	unsigned char out[DKIM_RSA_MAX / 8];
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(h->key->public->pkey, NULL);
	size_t n = sizeof(out);
	enum signed_hash got = HASH_OF_OTHER_KEY;

	if (ctx != NULL && EVP_PKEY_verify_recover_init(ctx) == 1 &&
	    EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1 &&
	    EVP_PKEY_verify_recover(ctx, out, &n, h->sig->b.p,
	    h->sig->b.n) == 1)
		got = n == sizeof(sha256_info) + DKIM_HASH_SIZE &&
		    memcmp(out, sha256_info, sizeof(sha256_info)) == 0 ?
		    HASH_KNOWN : HASH_OF_OTHER_KIND;
	if (got == HASH_KNOWN) {
		memcpy(h->want, out + sizeof(sha256_info), DKIM_HASH_SIZE);
		h->known = true;
	}
	EVP_PKEY_CTX_free(ctx);
	ERR_clear_error();
	return got;
}

static void
search(struct hunt *h)
{
	size_t size = 0;

	h->slot = make_slots(h, &h->g->fields, &h->slots);
	h->sig_text = signature_text(h);
	for (int i = 0; i < h->slots; i++)
		size += h->slot[i].text.n;
	if (h->slots < 0 || size > DKIM_HUNT_HEADER_MAX)
		return;
	signer_variants(h);
	copied_variants(h);
	each_without(h);
	for (int i = 0; i < h->slots && !over(h); i++)
		slot_variants(h, i);
	pairs(h);
}

static const char *
hopeless(const struct hunt *h)
{
	return h->known ? "The signature was made with this key, so selector "
	    "and key are right; but the header is not the one that was signed, "
	    "and no usual change of one or two fields explains it." :
	    "Either a signed field was changed, in a way that is none of the "
	    "usual ones, or the signature was made with another key than the "
	    "one in the DNS; Ed25519 does not tell which.";
}

bool
dkim_hunt_header(const struct dkim_gathered *g, const struct dkim_sig *sig,
    const struct dkim_key *k, struct arena *ar, struct strbuf *why)
{
	struct hunt *h = arena_alloc(ar, sizeof(*h));
	enum signed_hash got = HASH_KNOWN;

	*h = (struct hunt){ .g = g, .sig = sig, .key = k, .ar = ar,
		.how = sig->header, .why = why, .md = EVP_MD_CTX_new(),
		.tries = k->ed25519 ? DKIM_TRIES_ED25519 : DKIM_TRIES_RSA };
	if (!k->ed25519)
		got = recover(h);
	if (got == HASH_OF_OTHER_KEY)
		sb_puts(why, "b= was not made with the key that is in the DNS: "
		    "the key was replaced under the same selector, or the "
		    "signer uses another one than is published, or b= was "
		    "damaged.");
	else if (got == HASH_OF_OTHER_KIND)
		sb_puts(why, "b= was made with this key, but over a hash that "
		    "is not SHA-256, which a= promises: the signer's software "
		    "is wrong.");
	else if (h->md != NULL)
		search(h);
	if (got == HASH_KNOWN && !h->found)
		sb_puts(why, hopeless(h));
	EVP_MD_CTX_free(h->md);
	return h->found || got != HASH_KNOWN;
}
