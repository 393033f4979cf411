#include <sys/socket.h>

#include "spf/record.h"

/* One element of a macro-string (section 7.1). */
struct element {
	enum { LITERAL, ESCAPE, MACRO } kind;
	unsigned char byte;   /* LITERAL, ESCAPE: what follows the % */
	unsigned char letter; /* MACRO, lower case */
	bool upper;           /* URL-escape */
	bool reverse;
	unsigned keep;        /* right-hand parts; 0 = all */
	struct slice delimiters; /* empty = "." */
};

/* Parts of a value that anyone could keep: a name has at most 128 labels. */
#define KEEP_MAX 1000u

/* "{" letter digits "r" delimiters "}", behind the percent sign. */
static int
take_macro(struct slice *in, struct element *e)
{
	size_t i = 1, from;

	if (in->n < 3 || !ascii_isalpha(in->p[i]))
		return -1;
	e->kind = MACRO;
	e->letter = ascii_lower(in->p[i]);
	e->upper = e->letter != in->p[i];
	i++;
	for (from = i; i < in->n && ascii_isdigit(in->p[i]); i++)
		if (e->keep < KEEP_MAX)
			e->keep = e->keep * 10 + (in->p[i] - '0');
	if (i > from && e->keep == 0)
		return -1;
	if (i < in->n && ascii_lower(in->p[i]) == 'r') {
		e->reverse = true;
		i++;
	}
	for (from = i; i < in->n && in->p[i] != '}'; i++)
		if (slice_chr(S(".-+,/_="), in->p[i]) == -1)
			return -1;
	if (i == in->n)
		return -1;
	e->delimiters = slice_sub(*in, from, i - from);
	*in = slice_skip(*in, i + 1);
	return 1;
}

/* 1, 0 at the end, -1 on a syntax error. In an explanation spaces may stand. */
static int
next(struct slice *in, unsigned flags, struct element *e)
{
	*e = (struct element){ 0 };
	if (in->n == 0)
		return 0;
	e->byte = in->p[0];
	*in = slice_skip(*in, 1);
	if (e->byte != '%')
		return (e->byte > ' ' && e->byte < 0x7f) ||
		    (e->byte == ' ' && (flags & SPF_EXPLAIN)) ? 1 : -1;
	if (in->n == 0)
		return -1;
	e->kind = ESCAPE;
	e->byte = in->p[0];
	if (e->byte == '{') {
		if (take_macro(in, e) == -1)
			return -1;
		return slice_chr(S("slodiphv"), e->letter) != -1 ||
		    ((flags & SPF_EXPLAIN) &&
		    slice_chr(S("crt"), e->letter) != -1) ? 1 : -1;
	}
	*in = slice_skip(*in, 1);
	return e->byte == '%' || e->byte == '_' || e->byte == '-' ? 1 : -1;
}

/* toplabel (section 7.1): letters, digits and inner hyphens, not all digits. */
static bool
is_toplabel(struct slice s)
{
	bool other = false;

	if (s.n == 0 || s.p[0] == '-' || s.p[s.n - 1] == '-')
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (!ascii_isalnum(s.p[i]) && s.p[i] != '-')
			return false;
		other = other || !ascii_isdigit(s.p[i]);
	}
	return other;
}

int
spf_macro_check(struct slice text, unsigned flags)
{
	struct slice in = text, tail = text;
	struct element e;
	ptrdiff_t dot;
	int got;

	while ((got = next(&in, flags, &e)) == 1)
		if (e.kind != LITERAL)
			tail = in;
	if (got == -1)
		return -1;
	if (flags & SPF_EXPLAIN)
		return 0;
	/* domain-end: a macro, or a dot, a top label and perhaps a dot. */
	if (text.n == 0)
		return -1;
	if (tail.n == 0)
		return 0;
	if (tail.p[tail.n - 1] == '.')
		tail.n--;
	dot = slice_rchr(tail, '.');
	return dot != -1 && is_toplabel(slice_skip(tail, (size_t)dot + 1)) ?
	    0 : -1;
}

/* %{i} of IPv6 is nibbles with dots between (section 7.3); else as text. */
static void
put_ip(struct strbuf *sb, const struct ip *ip, bool dotted)
{
	static const char hex[] = "0123456789ABCDEF";

	if (ip->family != AF_INET6 || !dotted) {
		ip_format(sb, ip);
		return;
	}
	for (int i = 0; i < 16; i++)
		sb_printf(sb, "%s%c.%c", i > 0 ? "." : "", hex[ip->b[i] >> 4],
		    hex[ip->b[i] & 15]);
}

