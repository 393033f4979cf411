#include <unicase.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "body.h"
#include "imf/charset.h"
#include "imf/date.h"
#include "imf/decode.h"
#include "imf/field.h"
#include "imf/word.h"
#include "search.h"

/* Text of one part that is looked through. */

struct matcher {
	struct session *s;
	const struct message *m;
	struct opened o;
	struct arena *ar;
	uint32_t seq;
};

struct slice
search_fold(struct arena *ar, struct slice utf8)
{
	unsigned char *out;
	uint8_t *folded;
	size_t n = 0;
	struct slice r;

	if (slice_is_ascii(utf8)) {
		out = arena_alloc(ar, utf8.n + 1);
		for (size_t i = 0; i < utf8.n; i++)
			out[i] = ascii_lower(utf8.p[i]);
		return slice_of(out, utf8.n);
	}
	folded = slice_is_utf8(utf8) ? u8_tolower(utf8.p, utf8.n, NULL, NULL,
	    NULL, &n) : NULL;
	if (folded == NULL)
		return arena_copy(ar, utf8);
	r = arena_copy(ar, slice_of(folded, n));
	free(folded);
	return r;
}

static bool
contains(struct slice text, struct slice needle)
{
	struct arena ar = { 0 }; /* not x->ar: there may be many keys */
	bool found = needle.n == 0 ||
	    slice_find(search_fold(&ar, text), needle) != -1;

	arena_free(&ar);
	return found;
}

static struct slice
header_bytes(struct matcher *x)
{
	struct slice body;

	return opened_map(&x->o) ? header_of(x->o.msg, &body) : SLICE_NONE;
}

/* Some field of that name (empty: any) has the needle in its decoded value. */
static bool
match_fields(struct slice header, struct slice name,
    struct slice needle)
{
	struct strbuf sb = STRBUF_INIT(4 * header.n + 4096);
	struct field f;
	bool found = false;

	while (!found && field_next(&header, &f) == 1) {
		if (f.bad || (name.n != 0 && !slice_ieq(f.name, name)))
			continue;
		if (needle.n == 0) {
			found = true;
			break;
		}
		sb_reset(&sb);
		if (name.n == 0) {
			sb_put(&sb, f.name);
			sb_puts(&sb, ": ");
		}
		word_decode(&sb, f.value);
		found = contains(sb_slice(&sb), needle);
	}
	sb_free(&sb);
	return found;
}

static bool
match_leaf(struct matcher *x, const struct mime_part *p, struct slice needle)
{
	struct strbuf raw = STRBUF_INIT(PART_TEXT_MAX);
	struct strbuf text = STRBUF_INIT(PART_TEXT_MAX);
	struct slice body = slice_sub(mime_body(&x->o.mime, p), 0,
	    PART_TEXT_MAX / 4);
	struct decode d;
	bool found;

	decode_init(&d, p->encoding);
	decode_feed(&d, body, &raw);
	decode_end(&d, &raw);
	charset_put(&text, params_get(&p->ct.params, "charset"), sb_slice(&raw));
	found = contains(sb_slice(&text), needle);
	sb_free(&raw);
	sb_free(&text);
	return found;
}

/* BODY: text parts; TEXT: also all headers of the message and its parts. */
static bool
match_text(struct matcher *x, struct slice needle, bool headers)
{
	const struct mime_part *p;

	if (needle.n == 0)
		return true;
	if (!opened_mime(&x->o))
		return false;
	for (p = x->o.mime.top; p != NULL; p = mime_next(p)) {
		bool header = headers || (p->parent != NULL &&
		    p->parent->kind == MIME_MESSAGE);

		if (header && match_fields(mime_header(&x->o.mime, p),
		    SLICE_NONE, needle))
			return true;
		if (p->kind == MIME_LEAF &&
		    slice_ieqs(p->ct.type, "text") && match_leaf(x, p, needle))
			return true;
	}
	return false;
}

