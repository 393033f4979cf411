/* Records of mailboxes and messages: encoding, counts, walks. */
#include "store/index.h"

#include <errno.h>

#include "base/alloc.h"
#include "store/codec.h"

#define VALUE_MAX ((size_t)4 * 1024 * 1024)

static struct slice
val_slice(MDB_val v)
{
	return slice_of(v.mv_data, v.mv_size);
}

static int
damaged(void)
{
	errno = EUCLEAN;
	return -1;
}

/* ---- keys ---- */

struct key {
	unsigned char b[16];
	size_t n;
};

static MDB_val
key_make(struct key *k, uint32_t box, uint64_t n, unsigned bytes)
{
	for (unsigned i = 0; i < 4; i++)
		k->b[i] = (unsigned char)(box >> 8 * (3 - i));
	for (unsigned i = 0; i < bytes; i++)
		k->b[4 + i] = (unsigned char)(n >> 8 * (bytes - 1 - i));
	k->n = 4 + bytes;
	return (MDB_val){ k->n, k->b };
}

static MDB_val
key_change(struct key *k, uint32_t box, uint64_t modseq, uint32_t uid)
{
	key_make(k, box, modseq, 8);
	for (unsigned i = 0; i < 4; i++)
		k->b[12 + i] = (unsigned char)(uid >> 8 * (3 - i));
	return (MDB_val){ 16, k->b };
}

uint32_t
key_u32(const MDB_val *k, size_t at)
{
	struct taker t = { .in = slice_sub(val_slice(*k), at, 4) };

	return (uint32_t)take_num(&t, 4);
}

uint64_t
key_u64(const MDB_val *k, size_t at)
{
	struct taker t = { .in = slice_sub(val_slice(*k), at, 8) };

	return take_num(&t, 8);
}

/* ---- walks ---- */

int
walk_begin(struct account *a, MDB_txn *txn, enum index_db db, uint32_t box,
    uint64_t n, unsigned bytes, struct walk *w)
{
	struct key k;
	int rc;

	*w = (struct walk){ .box = box, .op = MDB_NEXT };
	if ((rc = mdb_cursor_open(txn, a->db[db], &w->c)) != 0)
		return index_errno(rc);
	w->k = key_make(&k, box, n, bytes);
	rc = mdb_cursor_get(w->c, &w->k, &w->v, MDB_SET_RANGE);
	if (rc == 0)
		w->op = MDB_GET_CURRENT;
	else if (rc == MDB_NOTFOUND)
		w->op = MDB_LAST; /* at the end */
	else {
		walk_end(w);
		return index_errno(rc);
	}
	return 0;
}

int
walk_next(struct walk *w)
{
	int rc;

	if (w->op == MDB_LAST)
		return 0;
	rc = mdb_cursor_get(w->c, &w->k, &w->v, w->op);
	w->op = MDB_NEXT;
	if (rc == MDB_NOTFOUND)
		return 0;
	if (rc != 0)
		return index_errno(rc);
	if (w->k.mv_size < 4)
		return damaged();
	return key_u32(&w->k, 0) == w->box;
}

void
walk_end(struct walk *w)
{
	if (w->c != NULL)
		mdb_cursor_close(w->c);
	w->c = NULL;
}

/* ---- mailboxes ---- */

static void
box_encode(const struct box *b, struct strbuf *sb)
{
	put_num(sb, INDEX_VERSION, 1);
	put_num(sb, b->removed, 1);
	put_num(sb, b->uidvalidity, 4);
	put_num(sb, b->uidnext, 4);
	put_num(sb, b->uidlimit, 4);
	put_num(sb, b->adopt, 4);
	put_num(sb, b->messages, 4);
	put_num(sb, b->unseen, 4);
	put_num(sb, b->deleted, 4);
	put_num(sb, b->tombstones, 4);
	put_num(sb, b->size, 8);
	put_num(sb, b->deleted_size, 8);
	put_num(sb, b->createseq, 8);
	put_num(sb, b->modseq, 8);
	put_num(sb, b->nameseq, 8);
	put_num(sb, b->trimmed, 8);
	put_num(sb, b->special, 1);
	put_bytes(sb, b->name, 2);
	put_bytes(sb, b->oldname, 2);
	put_num(sb, b->keywords, 2);
	for (size_t i = 0; i < b->keywords; i++)
		put_bytes(sb, b->keyword[i], 1);
}

