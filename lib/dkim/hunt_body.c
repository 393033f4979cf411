/* Changes of the body, undone until it has the hash bh=. */
#include "dkim/hunt.h"

#include <openssl/evp.h>

#include "base/alloc.h"

#define LINES_MAX ((size_t)200000) /* lines at whose end the body is cut */
#define BYTES_MAX ((size_t)200000) /* bytes after which it is cut */
#define HEAD_LINES 40    /* most that are put in front */
#define RUN_LINES 12     /* most that are put in the middle */
#define DELIMITERS 32    /* of MIME parts looked at */
#define SHOWN_MAX 60

struct hunt {
	const struct dkim_sig *sig;
	struct slice body;      /* as it came */
	struct strbuf canon;    /* its canonical form */
	EVP_MD_CTX *md, *cut;
	size_t hashed;          /* bytes so far */
	struct strbuf *why;
};

static void
to_strbuf(void *ctx, const void *p, size_t n)
{
	sb_put(ctx, slice_of(p, n));
}

static void
canonical(struct slice body, enum canon how, struct strbuf *out)
{
	struct canon_body c;

	sb_reset(out);
	canon_body_init(&c, how, to_strbuf, out);
	canon_body_feed(&c, body);
	canon_body_end(&c);
}

static void
start(struct hunt *h)
{
	EVP_DigestInit_ex(h->md, dkim_sha256(), NULL);
}

static void
add(struct hunt *h, struct slice s)
{
	EVP_DigestUpdate(h->md, s.p, s.n);
	h->hashed += s.n;
}

/* Is the hash so far, with `end' behind it, bh=? */
static bool
met(struct hunt *h, struct slice end)
{
	unsigned char hash[DKIM_HASH_SIZE];

	h->hashed += 64 + end.n; /* what a final block costs */
	return EVP_MD_CTX_copy_ex(h->cut, h->md) == 1 &&
	    EVP_DigestUpdate(h->cut, end.p, end.n) == 1 &&
	    EVP_DigestFinal_ex(h->cut, hash, NULL) == 1 &&
	    memcmp(hash, h->sig->bh.p, DKIM_HASH_SIZE) == 0;
}

static bool
spent(const struct hunt *h)
{
	return h->hashed > DKIM_HUNT_HASHED_MAX;
}

/* Two pieces, of which the signed part counts. */
static bool
is_signed(struct hunt *h, struct slice a, struct slice b)
{
	uint64_t most = h->sig->length;

	a = slice_sub(a, 0, most < a.n ? (size_t)most : a.n);
	b = slice_sub(b, 0, most - a.n < b.n ? (size_t)(most - a.n) : b.n);
	start(h);
	add(h, a);
	add(h, b);
	return met(h, SLICE_NONE);
}

/* Another body, canonical in the signature's form or the other one. */
static bool
body_signed(struct hunt *h, struct slice body, enum canon how)
{
	struct strbuf sb = STRBUF_INIT(2 * DKIM_HUNT_BODY_MAX);
	bool good;

	canonical(body, how, &sb);
	good = is_signed(h, sb_slice(&sb), SLICE_NONE);
	sb_free(&sb);
	return good;
}

/* One line with its CRLF off *in. */
static struct slice
take_line(struct slice *in)
{
	ptrdiff_t i = slice_chr(*in, '\n');
	struct slice line = slice_sub(*in, 0,
	    i == -1 ? in->n : (size_t)i + 1);

	*in = slice_skip(*in, line.n);
	return line;
}

/* Offset in the body as it came of line n (from 0): canonical forms keep
 * lines. */
static size_t
line_at(const struct hunt *h, size_t n)
{
	struct slice rest = h->body;

	while (n-- > 0 && rest.n != 0)
		take_line(&rest);
	return h->body.n - rest.n;
}

static void
show(struct strbuf *sb, struct slice line)
{
	line = slice_trim(line);
	sb_puts(sb, " \"");
	sb_put(sb, slice_sub(line, 0, SHOWN_MAX));
	sb_puts(sb, line.n > SHOWN_MAX ? "...\"" : "\"");
}

static void
tell_behind(struct hunt *h, size_t line, size_t at)
{
	struct slice rest = slice_skip(h->body, at), first = SLICE_NONE;

	while (rest.n != 0 && slice_trim(first).n == 0)
		first = take_line(&rest);
	if (at == 0)
		sb_puts(h->why, "The message was signed with an empty body; "
		    "what was put there since begins with");
	else
		sb_printf(h->why, "Text was put behind the body after signing: "
		    "what was signed ends with line %zu of the body, at its "
		    "byte %zu; what follows begins with", line, at);
	show(h->why, first);
	sb_puts(h->why, ". Mailing lists and virus scanners add such a footer.");
}

/* Cut at each line end; then also inside the lines. */
static bool
try_cuts(struct hunt *h)
{
	struct slice rest = sb_slice(&h->canon);
	size_t n = 0;

	start(h);
	while (!met(h, n == 0 && h->sig->body == CANON_SIMPLE ? S("\r\n") :
	    SLICE_NONE)) {
		if (rest.n == 0 || n++ == LINES_MAX || spent(h))
			return false;
		add(h, take_line(&rest));
	}
	tell_behind(h, n, line_at(h, n));
	return true;
}

