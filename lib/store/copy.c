/* Copy and move within an account: hard links, one commit. */
#include "store/append.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"

#define PATH_MAX_BYTES ((size_t)1024)

/* The names of a record's keywords, for the destination's own table. */
static void
copy_set(struct append *ap, const struct box *src, const struct rec *r,
    struct flagset *set)
{
	set->flags = r->flags;
	set->keyword = arena_alloc(&ap->ar,
	    size_mul(r->kws + 1, sizeof(*set->keyword)));
	for (size_t i = 0; i < r->kws; i++)
		if (r->kw[i] < src->keywords)
			set->keyword[set->keywords++] =
			    arena_copy(&ap->ar, src->keyword[r->kw[i]]);
}

/* One more link in the destination's tmp/: 1, 0 if the file is gone, -1. */
static int
link_in(struct append *ap, struct wtx *w, const struct box *src,
    const struct rec *r)
{
	struct strbuf from = STRBUF_INIT(PATH_MAX_BYTES);
	struct strbuf to = STRBUF_INIT(PATH_MAX_BYTES);
	struct strbuf name = STRBUF_INIT(PATH_MAX_BYTES);
	struct item *it;
	struct slice text;
	struct stat st;
	int rc = 0;

	if (rec_find(ap->a, src, r, &from) == -1) {
		rc = errno == ENOENT ? 0 : -1;
		goto out;
	}
	maildir_unique(&name, clock_unix(), SLICE_NONE);
	rc = -1;
	if (box_path(&ap->box, "tmp", sb_slice(&name), &to) == -1 ||
	    fstatat(ap->a->maildir, sb_cstr(&from), &st, 0) == -1 ||
	    (it = append_item(ap)) == NULL)
		goto out;
	it->rec.saved = clock_unix();
	it->rec.received = r->received;
	it->rec.size = r->size;
	it->rec.lf = r->lf;
	it->file_size = (uint64_t)st.st_size;
	copy_set(ap, src, r, &it->set);
	if (linkat(ap->a->maildir, sb_cstr(&from), ap->a->maildir,
	    sb_cstr(&to), 0) == -1)
		goto out;
	it->tmp = arena_copy(&ap->ar, sb_slice(&name));
	STEP("link");
	if ((rc = text_get(ap->a, w->txn, src->id, r->uid, &text)) == 1)
		it->text = arena_copy(&ap->ar, text);
	if (rc != -1)
		rc = 1;
out:
	sb_free(&from);
	sb_free(&to);
	sb_free(&name);
	return rc;
}

static int
link_all(struct append *ap, struct wtx *w, const struct box *src,
    const uint32_t *uid, size_t count, struct arena *ar, struct copied *c)
{
	struct strbuf tmp = STRBUF_INIT(PATH_MAX_BYTES);
	struct rec rec;
	int r = 0;

	c->from.uid = arena_alloc(ar, size_mul(count + 1, sizeof(uint32_t)));
	c->to.uid = arena_alloc(ar, size_mul(count + 1, sizeof(uint32_t)));
	c->from.count = 0;
	for (size_t i = 0; i < count; i++) {
		r = rec_get(ap->a, w->txn, src->id, uid[i], &w->ar, &rec);
		if (r == 1)
			r = link_in(ap, w, src, &rec);
		if (r == -1)
			return -1;
		if (r == 1)
			c->from.uid[c->from.count++] = uid[i];
	}
	r = box_path(&ap->box, "tmp", SLICE_NONE, &tmp);
	if (r == 0 && c->from.count != 0)
		r = dir_sync(ap->a->maildir, sb_cstr(&tmp));
	sb_free(&tmp);
	return r;
}

struct transfer {
	struct append *ap;
	struct box src;
	struct expunge x;
	struct wtx w;
	bool move, clean_src, clean_dst;
};

/* Everything up to the commit. */
static int
transfer_put(struct transfer *t, const uint32_t *uid, size_t count,
    uint32_t from, uint32_t to, struct arena *ar, struct copied *c)
{
	struct account *a = t->ap->a;

	if (box_live(a, t->w.txn, from, ar, &t->src) == -1 ||
	    box_live(a, t->w.txn, to, &t->ap->ar, &t->ap->box) == -1)
		return -1;
	t->x.a = a;
	t->x.b = from == to ? &t->ap->box : &t->src;
	t->clean_src = seen_before(a, &t->src);
	t->clean_dst = from == to ? t->clean_src :
	    seen_before(a, &t->ap->box);
	if (link_all(t->ap, &t->w, &t->src, uid, count, ar, c) == -1)
		return -1;
	if (c->from.count == 0)
		return 0;
	if (!t->move && append_quota(t->ap, &t->w) == -1)
		return -1;
	if (append_put(t->ap, &t->w) == -1)
		return -1;
	if (t->move && (expunge_run(&t->x, &t->w, c->from.uid, c->from.count,
	    false) == -1 || (from != to && box_put(&t->w, &t->src) == -1)))
		return -1;
	return box_put(&t->w, &t->ap->box);
}

static int
transfer_commit(struct transfer *t, struct copied *c)
{
	struct append *ap = t->ap;

	c->uidvalidity = ap->box.uidvalidity;
	c->modseq = ap->modseq;
	c->to.count = ap->count;
	for (size_t i = 0; i < ap->count; i++) {
		c->to.uid[i] = ap->item[i].rec.uid;
		ap->item[i].rec.kw = NULL;
		ap->item[i].rec.kws = 0;
	}
	ap->box.keyword = NULL;
	ap->box.keywords = 0;
	if (wtx_commit(&t->w) == -1) {
		expunge_undo(&t->x);
		return -1;
	}
	ap->committed = true;
	/* A name that cannot be given now (disk full) is given by the next
	 * scan: the commit has happened, and undoing it could lose mail. */
	if (append_place(ap) == 0) {
		seen_after(ap->a, &ap->box, t->clean_dst);
		if (t->src.id != ap->box.id)
			seen_after(ap->a, &t->src, t->clean_src);
	}
	bell_ring(ap->a);
	return 0;
}

static int
transfer(struct account *a, uint32_t from, const uint32_t *uid, size_t count,
    uint32_t to, struct arena *ar, struct copied *c, bool move)
{
	struct transfer t = { .move = move };
	int r = -1;

	*c = (struct copied){ 0 };
	if ((t.ap = append_new(a, to)) == NULL)
		return -1;
	if (wtx_begin(a, &t.w) == -1)
		goto out;
	if (transfer_put(&t, uid, count, from, to, ar, c) == -1) {
		wtx_abort(&t.w);
		expunge_undo(&t.x);
	} else if (c->from.count == 0) {
		c->uidvalidity = t.ap->box.uidvalidity;
		c->modseq = t.ap->box.modseq;
		wtx_abort(&t.w);
		r = 0;
	} else
		r = transfer_commit(&t, c);
out:
	expunge_free(&t.x);
	append_free(t.ap);
	return r;
}

int
message_copy(struct account *a, uint32_t from, const uint32_t *uid,
    size_t count, uint32_t to, struct arena *ar, struct copied *c)
{
	return transfer(a, from, uid, count, to, ar, c, false);
}

int
message_move(struct account *a, uint32_t from, const uint32_t *uid,
    size_t count, uint32_t to, struct arena *ar, struct copied *c)
{
	return transfer(a, from, uid, count, to, ar, c, true);
}
