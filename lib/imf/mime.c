#include "imf/mime.h"

#include "imf/field.h"
#include "imf/lex.h"
#include "imf/parts.h"

#define BOUNDARY_MAX 250 /* RFC 2046 says 70; longer ones are met */
#define TYPE_MAX 64      /* of a type or subtype; registered ones are short */

struct walk {
	struct mime *m;
	struct arena *ar;
	size_t pos;   /* the next line starts here */
	size_t lines; /* line ends before pos */
	struct slice boundary[IMF_DEPTH_MAX]; /* of open multiparts */
	size_t open;
};

/* Where a run of lines ended: a delimiter line, or the end of the message. */
struct stop {
	bool found;
	size_t level; /* of the multipart it belongs to, from 0 */
	bool last;    /* "--boundary--" */
	size_t at;    /* start of the line, or the message's length */
	size_t lines; /* line ends before it */
};

struct slice
mime_header(const struct mime *m, const struct mime_part *p)
{
	return slice_sub(m->msg, p->at, p->body - p->at);
}

struct slice
mime_body(const struct mime *m, const struct mime_part *p)
{
	return slice_sub(m->msg, p->body, p->end - p->body);
}

struct mime_part *
mime_next(const struct mime_part *p)
{
	if (p->child != NULL)
		return p->child;
	while (p != NULL && p->next == NULL)
		p = p->parent;
	return p != NULL ? p->next : NULL;
}

/* The line at pos with its line end; goes past it. */
static struct slice
take_line(struct walk *w)
{
	struct slice rest = slice_skip(w->m->msg, w->pos);
	ptrdiff_t lf = slice_chr(rest, '\n');

	if (lf != -1) {
		rest.n = (size_t)lf + 1;
		w->lines++;
	}
	w->pos += rest.n;
	return rest;
}

/* The line is a delimiter of an open multipart. */
static bool
is_delimiter(const struct walk *w, struct slice line, struct stop *stop)
{
	struct slice rest;

	if (line.n < 3 || line.p[0] != '-' || line.p[1] != '-')
		return false;
	line = slice_rtrim(slice_skip(line, 2));
	for (size_t i = w->open; i > 0; i--) {
		if (!slice_starts(line, w->boundary[i - 1]))
			continue;
		rest = slice_skip(line, w->boundary[i - 1].n);
		stop->last = slice_eqs(rest, "--");
		stop->level = i - 1;
		if (rest.n == 0 || stop->last)
			return true;
	}
	return false;
}

static bool
at_end(const struct walk *w)
{
	return w->pos == w->m->msg.n;
}

static struct stop
end_of_message(struct walk *w)
{
	return (struct stop){ .at = w->m->msg.n, .lines = w->lines };
}

/* One line: true if it is a delimiter. */
static bool
next_stops(struct walk *w, struct slice *line, struct stop *stop)
{
	*stop = (struct stop){ .at = w->pos, .lines = w->lines };
	*line = take_line(w);
	return stop->found = is_delimiter(w, *line, stop);
}

/* Go on to a delimiter. */
static struct stop
skip_body(struct walk *w)
{
	struct slice line;
	struct stop stop;

	while (!at_end(w))
		if (next_stops(w, &line, &stop))
			return stop;
	return end_of_message(w);
}

/* Go on to the body, or to a delimiter in a header that has no end. */
static struct stop
skip_header(struct walk *w)
{
	struct slice line;
	struct stop stop;

	while (!at_end(w)) {
		if (next_stops(w, &line, &stop))
			return stop;
		if (slice_eqs(line, "\n") || slice_eqs(line, "\r\n"))
			return (struct stop){ 0 };
	}
	return end_of_message(w);
}

static void
set_type(struct mime_part *p, const char *type, const char *subtype)
{
	p->ct = (struct content_type){ .type = slice_str(type),
		.subtype = slice_str(subtype) };
}

static void
first(struct slice *to, struct slice value)
{
	if (to->n == 0)
		*to = slice_trim(value);
}

