#include "base/strbuf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"

void
sb_init(struct strbuf *sb, size_t max)
{
	*sb = (struct strbuf){ .max = max };
}

void
sb_reset(struct strbuf *sb)
{
	sb->n = 0;
	sb->over = false;
	if (sb->p != NULL)
		sb->p[0] = '\0';
}

void
sb_free(struct strbuf *sb)
{
	free(sb->p);
	*sb = (struct strbuf){ .max = sb->max };
}

char *
sb_take(struct strbuf *sb)
{
	char *s = sb->p != NULL ? (char *)sb->p : xstrdup("");

	*sb = (struct strbuf){ .max = sb->max };
	return s;
}

void *
sb_room(struct strbuf *sb, size_t n)
{
	size_t want, cap;

	/* Almost always there is room already. */
	if (!sb->over && n < sb->cap - sb->n && n <= sb->max - sb->n)
		return sb->p + sb->n;
	if (sb->over || n > sb->max || sb->n > sb->max - n) {
		sb->over = true;
		return NULL;
	}
	want = size_add(size_add(sb->n, n), 1);
	if (want > sb->cap) {
		cap = sb->cap != 0 ? sb->cap : 64;
		while (cap < want)
			cap = size_mul(cap, 2);
		sb->p = xrealloc(sb->p, cap);
		sb->cap = cap;
	}
	return sb->p + sb->n;
}

void
sb_grew(struct strbuf *sb, size_t n)
{
	sb->n += n;
	sb->p[sb->n] = '\0';
}

void
sb_put(struct strbuf *sb, struct slice s)
{
	void *room;

	if (s.n == 0 || (room = sb_room(sb, s.n)) == NULL)
		return;
	memcpy(room, s.p, s.n);
	sb_grew(sb, s.n);
}

void
sb_puts(struct strbuf *sb, const char *s)
{
	sb_put(sb, slice_str(s));
}

void
sb_putc(struct strbuf *sb, unsigned char c)
{
	unsigned char *room = sb_room(sb, 1);

	if (room == NULL)
		return;
	*room = c;
	sb_grew(sb, 1);
}

void
sb_putu(struct strbuf *sb, uint64_t value)
{
	unsigned char digits[20]; /* of 2^64 - 1 */
	size_t i = sizeof(digits);

	do {
		digits[--i] = (unsigned char)('0' + value % 10);
		value /= 10;
	} while (value != 0);
	sb_put(sb, slice_of(digits + i, sizeof(digits) - i));
}

void
sb_vprintf(struct strbuf *sb, const char *fmt, va_list ap)
{
	va_list again;
	int n;
	void *room;

	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, ap);
	if (n > 0 && (room = sb_room(sb, (size_t)n)) != NULL) {
		vsnprintf(room, (size_t)n + 1, fmt, again);
		sb_grew(sb, (size_t)n);
	}
	va_end(again);
}

void
sb_printf(struct strbuf *sb, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	sb_vprintf(sb, fmt, ap);
	va_end(ap);
}

void
sb_hex(struct strbuf *sb, struct slice s)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < s.n; i++) {
		sb_putc(sb, (unsigned char)digits[s.p[i] >> 4]);
		sb_putc(sb, (unsigned char)digits[s.p[i] & 15]);
	}
}

static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void
sb_base64(struct strbuf *sb, struct slice s)
{
	for (; s.n != 0; s = slice_skip(s, 3)) {
		unsigned char q[4] = { '=', '=', '=', '=' };
		unsigned long v = (unsigned long)s.p[0] << 16;

		if (s.n > 1)
			v |= (unsigned long)s.p[1] << 8;
		if (s.n > 2)
			v |= s.p[2];
		q[0] = (unsigned char)base64_digits[v >> 18];
		q[1] = (unsigned char)base64_digits[v >> 12 & 63];
		if (s.n > 1)
			q[2] = (unsigned char)base64_digits[v >> 6 & 63];
		if (s.n > 2)
			q[3] = (unsigned char)base64_digits[v & 63];
		sb_put(sb, slice_of(q, 4));
	}
}

/* Four digits to 24 bits, or -1; the last `pad' of them are padding. */
static long
base64_group(const unsigned char *p, int pad)
{
	long bits = 0;

	for (int i = 0; i < 4; i++) {
		int v = i < 4 - pad ? ascii_base64(p[i]) : 0;

		if (v == -1)
			return -1;
		bits = bits << 6 | v;
	}
	return bits;
}

int
sb_unbase64(struct strbuf *sb, struct slice s)
{
	size_t pad = 0, n;
	unsigned char *out;

	if (s.n % 4 != 0)
		return -1;
	if (s.n != 0 && s.p[s.n - 1] == '=')
		pad = s.p[s.n - 2] == '=' ? 2 : 1;
	n = s.n / 4 * 3 - pad;
	if (n == 0)
		return sb->over ? -1 : 0;
	if ((out = sb_room(sb, n)) == NULL)
		return -1;
	for (size_t i = 0, at = 0; i < s.n; i += 4) {
		bool last = i + 4 == s.n;
		long bits = base64_group(s.p + i, last ? (int)pad : 0);

		if (bits == -1 || (last && pad != 0 &&
		    (bits & ((1L << 8 * pad) - 1)) != 0))
			return -1;
		for (int shift = 16; shift >= 0 && at < n; shift -= 8)
			out[at++] = (unsigned char)(bits >> shift & 0xff);
	}
	sb_grew(sb, n);
	return 0;
}

int
sb_unhex(struct strbuf *sb, struct slice s)
{
	if (s.n % 2 != 0)
		return -1;
	for (size_t i = 0; i < s.n; i += 2) {
		int hi = ascii_hex(s.p[i]), lo = ascii_hex(s.p[i + 1]);

		if (hi == -1 || lo == -1)
			return -1;
		sb_putc(sb, (unsigned char)(hi << 4 | lo));
	}
	return sb->over ? -1 : 0;
}

void
sb_cut(struct strbuf *sb, size_t n)
{
	if (n >= sb->n)
		return;
	sb->n = n;
	sb->p[n] = '\0';
}

ssize_t
sb_read(struct strbuf *sb, int fd, size_t n)
{
	ssize_t got;
	void *room = sb_room(sb, n);

	if (room == NULL) {
		errno = EMSGSIZE;
		return -1;
	}
	do
		got = read(fd, room, n);
	while (got == -1 && errno == EINTR);
	if (got > 0)
		sb_grew(sb, (size_t)got);
	return got;
}

const char *
sb_cstr(const struct strbuf *sb)
{
	return sb->p != NULL ? (const char *)sb->p : "";
}
