/*
 * Keywords that have no letter in file names, the 27th and later of a mailbox:
 * the file pneu-keywords in its directory names them for each message, so that
 * a rebuilt index has them. It is written before the commit, like names of
 * files, and read by nobody else.
 */
#include "store/index.h"

#include <errno.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/tuple.h"

#define PATH_MAX_BYTES ((size_t)1024)
#define LINE_MAX_BYTES ((size_t)16 * 1024) /* a message's 100 keywords */
/* Messages beyond keep their keywords in the index only. */
#define FILE_MAX_BYTES ((size_t)64 * 1024 * 1024)

bool
rec_unlettered(const struct rec *r)
{
	/* Indexes ascend. */
	return r->kws != 0 && r->kw[r->kws - 1] >= BOX_KEYWORD_LETTERS;
}

static void
put_message(struct strbuf *sb, const struct box *b, const struct rec *r)
{
	tuple_begin(sb, "message");
	tuple_putu(sb, "uid", r->uid);
	for (size_t i = 0; i < r->kws; i++)
		if (r->kw[i] >= BOX_KEYWORD_LETTERS && r->kw[i] < b->keywords)
			tuple_put(sb, "keyword", b->keyword[r->kw[i]]);
	tuple_end(sb);
}

int
unlettered_write(struct wtx *w, const struct box *b)
{
	struct strbuf sb = STRBUF_INIT(FILE_MAX_BYTES);
	struct arena ar = { 0 };
	struct walk k;
	struct rec rec;
	int r;

	tuple_begin(&sb, "keywords");
	tuple_putu(&sb, "version", INDEX_VERSION);
	tuple_putu(&sb, "uidvalidity", b->uidvalidity);
	tuple_end(&sb);
	if (walk_begin(w->a, w->txn, DB_MSG, b->id, 0, 4, &k) == -1) {
		sb_free(&sb);
		return -1;
	}
	while ((r = walk_next(&k)) == 1 &&
	    sb.n < FILE_MAX_BYTES - LINE_MAX_BYTES) {
		r = rec_decode(slice_of(k.v.mv_data, k.v.mv_size),
		    key_u32(&k.k, 4), &ar, &rec);
		if (r == -1)
			break;
		if (rec_unlettered(&rec))
			put_message(&sb, b, &rec);
		arena_reset(&ar);
	}
	walk_end(&k);
	if (r != -1)
		r = box_file_replace(w->a, b, UNLETTERED_FILE, sb_slice(&sb));
	arena_free(&ar);
	sb_free(&sb);
	return r;
}

static bool
is_of(const struct tuple *head, const struct box *b)
{
	uint64_t validity;

	return tuple_is(head, "keywords") &&
	    tuple_u64(head, "uidvalidity", UINT32_MAX, &validity) == 0 &&
	    validity == b->uidvalidity;
}

void
unlettered_read(struct wtx *w, const struct box *b, struct unlettered *u)
{
	struct strbuf path = STRBUF_INIT(PATH_MAX_BYTES);
	struct strbuf text = STRBUF_INIT(FILE_MAX_BYTES);
	struct tuple_reader rd;
	struct tuple t;
	size_t cap = 0;
	uint64_t uid;

	*u = (struct unlettered){ 0 };
	if (box_path(b, UNLETTERED_FILE, SLICE_NONE, &path) == -1 ||
	    file_slurp(w->a->maildir, sb_cstr(&path), &text) == -1)
		sb_reset(&text);
	tuple_reader_init(&rd, arena_copy(&w->ar, sb_slice(&text)));
	if (tuple_next(&rd, &w->ar, &t) == 1 && is_of(&t, b))
		while (tuple_next(&rd, &w->ar, &t) == 1) {
			if (tuple_u64(&t, "uid", UID_MAX, &uid) == -1)
				continue;
			if (u->count == cap) {
				size_t grown = cap != 0 ? size_mul(cap, 2) : 64;

				u->line = arena_grow(&w->ar, u->line,
				    cap * sizeof(*u->line),
				    size_mul(grown, sizeof(*u->line)));
				cap = grown;
			}
			u->line[u->count++] = (struct unlettered_line){
				(uint32_t)uid, t,
			};
		}
	sb_free(&path);
	sb_free(&text);
}

/* Ours ascend; what was written by hand and does not is not found. */
static const struct tuple *
find(const struct unlettered *u, uint32_t uid)
{
	size_t lo = 0, hi = u->count;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (u->line[mid].uid < uid)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < u->count && u->line[lo].uid == uid ? &u->line[lo].t : NULL;
}

/* The letters stay for those who had them. */
static void
pad(struct wtx *w, struct box *b)
{
	struct slice *kw;

	if (b->keywords >= BOX_KEYWORD_LETTERS)
		return;
	kw = arena_alloc(&w->ar, BOX_KEYWORD_LETTERS * sizeof(*kw));
	if (b->keywords != 0)
		memcpy(kw, b->keyword, b->keywords * sizeof(*kw));
	for (; b->keywords < BOX_KEYWORD_LETTERS; b->keywords++)
		kw[b->keywords] = SLICE_NONE;
	b->keyword = kw;
}

static int
id_order(const void *a, const void *b)
{
	return *(const uint16_t *)a - *(const uint16_t *)b;
}

int
unlettered_apply(struct wtx *w, struct box *b, const struct unlettered *u,
    struct rec *r)
{
	const struct tuple *t = find(u, r->uid);
	uint16_t *kw;
	bool grew;

	if (t == NULL)
		return 0;
	pad(w, b);
	kw = arena_alloc(&w->ar, size_mul(r->kws + t->count, sizeof(*kw)));
	if (r->kws != 0)
		memcpy(kw, r->kw, r->kws * sizeof(*kw));
	r->kw = kw;
	for (size_t i = 0; i < t->count &&
	    r->kws < STORE_MESSAGE_KEYWORDS; i++) {
		int id;

		if (!slice_eqs(t->attr[i].name, "keyword") ||
		    !keyword_ok(t->attr[i].value))
			continue;
		id = box_keyword(w, b, t->attr[i].value, true, &grew);
		if (id == -1)
			return -1;
		/* One that has a letter stands in the name, or does not. */
		if (id >= BOX_KEYWORD_LETTERS)
			kw[r->kws++] = (uint16_t)id;
	}
	qsort(kw, r->kws, sizeof(*kw), id_order);
	return 0;
}