static int
box_decode(struct slice v, uint32_t id, struct arena *ar, struct box *b)
{
	struct taker t = { .in = v };

	*b = (struct box){ .id = id };
	if (take_num(&t, 1) != INDEX_VERSION)
		return damaged();
	b->removed = take_num(&t, 1) != 0;
	b->uidvalidity = (uint32_t)take_num(&t, 4);
	b->uidnext = (uint32_t)take_num(&t, 4);
	b->uidlimit = (uint32_t)take_num(&t, 4);
	b->adopt = (uint32_t)take_num(&t, 4);
	b->messages = (uint32_t)take_num(&t, 4);
	b->unseen = (uint32_t)take_num(&t, 4);
	b->deleted = (uint32_t)take_num(&t, 4);
	b->tombstones = (uint32_t)take_num(&t, 4);
	b->size = take_num(&t, 8);
	b->deleted_size = take_num(&t, 8);
	b->createseq = take_num(&t, 8);
	b->modseq = take_num(&t, 8);
	b->nameseq = take_num(&t, 8);
	b->trimmed = take_num(&t, 8);
	b->special = (unsigned)take_num(&t, 1);
	b->name = arena_copy(ar, take_bytes(&t, 2));
	b->oldname = arena_copy(ar, take_bytes(&t, 2));
	b->keywords = (size_t)take_num(&t, 2);
	if (t.bad || b->keywords > STORE_KEYWORDS_MAX)
		return damaged();
	b->keyword = arena_alloc(ar,
	    size_mul(size_add(b->keywords, 1), sizeof(*b->keyword)));
	for (size_t i = 0; i < b->keywords; i++)
		b->keyword[i] = arena_copy(ar, take_bytes(&t, 1));
	return t.bad ? damaged() : 0;
}

int
box_get(struct account *a, MDB_txn *txn, uint32_t id, struct arena *ar,
    struct box *b)
{
	struct key k;
	MDB_val kv = key_make(&k, id, 0, 0), v;
	int rc = mdb_get(txn, a->db[DB_BOX], &kv, &v);

	if (rc == MDB_NOTFOUND)
		return 0;
	if (rc != 0)
		return index_errno(rc);
	return box_decode(val_slice(v), id, ar, b) == -1 ? -1 : 1;
}

int
box_live(struct account *a, MDB_txn *txn, uint32_t id, struct arena *ar,
    struct box *b)
{
	int r = box_get(a, txn, id, ar, b);

	if (r == 0 || (r == 1 && b->removed)) {
		errno = ENOENT;
		return -1;
	}
	return r;
}

int
box_put(struct wtx *w, const struct box *b)
{
	struct strbuf sb = STRBUF_INIT(VALUE_MAX);
	struct key k;
	MDB_val kv = key_make(&k, b->id, 0, 0), v;
	int rc;

	if (b->unlettered && unlettered_write(w, b) == -1)
		return -1;
	box_encode(b, &sb);
	v = (MDB_val){ sb.n, sb.p };
	rc = mdb_put(w->txn, w->a->db[DB_BOX], &kv, &v, 0);
	sb_free(&sb);
	return index_errno(rc);
}

int
box_forget(struct wtx *w, uint32_t id)
{
	struct key k;
	MDB_val kv = key_make(&k, id, 0, 0);
	int rc = mdb_del(w->txn, w->a->db[DB_BOX], &kv, NULL);

	return rc == MDB_NOTFOUND ? 0 : index_errno(rc);
}

