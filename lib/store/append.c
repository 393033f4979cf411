/* Adding messages: files in tmp/, one commit, then their names. */
#include "store/index.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "store/append.h"

#define PATH_MAX_BYTES ((size_t)1024)
#define TEXT_VALUE_MAX ((size_t)4 * 1024 * 1024)
#define APPEND_MAX 10000 /* messages in one append */
/* Messages, the newest, among which a mark is looked for. A worker that died
 * is replaced within a second. */
#define MADE_MAX 5000

struct append *
append_new(struct account *a, uint32_t box)
{
	struct append *ap;
	MDB_txn *txn;
	int r;

	if (rtx_begin(a, &txn) == -1)
		return NULL;
	ap = xcalloc(1, sizeof(*ap));
	ap->a = a;
	r = box_live(a, txn, box, &ap->ar, &ap->box);
	rtx_end(a);
	if (r == 1)
		return ap;
	append_free(ap);
	return NULL;
}

static int
tmp_path(struct append *ap, struct slice name, struct strbuf *path)
{
	return box_path(&ap->box, "tmp", name, path);
}

static struct item *
current(struct append *ap)
{
	return &ap->item[ap->count - 1];
}

struct item *
append_item(struct append *ap)
{
	if (ap->count == APPEND_MAX) {
		errno = E2BIG;
		return NULL;
	}
	if (ap->count == ap->cap) {
		size_t cap = ap->cap != 0 ? size_mul(ap->cap, 2) : 8;

		ap->item = xrealloc(ap->item,
		    size_mul(cap, sizeof(*ap->item)));
		ap->cap = cap;
	}
	ap->item[ap->count] = (struct item){ .fd = -1 };
	return &ap->item[ap->count++];
}

int
append_begin(struct append *ap)
{
	return append_begin_marked(ap, SLICE_NONE);
}

int
append_begin_marked(struct append *ap, struct slice mark)
{
	struct strbuf name = STRBUF_INIT(PATH_MAX_BYTES);
	struct strbuf path = STRBUF_INIT(PATH_MAX_BYTES);
	struct item *it = append_item(ap);
	int64_t now = clock_unix();

	if (it == NULL)
		return -1;
	maildir_unique(&name, now, mark);
	it->rec.saved = now;
	it->tmp = arena_copy(&ap->ar, sb_slice(&name));
	if (tmp_path(ap, it->tmp, &path) == 0)
		it->fd = openat(ap->a->maildir, sb_cstr(&path),
		    O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	STEP("tmp-open");
	sb_free(&name);
	sb_free(&path);
	if (it->fd == -1) {
		ap->count--;
		return -1;
	}
	return (int)ap->count - 1;
}

int
append_made(struct account *a, uint32_t box, struct slice mark,
    struct arena *ar, struct message *m)
{
	struct strbuf part = STRBUF_INIT(PATH_MAX_BYTES);
	struct mailbox mb;
	struct message *list;
	size_t count = 0;
	uint32_t first;
	struct wtx w;
	int r;

	/* A process that is being killed may still be in its commit. */
	if (wtx_begin(a, &w) == -1)
		return -1;
	wtx_abort(&w);
	if (mailbox_sync(a, box) == -1 ||
	    (r = mailbox_get(a, box, ar, &mb)) == -1)
		return -1;
	first = mb.uidnext > MADE_MAX ? mb.uidnext - MADE_MAX : 1;
	if (r == 1 && message_list(a, box, first, UINT32_MAX, MADE_MAX, ar,
	    &list, &count) == -1)
		return -1;
	sb_putc(&part, '.');
	sb_put(&part, mark);
	sb_putc(&part, '.');
	r = 0;
	for (size_t i = count; r == 0 && i > 0; i--)
		if (!list[i - 1].removed &&
		    slice_find(list[i - 1].file, sb_slice(&part)) != -1) {
			*m = list[i - 1];
			r = 1;
		}
	sb_free(&part);
	return r;
}

int
append_write(struct append *ap, struct slice s)
{
	struct item *it = current(ap);

	if (write_all(it->fd, s) == -1)
		return -1;
	it->rec.size += s.n;
	STEP("tmp-write");
	return 0;
}

int
append_text(struct append *ap, struct slice s)
{
	struct item *it = current(ap);
	size_t start = 0;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\n' && !(i != 0 ? s.p[i - 1] == '\r' :
		    it->after_cr)) {
			if (append_write(ap, slice_sub(s, start, i - start)) ==
			    -1 || append_write(ap, S("\r")) == -1)
				return -1;
			start = i;
		}
	}
	if (s.n != 0)
		it->after_cr = s.p[s.n - 1] == '\r';
	return append_write(ap, slice_skip(s, start));
}

