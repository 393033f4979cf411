#include "imf/parts_read.h"

int
parts_record(struct slice parts, const char *type, struct arena *ar,
    struct tuple *t)
{
	struct tuple_reader r;
	int got;

	tuple_reader_init(&r, parts);
	while ((got = tuple_next(&r, ar, t)) != 0)
		if (got == 1 && tuple_is(t, type))
			return 1;
	return 0;
}

int
parts_text(struct slice parts, const char *type, struct arena *ar,
    struct slice *text)
{
	struct tuple t;

	*text = SLICE_NONE;
	if (parts_record(parts, type, ar, &t) == 0)
		return 0;
	*text = tuple_value(&t, "text");
	return 1;
}

void
parts_reader_init(struct parts_reader *r, struct slice parts,
    size_t message_size)
{
	tuple_reader_init(&r->in, parts);
	r->size = message_size;
}

/* An offset and a length within the message. */
static bool
range(const struct tuple *t, const char *at_name, const char *len_name,
    size_t size, size_t *at, size_t *len)
{
	uint64_t a, n;

	if (tuple_u64(t, at_name, size, &a) == -1 ||
	    tuple_u64(t, len_name, size - a, &n) == -1)
		return false;
	*at = a;
	*len = n;
	return true;
}

static bool
to_part(const struct tuple *t, size_t size, struct part *p)
{
	uint64_t lines;

	*p = (struct part){
		.n = tuple_value(t, "n"),
		.inner = tuple_has(t, "inner", "yes"),
		.type = tuple_value(t, "type"),
		.subtype = tuple_value(t, "subtype"),
		.charset = tuple_value(t, "charset"),
		.encoding = tuple_value(t, "encoding"),
		.disposition = tuple_value(t, "disposition"),
		.filename = tuple_value(t, "filename"),
	};
	if (tuple_u64(t, "lines", size, &lines) == -1)
		return false;
	p->lines = lines;
	return range(t, "at", "header-len", size, &p->at, &p->header_len) &&
	    range(t, "body-at", "body-len", size, &p->body_at, &p->body_len);
}

int
parts_next(struct parts_reader *r, struct arena *ar, struct part *p)
{
	struct tuple t;
	int got;

	while ((got = tuple_next(&r->in, ar, &t)) != 0)
		if (got == 1 && tuple_is(&t, "part") &&
		    to_part(&t, r->size, p))
			return 1;
	return 0;
}

static int
find(struct slice parts, size_t size, struct slice n, bool inner,
    struct arena *ar, struct part *p)
{
	struct parts_reader r;

	parts_reader_init(&r, parts, size);
	while (parts_next(&r, ar, p) == 1)
		if (p->inner == inner && slice_eq(p->n, n))
			return 1;
	return 0;
}

/* A message whose body is not in parts; its body is then number 1. */
static int
find_single(struct slice parts, size_t size, struct slice n, bool inner,
    struct arena *ar, struct part *p)
{
	return find(parts, size, n, inner, ar, p) == 1 &&
	    !slice_eqs(p->type, "multipart");
}

int
parts_find(struct slice parts, size_t message_size, struct slice n,
    bool inner, struct arena *ar, struct part *p)
{
	if (find(parts, message_size, n, inner, ar, p) == 1)
		return 1;
	if (inner)
		return 0;
	if (slice_eqs(n, "1"))
		return find_single(parts, message_size, SLICE_NONE, false,
		    ar, p);
	if (slice_ends(n, S(".1")))
		return find_single(parts, message_size,
		    slice_sub(n, 0, n.n - 2), true, ar, p);
	return 0;
}
