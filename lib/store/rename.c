/* Mailboxes that are listed, renamed and removed. */
#include "store/index.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"

#define PATH_MAX_BYTES ((size_t)1024)

static int
keyword_order(const void *a, const void *b)
{
	return slice_cmp(*(const struct slice *)a, *(const struct slice *)b);
}

struct slice
lower_copy(struct arena *ar, struct slice s)
{
	unsigned char *p = arena_alloc(ar, size_add(s.n, 1));

	for (size_t i = 0; i < s.n; i++)
		p[i] = ascii_lower(s.p[i]);
	return slice_of(p, s.n);
}

static void
box_mailbox(const struct box *b, struct arena *ar, struct mailbox *mb)
{
	*mb = (struct mailbox){
		.id = b->id, .uidvalidity = b->uidvalidity,
		.uidnext = b->uidnext, .messages = b->messages,
		.unseen = b->unseen, .deleted = b->deleted, .size = b->size,
		.deleted_size = b->deleted_size, .createseq = b->createseq,
		.modseq = b->modseq, .nameseq = b->nameseq,
		.trimmed = b->trimmed, .special = b->special,
		.removed = b->removed, .selectable = true, .name = b->name,
		.oldname = b->oldname,
	};
	mb->keyword = arena_alloc(ar,
	    size_mul(size_add(b->keywords, 1), sizeof(*mb->keyword)));
	for (size_t i = 0; i < b->keywords; i++)
		if (b->keyword[i].n != 0 && keyword_flag(b->keyword[i]) == 0)
			mb->keyword[mb->keywords++] =
			    lower_copy(ar, b->keyword[i]);
	qsort(mb->keyword, mb->keywords, sizeof(*mb->keyword), keyword_order);
}

static int
mailbox_order(const void *a, const void *b)
{
	const struct mailbox *x = a, *y = b;
	int c = slice_cmp(x->name, y->name);

	return c != 0 ? c : (x->id > y->id) - (x->id < y->id);
}

static int
subscription_order(const void *name, const void *s)
{
	return slice_cmp(*(const struct slice *)name,
	    ((const struct subscription *)s)->name);
}

int
mailbox_list(struct account *a, bool removed, struct arena *ar,
    struct mailbox **list, size_t *count)
{
	MDB_txn *txn;
	struct box *boxes;
	struct subscription *subs, *s;
	size_t all, nsubs;
	int r = -1;

	*count = 0;
	if (rtx_begin(a, &txn) == -1)
		return -1;
	if (box_all(a, txn, ar, &boxes, &all) == 0 &&
	    sub_all(a, txn, ar, &subs, &nsubs) == 0)
		r = 0;
	rtx_end(a);
	if (r == -1)
		return -1;
	*list = arena_alloc(ar, size_mul(size_add(all, 1), sizeof(**list)));
	for (size_t i = 0; i < all; i++) {
		struct mailbox *mb = &(*list)[*count];

		if (boxes[i].removed && !removed)
			continue;
		box_mailbox(&boxes[i], ar, mb);
		s = bsearch(&mb->name, subs, nsubs, sizeof(*subs),
		    subscription_order);
		mb->subscribed = s != NULL && s->on;
		++*count;
	}
	qsort(*list, *count, sizeof(**list), mailbox_order);
	return 0;
}

static int
with_subscription(struct account *a, MDB_txn *txn, const struct box *b,
    struct arena *ar, struct mailbox *mb)
{
	struct subscription *subs, *s;
	size_t count;

	if (sub_all(a, txn, ar, &subs, &count) == -1)
		return -1;
	box_mailbox(b, ar, mb);
	s = bsearch(&mb->name, subs, count, sizeof(*subs),
	    subscription_order);
	mb->subscribed = s != NULL && s->on;
	return 1;
}

int
mailbox_find(struct account *a, struct slice name, struct arena *ar,
    struct mailbox *mb)
{
	MDB_txn *txn;
	struct box b;
	int r;

	if (rtx_begin(a, &txn) == -1)
		return -1;
	r = box_named(a, txn, name, ar, &b);
	if (r == 1)
		r = with_subscription(a, txn, &b, ar, mb);
	rtx_end(a);
	return r;
}

int
mailbox_get(struct account *a, uint32_t id, struct arena *ar,
    struct mailbox *mb)
{
	MDB_txn *txn;
	struct box b;
	int r;

