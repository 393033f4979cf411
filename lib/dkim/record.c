#include "dkim/record.h"

#define TYPE "dkim-sig"

static void
put_evidence(const struct dkim_evidence *e, size_t n, struct strbuf *out)
{
	tuple_begin(out, TYPE);
	tuple_putu(out, "n", n);
	tuple_putu(out, "at", e->at);
	tuple_putu(out, "size", e->sig.raw.n);
	if (e->sig.raw.n <= DKIM_FIELD_MAX)
		tuple_put(out, "field", e->sig.raw);
	if (e->suffix)
		tuple_puts(out, "suffix", "yes");
	if (e->subject_unsigned)
		tuple_puts(out, "subject", "unsigned");
	if (e->added != NULL)
		tuple_puts(out, "added", e->added);
	if (e->hashed_header)
		tuple_put64(out, "header-hash", slice_of(e->header_hash,
		    DKIM_HASH_SIZE));
	if (e->hashed_body) {
		tuple_put64(out, "body-hash", slice_of(e->body_hash,
		    DKIM_HASH_SIZE));
		tuple_putu(out, "body-size", e->body_size);
	}
	tuple_end(out);
}

void
dkim_record_put(const struct dkim_gathered *g, struct strbuf *out)
{
	tuple_begin(out, TYPE);
	tuple_putu(out, "count", g->count);
	if (g->damage != NULL)
		tuple_puts(out, "damage", g->damage);
	if (g->subject_optional)
		tuple_puts(out, "subject", "optional");
	tuple_end(out);
	for (size_t i = 0; i < dkim_gathered_n(g); i++)
		put_evidence(&g->e[i], i + 1, out);
}

/* 0, also if it is absent; -1 if it is no hash. */
static int
get_hash(const struct tuple *t, const char *name,
    unsigned char hash[DKIM_HASH_SIZE], bool *there)
{
	struct strbuf sb = STRBUF_INIT(DKIM_HASH_SIZE);
	struct slice text;
	int r = 0;

	*there = tuple_get(t, name, &text);
	if (*there && (sb_unbase64(&sb, text) == -1 || sb.n != DKIM_HASH_SIZE))
		r = -1;
	else if (*there)
		memcpy(hash, sb.p, DKIM_HASH_SIZE);
	sb_free(&sb);
	return r;
}

/* The signature again, from its field. */
static int
get_field(const struct tuple *t, struct arena *ar, struct dkim_evidence *e)
{
	struct slice raw;
	struct field f;

	if (!tuple_get(t, "field", &raw)) {
		e->error = DKIM_TOO_LONG;
		e->sig.length = DKIM_NO_LENGTH;
		return 0;
	}
	if (field_next(&raw, &f) != 1 || f.bad || raw.n != 0)
		return -1;
	(void)!dkim_sig_parse(&f, ar, &e->sig, &e->error);
	return 0;
}

static int
get_evidence(const struct tuple *t, struct arena *ar, struct dkim_evidence *e)
{
	struct slice added;
	uint64_t at;

	if (tuple_u64(t, "at", SIZE_MAX, &at) == -1 ||
	    get_field(t, ar, e) == -1 ||
	    get_hash(t, "header-hash", e->header_hash,
	    &e->hashed_header) == -1 ||
	    get_hash(t, "body-hash", e->body_hash, &e->hashed_body) == -1)
		return -1;
	if (e->hashed_body && tuple_u64(t, "body-size", UINT64_MAX,
	    &e->body_size) == -1)
		return -1;
	e->at = (size_t)at;
	e->suffix = tuple_has(t, "suffix", "yes");
	e->subject_unsigned = tuple_has(t, "subject", "unsigned");
	if (tuple_get(t, "added", &added))
		e->added = arena_cstr(ar, added);
	return 0;
}

static int
get_message(const struct tuple *t, struct arena *ar, struct dkim_gathered *g)
{
	struct slice damage;
	uint64_t n;

	if (tuple_u64(t, "count", DKIM_FIELDS_MAX, &n) == -1)
		return -1;
	g->count = (size_t)n;
	if (tuple_get(t, "damage", &damage))
		g->damage = arena_cstr(ar, damage);
	g->subject_optional = tuple_has(t, "subject", "optional");
	return 0;
}

int
dkim_record_get(const struct tuple *rec, size_t count, struct arena *ar,
    struct dkim_gathered *g, const struct tuple **bad)
{
	size_t n = 0;
	bool first = true;

	memset(g, 0, sizeof(*g));
	for (size_t i = 0; i < count; i++) {
		*bad = &rec[i];
		if (!tuple_is(&rec[i], TYPE))
			continue;
		if (first ? get_message(&rec[i], ar, g) == -1 :
		    n == dkim_gathered_n(g) ||
		    get_evidence(&rec[i], ar, &g->e[n++]) == -1)
			return -1;
		first = false;
	}
	if (!first && n != dkim_gathered_n(g))
		return -1;
	return !first;
}