int
append_fd(struct append *ap, int fd, int64_t at, uint64_t n)
{
	struct item *it = current(ap);
	off_t from = (off_t)at;
	bool cross = false; /* other file system, or memory */

	while (n != 0) {
		size_t piece = n < SSIZE_MAX ? (size_t)n : SSIZE_MAX;
		ssize_t got;

		if (cross)
			got = sendfile(it->fd, fd, &from, piece);
		else
			got = copy_file_range(fd, &from, it->fd, NULL, piece,
			    0);
		if (got == -1 && errno == EINTR)
			continue;
		if (got == -1 && !cross && errno != ENOSPC && errno != EIO &&
		    errno != EFBIG && errno != EDQUOT) {
			cross = true;
			continue;
		}
		if (got == 0 && !cross) { /* some file systems say so */
			cross = true;
			continue;
		}
		if (got == 0)
			errno = EPIPE;
		if (got <= 0)
			return -1;
		it->rec.size += (uint64_t)got;
		n -= (uint64_t)got;
	}
	STEP("tmp-copy");
	return 0;
}

static void
set_copy(struct append *ap, struct item *it, const struct flagset *set)
{
	if (set == NULL)
		return;
	it->set = *set;
	it->set.keyword = arena_alloc(&ap->ar,
	    size_mul(size_add(set->keywords, 1), sizeof(struct slice)));
	for (size_t i = 0; i < set->keywords; i++)
		it->set.keyword[i] = arena_copy(&ap->ar, set->keyword[i]);
}

int
append_end(struct append *ap, const struct flagset *set, int64_t received,
    struct slice parts)
{
	struct item *it = current(ap);
	struct strbuf text = STRBUF_INIT(TEXT_VALUE_MAX);
	struct timespec times[2];

	it->rec.received = received != -1 ? received : it->rec.saved;
	times[0] = times[1] =
	    (struct timespec){ .tv_sec = it->rec.received };
	if (futimens(it->fd, times) == -1)
		return -1;
	set_copy(ap, it, set);
	if (parts.n != 0) {
		text_encode(parts, &text);
		if (!text.over)
			it->text = arena_copy(&ap->ar, sb_slice(&text));
	}
	sb_free(&text);
	it->ended = true;
	return 0;
}

static void
item_discard(struct append *ap, struct item *it)
{
	struct strbuf path = STRBUF_INIT(PATH_MAX_BYTES);
	int e = errno;

	if (it->fd != -1)
		close(it->fd);
	it->fd = -1;
	if (!it->dropped && it->tmp.n != 0 &&
	    tmp_path(ap, it->tmp, &path) == 0)
		unlinkat(ap->a->maildir, sb_cstr(&path), 0);
	it->dropped = true;
	sb_free(&path);
	errno = e;
}

void
append_drop(struct append *ap, int number)
{
	item_discard(ap, &ap->item[number]);
}

size_t
append_count(const struct append *ap)
{
	size_t n = 0;

	for (size_t i = 0; i < ap->count; i++)
		n += !ap->item[i].dropped;
	return n;
}

void
append_replace(struct append *ap, uint32_t box, uint32_t uid)
{
	ap->replace_box = box;
	ap->replace_uid = uid;
}

void
append_start(struct append *ap)
{
	for (size_t i = 0; i < ap->count; i++)
		if (ap->item[i].fd != -1)
			(void)sync_file_range(ap->item[i].fd, 0, 0,
			    SYNC_FILE_RANGE_WRITE);
	ap->started = true;
}

