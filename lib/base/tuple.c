#include "base/tuple.h"

#include <errno.h>
#include <string.h>

void
tuple_reader_init(struct tuple_reader *r, struct slice in)
{
	*r = (struct tuple_reader){ .in = in, .line = 1 };
}

/* What a byte may be part of as it stands; every stage reads the whole
 * envelope, so this is the innermost loop of the house. */
enum { IN_NAME = 1, IN_BARE = 2, IN_QUOTES = 4 };
#define BOTH (IN_BARE | IN_QUOTES)
#define ANY (IN_NAME | IN_BARE | IN_QUOTES)
static const unsigned char may[256] = {
	[' '] = IN_QUOTES,
	['!'] = BOTH,
	['#' ... ','] = BOTH,
	['-'] = ANY,
	['.' ... '/'] = BOTH,
	['0' ... '9'] = ANY,
	[':' ... '['] = BOTH,
	[']' ... '`'] = BOTH,
	['a' ... 'z'] = ANY,
	['{' ... '~'] = BOTH,
	[0x80 ... 0xff] = BOTH,
};

static bool
is_control(unsigned char c)
{
	return c < 0x20 || c == 0x7f;
}

/* Take a type or an attribute name off *in. */
static bool
take_name(struct slice *in, struct slice *name)
{
	size_t i = 0;

	while (i < in->n && (may[in->p[i]] & IN_NAME))
		i++;
	*name = slice_sub(*in, 0, i);
	*in = slice_skip(*in, i);
	return i != 0;
}

/*
 * Cut one record, continuation lines included, off the input, with its last
 * line end. Comment and empty lines have been skipped.
 */
static struct slice
take_record(struct tuple_reader *r)
{
	size_t i = 0;
	const unsigned char *p = r->in.p;
	struct slice rec;

	for (;;) {
		const unsigned char *end = memchr(p + i, '\n', r->in.n - i);

		i = end == NULL ? r->in.n : (size_t)(end - p) + 1;
		r->line++;
		if (i >= r->in.n || !ascii_isblank(p[i]))
			break;
	}
	rec = slice_sub(r->in, 0, i);
	r->in = slice_skip(r->in, i);
	return rec;
}

/* Skip blanks, and a line end that a blank follows. */
static void
skip_blank(struct slice *in)
{
	*in = slice_ltrim(*in);
}

/* The bytes from `at' on that stand for themselves in quotes. */
static size_t
plain_run(struct slice in, size_t at)
{
	size_t i = at;

	while (i < in.n && (may[in.p[i]] & IN_QUOTES))
		i++;
	return i - at;
}

/* What stands behind a backslash, up to `end': bytes taken, or 0 and *err. */
static size_t
unescape(const unsigned char *p, size_t n, unsigned char *c, const char **err)
{
	int hi, lo;

	*c = p[0] == 'n' ? '\n' : p[0];
	if (p[0] == 'n' || p[0] == '"' || p[0] == '\\')
		return 1;
	*err = p[0] == 'x' ? "bad \\x escape" : "unknown escape";
	if (p[0] != 'x' || n < 3 || (hi = ascii_hex(p[1])) == -1 ||
	    (lo = ascii_hex(p[2])) == -1)
		return 0;
	*c = (unsigned char)(hi << 4 | lo);
	return 3;
}

/* After the opening quote. */
static const char *
take_quoted(struct slice *in, struct arena *a, struct slice *value)
{
	size_t end = plain_run(*in, 0), n = 0, i = 0, run;
	unsigned char *out;
	const char *err;

	if (end < in->n && in->p[end] == '"') { /* nothing is escaped */
		*value = slice_sub(*in, 0, end);
		*in = slice_skip(*in, end + 1);
		return NULL;
	}
	while (end < in->n && in->p[end] != '"') {
		end += in->p[end] == '\\' ? 2 : 1;
		end += plain_run(*in, end);
	}
	if (end >= in->n)
		return "no closing quote";
	out = arena_alloc(a, end);
	for (;;) {
		run = plain_run(*in, i); /* stops at the closing quote */
		memcpy(out + n, in->p + i, run);
		n += run;
		i += run;
		if (i == end)
			break;
		if (in->p[i++] != '\\')
			return "control character in quotes";
		run = unescape(in->p + i, end - i, &out[n++], &err);
		if (run == 0)
			return err;
		i += run;
	}
	*value = slice_of(out, n);
	*in = slice_skip(*in, end + 1);
	return NULL;
}

static const char *
take_bare(struct slice *in, struct slice *value)
{
	size_t i = 0;

	while (i < in->n && (may[in->p[i]] & IN_BARE))
		i++;
	if (i < in->n && !ascii_isblank(in->p[i]) && in->p[i] != '\n' &&
	    in->p[i] != '\r')
		return "quote, backslash or control character in a bare value";
	*value = slice_sub(*in, 0, i);
	*in = slice_skip(*in, i);
	return NULL;
}

static const char *
take_attr(struct slice *in, struct arena *a, struct attr *at)
{
	const char *err;

	if (!take_name(in, &at->name))
		return "attribute name expected";
	if (in->n == 0 || in->p[0] != '=')
		return "'=' expected after attribute name";
	*in = slice_skip(*in, 1);
	if (in->n != 0 && in->p[0] == '"') {
		*in = slice_skip(*in, 1);
		err = take_quoted(in, a, &at->value);
	} else
		err = take_bare(in, &at->value);
	if (err != NULL)
		return err;
	if (in->n != 0 && !ascii_isblank(in->p[0]) && in->p[0] != '\n' &&
	    in->p[0] != '\r')
		return "blank expected after value";
	return NULL;
}