int
box_all(struct account *a, MDB_txn *txn, struct arena *ar, struct box **list,
    size_t *count)
{
	MDB_stat st;
	MDB_cursor *c;
	MDB_val k, v;
	int rc;

	*count = 0;
	if ((rc = mdb_stat(txn, a->db[DB_BOX], &st)) != 0 ||
	    (rc = mdb_cursor_open(txn, a->db[DB_BOX], &c)) != 0)
		return index_errno(rc);
	*list = arena_alloc(ar,
	    size_mul(size_add(st.ms_entries, 1), sizeof(**list)));
	while ((rc = mdb_cursor_get(c, &k, &v, MDB_NEXT)) == 0) {
		if (*count == st.ms_entries || k.mv_size != 4 ||
		    box_decode(val_slice(v), key_u32(&k, 0), ar,
		    &(*list)[*count]) == -1) {
			rc = EUCLEAN;
			break;
		}
		++*count;
	}
	mdb_cursor_close(c);
	return rc == MDB_NOTFOUND ? 0 : index_errno(rc);
}

int
box_named(struct account *a, MDB_txn *txn, struct slice name,
    struct arena *ar, struct box *b)
{
	struct box *list;
	size_t count;

	if (box_all(a, txn, ar, &list, &count) == -1)
		return -1;
	for (size_t i = 0; i < count; i++)
		if (!list[i].removed && slice_eq(list[i].name, name)) {
			*b = list[i];
			return 1;
		}
	return 0;
}

int
box_keyword(struct wtx *w, struct box *b, struct slice name, bool add,
    bool *grew)
{
	struct slice *grown;

	for (size_t i = 0; i < b->keywords; i++)
		if (slice_ieq(b->keyword[i], name))
			return (int)i;
	if (!add) {
		errno = ENOENT;
		return -1;
	}
	if (b->keywords == STORE_KEYWORDS_MAX) {
		errno = E2BIG;
		return -1;
	}
	grown = arena_alloc(&w->ar,
	    size_mul(size_add(b->keywords, 1), sizeof(*grown)));
	if (b->keywords != 0)
		memcpy(grown, b->keyword, b->keywords * sizeof(*grown));
	b->keyword = grown;
	b->keyword[b->keywords] = arena_copy(&w->ar, name);
	*grew = true;
	return (int)b->keywords++;
}

/* ---- messages ---- */

static void
rec_encode(const struct rec *r, struct strbuf *sb)
{
	put_num(sb, INDEX_VERSION, 1);
	put_num(sb, (uint64_t)r->where | (r->lf ? 2u : 0), 1);
	put_num(sb, r->flags, 2);
	put_num(sb, r->createseq, 8);
	put_num(sb, r->modseq, 8);
	put_num(sb, (uint64_t)r->received, 8);
	put_num(sb, (uint64_t)r->saved, 8);
	put_num(sb, r->size, 8);
	put_bytes(sb, r->base, 1);
	put_bytes(sb, r->info, 1);
	put_num(sb, r->kws, 1);
	for (size_t i = 0; i < r->kws; i++)
		put_num(sb, r->kw[i], 2);
}

int
rec_decode(struct slice v, uint32_t uid, struct arena *ar, struct rec *r)
{
	struct taker t = { .in = v };
	unsigned bits;

	*r = (struct rec){ .uid = uid };
	if (take_num(&t, 1) != INDEX_VERSION)
		return damaged();
	bits = (unsigned)take_num(&t, 1);
	r->where = bits & 1 ? IN_CUR : IN_NEW;
	r->lf = (bits & 2) != 0;
	r->flags = (unsigned)take_num(&t, 2);
	r->createseq = take_num(&t, 8);
	r->modseq = take_num(&t, 8);
	r->received = (int64_t)take_num(&t, 8);
	r->saved = (int64_t)take_num(&t, 8);
	r->size = take_num(&t, 8);
	r->base = arena_copy(ar, take_bytes(&t, 1));
	r->info = arena_copy(ar, take_bytes(&t, 1));
	r->kws = (size_t)take_num(&t, 1);
	if (r->kws != 0)
		r->kw = arena_alloc(ar, size_mul(r->kws, sizeof(*r->kw)));
	for (size_t i = 0; i < r->kws; i++)
		r->kw[i] = (uint16_t)take_num(&t, 2);
	return t.bad ? damaged() : 0;
}

