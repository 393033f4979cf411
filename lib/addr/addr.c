#include "addr/addr.h"

#include <errno.h>
#include <sys/socket.h>

/* atext of RFC 5322 section 3.2.3; RFC 6531 adds what is not ASCII. */
static bool
is_atext(unsigned char c)
{
	return ascii_isalnum(c) || c >= 0x80 ||
	    (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

static int
fail(int error)
{
	errno = error;
	return -1;
}

/* Dot-string: atoms with single dots between them. */
static bool
is_dot_string(struct slice s)
{
	bool dot = true;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '.' ? dot : !is_atext(s.p[i]))
			return false;
		dot = s.p[i] == '.';
	}
	return !dot;
}

/*
 * Quoted-string of RFC 5321 section 4.1.2 at the start of *in: decoded into
 * *local, *in after it.
 */
static int
take_quoted(struct slice *in, struct arena *ar, struct slice *local)
{
	unsigned char *to = arena_alloc(ar, in->n);
	size_t n = 0, i = 1;

	for (; i < in->n && in->p[i] != '"'; i++) {
		if (in->p[i] == '\\' && (++i == in->n || in->p[i] >= 0x80))
			return fail(EINVAL);
		if (in->p[i] < ' ' || in->p[i] == 0x7f)
			return fail(EINVAL);
		to[n++] = in->p[i];
	}
	if (i == in->n)
		return fail(EINVAL);
	*local = slice_of(to, n);
	*in = slice_skip(*in, i + 1);
	return 0;
}

static int
take_local(struct slice *in, struct arena *ar, struct slice *local)
{
	size_t i = 0;

	if (in->n != 0 && in->p[0] == '"')
		return take_quoted(in, ar, local);
	while (i < in->n && in->p[i] != '@')
		i++;
	*local = slice_sub(*in, 0, i);
	*in = slice_skip(*in, i);
	return is_dot_string(*local) ? 0 : fail(EINVAL);
}

/* "[192.0.2.1]", "[IPv6:...]"; no other tag is registered. */
static int
take_literal(struct slice text, struct arena *ar, struct slice *out)
{
	const struct slice tag = S("IPv6:");
	struct strbuf sb = STRBUF_INIT(64);
	struct slice in;
	struct ip ip;
	bool v6;

	if (text.n < 2 || text.p[text.n - 1] != ']')
		return fail(EINVAL);
	in = slice_sub(text, 1, text.n - 2);
	v6 = slice_istarts(in, tag);
	if (v6)
		in = slice_skip(in, tag.n);
	if ((slice_chr(in, ':') != -1) != v6 || ip_parse(in, &ip) == -1)
		return fail(EINVAL);
	sb_puts(&sb, ip.family == AF_INET6 ? "[IPv6:" : "[");
	ip_format(&sb, &ip);
	sb_putc(&sb, ']');
	*out = arena_copy(ar, sb_slice(&sb));
	sb_free(&sb);
	return 0;
}

static int
take_domain(struct slice text, struct arena *ar, struct addr *a)
{
	if (text.n != 0 && text.p[0] == '[') {
		a->literal = true;
		return take_literal(text, ar, &a->domain);
	}
	/* RFC 5321 has no trailing dot. */
	if (text.n == 0 || text.p[text.n - 1] == '.')
		return fail(EINVAL);
	return domain_ascii(text, ar, &a->domain);
}

int
addr_parse(struct slice text, unsigned flags, struct arena *ar, struct addr *a)
{
	struct slice local, in = text;

	*a = (struct addr){ 0 };
	if (text.n > ADDR_TEXT_MAX)
		return fail(E2BIG);
	if (!slice_is_ascii(text)) {
		if ((flags & ADDR_UTF8) == 0)
			return fail(EILSEQ);
		if (!slice_is_utf8(text))
			return fail(EINVAL);
	}
	if (take_local(&in, ar, &local) == -1 || nfc(local, ar, &local) == -1)
		return -1;
	if (local.n > ADDR_LOCAL_MAX)
		return fail(E2BIG);
	a->local = arena_copy(ar, local);
	if (in.n == 0 && (flags & ADDR_POSTMASTER) != 0 &&
	    slice_ieqs(local, "postmaster"))
		return 0;
	if (in.n == 0 || in.p[0] != '@')
		return fail(EINVAL);
	in = slice_skip(in, 1);
	a->utf8 = !slice_is_ascii(local) || !slice_is_ascii(in);
	return take_domain(in, ar, a);
}

void
addr_format(struct strbuf *sb, const struct addr *a)
{
	if (is_dot_string(a->local))
		sb_put(sb, a->local);
	else {
		sb_putc(sb, '"');
		for (size_t i = 0; i < a->local.n; i++) {
			unsigned char c = a->local.p[i];

			if (c == '"' || c == '\\')
				sb_putc(sb, '\\');
			sb_putc(sb, c);
		}
		sb_putc(sb, '"');
	}
	if (a->domain.n != 0) {
		sb_putc(sb, '@');
		sb_put(sb, a->domain);
	}
}

bool
addr_eq(const struct addr *a, const struct addr *b)
{
	return slice_eq(a->domain, b->domain) && slice_eq(a->local, b->local);
}

bool
addr_ieq(const struct addr *a, const struct addr *b)
{
	return slice_eq(a->domain, b->domain) && slice_ieq(a->local, b->local);
}
