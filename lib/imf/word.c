#include "imf/word.h"

#include "imf/charset.h"

/* Bytes of text in an encoded word of 75 with "=?utf-8?b?" and "?=". */
#define WORD_TEXT 45

bool
word_maybe(struct slice value)
{
	return slice_find(value, S("=?")) != -1;
}

void
word_unq(struct strbuf *out, struct slice text)
{
	for (size_t i = 0; i < text.n; i++) {
		unsigned char c = text.p[i];
		bool pair = c == '=' && i + 2 < text.n;
		int high = pair ? ascii_hex(text.p[i + 1]) : -1;
		int low = pair ? ascii_hex(text.p[i + 2]) : -1;

		if (c == '_')
			sb_putc(out, ' ');
		else if (high != -1 && low != -1) {
			sb_putc(out, (unsigned char)(high << 4 | low));
			i += 2;
		} else
			sb_putc(out, c);
	}
}

void
word_unb(struct strbuf *out, struct slice text)
{
	unsigned bits = 0, have = 0;

	for (size_t i = 0; i < text.n; i++) {
		int v = ascii_base64(text.p[i]);

		if (v == -1)
			continue;
		bits = bits << 6 | (unsigned)v;
		have += 6;
		if (have >= 8) {
			have -= 8;
			sb_putc(out, bits >> have & 0xff);
		}
	}
}

struct word {
	struct slice charset, text;
	bool b;
};

/*
 * The encoded word that *in starts with. Linear: a failed attempt has looked
 * no further than to the next '?' or the end.
 */
static bool
take_word(struct slice *in, struct word *w)
{
	struct slice rest = slice_skip(*in, 2), name, enc;

	if (!slice_starts(*in, S("=?")) || !slice_cut(&rest, '?', &name))
		return false;
	for (size_t i = 0; i < name.n; i++)
		if (name.p[i] <= ' ' || name.p[i] >= 0x7f)
			return false;
	slice_cut(&name, '*', &w->charset); /* a language: RFC 2231 section 5 */
	if (w->charset.n == 0 || !slice_cut(&rest, '?', &enc) || enc.n != 1 ||
	    !slice_cut(&rest, '?', &w->text) || rest.n == 0 ||
	    rest.p[0] != '=')
		return false;
	w->b = ascii_lower(enc.p[0]) == 'b';
	if (!w->b && ascii_lower(enc.p[0]) != 'q')
		return false;
	*in = slice_skip(rest, 1);
	return true;
}

struct decoder {
	struct strbuf *out;
	struct strbuf bytes;  /* of encoded words not yet converted */
	struct slice charset; /* theirs */
	struct slice raw;     /* charset of bytes outside of them */
};

static void
flush(struct decoder *d)
{
	if (d->bytes.n != 0)
		charset_put(d->out, d->charset, sb_slice(&d->bytes));
	sb_reset(&d->bytes);
}

static void
add_word(struct decoder *d, const struct word *w)
{
	if (!slice_ieq(d->charset, w->charset))
		flush(d);
	d->charset = w->charset;
	if (w->b)
		word_unb(&d->bytes, w->text);
	else
		word_unq(&d->bytes, w->text);
}

/* Text outside of encoded words, without line ends. */
static void
add_text(struct decoder *d, struct slice text)
{
	struct slice line;

	flush(d);
	while (slice_line(&text, &line))
		charset_put(d->out, d->raw, line);
}

static bool
is_blank(struct slice s)
{
	return slice_trim(s).n == 0;
}

static void
decode(struct decoder *d, struct slice value)
{
	struct slice text = value; /* what is not yet written starts here */
	bool after_word = false;

	for (;;) {
		struct slice at = value, before;
		ptrdiff_t i = slice_find(value, S("=?"));
		struct word w;

		if (i == -1)
			break;
		at = slice_skip(value, (size_t)i);
		before = slice_sub(text, 0, (size_t)(at.p - text.p));
		if (!take_word(&at, &w)) {
			value = slice_skip(at, 2);
			continue;
		}
		if (!after_word || !is_blank(before))
			add_text(d, before);
		add_word(d, &w);
		after_word = true;
		text = value = at;
	}
	add_text(d, text);
}

void
word_decode(struct strbuf *out, struct slice value)
{
	struct decoder d = { .out = out, .bytes = STRBUF_INIT(out->max) };

	d.raw = slice_is_utf8(value) ? S("utf-8") : S("windows-1252");
	decode(&d, slice_trim(value));
	sb_free(&d.bytes);
}

void
word_encode(struct strbuf *out, struct slice text)
{
	bool first = true;

	if (slice_is_print(text)) {
		sb_put(out, text);
		return;
	}
	while (text.n != 0) {
		size_t n = text.n < WORD_TEXT ? text.n : WORD_TEXT;

		while (n > 1 && n < text.n && (text.p[n] & 0xc0) == 0x80)
			n--;
		sb_puts(out, first ? "=?utf-8?b?" : " =?utf-8?b?");
		sb_base64(out, slice_sub(text, 0, n));
		sb_puts(out, "?=");
		text = slice_skip(text, n);
		first = false;
	}
}