int
rec_get(struct account *a, MDB_txn *txn, uint32_t box, uint32_t uid,
    struct arena *ar, struct rec *r)
{
	struct key k;
	MDB_val kv = key_make(&k, box, uid, 4), v;
	int rc = mdb_get(txn, a->db[DB_MSG], &kv, &v);

	if (rc == MDB_NOTFOUND)
		return 0;
	if (rc != 0)
		return index_errno(rc);
	return rec_decode(val_slice(v), uid, ar, r) == -1 ? -1 : 1;
}

int
rec_rewrite(struct wtx *w, struct box *b, const struct rec *r)
{
	struct strbuf sb = STRBUF_INIT(VALUE_MAX);
	struct key k;
	MDB_val kv = key_make(&k, b->id, r->uid, 4), v;
	int rc;

	rec_encode(r, &sb);
	v = (MDB_val){ sb.n, sb.p };
	rc = mdb_put(w->txn, w->a->db[DB_MSG], &kv, &v, 0);
	sb_free(&sb);
	return index_errno(rc);
}

/* Move the one entry in `change' from modseq `from' (0: none) to `to'. */
static int
change_put(struct wtx *w, uint32_t box, uint32_t uid, uint64_t from,
    uint64_t to)
{
	struct key k;
	MDB_val kv, v = { 0, NULL };
	int rc = 0;

	if (from != 0) {
		kv = key_change(&k, box, from, uid);
		rc = mdb_del(w->txn, w->a->db[DB_CHANGE], &kv, NULL);
		if (rc == MDB_NOTFOUND)
			rc = 0;
	}
	if (rc == 0 && to != 0) {
		kv = key_change(&k, box, to, uid);
		rc = mdb_put(w->txn, w->a->db[DB_CHANGE], &kv, &v, 0);
	}
	return index_errno(rc);
}

static void
tally(struct wtx *w, struct box *b, const struct rec *r, int sign)
{
	uint32_t n = (uint32_t)sign;
	uint64_t bytes = sign < 0 ? 0 - r->size : r->size;

	b->messages += n;
	b->size += bytes;
	w->meta.bytes += bytes;
	if ((r->flags & FLAG_SEEN) == 0)
		b->unseen += n;
	if ((r->flags & FLAG_DELETED) != 0) {
		b->deleted += n;
		b->deleted_size += bytes;
	}
}

int
rec_add(struct wtx *w, struct box *b, struct rec *r)
{
	r->createseq = r->modseq = b->modseq = wtx_seq(w);
	b->unlettered |= rec_unlettered(r);
	tally(w, b, r, 1);
	if (rec_rewrite(w, b, r) == -1)
		return -1;
	return change_put(w, b->id, r->uid, 0, r->modseq);
}

int
rec_change(struct wtx *w, struct box *b, const struct rec *old,
    struct rec *r)
{
	r->modseq = b->modseq = wtx_seq(w);
	b->unlettered |= rec_unlettered(old) || rec_unlettered(r);
	tally(w, b, old, -1);
	tally(w, b, r, 1);
	if (rec_rewrite(w, b, r) == -1)
		return -1;
	return change_put(w, b->id, r->uid, old->modseq, r->modseq);
}

int
tomb_get(struct account *a, MDB_txn *txn, uint32_t box, uint32_t uid,
    struct tomb *t)
{
	struct key k;
	MDB_val kv = key_make(&k, box, uid, 4), v;
	struct taker tk;
	int rc = mdb_get(txn, a->db[DB_GONE], &kv, &v);