int
append_sync(struct append *ap)
{
	struct strbuf path = STRBUF_INIT(PATH_MAX_BYTES);
	int r = 0;

	if (!ap->started)
		append_start(ap);
	for (size_t i = 0; r == 0 && i < ap->count; i++) {
		struct item *it = &ap->item[i];

		if (it->dropped)
			continue;
		if (it->fd != -1 && (r = fsync(it->fd)) == 0) {
			/* close() may tell of a late error (NFS). */
			r = close(it->fd);
			it->fd = -1;
		}
		STEP("tmp-sync");
	}
	if (r == 0)
		r = box_path(&ap->box, "tmp", SLICE_NONE, &path);
	if (r == 0)
		r = dir_sync(ap->a->maildir, sb_cstr(&path));
	STEP("tmp-dir-sync");
	sb_free(&path);
	ap->synced = r == 0;
	return r;
}

int
append_quota(struct append *ap, struct wtx *w)
{
	uint64_t more = 0;

	for (size_t i = 0; i < ap->count; i++)
		if (!ap->item[i].dropped)
			more += ap->item[i].rec.size;
	if (ap->a->quota == 0 || more == 0 ||
	    w->meta.bytes + more <= ap->a->quota)
		return 0;
	errno = EDQUOT;
	return -1;
}

/* Give a message its UID and name and put its records. */
static int
item_record(struct append *ap, struct wtx *w, struct box *b, struct item *it,
    bool *grew)
{
	struct strbuf sb = STRBUF_INIT(PATH_MAX_BYTES);
	struct rec *r = &it->rec;
	uint64_t file_size = it->file_size != 0 ? it->file_size : r->size;

	r->uid = b->uidnext++;
	if (rec_set(w, b, &it->set, r, grew) == -1)
		return -1;
	maildir_base(&sb, it->tmp, (int64_t)file_size, b->uidvalidity,
	    r->uid);
	r->base = arena_copy(&ap->ar, sb_slice(&sb));
	r->info = SLICE_NONE;
	r->where = IN_NEW;
	if (r->flags != 0 || r->kws != 0) {
		r->where = IN_CUR;
		sb_reset(&sb);
		rec_info(b, r, &sb);
		r->info = arena_copy(&ap->ar, sb_slice(&sb));
	}
	sb_free(&sb);
	if (rec_add(w, b, r) == -1)
		return -1;
	return it->text.n != 0 ? text_put(w, b->id, r->uid, it->text) : 0;
}

/*
 * tmp/x to new/x or cur/x. A scan that finds the record may be faster, so a
 * missing tmp file is no error if the message is where it belongs.
 */
static int
item_place(struct append *ap, struct item *it)
{
	struct strbuf from = STRBUF_INIT(PATH_MAX_BYTES);
	struct strbuf to = STRBUF_INIT(PATH_MAX_BYTES);
	int fd, r = -1;

	if (tmp_path(ap, it->tmp, &from) == 0 &&
	    rec_path(&ap->box, &it->rec, &to) == 0)
		r = renameat(ap->a->maildir, sb_cstr(&from), ap->a->maildir,
		    sb_cstr(&to));
	if (r == -1 && errno == ENOENT &&
	    (fd = rec_open(ap->a, &ap->box, &it->rec)) != -1)
		r = close(fd);
	STEP("placed");
	sb_free(&from);
	sb_free(&to);
	return r;
}

int
append_place(struct append *ap)
{
	struct strbuf path = STRBUF_INIT(PATH_MAX_BYTES);
	bool used[2] = { false, false };
	int r = 0;

	for (size_t i = 0; r == 0 && i < ap->count; i++)
		if (!ap->item[i].dropped) {
			r = item_place(ap, &ap->item[i]);
			used[ap->item[i].rec.where] = true;
		}
	for (int w = IN_NEW; r == 0 && w <= IN_CUR; w++)
		if (used[w] && (r = box_path(&ap->box,
		    maildir_sub((enum maildir_where)w), SLICE_NONE, &path)) ==
		    0)
			r = dir_sync(ap->a->maildir, sb_cstr(&path));
	STEP("dir-sync");
	sb_free(&path);
	return r;
}

