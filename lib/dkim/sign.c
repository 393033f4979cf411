#include "dkim/sign.h"

#include <inttypes.h>
#include <openssl/err.h>
#include <openssl/rsa.h>
#include <string.h>

#include "base/alloc.h"
#include "dkim/taglist.h"

#define LINE_MAX_COLUMNS 76
#define SIGNATURE_TEXT_MAX ((size_t)64 * 1024)
/* Octets of a signature: RSA of DKIM_RSA_MAX bits. */
#define SIGNATURE_MAX 1024

/* Names in h=: real mail has under 60, and some verifiers stop at a few
 * hundred. */
#define SIGNED_NAMES_MAX 256u
/* Bytes of h=: with all else the field stays well under DKIM_FIELD_MAX. */
#define SIGNED_BYTES_MAX ((size_t)4096)

static const char *
take_fields(struct slice in, struct dkim_message *m, size_t *cap,
    struct arena *ar, struct slice *rest)
{
	struct field f;

	while (field_next(&in, &f) == 1) {
		if (f.bad)
			return "malformed header";
		if (m->fields.count == DKIM_FIELDS_MAX)
			return "too many header fields";
		if (m->fields.count == *cap) {
			size_t old = size_mul(*cap, sizeof(f));

			*cap = *cap == 0 ? 64 : 2 * *cap;
			m->fields.f = arena_grow(ar, m->fields.f, old,
			    size_mul(*cap, sizeof(f)));
		}
		m->fields.f[m->fields.count++] = f;
		m->from_fields += slice_ieqs(f.name, "from");
	}
	*rest = in;
	return NULL;
}

int
dkim_message_read(struct slice added, struct slice msg, struct arena *ar,
    struct dkim_message *m, const char **error)
{
	size_t cap = 0;

	*m = (struct dkim_message){ 0 };
	if ((*error = take_fields(added, m, &cap, ar, &m->body)) != NULL ||
	    (*error = take_fields(msg, m, &cap, ar, &m->body)) != NULL)
		return -1;
	return 0;
}

static bool
body_hash(struct dkim_message *m, enum canon how)
{
	if (!m->hashed[how])
		m->hashed[how] = dkim_hash_body(m->body, how,
		    m->body_hash[how]) == 0;
	return m->hashed[how];
}

/* A field under construction: words are put on a new line when one is full. */
struct folder {
	struct strbuf *sb;
	size_t column;
};

static void
fold_put(struct folder *f, struct slice word, bool blank)
{
	if (f->column + blank + word.n > LINE_MAX_COLUMNS) {
		sb_puts(f->sb, "\r\n\t");
		f->column = 8;
	} else if (blank) {
		sb_putc(f->sb, ' ');
		f->column++;
	}
	sb_put(f->sb, word);
	f->column += word.n;
}

/* Long text that may be cut anywhere. */
static void
fold_text(struct folder *f, struct slice text)
{
	while (text.n != 0) {
		size_t room = f->column < LINE_MAX_COLUMNS ?
		    LINE_MAX_COLUMNS - f->column : 0;
		struct slice part;

		if (room == 0) {
			sb_puts(f->sb, "\r\n\t");
			f->column = 8;
			continue;
		}
		part = slice_sub(text, 0, room);
		sb_put(f->sb, part);
		f->column += part.n;
		text = slice_skip(text, part.n);
	}
}

static void
put_tag(struct folder *f, const char *name, struct slice value)
{
	struct strbuf sb = STRBUF_INIT(4096);

	sb_puts(&sb, name);
	sb_putc(&sb, '=');
	sb_put(&sb, value);
	sb_putc(&sb, ';');
	fold_put(f, sb_slice(&sb), true);
	sb_free(&sb);
}

static size_t
occurrences(const struct dkim_message *m, struct slice name)
{
	size_t n = 0;

	for (size_t i = 0; i < m->fields.count; i++)
		n += slice_ieq(m->fields.f[i].name, name);
	return n;
}