/* The value of a letter before it is split: as spf_expand(). */
static int
put_value(struct strbuf *sb, unsigned char letter, const struct spf_macros *m)
{
	/* U-labels in a HELO name: the caller made A-labels if it could. */
	if (((letter == 's' || letter == 'l') && !slice_is_ascii(m->local)) ||
	    (letter == 'h' && !slice_is_ascii(m->helo)))
		return 0;
	switch (letter) {
	case 's':
		sb_put(sb, m->local);
		sb_putc(sb, '@');
		sb_put(sb, m->sender_domain);
		break;
	case 'l': sb_put(sb, m->local); break;
	case 'o': sb_put(sb, m->sender_domain); break;
	case 'd': sb_put(sb, m->domain); break;
	case 'i': put_ip(sb, &m->ip, true); break;
	case 'p': sb_put(sb, m->validated(m->ctx)); break;
	case 'v':
		sb_puts(sb, m->ip.family == AF_INET6 ? "ip6" : "in-addr");
		break;
	case 'h': sb_put(sb, m->helo); break;
	case 'c': put_ip(sb, &m->ip, false); break;
	case 'r':
		sb_put(sb, m->receiver.n > 0 ? m->receiver : S("unknown"));
		break;
	case 't': sb_printf(sb, "%lld", (long long)m->time); break;
	}
	return 1;
}

static bool
is_delimiter(const struct element *e, unsigned char c)
{
	if (e->delimiters.n == 0)
		return c == '.';
	return memchr(e->delimiters.p, c, e->delimiters.n) != NULL;
}

/* Bytes that may stand in a URL as they are (RFC 3986 section 2.3). */
static bool
is_unreserved(unsigned char c)
{
	return ascii_isalnum(c) || c == '-' || c == '.' || c == '_' || c == '~';
}

static void
put_part(struct strbuf *sb, struct slice part, bool escape)
{
	if (!escape)
		sb_put(sb, part);
	else
		for (size_t i = 0; i < part.n; i++) {
			if (is_unreserved(part.p[i]))
				sb_putc(sb, part.p[i]);
			else
				sb_printf(sb, "%%%02X", part.p[i]);
		}
}

/* The part that ends at `end': its start. */
static size_t
part_start(const struct element *e, struct slice value, size_t end)
{
	while (end > 0 && !is_delimiter(e, value.p[end - 1]))
		end--;
	return end;
}

/*
 * Split the value, turn it around if asked, keep the right-hand parts, join
 * with dots (section 7.3).
 */
static void
put_parts(struct strbuf *sb, const struct element *e, struct slice value)
{
	size_t parts = 1, skip, at = 0, i = 0;

	for (size_t k = 0; k < value.n; k++)
		parts += is_delimiter(e, value.p[k]);
	skip = e->keep > 0 && e->keep < parts ? parts - e->keep : 0;
	if (e->reverse)
		at = value.n;
	for (; i < parts; i++) {
		size_t from = at, end = at;

		if (e->reverse) {
			from = part_start(e, value, at);
			at = from > 0 ? from - 1 : 0;
		} else {
			while (end < value.n && !is_delimiter(e, value.p[end]))
				end++;
			at = end + 1;
		}
		if (i < skip)
			continue;
		if (i > skip)
			sb_putc(sb, '.');
		put_part(sb, slice_sub(value, from, end - from), e->upper);
	}
}

bool
spf_uses(struct slice text, const char *letters)
{
	struct element e;

	while (next(&text, SPF_EXPLAIN, &e) == 1)
		if (e.kind == MACRO && strchr(letters, e.letter) != NULL)
			return true;
	return false;
}

/*
 * Of a name only the right-hand end is ever used (spf_name_fit()), and a
 * record of 64 KB can make one of any length: forget what is left of it.
 */
static void
keep_end(struct strbuf *out)
{
	size_t keep = SPF_NAME_MAX + 2; /* a dot before it, one behind */

	if (out->n <= SPF_TEXT_MAX)
		return;
	memmove(out->p, out->p + out->n - keep, keep);
	sb_cut(out, keep);
}

int
spf_expand(struct slice text, unsigned flags, const struct spf_macros *m,
    struct strbuf *out)
{
	struct strbuf value = STRBUF_INIT(SPF_TEXT_MAX);
	size_t work = text.n;
	struct element e;
	int got, usable = 1;

	while (usable == 1 && (got = next(&text, flags, &e)) == 1) {
		if ((flags & SPF_EXPLAIN) == 0)
			keep_end(out);
		else if (out->n > SPF_TEXT_MAX)
			out->over = true;
		if (e.kind == LITERAL) {
			sb_putc(out, e.byte);
		} else if (e.kind == ESCAPE) {
			sb_puts(out, e.byte == '%' ? "%" :
			    e.byte == '_' ? " " : "%20");
		} else {
			sb_reset(&value);
			usable = put_value(&value, e.letter, m);
			put_parts(out, &e, sb_slice(&value));
			if ((work += value.n) > SPF_WORK_MAX || value.over)
				out->over = true;
		}
		if (out->over && usable == 1)
			usable = -1;
	}
	if (usable == 1 && got == -1)
		usable = -1;
	sb_free(&value);
	return usable;
}

struct slice
spf_name_fit(struct slice name)
{
	struct slice label;

	if (name.n > 0 && name.p[name.n - 1] == '.')
		name.n--;
	while (name.n > SPF_NAME_MAX && slice_cut(&name, '.', &label))
		continue;
	return name;
}
