#include "imf/decode.h"

enum encoding
encoding_of(struct slice name)
{
	name = slice_trim(name);
	if (name.n == 0 || slice_ieqs(name, "7bit") ||
	    slice_ieqs(name, "8bit") || slice_ieqs(name, "binary"))
		return ENC_IDENTITY;
	if (slice_ieqs(name, "base64"))
		return ENC_BASE64;
	if (slice_ieqs(name, "quoted-printable"))
		return ENC_QP;
	return ENC_UNKNOWN;
}

void
decode_init(struct decode *d, enum encoding encoding)
{
	*d = (struct decode){ .encoding = encoding };
}

/* Value of a base64 digit, 64 for padding, 65 for anything else. */
static const unsigned char base64[256] = {
#define X8 65, 65, 65, 65, 65, 65, 65, 65
	X8, X8, X8, X8, X8,
	65, 65, 65, 62, 65, 65, 65, 63, 52, 53, 54, 55, 56, 57, 58, 59,
	60, 61, 65, 65, 65, 64, 65, 65, 65, 0, 1, 2, 3, 4, 5, 6,
	7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22,
	23, 24, 25, 65, 65, 65, 65, 65, 65, 26, 27, 28, 29, 30, 31, 32,
	33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48,
	49, 50, 51, 65, 65, 65, 65, 65,
	X8, X8, X8, X8, X8, X8, X8, X8, X8, X8, X8, X8, X8, X8, X8, X8,
#undef X8
};

static void
feed_base64(struct decode *d, struct slice in, struct strbuf *out)
{
	unsigned char *to = sb_room(out, in.n / 4 * 3 + 3);
	size_t n = 0;

	if (to == NULL)
		return;
	for (size_t i = 0; i < in.n; i++) {
		unsigned v = base64[in.p[i]];

		if (v == 64)
			d->have = 0;
		if (v >= 64)
			continue;
		d->bits = (d->bits << 6 | v) & 0xffffff;
		d->have += 6;
		if (d->have >= 8) {
			d->have -= 8;
			to[n++] = d->bits >> d->have & 0xff;
		}
	}
	sb_grew(out, n);
}

/*
 * What is held is either blanks that may end a line, perhaps with a CR after
 * them, or the start of an escape: "=", "=X", "=" blanks, "=" blanks CR.
 *
 *	held        next        action
 *	blanks      LF          drop the blanks, put CR if held, and LF
 *	blanks      other       put what is held, look at the byte again
 *	=           blank, CR   hold
 *	=           LF          soft line break: drop all
 *	=           hex         hold
 *	=X          hex         put the byte
 *	= ...       other       put what is held, look at the byte again
 */
static void
release(struct decode *d, struct strbuf *out)
{
	sb_put(out, slice_of(d->hold, d->held));
	d->held = 0;
}

static void
hold(struct decode *d, unsigned char c, struct strbuf *out)
{
	if (d->held == DECODE_BLANKS)
		release(d, out);
	d->hold[d->held++] = c;
}

/* A byte while an escape is held; false: look at it again. */
static bool
qp_escape(struct decode *d, unsigned char c, struct strbuf *out)
{
	unsigned char last = d->hold[d->held - 1];

	if (c == '\n') {
		if (d->held > 1 && ascii_hex(last) != -1) {
			release(d, out);
			return false;
		}
		d->held = 0;
		return true;
	}
	if (last != '\r' && (d->held == 1 || ascii_isblank(last)) &&
	    (ascii_isblank(c) || c == '\r')) {
		hold(d, c, out);
		return true;
	}
	if (ascii_hex(c) != -1 && d->held == 1) {
		hold(d, c, out);
		return true;
	}
	if (ascii_hex(c) != -1 && d->held == 2 && ascii_hex(last) != -1) {
		sb_putc(out, (unsigned char)(ascii_hex(last) << 4 |
		    ascii_hex(c)));
		d->held = 0;
		return true;
	}
	release(d, out);
	return false;
}

/* A byte while blanks are held, or nothing. */
static void
qp_plain(struct decode *d, unsigned char c, struct strbuf *out)
{
	bool cr = d->held != 0 && d->hold[d->held - 1] == '\r';

	if (c == '\n') {
		d->held = 0;
		sb_puts(out, cr ? "\r\n" : "\n");
	} else if (c == '\r' || ascii_isblank(c)) {
		if (cr)
			release(d, out);
		hold(d, c, out);
	} else {
		release(d, out);
		if (c == '=')
			hold(d, c, out);
		else
			sb_putc(out, c);
	}
}

static void
feed_qp(struct decode *d, struct slice in, struct strbuf *out)
{
	while (in.n != 0) {
		size_t i = 0;

		while (d->held == 0 && i < in.n && in.p[i] > ' ' &&
		    in.p[i] != '=')
			i++;
		sb_put(out, slice_sub(in, 0, i));
		in = slice_skip(in, i);
		if (in.n == 0)
			break;
		if (d->held == 0 || d->hold[0] != '=' ||
		    !qp_escape(d, in.p[0], out))
			qp_plain(d, in.p[0], out);
		in = slice_skip(in, 1);
	}
}

void
decode_feed(struct decode *d, struct slice in, struct strbuf *out)
{
	if (d->encoding == ENC_BASE64)
		feed_base64(d, in, out);
	else if (d->encoding == ENC_QP)
		feed_qp(d, in, out);
	else
		sb_put(out, in);
}

void
decode_end(struct decode *d, struct strbuf *out)
{
	/* A soft break or blanks at the very end stand for nothing. */
	if (d->held > 1 && d->hold[0] == '=' &&
	    ascii_hex(d->hold[d->held - 1]) != -1)
		release(d, out);
	d->held = 0;
}