static bool
listed(struct slice names, struct slice name)
{
	struct slice item;

	while (taglist_item(&names, ',', &item))
		if (slice_ieq(item, name))
			return true;
	return false;
}

/*
 * Is the name put into h= once more than it occurs (section 8.15)? With "yes"
 * all but what mailing lists and people who resend rightly add.
 */
static bool
oversigned(const struct dkim_signer *s, struct slice name)
{
	if (slice_eqs(s->oversign, "no"))
		return false;
	if (!slice_eqs(s->oversign, "yes"))
		return listed(s->oversign, name);
	return !slice_ieqs(name, "sender") &&
	    !slice_ieq(slice_sub(name, 0, 5), S("list-")) &&
	    !slice_ieq(slice_sub(name, 0, 7), S("resent-"));
}

/* The names of h=, by colons, and those of them that are oversigned: false if
 * there are too many. */
static bool
choose_names(const struct dkim_signer *s, const struct dkim_message *m,
    struct strbuf *names, struct strbuf *over)
{
	struct slice list = s->headers, name;
	size_t count = 0, n;

	while (taglist_item(&list, ',', &name)) {
		n = occurrences(m, name);
		if (oversigned(s, name)) {
			n++;
			sb_puts(over, over->n != 0 ? "," : "");
			sb_put(over, name);
		}
		if ((count += n) > SIGNED_NAMES_MAX)
			return false;
		for (; n > 0; n--) {
			sb_puts(names, names->n != 0 ? ":" : "");
			sb_put(names, name);
		}
	}
	return !names->over && !over->over;
}

/* h=, folded between names. */
static void
put_names(struct folder *f, struct slice names)
{
	struct strbuf word = STRBUF_INIT(SIGNATURE_TEXT_MAX);
	struct slice name;
	bool first = true;

	while (taglist_item(&names, ':', &name)) {
		sb_reset(&word);
		sb_puts(&word, first ? "h=" : "");
		sb_put(&word, name);
		sb_puts(&word, names.p != NULL ? ":" : ";");
		fold_put(f, sb_slice(&word), first);
		first = false;
	}
	sb_free(&word);
}

/*
 * i= in quoted-printable (section 2.11). Bytes of UTF-8 stand as they are: the
 * From field has them too, so the header is internationalized (RFC 8616
 * section 5). d= and s= are A-labels, which are valid in either kind.
 */
static void
put_identity(struct folder *f, struct slice identity)
{
	struct strbuf sb = STRBUF_INIT(4096);

	for (size_t i = 0; i < identity.n; i++)
		if (identity.p[i] <= ' ' || identity.p[i] == 0x7f ||
		    identity.p[i] == ';' || identity.p[i] == '=')
			sb_printf(&sb, "=%02X", identity.p[i]);
		else
			sb_putc(&sb, identity.p[i]);
	put_tag(f, "i", sb_slice(&sb));
	sb_free(&sb);
}

static void
put_time(struct folder *f, const char *name, int64_t t)
{
	struct strbuf sb = STRBUF_INIT(32);

	sb_printf(&sb, "%" PRId64, t);
	put_tag(f, name, sb_slice(&sb));
	sb_free(&sb);
}

/* The signature over the header's hash: its length, or 0. */
static size_t
sign_hash(EVP_PKEY *key, const unsigned char *hash, unsigned char *sig,
    size_t cap)
{
	EVP_MD_CTX *md = NULL;
	EVP_PKEY_CTX *ctx = NULL;
	size_t n = cap;
	bool good;

	if (dkim_key_is_ed25519(key)) {
		md = EVP_MD_CTX_new();
		good = md != NULL && EVP_DigestSignInit(md, NULL, NULL, NULL,
		    key) == 1 && EVP_DigestSign(md, sig, &n, hash,
		    DKIM_HASH_SIZE) == 1;
	} else {
		ctx = EVP_PKEY_CTX_new(key, NULL);
		good = ctx != NULL && EVP_PKEY_sign_init(ctx) == 1 &&
		    EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1 &&
		    EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256()) == 1 &&
		    EVP_PKEY_sign(ctx, sig, &n, hash, DKIM_HASH_SIZE) == 1;
	}
	EVP_MD_CTX_free(md);
	EVP_PKEY_CTX_free(ctx);
	ERR_clear_error();
	return good ? n : 0;
}