static bool
is_type(struct slice s)
{
	return s.n <= TYPE_MAX && slice_is_print(s);
}

/* What the header says about the content. */
static void
read_fields(struct walk *w, struct mime_part *p)
{
	struct slice in = mime_header(w->m, p), type = SLICE_NONE;
	struct slice disposition = SLICE_NONE, token;
	const struct slice prefix = S("content-");
	struct field f;

	in = slice_sub(in, 0, IMF_HEADER_MAX);
	while (field_next(&in, &f) == 1) {
		if (!slice_istarts(f.name, prefix))
			continue;
		f.name = slice_skip(f.name, prefix.n);
		if (slice_ieqs(f.name, "type"))
			first(&type, f.value);
		else if (slice_ieqs(f.name, "transfer-encoding"))
			first(&p->encoding_name, f.value);
		else if (slice_ieqs(f.name, "disposition"))
			first(&disposition, f.value);
		else if (slice_ieqs(f.name, "id"))
			first(&p->id, f.value);
		else if (slice_ieqs(f.name, "description"))
			first(&p->description, f.value);
		else if (slice_ieqs(f.name, "language"))
			first(&p->language, f.value);
		else if (slice_ieqs(f.name, "location"))
			first(&p->location, f.value);
		else if (slice_ieqs(f.name, "md5"))
			first(&p->md5, f.value);
	}
	if (content_type_parse(type, w->ar, &p->ct) == -1 ||
	    !is_type(p->ct.type) || !is_type(p->ct.subtype)) {
		bool digest = type.n == 0 && p->number != 0 &&
		    slice_eqs(p->parent->ct.subtype, "digest");

		if (digest)
			set_type(p, "message", "rfc822");
		else
			set_type(p, "text", "plain");
	}
	if (disposition.n == 0 ||
	    disposition_parse(disposition, w->ar, &p->disposition) == -1 ||
	    !is_type(p->disposition.type))
		p->disposition = (struct disposition){ 0 };
	/* "(comment) base64 (comment)": the token alone. */
	(void)lex_cfws(&p->encoding_name, NULL);
	token = lex_token(&p->encoding_name);
	p->encoding_name = lex_lower(token, w->ar);
	p->encoding = encoding_of(token);
}

/* The line end before a delimiter belongs to it: where what began at `from'
 * ends. */
static size_t
before_delimiter(const struct walk *w, const struct stop *stop, size_t from)
{
	const unsigned char *msg = w->m->msg.p;
	size_t end = stop->at;

	if (stop->found && end > from && msg[end - 1] == '\n') {
		end--;
		if (end > from && msg[end - 1] == '\r')
			end--;
	}
	return end;
}

static void
set_end(struct walk *w, struct mime_part *p, const struct stop *stop,
    size_t lines_before)
{
	size_t from = p->body;

	/* "--b", an empty line, "--b--": the line ends the last part's header
	 * and belongs to the delimiter too; no part sticks out of its parent. */
	for (const struct mime_part *c = p->child; c != NULL; c = c->next)
		from = c->end;
	p->end = before_delimiter(w, stop, from);
	p->lines = stop->lines - lines_before - (p->end < stop->at);
	if (p->end > p->body && w->m->msg.p[p->end - 1] != '\n')
		p->lines++;
}

static struct mime_part *
new_part(struct walk *w, struct mime_part *parent, unsigned number)
{
	struct mime_part *p = arena_alloc(w->ar, sizeof(*p));

	p->parent = parent;
	p->number = number;
	p->at = p->body = p->end = w->pos;
	w->m->count++;
	return p;
}

/* What is past the limits: a leaf of bytes. */
static void
make_opaque(struct walk *w, struct mime_part *p)
{
	p->kind = MIME_LEAF;
	set_type(p, "application", "octet-stream");
	w->m->cut = true;
}