static int64_t
day_of(int64_t t)
{
	struct tm tm;
	time_t when = (time_t)t;

	if (localtime_r(&when, &tm) == NULL)
		return 0;
	return imap_days(tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday);
}

static bool
match_sent(struct matcher *x, const struct key *k)
{
	struct slice header = header_bytes(x);
	struct field f;
	int64_t t, day;
	int zone;

	while (field_next(&header, &f) == 1) {
		if (f.bad || !slice_ieqs(f.name, "Date"))
			continue;
		if (date_parse(f.value, &t, &zone) == -1)
			return false;
		t += (int64_t)zone * 60; /* the day as the field says it */
		day = t >= 0 ? t / 86400 : -((86399 - t) / 86400);
		return k->kind == K_SENTBEFORE ? day < k->days :
		    k->kind == K_SENTON ? day == k->days : day >= k->days;
	}
	return false;
}

static bool
has_keyword(const struct flagset *set, struct slice name)
{
	for (size_t i = 0; i < set->keywords; i++)
		if (slice_ieq(set->keyword[i], name))
			return true;
	return false;
}

static bool match(struct matcher *x, const struct key *k);

/* Cheap keys first, so that files are opened for what is left. */
static bool
match_all(struct matcher *x, const struct key *k)
{
	for (const struct key *c = k->child; c != NULL; c = c->next)
		if (c->kind > K_NOT && c->kind < K_SENTBEFORE && !match(x, c))
			return false;
	for (const struct key *c = k->child; c != NULL; c = c->next)
		if ((c->kind <= K_NOT || c->kind >= K_SENTBEFORE) &&
		    !match(x, c))
			return false;
	return true;
}

static bool
match_date(const struct key *k, const struct message *m)
{
	int64_t saved = m->saved > 0 ? m->saved : m->received;
	int64_t now = clock_unix();

	switch (k->kind) {
	case K_BEFORE:
		return day_of(m->received) < k->days;
	case K_ON:
		return day_of(m->received) == k->days;
	case K_SINCE:
		return day_of(m->received) >= k->days;
	case K_SAVEDBEFORE:
		return day_of(saved) < k->days;
	case K_SAVEDON:
		return day_of(saved) == k->days;
	case K_SAVEDSINCE:
		return day_of(saved) >= k->days;
	case K_OLDER:
		return now - m->received >= (int64_t)k->n;
	default:
		return now - m->received <= (int64_t)k->n;
	}
}

static bool
match(struct matcher *x, const struct key *k)
{
	const struct message *m = x->m;

	switch (k->kind) {
	case K_ALL:
		return true;
	case K_NONE:
		return false;
	case K_AND:
		return match_all(x, k);
	case K_OR:
		return match(x, k->child) || match(x, k->child->next);
	case K_NOT:
		return !match(x, k->child);
	case K_FLAG:
		return (m->set.flags & k->flag) != 0;
	case K_KEYWORD:
		return has_keyword(&m->set, k->name);
	case K_SEQ:
		return numset_has(&k->set, x->seq);
	case K_UID:
		return numset_has(&k->set, m->uid);
	case K_MODSEQ:
		return m->modseq >= k->n;
	case K_LARGER:
		return m->size > k->n;
	case K_SMALLER:
		return m->size < k->n;
	case K_SENTBEFORE:
	case K_SENTON:
	case K_SENTSINCE:
		return match_sent(x, k);
	case K_HEADER:
		return match_fields(header_bytes(x), k->name, k->needle);
	case K_BODY:
	case K_TEXT:
		return match_text(x, k->needle, k->kind == K_TEXT);
	default:
		return match_date(k, m);
	}
}

bool
search_match(struct session *s, const struct key *k, const struct message *m,
    struct arena *ar)
{
	struct matcher x = { .s = s, .m = m, .ar = ar };
	bool found;

	x.seq = view_seq(&s->view, m->uid);
	opened_init(&x.o, s, m->uid, ar);
	found = match(&x, k);
	opened_close(&x.o);
	return found;
}