/* All of the field up to "b=". */
static void
put_head(const struct dkim_signer *s, const struct dkim_signed *what,
    struct slice identity, int64_t now, struct folder *f)
{
	static const char *const canons[2][2] = {
		{ NULL /* the default */, "simple/relaxed" },
		{ "relaxed/simple", "relaxed/relaxed" },
	};
	const char *canon = canons[s->header][s->body];
	struct strbuf sb = STRBUF_INIT(256);

	sb_puts(f->sb, "DKIM-Signature: v=1;");
	f->column = f->sb->n;
	put_tag(f, "d", s->domain);
	put_tag(f, "s", s->selector);
	put_identity(f, identity);
	put_tag(f, "a", slice_str(dkim_alg_name(dkim_key_is_ed25519(s->key) ?
	    DKIM_ED25519_SHA256 : DKIM_RSA_SHA256)));
	if (canon != NULL)
		put_tag(f, "c", slice_str(canon));
	put_time(f, "t", now);
	if (s->expire != 0)
		put_time(f, "x", now + s->expire);
	put_names(f, what->names);
	sb_base64(&sb, slice_of(what->body_hash, sizeof(what->body_hash)));
	put_tag(f, "bh", sb_slice(&sb));
	fold_put(f, S("b="), true);
	sb_free(&sb);
}

/* The field over hashes that are known: NULL, or the error. */
static const char *
put_field(const struct dkim_signer *s, const struct dkim_message *m,
    struct slice identity, int64_t now, struct arena *ar,
    struct dkim_signed *what, struct strbuf *text)
{
	unsigned char sig[SIGNATURE_MAX];
	struct strbuf b64 = STRBUF_INIT(2 * SIGNATURE_MAX);
	struct folder f = { .sb = text };
	size_t n;

	put_head(s, what, identity, now, &f);
	if (text->over || dkim_hash_header(&m->fields, s->header, what->names,
	    sb_slice(text), ar, what->header_hash) == -1 ||
	    (n = sign_hash(s->key, what->header_hash, sig, sizeof(sig))) == 0)
		return "signing failed";
	sb_base64(&b64, slice_of(sig, n));
	fold_text(&f, sb_slice(&b64));
	sb_free(&b64);
	return text->over ? "signing failed" : NULL;
}

int
dkim_sign(const struct dkim_signer *s, struct dkim_message *m,
    struct slice identity, int64_t now, struct arena *ar, struct strbuf *out,
    struct dkim_signed *what, const char **error)
{
	struct strbuf text = STRBUF_INIT(SIGNATURE_TEXT_MAX);
	struct strbuf names = STRBUF_INIT(SIGNED_BYTES_MAX);
	struct strbuf over = STRBUF_INIT(SIGNATURE_TEXT_MAX);

	*what = (struct dkim_signed){ 0 };
	*error = NULL;
	if (m->from_fields != 1)
		*error = m->from_fields == 0 ? "no From field" :
		    "two From fields";
	else if (!choose_names(s, m, &names, &over))
		*error = "too many fields to sign";
	else if (!body_hash(m, s->body))
		*error = "out of memory";
	if (*error == NULL) {
		what->names = arena_copy(ar, sb_slice(&names));
		what->oversigned = arena_copy(ar, sb_slice(&over));
		memcpy(what->body_hash, m->body_hash[s->body], DKIM_HASH_SIZE);
		*error = put_field(s, m, identity, now, ar, what, &text);
	}
	if (*error == NULL) {
		sb_put(out, sb_slice(&text));
		if (out->over)
			*error = "signing failed";
	}
	sb_free(&text);
	sb_free(&names);
	sb_free(&over);
	return *error == NULL ? 0 : -1;
}