	if (rtx_begin(a, &txn) == -1)
		return -1;
	r = box_get(a, txn, id, ar, &b);
	if (r == 1)
		r = b.removed ? 0 : with_subscription(a, txn, &b, ar, mb);
	rtx_end(a);
	return r;
}

/* name is parent/... */
static bool
is_below(struct slice name, struct slice parent)
{
	return name.n > parent.n && slice_starts(name, parent) &&
	    name.p[parent.n] == '/';
}

/* Unsubscribe a name if it is subscribed. */
static int
sub_off(struct wtx *w, struct slice name, bool *was)
{
	struct subscription *list, *s;
	size_t count;

	if (sub_all(w->a, w->txn, &w->ar, &list, &count) == -1)
		return -1;
	s = bsearch(&name, list, count, sizeof(*list), subscription_order);
	*was = s != NULL && s->on;
	return *was ? sub_put(w, name, false) : 0;
}

/* Undo the move of a removed mailbox; what fails here account_sync() mends. */
static void
put_back(struct account *a, const struct strbuf *gone, const struct strbuf *dir)
{
	int e = errno;

	(void)renameat(a->dir, sb_cstr(gone), a->maildir, sb_cstr(dir));
	errno = e;
}

/* Forget the oldest removed mailbox when there are too many; every look for a
 * name reads them all. Its directory goes with it. */
static int
forget_one(struct wtx *w, const struct box *list, size_t count)
{
	const struct box *oldest = NULL;
	size_t n = 0;

	for (size_t i = 0; i < count; i++) {
		if (!list[i].removed)
			continue;
		n++;
		if (oldest == NULL || list[i].nameseq < oldest->nameseq)
			oldest = &list[i];
	}
	if (n < STORE_REMOVED_MAX)
		return 0;
	gone_box_drop(w->a, oldest->id);
	return box_forget(w, oldest->id);
}

int
mailbox_remove(struct account *a, uint32_t id)
{
	struct strbuf from = STRBUF_INIT(PATH_MAX_BYTES);
	struct strbuf to = STRBUF_INIT(PATH_MAX_BYTES);
	struct wtx w;
	struct box b, *list;
	size_t count;
	bool was, moved = false;
	int r;

	if (wtx_begin(a, &w) == -1)
		return -1;
	if (box_live(a, w.txn, id, &w.ar, &b) == -1 ||
	    box_all(a, w.txn, &w.ar, &list, &count) == -1)
		goto fail;
	errno = EPERM;
	if (slice_eqs(b.name, "INBOX"))
		goto fail;
	for (size_t i = 0; i < count; i++)
		if (!list[i].removed && is_below(list[i].name, b.name)) {
			errno = ENOTEMPTY;
			goto fail;
		}
	if (forget_one(&w, list, count) == -1 ||
	    box_dir(&b, &from) == -1 || box_clear(&w, &b) == -1 ||
	    sub_off(&w, b.name, &was) == -1 || subscriptions_write(&w) == -1)
		goto fail;
	b.removed = true;
	b.special = 0;
	b.nameseq = b.modseq = wtx_seq(&w);
	if (box_put(&w, &b) == -1)
		goto fail;
	sb_printf(&to, "gone/box.%lu", (unsigned long)id);
	if (renameat(a->maildir, sb_cstr(&from), a->dir, sb_cstr(&to)) == -1) {
		if (errno != ENOENT)
			goto fail;
	} else
		moved = true;
	STEP("box-gone");
	if (dir_sync(a->maildir, ".") == -1)
		goto fail;
	r = wtx_commit(&w);
	if (r == -1 && moved)
		put_back(a, &to, &from);
	if (r == 0)
		bell_ring(a);
	goto out;
fail:
	r = -1;
	if (moved)
		put_back(a, &to, &from);
	wtx_abort(&w);
out:
	sb_free(&from);
	sb_free(&to);
	return r;
}

/* ---- rename ---- */

struct rename_job {
	struct wtx *w;
	struct box *list;
	size_t count;
	struct slice from, to;
};

static struct slice
new_name(struct rename_job *j, struct slice old)
{
	struct strbuf sb = STRBUF_INIT(PATH_MAX_BYTES);
	struct slice s;

	sb_put(&sb, j->to);
	sb_put(&sb, slice_skip(old, j->from.n));
	s = arena_copy(&j->w->ar, sb_slice(&sb));
	sb_free(&sb);
	return s;
}

