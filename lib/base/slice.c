#include "base/slice.h"

#include <errno.h>
#include <stdlib.h>

#include "base/alloc.h"

struct slice
slice_sub(struct slice s, size_t from, size_t n)
{
	s = slice_skip(s, from);
	if (n < s.n)
		s.n = n;
	return s;
}

struct slice
slice_skip(struct slice s, size_t n)
{
	if (n > s.n)
		n = s.n;
	if (n == 0)
		return s;
	return slice_of(s.p + n, s.n - n);
}

bool
slice_eq(struct slice a, struct slice b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool
slice_ieq(struct slice a, struct slice b)
{
	return a.n == b.n && slice_icmp(a, b) == 0;
}

bool
slice_eqs(struct slice a, const char *b)
{
	return slice_eq(a, slice_str(b));
}

bool
slice_ieqs(struct slice a, const char *b)
{
	return slice_ieq(a, slice_str(b));
}

int
slice_cmp(struct slice a, struct slice b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int r = n != 0 ? memcmp(a.p, b.p, n) : 0;

	if (r != 0)
		return r;
	return a.n < b.n ? -1 : a.n > b.n;
}

int
slice_icmp(struct slice a, struct slice b)
{
	for (size_t i = 0; i < a.n && i < b.n; i++) {
		int d = ascii_lower(a.p[i]) - ascii_lower(b.p[i]);

		if (d != 0)
			return d;
	}
	return a.n < b.n ? -1 : a.n > b.n;
}

bool
slice_starts(struct slice s, struct slice prefix)
{
	return s.n >= prefix.n && slice_eq(slice_sub(s, 0, prefix.n), prefix);
}

bool
slice_istarts(struct slice s, struct slice prefix)
{
	return s.n >= prefix.n && slice_ieq(slice_sub(s, 0, prefix.n), prefix);
}

bool
slice_ends(struct slice s, struct slice suffix)
{
	return s.n >= suffix.n && slice_eq(slice_skip(s, s.n - suffix.n), suffix);
}

bool
slice_iends(struct slice s, struct slice suffix)
{
	return s.n >= suffix.n &&
	    slice_ieq(slice_skip(s, s.n - suffix.n), suffix);
}

ptrdiff_t
slice_chr(struct slice s, unsigned char c)
{
	const unsigned char *q = s.n != 0 ? memchr(s.p, c, s.n) : NULL;

	return q != NULL ? q - s.p : -1;
}

ptrdiff_t
slice_rchr(struct slice s, unsigned char c)
{
	const unsigned char *q = s.n != 0 ? memrchr(s.p, c, s.n) : NULL;

	return q != NULL ? q - s.p : -1;
}

ptrdiff_t
slice_find(struct slice s, struct slice needle)
{
	const unsigned char *q;

	if (needle.n == 0)
		return 0;
	if (s.n < needle.n)
		return -1;
	q = memmem(s.p, s.n, needle.p, needle.n);
	return q != NULL ? q - s.p : -1;
}

bool
slice_cut(struct slice *in, unsigned char sep, struct slice *head)
{
	ptrdiff_t i = slice_chr(*in, sep);

	if (i == -1) {
		*head = *in;
		*in = slice_skip(*in, in->n);
		return false;
	}
	*head = slice_sub(*in, 0, (size_t)i);
	*in = slice_skip(*in, (size_t)i + 1);
	return true;
}

int
slice_line(struct slice *in, struct slice *line)
{
	if (in->n == 0)
		return 0;
	if (slice_cut(in, '\n', line) && line->n > 0 &&
	    line->p[line->n - 1] == '\r')
		line->n--;
	return 1;
}

bool
slice_word(struct slice *in, struct slice *word)
{
	size_t i = 0;

	*in = slice_ltrim(*in);
	while (i < in->n && !ascii_isblank(in->p[i]) && in->p[i] != '\r' &&
	    in->p[i] != '\n')
		i++;
	*word = slice_sub(*in, 0, i);
	*in = slice_skip(*in, i);
	return word->n != 0;
}

static bool
is_space(unsigned char c)
{
	return ascii_isblank(c) || c == '\r' || c == '\n';
}

struct slice
slice_ltrim(struct slice s)
{
	size_t i = 0;

	while (i < s.n && is_space(s.p[i]))
		i++;
	return slice_skip(s, i);
}

struct slice
slice_rtrim(struct slice s)
{
	while (s.n != 0 && is_space(s.p[s.n - 1]))
		s.n--;
	return s;
}

struct slice
slice_trim(struct slice s)
{
	return slice_rtrim(slice_ltrim(s));
}

int
slice_u64(struct slice s, uint64_t max, uint64_t *out)
{
	uint64_t v = 0;

	if (s.n == 0) {
		errno = EINVAL;
		return -1;
	}
	for (size_t i = 0; i < s.n; i++) {
		if (!ascii_isdigit(s.p[i])) {
			errno = EINVAL;
			return -1;
		}
		if (__builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, s.p[i] - '0', &v) || v > max) {
			errno = ERANGE;
			return -1;
		}
	}
	*out = v;
	return 0;
}

int
slice_cstr(struct slice s, char *buf, size_t cap)
{
	if (s.n >= cap || slice_chr(s, '\0') != -1) {
		errno = ERANGE;
		return -1;
	}
	if (s.n != 0)
		memcpy(buf, s.p, s.n);
	buf[s.n] = '\0';
	return 0;
}

char *
slice_dup(struct slice s)
{
	char *c = xmalloc(size_add(s.n, 1));

	if (s.n != 0)
		memcpy(c, s.p, s.n);
	c[s.n] = '\0';
	return c;
}

bool
slice_is_print(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < 0x20 || s.p[i] > 0x7e)
			return false;
	return true;
}

bool
slice_is_ascii(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] >= 0x80)
			return false;
	return true;
}

/* Length of the well-formed sequence at p (Unicode table 3-7), or 0. */
static size_t
utf8_len(const unsigned char *p, size_t n)
{
	unsigned char lo = 0x80, hi = 0xbf;
	size_t len;

	if (p[0] < 0x80)
		return 1;
	if (p[0] >= 0xc2 && p[0] <= 0xdf)
		len = 2;
	else if ((p[0] & 0xf0) == 0xe0)
		len = 3;
	else if (p[0] >= 0xf0 && p[0] <= 0xf4)
		len = 4;
	else
		return 0;
	if (p[0] == 0xe0)
		lo = 0xa0;
	else if (p[0] == 0xed)
		hi = 0x9f;
	else if (p[0] == 0xf0)
		lo = 0x90;
	else if (p[0] == 0xf4)
		hi = 0x8f;
	if (n < len || p[1] < lo || p[1] > hi)
		return 0;
	for (size_t i = 2; i < len; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return len;
}

/* Eight octets at a time: how many there are below 0x80 before any other, or
 * a few less. */
static size_t
ascii_run(struct slice s)
{
	size_t i = 0;
	uint64_t word;

	for (; s.n - i >= sizeof(word); i += sizeof(word)) {
		memcpy(&word, s.p + i, sizeof(word));
		if ((word & 0x8080808080808080u) != 0)
			break;
	}
	return i;
}

bool
slice_is_utf8(struct slice s)
{
	size_t len;

	while (s.n != 0) {
		s = slice_skip(s, ascii_run(s));
		if (s.n == 0)
			break;
		if ((len = utf8_len(s.p, s.n)) == 0)
			return false;
		s = slice_skip(s, len);
	}
	return true;
}