static bool
try_byte_cuts(struct hunt *h)
{
	struct slice in = slice_sub(sb_slice(&h->canon), 0, BYTES_MAX);
	size_t line = 1, column = 0;

	start(h);
	for (size_t i = 0; i < in.n && !spent(h); i++) {
		add(h, slice_sub(in, i, 1));
		column++;
		if (in.p[i] == '\n') {
			line++;
			column = 0;
		} else if (met(h, S("\r\n"))) {
			tell_behind(h, line, line_at(h, line - 1) + column);
			return true;
		}
	}
	return false;
}

static bool
try_heads(struct hunt *h)
{
	struct slice rest = sb_slice(&h->canon), all = rest;

	for (int n = 1; n <= HEAD_LINES && rest.n != 0 && !spent(h); n++) {
		take_line(&rest);
		if (!is_signed(h, rest, SLICE_NONE))
			continue;
		sb_printf(h->why, "%d line%s put in front of the body after "
		    "signing, beginning with", n, n == 1 ? " was" : "s were");
		show(h->why, take_line(&all));
		sb_puts(h->why, ". Filters that mark mail from outside do that.");
		return true;
	}
	return false;
}

/* A run of lines in the middle, of each length at each place. */
static bool
try_runs(struct hunt *h)
{
	struct slice all = sb_slice(&h->canon);

	for (int length = 1; length <= RUN_LINES && !spent(h); length++) {
		struct slice head = all, tail = all;
		size_t line = 0;

		for (int i = 0; i < length; i++)
			take_line(&tail);
		for (; tail.n != 0 && !spent(h); line++) {
			size_t at = (size_t)(head.p - all.p);

			if (is_signed(h, slice_sub(all, 0, at), tail)) {
				sb_printf(h->why, "%d line%s put into the body "
				    "after signing, behind its line %zu (byte "
				    "%zu), beginning with", length,
				    length == 1 ? " was" : "s were", line,
				    line_at(h, line));
				show(h->why, take_line(&head));
				sb_puts(h->why, ".");
				return true;
			}
			take_line(&head);
			take_line(&tail);
		}
	}
	return false;
}

/* Where lines that begin with "--" start: delimiters of MIME parts. */
static size_t
delimiters(struct slice text, size_t at[DELIMITERS])
{
	struct slice rest = text;
	size_t n = 0;

	while (rest.n != 0 && n < DELIMITERS) {
		size_t from = text.n - rest.n;

		if (slice_starts(take_line(&rest), S("--")))
			at[n++] = from;
	}
	return n;
}

/* The signed body inside a part of another message. */
static bool
try_parts(struct hunt *h)
{
	struct slice all = sb_slice(&h->canon);
	size_t at[DELIMITERS], n = delimiters(all, at);

	for (size_t i = 0; i + 1 < n; i++)
		for (size_t k = i + 1; k < n && !spent(h); k++) {
			struct slice part = slice_sub(all, at[i], at[k] - at[i]);
			ptrdiff_t gap = slice_find(part, S("\r\n\r\n"));

			if (gap == -1 || !body_signed(h, slice_skip(part,
			    (size_t)gap + 4), h->sig->body))
				continue;
			sb_printf(h->why, "The body that was signed is now "
			    "part %zu of a multipart message: a mailing list "
			    "or scanner wrapped it to add parts.", i + 1);
			return true;
		}
	return false;
}

/* Parts taken out again. */
static bool
try_without_parts(struct hunt *h)
{
	struct slice all = sb_slice(&h->canon);
	size_t at[DELIMITERS], n = delimiters(all, at);

	for (size_t i = 0; i + 1 < n; i++)
		for (size_t k = i + 1; k < n && !spent(h); k++) {
			if (!is_signed(h, slice_sub(all, 0, at[i]),
			    slice_skip(all, at[k])))
				continue;
			sb_printf(h->why, "%zu MIME part%s added to the body "
			    "after signing, from byte %zu of its canonical "
			    "form on.", k - i, k - i == 1 ? " was" : "s were",
			    at[i]);
			return true;
		}
	return false;
}

static void
lf_only(struct slice in, struct strbuf *out)
{
	for (size_t i = 0; i < in.n; i++)
		if (in.p[i] != '\r' || i + 1 == in.n || in.p[i + 1] != '\n')
			sb_putc(out, in.p[i]);
}

/* Each line that begins with `from' begins with `to' instead. */
static void
starts(struct slice in, const char *from, const char *to, struct strbuf *out)
{
	while (in.n != 0) {
		struct slice line = take_line(&in);

		if (slice_starts(line, slice_str(from))) {
			sb_puts(out, to);
			line = slice_skip(line, strlen(from));
		}
		sb_put(out, line);
	}
}

