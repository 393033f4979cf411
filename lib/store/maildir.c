#include "store/maildir.h"

#include <errno.h>

#include "base/rid.h"

#define DIR_NAME_MAX 255

static const char utf7_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

const char *
maildir_sub(enum maildir_where where)
{
	return where == IN_CUR ? "cur" : "new";
}

static bool
is_plain(unsigned char c)
{
	return c >= 0x20 && c < 0x7f && strchr(".~:\\&", c) == NULL;
}

/* One code point off valid UTF-8. */
static uint32_t
take_rune(struct slice *in)
{
	unsigned char c = in->p[0];
	size_t n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
	uint32_t r = n == 1 ? c : c & (0xffu >> (n + 1));

	for (size_t i = 1; i < n; i++)
		r = r << 6 | (in->p[i] & 0x3fu);
	*in = slice_skip(*in, n);
	return r;
}

struct shift {
	struct strbuf *out;
	uint32_t bits;
	unsigned count;
};

static void
shift_unit(struct shift *s, uint32_t unit)
{
	s->bits = s->bits << 16 | unit;
	for (s->count += 16; s->count >= 6; s->count -= 6)
		sb_putc(s->out, (unsigned char)
		    utf7_digits[s->bits >> (s->count - 6) & 63]);
	s->bits &= (1u << s->count) - 1;
}

static void
shift_rune(struct shift *s, uint32_t r)
{
	if (r >= 0x10000) {
		r -= 0x10000;
		shift_unit(s, 0xd800 + (r >> 10));
		r = 0xdc00 + (r & 0x3ff);
	}
	shift_unit(s, r);
}

/* A run of bytes that cannot stand for themselves. */
static void
put_shifted(struct slice *in, struct strbuf *out)
{
	struct shift s = { .out = out };

	sb_putc(out, '&');
	while (in->n != 0 && in->p[0] != '/' && in->p[0] != '&' &&
	    !is_plain(in->p[0]))
		shift_rune(&s, take_rune(in));
	if (s.count != 0)
		sb_putc(out, (unsigned char)
		    utf7_digits[s.bits << (6 - s.count) & 63]);
	sb_putc(out, '-');
}

int
maildir_from_name(struct slice name, struct strbuf *dir)
{
	size_t start = dir->n;

	sb_putc(dir, '.');
	if (slice_eqs(name, "INBOX"))
		return 0;
	if (name.n == 0 || !slice_is_utf8(name)) {
		errno = EINVAL;
		return -1;
	}
	while (name.n != 0) {
		unsigned char c = name.p[0];

		if (c == '/')
			sb_putc(dir, '.');
		else if (c == '&')
			sb_puts(dir, "&-");
		else if (is_plain(c))
			sb_putc(dir, c);
		else {
			put_shifted(&name, dir);
			continue;
		}
		name = slice_skip(name, 1);
	}
	if (dir->over || dir->n - start > DIR_NAME_MAX) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return 0;
}

static void
put_utf8(struct strbuf *out, uint32_t r)
{
	if (r < 0x80)
		sb_putc(out, (unsigned char)r);
	else if (r < 0x800) {
		sb_putc(out, (unsigned char)(0xc0 | r >> 6));
		sb_putc(out, (unsigned char)(0x80 | (r & 63)));
	} else if (r < 0x10000) {
		sb_putc(out, (unsigned char)(0xe0 | r >> 12));
		sb_putc(out, (unsigned char)(0x80 | (r >> 6 & 63)));
		sb_putc(out, (unsigned char)(0x80 | (r & 63)));
	} else {
		sb_putc(out, (unsigned char)(0xf0 | r >> 18));
		sb_putc(out, (unsigned char)(0x80 | (r >> 12 & 63)));
		sb_putc(out, (unsigned char)(0x80 | (r >> 6 & 63)));
		sb_putc(out, (unsigned char)(0x80 | (r & 63)));
	}
}

/* The text between & and -: 0, or -1. */
static int
take_shifted(struct slice text, struct strbuf *out)
{
	uint32_t bits = 0, high = 0;
	unsigned count = 0;

	for (size_t i = 0; i < text.n; i++) {
		const char *d = strchr(utf7_digits, text.p[i]);
		uint32_t unit;

		if (d == NULL || *d == '\0')
			return -1;
		bits = bits << 6 | (uint32_t)(d - utf7_digits);
		if ((count += 6) < 16)
			continue;
		count -= 16;
		unit = bits >> count & 0xffff;
		bits &= (1u << count) - 1;
		if ((unit & 0xfc00) == 0xd800 && high == 0)
			high = unit;
		else if ((unit & 0xfc00) == 0xdc00 && high != 0) {
			put_utf8(out, 0x10000 + ((high & 0x3ff) << 10) +
			    (unit & 0x3ff));
			high = 0;
		} else if (high != 0 || (unit & 0xf800) == 0xd800)
			return -1;
		else
			put_utf8(out, unit);
	}
	return high != 0 || count >= 6 || bits != 0 ? -1 : 0;
}

