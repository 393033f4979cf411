#include "imf/lex.h"

enum { TOKEN = 1, ATOM = 2 };

/* Which bytes belong to a token and to an atom with dots. */
static unsigned
class_of(unsigned char c)
{
	if (c <= ' ' || c == 0x7f)
		return 0;
	if (c >= 0x80 || ascii_isalnum(c))
		return TOKEN | ATOM;
	switch (c) {
	case '(': case ')': case '<': case '>': case '@': case ',': case ';':
	case ':': case '\\': case '"': case '[': case ']':
		return 0;
	case '/': case '?': case '=':
		return ATOM;
	default:
		return TOKEN | ATOM;
	}
}

static struct slice
take(struct slice *in, unsigned class)
{
	struct slice s = *in;
	size_t i = 0;

	while (i < s.n && (class_of(s.p[i]) & class) != 0)
		i++;
	*in = slice_skip(s, i);
	return slice_sub(s, 0, i);
}

struct slice
lex_token(struct slice *in)
{
	return take(in, TOKEN);
}

struct slice
lex_atom(struct slice *in)
{
	return take(in, ATOM);
}

/* The comment that *in starts with. */
static bool
take_comment(struct slice *in, struct slice *comment)
{
	size_t depth = 0, i = 0;

	for (; i < in->n; i++) {
		unsigned char c = in->p[i];

		if (c == '\\')
			i++;
		else if (c == '(')
			depth++;
		else if (c == ')' && --depth == 0) {
			*comment = slice_sub(*in, 1, i - 1);
			*in = slice_skip(*in, i + 1);
			return true;
		}
	}
	*comment = slice_skip(*in, 1);
	*in = slice_skip(*in, in->n);
	return false;
}

bool
lex_cfws(struct slice *in, struct slice *comment)
{
	struct slice unused;

	if (comment == NULL)
		comment = &unused;
	for (;;) {
		*in = slice_ltrim(*in);
		if (in->n == 0 || in->p[0] != '(')
			return true;
		if (!take_comment(in, comment))
			return false;
	}
}

/* From the opening byte up to an unescaped `close': its index, or in.n. */
static size_t
find_close(struct slice in, unsigned char close)
{
	size_t i = 1;

	while (i < in.n && in.p[i] != close)
		i += in.p[i] == '\\' ? 2 : 1;
	return i < in.n ? i : in.n;
}

bool
lex_quoted(struct slice *in, struct slice *raw)
{
	size_t i = find_close(*in, '"');
	bool closed = i < in->n;

	*raw = slice_sub(*in, 1, i - 1);
	*in = slice_skip(*in, i + 1);
	return closed;
}

bool
lex_literal(struct slice *in, struct slice *raw)
{
	size_t i = find_close(*in, ']');
	bool closed = i < in->n;

	*raw = slice_sub(*in, 0, i + 1);
	*in = slice_skip(*in, i + 1);
	return closed;
}

static bool
is_plain(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == '\\' || s.p[i] == '\r' || s.p[i] == '\n')
			return false;
	return true;
}

struct slice
lex_unquote(struct slice raw, struct arena *ar)
{
	unsigned char *to;
	size_t n = 0;

	if (is_plain(raw))
		return raw;
	to = arena_alloc(ar, raw.n);
	for (size_t i = 0; i < raw.n; i++) {
		if (raw.p[i] == '\\' && i + 1 < raw.n)
			i++;
		if (raw.p[i] != '\r' && raw.p[i] != '\n')
			to[n++] = raw.p[i];
	}
	return slice_of(to, n);
}

struct slice
lex_lower(struct slice s, struct arena *ar)
{
	unsigned char *p = arena_alloc(ar, s.n);

	for (size_t i = 0; i < s.n; i++)
		p[i] = ascii_lower(s.p[i]);
	return slice_of(p, s.n);
}