static const char *
parse_record(struct slice in, struct arena *a, struct tuple *t)
{
	size_t cap = 0;
	const char *err;

	if (in.n > TUPLE_LINE_MAX)
		return "record too long";
	if (!take_name(&in, &t->type))
		return "record type expected";
	if (in.n != 0 && !ascii_isblank(in.p[0]) && in.p[0] != '\n' &&
	    in.p[0] != '\r')
		return "blank expected after record type";
	for (skip_blank(&in); in.n != 0; skip_blank(&in)) {
		if (t->count == TUPLE_ATTR_MAX)
			return "too many attributes";
		if (t->count == cap) {
			size_t grown = cap != 0 ? cap * 2 : 8;

			t->attr = arena_grow(a, t->attr, cap * sizeof(*t->attr),
			    grown * sizeof(*t->attr));
			cap = grown;
		}
		if ((err = take_attr(&in, a, &t->attr[t->count])) != NULL)
			return err;
		t->count++;
	}
	return NULL;
}

int
tuple_next(struct tuple_reader *r, struct arena *a, struct tuple *t)
{
	struct slice skipped;

	while (r->in.n != 0 && (r->in.p[0] == '#' || r->in.p[0] == '\n' ||
	    slice_starts(r->in, S("\r\n")))) {
		slice_cut(&r->in, '\n', &skipped);
		r->line++;
	}
	if (r->in.n == 0)
		return 0;
	*t = (struct tuple){ .line = r->line };
	t->raw = take_record(r);
	r->error = parse_record(t->raw, a, t);
	if (r->error == NULL)
		return 1;
	r->error_line = t->line;
	return -1;
}

bool
tuple_get(const struct tuple *t, const char *name, struct slice *value)
{
	struct slice want = slice_str(name);

	for (size_t i = 0; i < t->count; i++)
		if (slice_eq(t->attr[i].name, want)) {
			*value = t->attr[i].value;
			return true;
		}
	return false;
}

struct slice
tuple_value(const struct tuple *t, const char *name)
{
	struct slice v = SLICE_NONE;

	return tuple_get(t, name, &v) ? v : SLICE_NONE;
}

bool
tuple_is(const struct tuple *t, const char *type)
{
	return slice_eqs(t->type, type);
}

bool
tuple_has(const struct tuple *t, const char *name, const char *value)
{
	struct slice v;

	return tuple_get(t, name, &v) && slice_eqs(v, value);
}

int
tuple_u64(const struct tuple *t, const char *name, uint64_t max, uint64_t *out)
{
	struct slice v;

	if (!tuple_get(t, name, &v)) {
		errno = ENOENT;
		return -1;
	}
	return slice_u64(v, max, out);
}

void
tuple_begin(struct strbuf *sb, const char *type)
{
	sb_puts(sb, type);
}

static bool
is_bare(struct slice v)
{
	if (v.n == 0)
		return false;
	for (size_t i = 0; i < v.n; i++)
		if (v.p[i] <= 0x20 || v.p[i] >= 0x7f || v.p[i] == '"' ||
		    v.p[i] == '\\')
			return false;
	return true;
}

static bool
must_escape(unsigned char c, bool utf8)
{
	return c == '"' || c == '\\' || is_control(c) || (c >= 0x80 && !utf8);
}

void
tuple_quote(struct strbuf *sb, struct slice value)
{
	bool utf8;

	if (is_bare(value)) {
		sb_put(sb, value);
		return;
	}
	utf8 = slice_is_utf8(value);
	sb_putc(sb, '"');
	while (value.n != 0) {
		unsigned char c;
		size_t i = 0;

		while (i < value.n && !must_escape(value.p[i], utf8))
			i++;
		sb_put(sb, slice_sub(value, 0, i));
		value = slice_skip(value, i);
		if (value.n == 0)
			break;
		c = value.p[0];
		value = slice_skip(value, 1);
		sb_putc(sb, '\\');
		if (c == '"' || c == '\\')
			sb_putc(sb, c);
		else if (c == '\n')
			sb_putc(sb, 'n');
		else {
			sb_putc(sb, 'x');
			sb_hex(sb, slice_of(&c, 1));
		}
	}
	sb_putc(sb, '"');
}

void
tuple_put(struct strbuf *sb, const char *name, struct slice value)
{
	sb_putc(sb, ' ');
	sb_puts(sb, name);
	sb_putc(sb, '=');
	tuple_quote(sb, value);
}

void
tuple_puts(struct strbuf *sb, const char *name, const char *value)
{
	tuple_put(sb, name, slice_str(value));
}

void
tuple_putu(struct strbuf *sb, const char *name, uint64_t value)
{
	sb_putc(sb, ' ');
	sb_puts(sb, name);
	sb_putc(sb, '=');
	sb_putu(sb, value);
}

void
tuple_put64(struct strbuf *sb, const char *name, struct slice bytes)
{
	sb_putc(sb, ' ');
	sb_puts(sb, name);
	sb_puts(sb, bytes.n == 0 ? "=\"\"" : "=");
	sb_base64(sb, bytes); /* a bare value */
}

void
tuple_opt(struct strbuf *sb, const char *name, struct slice value)
{
	if (value.n != 0)
		tuple_put(sb, name, value);
}

void
tuple_end(struct strbuf *sb)
{
	sb_putc(sb, '\n');
}