static enum mime_kind
kind_of(struct walk *w, struct mime_part *p, unsigned depth)
{
	enum mime_kind kind = MIME_LEAF;

	if (slice_eqs(p->ct.type, "multipart"))
		kind = MIME_MULTIPART;
	else if (slice_eqs(p->ct.type, "message") &&
	    (slice_eqs(p->ct.subtype, "rfc822") ||
	    slice_eqs(p->ct.subtype, "global")))
		kind = p->encoding == ENC_IDENTITY ? MIME_MESSAGE : MIME_LEAF;
	/* Room is kept for one part in it, and one for the rest. */
	if (kind != MIME_LEAF && (depth + 1 >= IMF_DEPTH_MAX ||
	    w->m->count + 2 > IMF_PARTS_MAX)) {
		make_opaque(w, p);
		kind = MIME_LEAF;
	}
	return kind;
}

static struct stop entity(struct walk *w, struct mime_part *p, unsigned depth);

/* All that is left, as one part. */
static struct stop
take_rest(struct walk *w, struct mime_part *p)
{
	size_t lines = w->lines;
	struct stop stop;

	w->open = 0;
	stop = skip_body(w);
	make_opaque(w, p);
	set_end(w, p, &stop, lines);
	return stop;
}

static struct stop
multipart(struct walk *w, struct mime_part *p, unsigned depth)
{
	struct slice boundary =
	    slice_rtrim(params_get(&p->ct.params, "boundary"));
	struct mime_part **to = &p->child;
	size_t level = w->open;
	struct stop stop;
	unsigned number = 0;

	if (boundary.n == 0 || boundary.n > BOUNDARY_MAX)
		return skip_body(w);
	w->boundary[w->open++] = boundary;
	stop = skip_body(w);
	while (stop.found && stop.level == level && !stop.last) {
		struct mime_part *child = new_part(w, p, ++number);

		*to = child;
		to = &child->next;
		if (w->m->count == IMF_PARTS_MAX)
			stop = take_rest(w, child);
		else
			stop = entity(w, child, depth + 1);
	}
	if (w->open > level)
		w->open = level;
	if (stop.found && stop.level == level)
		stop = skip_body(w); /* what follows the last delimiter */
	return stop;
}

/* A multipart without parts: its body is one. */
static void
add_only_part(struct walk *w, struct mime_part *p)
{
	struct mime_part *only = new_part(w, p, 1);

	set_type(only, "text", "plain");
	only->at = only->body = p->body;
	only->end = p->end;
	only->lines = p->lines;
	p->child = only;
}

/* The entity at pos; returns the delimiter that ended it. */
static struct stop
entity(struct walk *w, struct mime_part *p, unsigned depth)
{
	struct stop stop = skip_header(w);
	bool has_body = !stop.found && !at_end(w);
	size_t lines;

	p->body = p->end =
	    stop.found ? before_delimiter(w, &stop, p->at) : w->pos;
	lines = w->lines;
	read_fields(w, p);
	p->kind = kind_of(w, p, depth);
	if (!has_body)
		stop = stop.found ? stop : end_of_message(w);
	else if (p->kind == MIME_MULTIPART)
		stop = multipart(w, p, depth);
	else if (p->kind == MIME_LEAF)
		stop = skip_body(w);
	if (p->kind == MIME_MESSAGE) {
		p->child = new_part(w, p, 0);
		if (has_body)
			stop = entity(w, p->child, depth + 1);
		else {
			p->child->at = p->child->body = p->child->end =
			    p->body;
			set_type(p->child, "text", "plain");
		}
	}
	if (has_body)
		set_end(w, p, &stop, lines);
	if (p->kind == MIME_MULTIPART && p->child == NULL)
		add_only_part(w, p);
	return stop;
}

void
mime_parse(struct slice msg, struct arena *ar, struct mime *m)
{
	struct walk w = { .m = m, .ar = ar };

	*m = (struct mime){ .msg = msg };
	m->top = new_part(&w, NULL, 0);
	(void)entity(&w, m->top, 0);
}
