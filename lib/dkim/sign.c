#include "dkim/sign.h"

#include <inttypes.h>
#include <openssl/err.h>
#include <openssl/rsa.h>

#include "base/alloc.h"

#define LINE_MAX_COLUMNS 76
#define SIGNATURE_TEXT_MAX ((size_t)64 * 1024)
/* Octets of a signature: RSA of DKIM_RSA_MAX bits. */
#define SIGNATURE_MAX 1024

/* What a reader sees or a mail program acts on. */
static const char *const signed_names[] = {
	"From", "To", "Cc", "Bcc", "Reply-To", "References", "In-Reply-To",
	"Subject", "Date", "Message-ID", "Content-Type",
};

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
	struct slice body;
	size_t cap = 0;

	*m = (struct dkim_message){ 0 };
	if ((*error = take_fields(added, m, &cap, ar, &body)) != NULL ||
	    (*error = take_fields(msg, m, &cap, ar, &body)) != NULL)
		return -1;
	if (dkim_hash_body(body, CANON_RELAXED, m->body_hash) == -1)
		*error = "out of memory";
	return *error == NULL ? 0 : -1;
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

	sb_printf(&sb, "%s=", name);
	sb_put(&sb, value);
	sb_putc(&sb, ';');
	fold_put(f, sb_slice(&sb), true);
	sb_free(&sb);
}

static size_t
occurrences(const struct dkim_message *m, const char *name)
{
	size_t n = 0;

	for (size_t i = 0; i < m->fields.count; i++)
		n += slice_ieqs(m->fields.f[i].name, name);
	return n;
}

/* h=, folded between names. */
static void
put_names(struct folder *f, const struct dkim_message *m, struct strbuf *names)
{
	bool first = true;

	for (size_t i = 0; i < COUNTOF(signed_names); i++)
		/* At most what a verifier of ours looks at; the rest is junk. */
		for (size_t n = occurrences(m, signed_names[i]) + 1; n > 0 &&
		    names->n < 4096; n--) {
			struct strbuf sb = STRBUF_INIT(64);

			sb_printf(&sb, "%s%s", first ? "h=" : ":",
			    signed_names[i]);
			fold_put(f, sb_slice(&sb), first);
			sb_puts(names, first ? "" : ":");
			sb_puts(names, signed_names[i]);
			first = false;
			sb_free(&sb);
		}
	fold_put(f, S(";"), false);
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
put_head(const struct dkim_signer *s, const struct dkim_message *m,
    struct slice identity, int64_t now, struct folder *f, struct strbuf *names)
{
	struct strbuf sb = STRBUF_INIT(256);

	sb_puts(f->sb, "DKIM-Signature: v=1;");
	f->column = f->sb->n;
	put_tag(f, "d", s->domain);
	put_tag(f, "s", s->selector);
	put_tag(f, "i", identity);
	put_tag(f, "a", slice_str(dkim_alg_name(dkim_key_is_ed25519(s->key) ?
	    DKIM_ED25519_SHA256 : DKIM_RSA_SHA256)));
	put_tag(f, "c", S("relaxed/relaxed"));
	sb_printf(&sb, "%" PRId64, now);
	put_tag(f, "t", sb_slice(&sb));
	put_names(f, m, names);
	sb_reset(&sb);
	sb_base64(&sb, slice_of(m->body_hash, sizeof(m->body_hash)));
	put_tag(f, "bh", sb_slice(&sb));
	fold_put(f, S("b="), true);
	sb_free(&sb);
}

int
dkim_sign(const struct dkim_signer *s, const struct dkim_message *m,
    struct slice identity, int64_t now, struct arena *ar, struct strbuf *out)
{
	struct strbuf text = STRBUF_INIT(SIGNATURE_TEXT_MAX);
	struct strbuf names = STRBUF_INIT(SIGNATURE_TEXT_MAX);
	struct strbuf b64 = STRBUF_INIT(2 * SIGNATURE_MAX);
	struct folder f = { .sb = &text };
	unsigned char hash[DKIM_HASH_SIZE], sig[SIGNATURE_MAX];
	size_t n = 0;

	put_head(s, m, identity, now, &f, &names);
	if (!text.over && dkim_hash_header(&m->fields, CANON_RELAXED,
	    sb_slice(&names), sb_slice(&text), ar, hash) == 0)
		n = sign_hash(s->key, hash, sig, sizeof(sig));
	sb_base64(&b64, slice_of(sig, n));
	fold_text(&f, sb_slice(&b64));
	if (n != 0 && !text.over)
		sb_put(out, sb_slice(&text));
	n = text.over || out->over ? 0 : n;
	sb_free(&text);
	sb_free(&names);
	sb_free(&b64);
	return n != 0 ? 0 : -1;
}
