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
	c->cr = c->blank = c->any = false;
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

static bool
is_line_end(unsigned char b)
{
	return b == '\r' || b == '\n';
}

static void
simple_part(struct slice part, canon_sink *sink, void *ctx)
{
	struct slice line;
	bool first = true;

	while (slice_line(&part, &line) == 1) {
		if (!first)
			sink(ctx, crlf_bytes, 2);
		first = false;
		sink(ctx, line.p, line.n);
	}
}

/* A value unfolded, blanks in runs as one SP, none at its ends. */
struct relax {
	bool any, blank;
};

static void
relaxed_part(struct relax *r, struct slice part, canon_sink *sink, void *ctx)
{
	while (part.n != 0) {
		size_t n = 0;

		if (ascii_isblank(part.p[0]) || is_line_end(part.p[0])) {
			r->blank = true;
			part = slice_skip(part, 1);
			continue;
		}
		while (n < part.n && !ascii_isblank(part.p[n]) &&
		    !is_line_end(part.p[n]))
			n++;
		if (r->blank && r->any)
			sink(ctx, " ", 1);
		r->any = true;
		r->blank = false;
		sink(ctx, part.p, n);
		part = slice_skip(part, n);
	}
}

static void
relaxed_name(struct slice name, canon_sink *sink, void *ctx)
{
	unsigned char c;

	name = slice_rtrim(name);
	for (size_t i = 0; i < name.n; i++) {
		c = ascii_lower(name.p[i]);
		sink(ctx, &c, 1);
	}
	sink(ctx, ":", 1);
}

/* Without what is from `from' to `to' of the field. */
static void
field(enum canon how, struct slice raw, size_t from, size_t to,
    canon_sink *sink, void *ctx)
{
	struct slice head = slice_sub(raw, 0, from), tail = slice_skip(raw, to);
	struct relax r = { 0 };
	struct slice name;

	if (how == CANON_SIMPLE) {
		simple_part(head, sink, ctx);
		simple_part(tail, sink, ctx);
		return;
	}
	slice_cut(&head, ':', &name);
	relaxed_name(name, sink, ctx);
	relaxed_part(&r, head, sink, ctx);
	/* "b=" and ";" meet with nothing between; blanks after ";" stay. */
	relaxed_part(&r, tail, sink, ctx);
}

void
canon_field(enum canon how, struct slice raw, bool crlf, canon_sink *sink,
    void *ctx)
{
	field(how, raw, raw.n, raw.n, sink, ctx);
	if (crlf)
		sink(ctx, crlf_bytes, 2);
}

void
canon_signature(enum canon how, struct slice raw, canon_sink *sink, void *ctx)
{
	ptrdiff_t colon = slice_chr(raw, ':');
	size_t at = (size_t)(colon + 1), from = raw.n, to = raw.n;

	while (at < raw.n) {
		struct slice rest = slice_skip(raw, at), spec, tag;
		bool more = slice_cut(&rest, ';', &spec);
		size_t next = at + spec.n + (more ? 1 : 0);
		bool has_value = slice_cut(&spec, '=', &tag);

		if (has_value && slice_eqs(slice_trim(tag), "b")) {
			from = (size_t)(spec.p - raw.p);
			to = from + spec.n;
			break;
		}
		at = next;
	}
	field(how, raw, from, to, sink, ctx);
}