static void
unquote_printable(struct slice in, struct strbuf *out)
{
	for (size_t i = 0; i < in.n; i++) {
		int hi, lo;

		if (in.p[i] != '=' || in.n - i < 3)
			sb_putc(out, in.p[i]);
		else if (in.p[i + 1] == '\r' && in.p[i + 2] == '\n')
			i += 2;
		else if ((hi = ascii_hex(in.p[i + 1])) != -1 &&
		    (lo = ascii_hex(in.p[i + 2])) != -1) {
			sb_putc(out, (unsigned char)((unsigned)hi << 4 | (unsigned)lo));
			i += 2;
		} else
			sb_putc(out, in.p[i]);
	}
}

static void
unbase64(struct slice in, struct strbuf *out)
{
	struct strbuf text = STRBUF_INIT(DKIM_HUNT_BODY_MAX);

	for (size_t i = 0; i < in.n; i++)
		if (in.p[i] > ' ')
			sb_putc(&text, in.p[i]);
	if (sb_unbase64(out, sb_slice(&text)) == -1)
		sb_reset(out);
	sb_free(&text);
}

/* Changes of the whole body. */
static bool
try_rewritten(struct hunt *h)
{
	static const char *const told[] = {
		"The body was converted to quoted-printable after signing.",
		"The body was converted to base64 after signing.",
		"A dot at the start of lines was doubled on the way: a program "
		"that speaks SMTP did not undo its dot-stuffing.",
		"A dot at the start of lines was lost on the way: a program "
		"that speaks SMTP forgot the dot-stuffing.",
		"A \">\" was put before lines that begin with \"From \": the "
		"message went through an mbox file.",
		"A \">\" before lines that begin with \"From \" was taken off "
		"after signing.",
	};
	struct strbuf sb = STRBUF_INIT(2 * DKIM_HUNT_BODY_MAX);
	bool found = false;

	for (size_t i = 0; i < COUNTOF(told) && !found && !spent(h); i++) {
		sb_reset(&sb);
		switch (i) {
		case 0: unquote_printable(h->body, &sb); break;
		case 1: unbase64(h->body, &sb); break;
		case 2: starts(h->body, "..", ".", &sb); break;
		case 3: starts(h->body, ".", "..", &sb); break;
		case 4: starts(h->body, ">From ", "From ", &sb); break;
		case 5: starts(h->body, "From ", ">From ", &sb); break;
		}
		found = sb.n != 0 &&
		    body_signed(h, sb_slice(&sb), h->sig->body);
		if (found)
			sb_puts(h->why, told[i]);
	}
	sb_free(&sb);
	return found;
}

/* Slips of the signer's software. */
static bool
try_signer(struct hunt *h)
{
	struct strbuf sb = STRBUF_INIT(2 * DKIM_HUNT_BODY_MAX);
	struct slice all = sb_slice(&h->canon);
	const char *told = NULL;

	if (body_signed(h, h->body, CANON_RELAXED))
		told = "The signer hashed the body as relaxed, but c= says "
		    "simple: its software or configuration is wrong.";
	else if (body_signed(h, h->body, CANON_SIMPLE))
		told = "The signer hashed the body as simple, but c= says "
		    "relaxed: its software or configuration is wrong.";
	else if (all.n >= 2 && is_signed(h, slice_sub(all, 0, all.n - 2),
	    SLICE_NONE))
		told = "The signer hashed the body without its last line end: "
		    "its software is wrong.";
	else if (is_signed(h, h->body, SLICE_NONE))
		told = "The signer hashed the body without canonicalization: "
		    "its software is wrong.";
	lf_only(all, &sb);
	if (told == NULL && is_signed(h, sb_slice(&sb), SLICE_NONE))
		told = "The signer hashed lines that end in LF instead of CRLF: "
		    "its software is wrong, or the message was signed before "
		    "it was sent in full.";
	if (told != NULL)
		sb_puts(h->why, told);
	sb_free(&sb);
	return told != NULL;
}

static bool
search(struct hunt *h)
{
	if (try_signer(h) || try_rewritten(h))
		return true;
	if (h->sig->length != DKIM_NO_LENGTH)
		return try_heads(h) || try_runs(h);
	return try_cuts(h) || try_heads(h) || try_parts(h) ||
	    try_without_parts(h) || try_byte_cuts(h) || try_runs(h);
}

bool
dkim_hunt_body(const struct dkim_gathered *g, const struct dkim_sig *sig,
    struct strbuf *why)
{
	struct hunt h = { .sig = sig, .body = g->body, .why = why,
		.canon = STRBUF_INIT(2 * DKIM_HUNT_BODY_MAX),
		.md = EVP_MD_CTX_new(), .cut = EVP_MD_CTX_new() };
	bool found = false;

	if (g->body.n <= DKIM_HUNT_BODY_MAX && h.md != NULL && h.cut != NULL) {
		canonical(g->body, sig->body, &h.canon);
		found = search(&h);
	}
	if (!found)
		sb_puts(why, "The body is not the one that was signed, and no "
		    "usual change explains it: text was altered inside it, or "
		    "parts were taken out.");
	sb_free(&h.canon);
	EVP_MD_CTX_free(h.md);
	EVP_MD_CTX_free(h.cut);
	return found;
}
