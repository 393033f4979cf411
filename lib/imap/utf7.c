#include "imap/utf7.h"

#include <errno.h>

static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

static int
base64_value(unsigned char c)
{
	const char *at = c != '\0' ? strchr(alphabet, c) : NULL;

	return at != NULL ? (int)(at - alphabet) : -1;
}

static void
put_utf8(struct strbuf *sb, uint32_t c)
{
	if (c < 0x80) {
		sb_putc(sb, (unsigned char)c);
		return;
	}
	if (c < 0x800)
		sb_putc(sb, (unsigned char)(0xc0 | c >> 6));
	else if (c < 0x10000)
		sb_putc(sb, (unsigned char)(0xe0 | c >> 12));
	else
		sb_putc(sb, (unsigned char)(0xf0 | c >> 18));
	if (c >= 0x10000)
		sb_putc(sb, (unsigned char)(0x80 | (c >> 12 & 0x3f)));
	if (c >= 0x800)
		sb_putc(sb, (unsigned char)(0x80 | (c >> 6 & 0x3f)));
	sb_putc(sb, (unsigned char)(0x80 | (c & 0x3f)));
}

/* One UTF-16 unit of a shifted run; *high is a waiting high surrogate. */
static int
put_unit(struct strbuf *sb, uint32_t unit, uint32_t *high)
{
	if (*high != 0) {
		if (unit < 0xdc00 || unit > 0xdfff)
			return -1;
		put_utf8(sb, 0x10000 + ((*high - 0xd800) << 10) +
		    (unit - 0xdc00));
		*high = 0;
		return 0;
	}
	if (unit >= 0xdc00 && unit <= 0xdfff)
		return -1;
	if (unit >= 0xd800 && unit <= 0xdbff) {
		*high = unit;
		return 0;
	}
	if (unit == 0 || (unit >= 0x20 && unit <= 0x7e))
		return -1; /* must not be shifted */
	put_utf8(sb, unit);
	return 0;
}

/* The base64 between & and -. */
static int
decode_run(struct strbuf *sb, struct slice run)
{
	uint32_t bits = 0, high = 0;
	unsigned n = 0;

	for (size_t i = 0; i < run.n; i++) {
		int v = base64_value(run.p[i]);

		if (v == -1)
			return -1;
		bits = (bits << 6 | (uint32_t)v) & 0x3fffff;
		n += 6;
		if (n < 16)
			continue;
		n -= 16;
		if (put_unit(sb, bits >> n & 0xffff, &high) == -1)
			return -1;
	}
	/* Left over: fewer than 6 bits, all zero. */
	return high != 0 || n >= 6 || (bits & ((1u << n) - 1)) != 0 ? -1 : 0;
}

int
utf7_decode(struct strbuf *sb, struct slice name)
{
	bool after_run = false;

	errno = EILSEQ;
	while (name.n != 0) {
		struct slice run;

		if (name.p[0] < 0x20 || name.p[0] > 0x7e)
			return -1;
		if (name.p[0] != '&') {
			sb_putc(sb, name.p[0]);
			name = slice_skip(name, 1);
			after_run = false;
			continue;
		}
		name = slice_skip(name, 1);
		if (!slice_cut(&name, '-', &run))
			return -1; /* shift not ended */
		if (run.n == 0) {
			sb_putc(sb, '&');
			after_run = false;
			continue;
		}
		if (after_run || decode_run(sb, run) == -1)
			return -1; /* two runs in a row: superfluous shift */
		after_run = true;
	}
	errno = 0;
	return 0;
}

/* Take one code point off valid UTF-8. */
static uint32_t
take_utf8(struct slice *in)
{
	uint32_t c = in->p[0];
	size_t n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;

	if (n > 1)
		c &= 0x7fu >> n;
	for (size_t i = 1; i < n && i < in->n; i++)
		c = c << 6 | (in->p[i] & 0x3f);
	*in = slice_skip(*in, n);
	return c;
}

struct shift {
	struct strbuf *sb;
	uint32_t bits;
	unsigned n;
	bool on;
};

static void
shift_unit(struct shift *s, uint32_t unit)
{
	if (!s->on)
		sb_putc(s->sb, '&');
	s->on = true;
	s->bits = s->bits << 16 | unit;
	for (s->n += 16; s->n >= 6; s->n -= 6)
		sb_putc(s->sb, (unsigned char)
		    alphabet[s->bits >> (s->n - 6) & 0x3f]);
}

static void
shift_end(struct shift *s)
{
	if (!s->on)
		return;
	if (s->n != 0)
		sb_putc(s->sb, (unsigned char)
		    alphabet[s->bits << (6 - s->n) & 0x3f]);
	sb_putc(s->sb, '-');
	s->on = false;
	s->n = 0;
}

void
utf7_encode(struct strbuf *sb, struct slice utf8)
{
	struct shift s = { .sb = sb };

	while (utf8.n != 0) {
		uint32_t c = take_utf8(&utf8);

		if (c >= 0x20 && c <= 0x7e) {
			shift_end(&s);
			sb_putc(sb, (unsigned char)c);
			if (c == '&')
				sb_putc(sb, '-');
		} else if (c < 0x10000)
			shift_unit(&s, c);
		else {
			shift_unit(&s, 0xd800 + ((c - 0x10000) >> 10));
			shift_unit(&s, 0xdc00 + ((c - 0x10000) & 0x3ff));
		}
	}
	shift_end(&s);
}