/* After the commit a name could not be given (disk full): take it all back. */
static void
take_back(struct append *ap)
{
	struct arena ar = { 0 };
	struct uid_list removed;
	uint64_t modseq;
	uint32_t *uid = arena_alloc(&ar, ap->count * sizeof(*uid));
	size_t n = 0;
	int e = errno;

	for (size_t i = 0; i < ap->count; i++)
		if (!ap->item[i].dropped)
			uid[n++] = ap->item[i].rec.uid;
	/* If this fails too, the messages are there, whole and durable, and
	 * the next scan gives them their names. */
	if (message_expunge(ap->a, ap->box.id, uid, n, false, &ar, &removed,
	    &modseq) == 0)
		ap->committed = false;
	arena_free(&ar);
	errno = e;
}

int
append_put(struct append *ap, struct wtx *w)
{
	bool grew = false;

	for (size_t i = 0; i < ap->count; i++)
		if (!ap->item[i].dropped && item_record(ap, w, &ap->box,
		    &ap->item[i], &grew) == -1)
			return -1;
	if (grew && box_keywords_write(ap->a, &ap->box) == -1)
		return -1;
	ap->modseq = wtx_seq(w);
	return box_reserve(w, &ap->box);
}

/* The message that append_replace() named goes in the same transaction. */
static int
replace_run(struct append *ap, struct wtx *w, struct expunge *x,
    struct box *other)
{
	x->a = ap->a;
	x->b = &ap->box;
	if (ap->replace_uid == 0)
		return 0;
	if (ap->replace_box != ap->box.id) {
		x->b = other;
		if (box_live(ap->a, w->txn, ap->replace_box, &w->ar, other) ==
		    -1)
			return -1;
	}
	if (expunge_run(x, w, &ap->replace_uid, 1, false) == -1)
		return -1;
	if (x->count == 0) {
		errno = ENOENT;
		return -1;
	}
	return x->b == other ? box_put(w, other) : 0;
}

/* What the transaction's arena held is gone after the commit. */
static void
keep_box(struct append *ap)
{
	ap->box.name = arena_copy(&ap->ar, ap->box.name);
	ap->box.oldname = SLICE_NONE;
	ap->box.keyword = NULL;
	ap->box.keywords = 0;
	for (size_t i = 0; i < ap->count; i++) {
		ap->item[i].rec.kw = NULL;
		ap->item[i].rec.kws = 0;
	}
}

int
append_commit(struct append *ap)
{
	struct expunge x = { 0 };
	struct box other;
	struct wtx w;
	bool clean;
	int r = -1;

	if (!ap->synced && append_sync(ap) == -1)
		return -1;
	if (wtx_begin(ap->a, &w) == -1)
		return -1;
	if (box_live(ap->a, w.txn, ap->box.id, &w.ar, &ap->box) == -1 ||
	    append_quota(ap, &w) == -1 || append_put(ap, &w) == -1 ||
	    replace_run(ap, &w, &x, &other) == -1 ||
	    box_put(&w, &ap->box) == -1) {
		keep_box(ap);
		wtx_abort(&w);
		goto out;
	}
	keep_box(ap);
	clean = seen_before(ap->a, &ap->box);
	if ((r = wtx_commit(&w)) == -1)
		goto out;
	ap->committed = true;
	/* What it replaces has gone with the commit, so this one stays: the
	 * next scan gives it its name. */
	if (append_place(ap) == 0)
		seen_after(ap->a, &ap->box, clean && ap->replace_uid == 0);
	else if (ap->replace_uid == 0) {
		take_back(ap);
		expunge_free(&x);
		return -1;
	}
	bell_ring(ap->a);
out:
	if (r == -1)
		expunge_undo(&x);
	expunge_free(&x);
	return r;
}

uint32_t
append_uidvalidity(const struct append *ap)
{
	return ap->box.uidvalidity;
}

uint32_t
append_uid(const struct append *ap, int number)
{
	return ap->item[number].rec.uid;
}

const char *
append_file(struct append *ap, int number)
{
	return arena_cstr(&ap->ar, ap->item[number].rec.base);
}

uint64_t
append_modseq(const struct append *ap)
{
	return ap->modseq;
}

void
append_free(struct append *ap)
{
	if (ap == NULL)
		return;
	for (size_t i = 0; i < ap->count; i++) {
		if (!ap->committed)
			item_discard(ap, &ap->item[i]);
		if (ap->item[i].fd != -1)
			close(ap->item[i].fd);
	}
	arena_free(&ap->ar);
	free(ap->item);
	free(ap);
}
