#include "imf/preview.h"

#include "imf/charset.h"

#define READ_MAX ((size_t)1024 * 1024) /* of a part, encoded */
/* Read first; most previews are done with it. */
#define READ_FIRST ((size_t)4096)
#define TEXT_ENOUGH 250  /* bytes; then lines stop */
#define LINE_BYTES 2000  /* of a line looked at */
#define AHEAD 10         /* lines looked at before one is taken */
#define SIGNATURE_LINES 5 /* a longer one is text */

/* The lines to come, trimmed. */
struct lines {
	struct slice in;
	struct slice line[AHEAD];
	size_t count;
};

static void
fill(struct lines *l)
{
	struct slice line;

	while (l->count < AHEAD && slice_line(&l->in, &line))
		l->line[l->count++] = slice_trim(slice_sub(line, 0,
		    LINE_BYTES));
}

static void
drop(struct lines *l, size_t n)
{
	l->count -= n;
	memmove(l->line, l->line + n, l->count * sizeof(l->line[0]));
	fill(l);
}

static bool
is_snip(struct slice s)
{
	return slice_eqs(s, "[...]") || slice_eqs(s, "[\xe2\x80\xa6]") ||
	    slice_eqs(s, "...");
}

/* A quoted line follows line i, perhaps after an empty one. */
static bool
quote_follows(const struct lines *l, size_t i)
{
	i++;
	if (i < l->count && l->line[i].n == 0)
		i++;
	return i < l->count && l->line[i].n != 0 &&
	    (l->line[i].p[0] == '>' || is_snip(l->line[i]));
}

static bool
has_digit(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (ascii_isdigit(s.p[i]))
			return true;
	return false;
}

/* Dashes alone, and then fewer than SIGNATURE_LINES lines, none empty. */
static bool
is_signature(const struct lines *l)
{
	size_t left = l->count;
	struct slice s = l->line[0];

	if (s.n < 2)
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] != '-')
			return false;
	while (left > 1 && l->line[left - 1].n == 0)
		left--;
	if (left - 1 >= SIGNATURE_LINES)
		return false;
	for (size_t i = 1; i < left; i++)
		if (l->line[i].n == 0)
			return false;
	return true;
}

static void
put_snip(struct strbuf *out, size_t start)
{
	const struct slice snip = S("[...]\n");

	if (!slice_ends(slice_skip(sb_slice(out), start), snip))
		sb_put(out, snip);
}

/* "On ..., Ann wrote:" before a quote; without a date only at the start. */
static bool
is_attribution(const struct lines *l, bool at_start)
{
	struct slice s = l->line[0];

	return s.n != 0 && s.p[s.n - 1] == ':' && quote_follows(l, 0) &&
	    (at_start || has_digit(s));
}

/* Cut at PREVIEW_CHARS characters after start. */
static void
cut(struct strbuf *out, size_t start)
{
	size_t chars = 0;

	for (size_t i = start; i < out->n; i++)
		if ((out->p[i] & 0xc0) != 0x80 && chars++ == PREVIEW_CHARS) {
			sb_cut(out, i);
			return;
		}
}

void
preview_text(struct slice text, struct strbuf *out)
{
	struct lines l = { .in = text };
	size_t start = out->n;

	fill(&l);
	/* "On ...", broken in two lines. */
	if (l.count > 3 && slice_starts(l.line[0], S("On ")) &&
	    !slice_ends(l.line[0], S("wrote:")) &&
	    slice_ends(l.line[1], S(":")) && quote_follows(&l, 1)) {
		put_snip(out, start);
		drop(&l, 2);
	}
	for (; l.count != 0 && !is_signature(&l); drop(&l, 1)) {
		struct slice s = l.line[0];

		if (s.n == 0)
			continue;
		if (s.p[0] == '>' || is_snip(s) ||
		    is_attribution(&l, out->n == start))
			put_snip(out, start);
		else {
			sb_put(out, s);
			sb_putc(out, '\n');
		}
		if (out->n - start > TEXT_ENOUGH)
			break;
	}
	cut(out, start);
}

static bool
is_readable(const struct mime_part *p)
{
	return p->kind == MIME_LEAF && slice_eqs(p->ct.type, "text") &&
	    !slice_eqs(p->disposition.type, "attachment") &&
	    p->encoding != ENC_UNKNOWN &&
	    (slice_eqs(p->ct.subtype, "plain") ||
	    slice_eqs(p->ct.subtype, "html"));
}

static const struct mime_part *
find(const struct mime_part *p)
{
	const struct mime_part *found;

	if (p->kind == MIME_LEAF)
		return is_readable(p) ? p : NULL;
	if (p->kind == MIME_MESSAGE ||
	    slice_eqs(p->ct.subtype, "encrypted"))
		return NULL;
	for (const struct mime_part *c = p->child; c != NULL; c = c->next) {
		if ((found = find(c)) != NULL)
			return found;
		if (slice_eqs(p->ct.subtype, "signed"))
			break;
	}
	return NULL;
}

/* The preview of the first n encoded bytes. */
static void
try(const struct mime *m, const struct mime_part *p, size_t n,
    struct strbuf *out)
{
	struct strbuf bytes = STRBUF_INIT(READ_MAX);
	struct strbuf text = STRBUF_INIT(4 * READ_MAX);
	struct strbuf plain = STRBUF_INIT(READ_MAX);
	struct slice charset = params_get(&p->ct.params, "charset");
	struct decode d;

	decode_init(&d, p->encoding);
	decode_feed(&d, slice_sub(mime_body(m, p), 0, n), &bytes);
	decode_end(&d, &bytes);
	if (charset.n == 0)
		charset = slice_is_utf8(sb_slice(&bytes)) ? S("utf-8") :
		    S("windows-1252");
	charset_put(&text, charset, sb_slice(&bytes));
	if (slice_eqs(p->ct.subtype, "html")) {
		html_text(sb_slice(&text), &plain);
		preview_text(sb_slice(&plain), out);
	} else
		preview_text(sb_slice(&text), out);
	sb_free(&bytes);
	sb_free(&text);
	sb_free(&plain);
}

void
preview(const struct mime *m, struct strbuf *out)
{
	const struct mime_part *p = find(m->top);
	size_t start = out->n, most = READ_FIRST;

	if (p == NULL)
		return;
	for (;;) {
		try(m, p, most, out);
		if (out->n - start > TEXT_ENOUGH / 2 || most >= READ_MAX ||
		    p->end - p->body <= most)
			return;
		sb_cut(out, start);
		most *= 16;
	}
}