	if (rc == MDB_NOTFOUND)
		return 0;
	if (rc != 0)
		return index_errno(rc);
	tk = (struct taker){ .in = val_slice(v) };
	take_num(&tk, 1);
	t->createseq = take_num(&tk, 8);
	t->modseq = take_num(&tk, 8);
	return tk.bad ? damaged() : 1;
}

static int
tomb_put(struct wtx *w, uint32_t box, uint32_t uid, const struct tomb *t)
{
	struct strbuf sb = STRBUF_INIT(64);
	struct key k;
	MDB_val kv = key_make(&k, box, uid, 4), v;
	int rc;

	put_num(&sb, INDEX_VERSION, 1);
	put_num(&sb, t->createseq, 8);
	put_num(&sb, t->modseq, 8);
	v = (MDB_val){ sb.n, sb.p };
	rc = mdb_put(w->txn, w->a->db[DB_GONE], &kv, &v, 0);
	sb_free(&sb);
	return index_errno(rc);
}

static int
del(struct wtx *w, enum index_db db, uint32_t box, uint32_t uid)
{
	struct key k;
	MDB_val kv = key_make(&k, box, uid, 4);
	int rc = mdb_del(w->txn, w->a->db[db], &kv, NULL);

	return rc == MDB_NOTFOUND ? 0 : index_errno(rc);
}

/* Drop the older half of the tombstones, in order of modseq. */
static int
tomb_trim(struct wtx *w, struct box *b)
{
	struct walk k;
	struct tomb t = { 0 };
	uint32_t most = b->tombstones / 2;

	if (walk_begin(w->a, w->txn, DB_CHANGE, b->id, 0, 8, &k) == -1)
		return -1;
	while (b->tombstones > most && walk_next(&k) == 1) {
		uint32_t uid = key_u32(&k.k, 12);
		int r = tomb_get(w->a, w->txn, b->id, uid, &t);

		if (r == -1)
			break;
		if (r == 0)
			continue;
		b->trimmed = t.modseq;
		b->adopt = 0;
		if (index_errno(mdb_cursor_del(k.c, 0)) == -1 ||
		    del(w, DB_GONE, b->id, uid) == -1)
			break;
		b->tombstones--;
	}
	walk_end(&k);
	return b->tombstones > most ? -1 : 0;
}

int
rec_remove(struct wtx *w, struct box *b, const struct rec *r)
{
	struct tomb t = { .createseq = r->createseq, .modseq = wtx_seq(w) };

	b->modseq = t.modseq;
	tally(w, b, r, -1);
	b->tombstones++;
	if (del(w, DB_MSG, b->id, r->uid) == -1 ||
	    del(w, DB_TEXT, b->id, r->uid) == -1 ||
	    tomb_put(w, b->id, r->uid, &t) == -1 ||
	    change_put(w, b->id, r->uid, r->modseq, t.modseq) == -1)
		return -1;
	return b->tombstones > STORE_TOMBSTONES_MAX ? tomb_trim(w, b) : 0;
}

static int
db_clear(struct wtx *w, enum index_db db, struct box *b)
{
	struct walk k;
	int r;

	if (walk_begin(w->a, w->txn, db, b->id, 0, 4, &k) == -1)
		return -1;
	while ((r = walk_next(&k)) == 1) {
		if ((r = index_errno(mdb_cursor_del(k.c, 0))) == -1)
			break;
	}
	walk_end(&k);
	return r;
}

int
box_clear(struct wtx *w, struct box *b)
{
	static const enum index_db dbs[] = {
		DB_MSG, DB_CHANGE, DB_GONE, DB_TEXT,
	};

	for (size_t i = 0; i < COUNTOF(dbs); i++)
		if (db_clear(w, dbs[i], b) == -1)
			return -1;
	w->meta.bytes -= b->size;
	b->messages = b->unseen = b->deleted = b->tombstones = 0;
	b->size = b->deleted_size = 0;
	return 0;
}
