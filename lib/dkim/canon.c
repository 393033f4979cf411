#include "dkim/canon.h"

#include <string.h>

/* A line end inside the canonical form. */
static const unsigned char crlf_bytes[2] = { '\r', '\n' };

void
canon_body_init(struct canon_body *c, enum canon how, canon_sink *sink,
    void *ctx)
{
	c->how = how;
	c->sink = sink;
	c->ctx = ctx;
	c->lines = 0;
	c->cr = c->blank = c->any = c->inside = false;
	c->n = 0;
}

static void
flush(struct canon_body *c)
{
	if (c->n != 0)
		c->sink(c->ctx, c->buf, c->n);
	c->n = 0;
}

static void
put(struct canon_body *c, const unsigned char *p, size_t n)
{
	if (n > sizeof(c->buf) - c->n)
		flush(c);
	if (n > sizeof(c->buf)) {
		c->sink(c->ctx, p, n);
		return;
	}
	memcpy(c->buf + c->n, p, n);
	c->n += n;
}

/* Bytes of a line: what was held back before them is inside the body. */
static void
content(struct canon_body *c, const unsigned char *p, size_t n)
{
	for (; c->lines > 0; c->lines--)
		put(c, crlf_bytes, 2);
	if (c->blank)
		put(c, (const unsigned char *)" ", 1);
	c->blank = false;
	c->any = true;
	put(c, p, n);
}

/* Sixteen bytes at p, and the one after them: an HTAB, or a SP before another
 * blank or a CR? */
static bool
has_odd_blank(const unsigned char *p)
{
	typedef unsigned char v16 __attribute__((vector_size(16)));
	v16 a, b, odd;
	uint64_t half[2];

	memcpy(&a, p, sizeof(a));
	memcpy(&b, p + 1, sizeof(b));
	odd = (v16)(a == '\t') | ((v16)(a == ' ') & ((v16)(b == ' ') |
	    (v16)(b == '\t') | (v16)(b == '\r')));
	memcpy(half, &odd, sizeof(half));
	return (half[0] | half[1]) != 0;
}

/* A line of n bytes before a CR: is it its own relaxed form? */
static bool
is_relaxed(const unsigned char *p, size_t n)
{
	size_t i = 0;

	for (; n - i >= 16; i += 16)
		if (has_odd_blank(p + i))
			return false;
	if (n >= 16)
		return !has_odd_blank(p + n - 16);
	for (; i < n; i++)
		if (p[i] == '\t' || (p[i] == ' ' && (ascii_isblank(p[i + 1]) ||
		    p[i + 1] == '\r')))
			return false;
	return true;
}

/*
 * At the start of a line: lines with CRLF that are not empty and stay as they
 * are, which most are, go on in one piece. The first byte after them.
 */
static const unsigned char *
plain_lines(struct canon_body *c, const unsigned char *p,
    const unsigned char *end)
{
	const unsigned char *start = p, *lf;

	while (p < end && (lf = memchr(p, '\n', (size_t)(end - p))) != NULL) {
		if (lf - p < 2 || lf[-1] != '\r' || (c->how == CANON_RELAXED &&
		    !is_relaxed(p, (size_t)(lf - 1 - p))))
			break;
		p = lf + 1;
	}
	if (p != start) {
		content(c, start, (size_t)(p - start) - 2);
		c->lines = 1;
	}
	return p;
}

static bool
is_special(const struct canon_body *c, unsigned char b)
{
	return b == '\n' || b == '\r' ||
	    (c->how == CANON_RELAXED && ascii_isblank(b));
}

void
canon_body_feed(struct canon_body *c, struct slice in)
{
	const unsigned char *p = in.p, *end = in.p + in.n, *start;

	while (p < end) {
		if (!c->inside && (p = plain_lines(c, p, end)) == end)
			break;
		c->inside = *p != '\n';
		if (*p == '\n') {
			c->lines++;
			c->cr = c->blank = false;
			p++;
			continue;
		}
		if (c->cr) /* a CR alone is a byte like any other */
			content(c, (const unsigned char *)"\r", 1);
		c->cr = *p == '\r';
		if (c->cr) {
			p++;
			continue;
		}
		if (c->how == CANON_RELAXED && ascii_isblank(*p)) {
			c->blank = true;
			p++;
			continue;
		}
		for (start = p; p < end && !is_special(c, *p); p++)
			;
		content(c, start, (size_t)(p - start));
	}
}

void
canon_body_end(struct canon_body *c)
{
	if (c->cr)
		content(c, (const unsigned char *)"\r", 1);
	/* Simple: an empty body is one CRLF (3.4.3). Relaxed: nothing (3.4.4). */
	if (c->any || c->how == CANON_SIMPLE)
		put(c, crlf_bytes, 2);
	flush(c);
}