static bool
in_job(struct rename_job *j, struct box *b)
{
	return !b->removed && (slice_eq(b->name, j->from) ||
	    is_below(b->name, j->from));
}

static int
rename_dir(struct account *a, struct slice from, struct slice to)
{
	struct strbuf f = STRBUF_INIT(PATH_MAX_BYTES);
	struct strbuf t = STRBUF_INIT(PATH_MAX_BYTES);
	int r = -1;

	if (maildir_from_name(from, &f) == 0 && maildir_from_name(to, &t) == 0)
		r = renameat2(a->maildir, sb_cstr(&f), a->maildir, sb_cstr(&t),
		    RENAME_NOREPLACE);
	STEP("box-rename");
	sb_free(&f);
	sb_free(&t);
	return r;
}

/* Directories [0, upto) of the job go back to their old names. */
static void
rename_back(struct rename_job *j, size_t upto)
{
	int e = errno;

	for (size_t i = upto; i-- > 0;)
		if (in_job(j, &j->list[i]) && rename_dir(j->w->a,
		    new_name(j, j->list[i].name), j->list[i].name) == -1)
			continue; /* account_sync() takes it as it stands */
	errno = e;
}

static int
rename_dirs(struct rename_job *j)
{
	for (size_t i = 0; i < j->count; i++) {
		struct box *b = &j->list[i];

		if (!in_job(j, b))
			continue;
		if (rename_dir(j->w->a, b->name, new_name(j, b->name)) == -1) {
			rename_back(j, i);
			return -1;
		}
	}
	return dir_sync(j->w->a->maildir, ".");
}

static int
rename_records(struct rename_job *j)
{
	for (size_t i = 0; i < j->count; i++) {
		struct box b = j->list[i];
		bool was;

		if (!in_job(j, &b))
			continue;
		b.oldname = b.name;
		b.name = new_name(j, b.name);
		b.nameseq = wtx_seq(j->w);
		if (box_put(j->w, &b) == -1 ||
		    sub_off(j->w, b.oldname, &was) == -1 ||
		    (was && sub_put(j->w, b.name, true) == -1))
			return -1;
	}
	/* a to a/b: a comes into being anew. */
	return box_parents(j->w, j->to, false);
}

/* INBOX stays: its messages move. */
static int
rename_inbox(struct account *a, uint32_t id, struct slice to)
{
	struct arena ar = { 0 };
	struct view v;
	struct copied c;
	uint32_t dest;
	int r = -1;

	if (mailbox_create(a, to, 0, &dest) == 0 &&
	    message_view(a, id, UINT64_MAX, &ar, &v) == 0)
		r = message_move(a, id, v.uid, v.count, dest, &ar, &c);
	arena_free(&ar);
	return r;
}

int
mailbox_rename(struct account *a, uint32_t id, struct slice to)
{
	struct wtx w;
	struct rename_job j = { .w = &w, .to = to };
	struct box b, other;
	int r;

	if (wtx_begin(a, &w) == -1)
		return -1;
	if (box_live(a, w.txn, id, &w.ar, &b) == -1)
		goto fail;
	errno = EPERM;
	if (slice_eqs(to, "INBOX"))
		goto fail;
	if ((r = box_named(a, w.txn, to, &w.ar, &other)) == 1)
		errno = EEXIST;
	if (r != 0)
		goto fail;
	if (slice_eqs(b.name, "INBOX")) {
		wtx_abort(&w);
		return rename_inbox(a, id, to);
	}
	j.from = b.name;
	if (box_all(a, w.txn, &w.ar, &j.list, &j.count) == -1)
		goto fail;
	for (size_t i = 0; i < j.count; i++)
		if (in_job(&j, &j.list[i])) {
			struct strbuf dir = STRBUF_INIT(PATH_MAX_BYTES);

			r = maildir_from_name(new_name(&j, j.list[i].name),
			    &dir);
			sb_free(&dir);
			if (r == -1)
				goto fail;
		}
	if (rename_dirs(&j) == -1)
		goto fail;
	if (rename_records(&j) == -1 || subscriptions_write(&w) == -1) {
		rename_back(&j, j.count);
		goto fail;
	}
	if (wtx_commit(&w) == -1)
		return -1; /* account_sync() takes the new names as they are */
	bell_ring(a);
	return 0;
fail:
	wtx_abort(&w);
	return -1;
}