int
maildir_to_name(struct slice dir, struct strbuf *name)
{
	if (slice_eqs(dir, ".")) {
		sb_puts(name, "INBOX");
		return 0;
	}
	if (dir.n < 2 || dir.p[0] != '.')
		goto bad;
	for (dir = slice_skip(dir, 1); dir.n != 0; dir = slice_skip(dir, 1)) {
		unsigned char c = dir.p[0];
		struct slice text;

		if (c == '.')
			sb_putc(name, '/');
		else if (c == '&') {
			dir = slice_skip(dir, 1);
			if (slice_chr(dir, '-') == -1)
				goto bad;
			text = slice_sub(dir, 0, (size_t)slice_chr(dir, '-'));
			dir = slice_skip(dir, text.n);
			if (text.n == 0)
				sb_putc(name, '&');
			else if (take_shifted(text, name) == -1)
				goto bad;
		} else if (is_plain(c) || c >= 0x80 || c == '~' || c == ':' ||
		    c == '\\')
			sb_putc(name, c); /* as other programs write it */
		else
			goto bad;
	}
	if (!name->over && slice_is_utf8(sb_slice(name)))
		return 0;
bad:
	errno = EINVAL;
	return -1;
}

void
maildir_unique(struct strbuf *name, int64_t seconds, struct slice mark)
{
	char id[RID_LEN + 1];

	rid_new(id);
	sb_printf(name, "%lld.%s.", (long long)seconds, id);
	if (mark.n != 0) {
		sb_put(name, mark);
		sb_putc(name, '.');
	}
	sb_puts(name, "pneu");
}

void
maildir_base(struct strbuf *base, struct slice unique, int64_t size,
    uint32_t uidvalidity, uint32_t uid)
{
	sb_put(base, unique);
	if (size >= 0)
		sb_printf(base, ",S=%lld", (long long)size);
	sb_printf(base, ",P=%lu-%lu", (unsigned long)uidvalidity,
	    (unsigned long)uid);
}

struct slice
maildir_tmp(struct slice base)
{
	struct slice head;

	slice_cut(&base, ',', &head);
	return head;
}

/* The P= field with its comma: offset, or -1. */
static ptrdiff_t
tag_at(struct slice base)
{
	return slice_find(base, S(",P="));
}

int
maildir_tag(struct slice base, uint32_t *uidvalidity, uint32_t *uid)
{
	ptrdiff_t at = tag_at(base);
	struct slice field, first, rest;
	uint64_t v, u;

	if (at == -1)
		return 0;
	rest = slice_skip(base, (size_t)at + 3);
	slice_cut(&rest, ',', &field);
	if (!slice_cut(&field, '-', &first) ||
	    slice_u64(first, UINT32_MAX, &v) == -1 ||
	    slice_u64(field, UINT32_MAX, &u) == -1 || v == 0 || u == 0)
		return 0;
	*uidvalidity = (uint32_t)v;
	*uid = (uint32_t)u;
	return 1;
}

void
maildir_untag(struct slice base, struct strbuf *out)
{
	ptrdiff_t at = tag_at(base);
	struct slice rest, field;

	if (at == -1) {
		sb_put(out, base);
		return;
	}
	sb_put(out, slice_sub(base, 0, (size_t)at));
	rest = slice_skip(base, (size_t)at + 1);
	if (slice_cut(&rest, ',', &field)) {
		sb_putc(out, ',');
		sb_put(out, rest);
	}
}

int64_t
maildir_seconds(struct slice base)
{
	struct slice head;
	uint64_t t;

	if (!slice_cut(&base, '.', &head) || slice_chr(base, '.') == -1 ||
	    slice_u64(head, INT64_MAX, &t) == -1)
		return -1;
	return (int64_t)t;
}

void
maildir_split(struct slice file, struct slice *base, struct slice *info)
{
	ptrdiff_t at = slice_rchr(file, ':');

	*base = file;
	*info = SLICE_NONE;
	if (at == -1)
		return;
	*base = slice_sub(file, 0, (size_t)at);
	*info = slice_skip(file, (size_t)at + 1);
}