/* Pieces gathered, so that a sink is not called for each word. */
struct out {
	canon_sink *sink;
	void *ctx;
	size_t n;
	unsigned char buf[CANON_BUFFER];
};

static void
out_flush(struct out *o)
{
	if (o->n != 0)
		o->sink(o->ctx, o->buf, o->n);
	o->n = 0;
}

static void
out_put(struct out *o, const unsigned char *p, size_t n)
{
	if (n > sizeof(o->buf) - o->n)
		out_flush(o);
	if (n > sizeof(o->buf)) {
		o->sink(o->ctx, p, n);
		return;
	}
	if (n != 0)
		memcpy(o->buf + o->n, p, n);
	o->n += n;
}

static void
simple_part(struct slice part, struct out *o)
{
	struct slice line;
	bool first = true;

	while (slice_line(&part, &line) == 1) {
		if (!first)
			out_put(o, crlf_bytes, 2);
		first = false;
		out_put(o, line.p, line.n);
	}
}

/* A value unfolded, blanks in runs as one SP, none at its ends. */
struct relax {
	bool any, blank;
};

/* Bytes of white space at the start: blanks and line ends. A CR alone is a
 * byte like any other: else a blank could become one unnoticed. */
static size_t
white(struct slice s)
{
	size_t n = 0;

	while (n < s.n && (ascii_isblank(s.p[n]) || s.p[n] == '\n' ||
	    (s.p[n] == '\r' && n + 1 < s.n && s.p[n + 1] == '\n')))
		n++;
	return n;
}

static void
relaxed_part(struct relax *r, struct slice part, struct out *o)
{
	while (part.n != 0) {
		size_t n = white(part);

		if (n != 0) {
			r->blank = true;
			part = slice_skip(part, n);
			continue;
		}
		for (n = 1; n < part.n && part.p[n] > ' '; n++)
			;
		if (r->blank && r->any)
			out_put(o, (const unsigned char *)" ", 1);
		r->any = true;
		r->blank = false;
		out_put(o, part.p, n);
		part = slice_skip(part, n);
	}
}

static void
relaxed_name(struct slice name, struct out *o)
{
	unsigned char c;

	name = slice_rtrim(name);
	for (size_t i = 0; i < name.n; i++) {
		c = ascii_lower(name.p[i]);
		out_put(o, &c, 1);
	}
	out_put(o, (const unsigned char *)":", 1);
}

/* Without what is from `from' to `to' of the field. */
static void
field(enum canon how, struct slice raw, size_t from, size_t to,
    struct out *o)
{
	struct slice head = slice_sub(raw, 0, from), tail = slice_skip(raw, to);
	struct relax r = { 0 };
	struct slice name;

	if (how == CANON_SIMPLE) {
		simple_part(head, o);
		simple_part(tail, o);
		return;
	}
	slice_cut(&head, ':', &name);
	relaxed_name(name, o);
	relaxed_part(&r, head, o);
	/* "b=" and ";" meet with nothing between; blanks after ";" stay. */
	relaxed_part(&r, tail, o);
}

void
canon_field(enum canon how, struct slice raw, bool crlf, canon_sink *sink,
    void *ctx)
{
	struct out o;

	o.sink = sink;
	o.ctx = ctx;
	o.n = 0;
	field(how, raw, raw.n, raw.n, &o);
	if (crlf)
		out_put(&o, crlf_bytes, 2);
	out_flush(&o);
}

/* Where the value of b= stands: from, to; both the end if there is none. */
static void
find_b(struct slice raw, size_t *from, size_t *to)
{
	ptrdiff_t colon = slice_chr(raw, ':');
	size_t at = (size_t)(colon + 1);

	*from = *to = raw.n;
	while (at < raw.n) {
		struct slice rest = slice_skip(raw, at), spec, tag;
		bool more = slice_cut(&rest, ';', &spec);
		size_t next = at + spec.n + (more ? 1 : 0);
		bool has_value = slice_cut(&spec, '=', &tag);

		if (has_value && slice_eqs(slice_trim(tag), "b")) {
			*from = (size_t)(spec.p - raw.p);
			*to = *from + spec.n;
			return;
		}
		at = next;
	}
}

void
canon_signature(enum canon how, struct slice raw, canon_sink *sink, void *ctx)
{
	struct out o;
	size_t from, to;

	o.sink = sink;
	o.ctx = ctx;
	o.n = 0;
	find_b(raw, &from, &to);
	field(how, raw, from, to, &o);
	out_flush(&o);
}
