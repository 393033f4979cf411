/*
 * Canonical forms: a body in pieces split anywhere gives the bytes and the hash
 * of the whole; both and fields are as the rules say, written down once more,
 * line by line over the whole.
 */
#include "dkim/sig.h"

#include <stdlib.h>

#include "base/strbuf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
to_strbuf(void *ctx, const void *p, size_t n)
{
	sb_put(ctx, slice_of(p, n));
}

static void
split(enum canon how, struct slice in, size_t at, struct strbuf *out)
{
	struct canon_body c;

	sb_reset(out);
	canon_body_init(&c, how, to_strbuf, out);
	canon_body_feed(&c, slice_sub(in, 0, at));
	canon_body_feed(&c, slice_skip(in, at));
	canon_body_end(&c);
}

static void
to_hash(void *ctx, const void *p, size_t n)
{
	if (EVP_DigestUpdate(ctx, p, n) != 1)
		abort();
}

/* In pieces as long as the bytes of the input say, from the seed on. */
static void
hash_pieces(enum canon how, struct slice in, size_t seed, unsigned mask,
    unsigned char hash[DKIM_HASH_SIZE])
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	struct slice rest = in;
	struct canon_body c;

	if (md == NULL || EVP_DigestInit_ex(md, dkim_sha256(), NULL) != 1)
		abort();
	canon_body_init(&c, how, to_hash, md);
	while (rest.n != 0) {
		size_t n = in.p[seed++ % in.n] & mask;

		canon_body_feed(&c, slice_sub(rest, 0, n + 1));
		rest = slice_skip(rest, n + 1);
	}
	canon_body_end(&c);
	if (EVP_DigestFinal_ex(md, hash, NULL) != 1)
		abort();
	EVP_MD_CTX_free(md);
}

static void
same_hash(enum canon how, struct slice in)
{
	/* From single bytes to several lines. */
	static const unsigned masks[] = { 0, 3, 15, 255 };
	unsigned char whole[DKIM_HASH_SIZE], hash[DKIM_HASH_SIZE];

	if (dkim_hash_body(in, how, whole) == -1)
		abort();
	for (size_t i = 0; i < sizeof(masks) / sizeof(masks[0]); i++) {
		hash_pieces(how, in, i * 7, masks[i], hash);
		if (memcmp(hash, whole, sizeof(hash)) != 0)
			abort();
	}
}

/* Runs of blanks become one; none are left at the end. */
static void
put_squeezed(struct slice line, struct strbuf *out)
{
	size_t from = out->n;

	for (size_t i = 0; i < line.n; i++)
		if (!ascii_isblank(line.p[i]))
			sb_putc(out, line.p[i]);
		else if (i == 0 || !ascii_isblank(line.p[i - 1]))
			sb_putc(out, ' ');
	if (out->n > from && out->p[out->n - 1] == ' ')
		sb_cut(out, out->n - 1);
}

/* RFC 6376 sections 3.4.3 and 3.4.4. */
static void
plain_body(enum canon how, struct slice in, struct strbuf *out)
{
	size_t end = 0;
	struct slice line;

	sb_reset(out);
	while (slice_line(&in, &line) == 1) {
		size_t from = out->n;

		if (how == CANON_SIMPLE)
			sb_put(out, line);
		else
			put_squeezed(line, out);
		if (out->n != from)
			end = out->n + 2;
		sb_puts(out, "\r\n");
	}
	sb_cut(out, end);
	if (end == 0 && how == CANON_SIMPLE)
		sb_puts(out, "\r\n");
}

/* RFC 6376 section 3.4.2. */
static void
plain_field(struct slice raw, struct strbuf *out)
{
	struct strbuf flat = STRBUF_INIT(1 << 20);
	struct slice name, line, value;

	slice_cut(&raw, ':', &name);
	name = slice_rtrim(name);
	sb_reset(out);
	for (size_t i = 0; i < name.n; i++)
		sb_putc(out, ascii_lower(name.p[i]));
	sb_putc(out, ':');
	/* A line end is as good as a blank: one stands behind it. */
	while (slice_line(&raw, &line) == 1) {
		sb_put(&flat, line);
		sb_putc(&flat, ' ');
	}
	value = sb_slice(&flat);
	while (value.n != 0 && ascii_isblank(value.p[0]))
		value = slice_skip(value, 1);
	put_squeezed(value, out);
	sb_puts(out, "\r\n");
	sb_free(&flat);
}

static void
must_eq(const struct strbuf *a, const struct strbuf *b)
{
	if (!slice_eq(sb_slice(a), sb_slice(b)))
		abort();
}

/* The field without the value of the first tag b, and then like any other. */
static void
plain_signature(enum canon how, struct slice raw, struct strbuf *out)
{
	struct strbuf sb = STRBUF_INIT(1 << 20);
	struct slice rest = raw, spec, tag;
	bool more, done = false;

	sb_reset(out);
	slice_cut(&rest, ':', &spec);
	sb_put(&sb, spec);
	sb_putc(&sb, ':');
	do {
		more = slice_cut(&rest, ';', &spec);
		if (!done && slice_chr(spec, '=') != -1) {
			struct slice val = spec;

			slice_cut(&val, '=', &tag);
			done = slice_eqs(slice_trim(tag), "b");
			if (done)
				spec = slice_sub(spec, 0, tag.n + 1);
		}
		sb_put(&sb, spec);
		if (more)
			sb_putc(&sb, ';');
	} while (more);
	canon_field(how, sb_slice(&sb), false, to_strbuf, out);
	sb_free(&sb);
}

static void
fields(struct slice in)
{
	struct strbuf a = STRBUF_INIT(1 << 20), b = STRBUF_INIT(1 << 20);

	canon_field(CANON_RELAXED, in, true, to_strbuf, &a);
	plain_field(in, &b);
	must_eq(&a, &b);
	for (int how = CANON_SIMPLE; how <= CANON_RELAXED; how++) {
		sb_reset(&a);
		canon_signature(how, in, to_strbuf, &a);
		plain_signature(how, in, &b);
		if (slice_chr(in, ':') != -1)
			must_eq(&a, &b);
	}
	sb_free(&a);
	sb_free(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct strbuf a = STRBUF_INIT(1 << 20), b = STRBUF_INIT(1 << 20);
	struct slice in = slice_of(data, size);

	for (int how = CANON_SIMPLE; how <= CANON_RELAXED; how++) {
		split(how, in, size, &a);
		plain_body(how, in, &b);
		/* A CR at the very end has no LF: it is a byte. */
		if (size == 0 || data[size - 1] != '\r')
			must_eq(&a, &b);
		split(how, in, size != 0 ? data[0] % size : 0, &b);
		must_eq(&a, &b);
		split(how, in, size != 0 ? data[size - 1] % size : 0, &b);
		must_eq(&a, &b);
		same_hash(how, in);
	}
	fields(in);
	sb_free(&a);
	sb_free(&b);
	return 0;
}
