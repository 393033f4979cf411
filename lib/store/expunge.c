/* Removing messages: files to gone/, one commit. */
#include "store/append.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/rid.h"

#define PATH_MAX_BYTES ((size_t)1024)
#define ORPHAN "orphan." /* in gone/, of an index that was lost */

/* The file into gone/; a file that is not there any more is no trouble. */
static int
move_out(struct expunge *x, size_t i)
{
	struct strbuf from = STRBUF_INIT(PATH_MAX_BYTES);
	struct strbuf to = STRBUF_INIT(PATH_MAX_BYTES);
	int r;

	gone_path(&to, x->b->id, x->rec[i].uid);
	r = rec_find(x->a, x->b, &x->rec[i], &from);
	if (r == 0) {
		x->path[i] = arena_copy(&x->ar, sb_slice(&from));
		r = renameat(x->a->maildir, sb_cstr(&from), x->a->dir,
		    sb_cstr(&to));
		x->moved[i] = r == 0;
	}
	STEP("gone");
	sb_free(&from);
	sb_free(&to);
	return r == -1 && errno != ENOENT ? -1 : 0;
}

/* The records that are to go, into x. */
static int
collect(struct expunge *x, struct wtx *w, const uint32_t *uid, size_t count,
    bool only_deleted)
{
	int r;

	x->rec = arena_alloc(&x->ar, size_mul(count + 1, sizeof(*x->rec)));
	x->moved = arena_alloc(&x->ar, size_mul(count + 1, sizeof(*x->moved)));
	x->path = arena_alloc(&x->ar, size_mul(count + 1, sizeof(*x->path)));
	for (size_t i = 0; i < count; i++) {
		struct rec *rec = &x->rec[x->count];

		r = rec_get(x->a, w->txn, x->b->id, uid[i], &x->ar, rec);
		if (r == -1)
			return -1;
		if (r == 1 && (!only_deleted ||
		    (rec->flags & FLAG_DELETED) != 0))
			x->count++;
	}
	return 0;
}

int
expunge_run(struct expunge *x, struct wtx *w, const uint32_t *uid,
    size_t count, bool only_deleted)
{
	struct strbuf path = STRBUF_INIT(PATH_MAX_BYTES);
	bool used[2] = { false, false };
	int r = collect(x, w, uid, count, only_deleted);

	for (size_t i = 0; r == 0 && i < x->count; i++) {
		r = move_out(x, i);
		used[x->rec[i].where] = true;
		if (r == 0)
			r = rec_remove(w, x->b, &x->rec[i]);
	}
	/* A file that came back after a power failure would be a new one. */
	for (int i = IN_NEW; r == 0 && i <= IN_CUR; i++)
		if (used[i] && (r = box_path(x->b,
		    maildir_sub((enum maildir_where)i), SLICE_NONE, &path)) ==
		    0)
			r = dir_sync(x->a->maildir, sb_cstr(&path));
	STEP("gone-sync");
	sb_free(&path);
	return r;
}

void
expunge_undo(struct expunge *x)
{
	struct strbuf from = STRBUF_INIT(PATH_MAX_BYTES);
	int e = errno;

	for (size_t i = 0; i < x->count; i++) {
		char *to;

		if (!x->moved[i])
			continue;
		gone_path(&from, x->b->id, x->rec[i].uid);
		to = arena_cstr(&x->ar, x->path[i]);
		if (renameat(x->a->dir, sb_cstr(&from), x->a->maildir, to) ==
		    -1)
			continue; /* the next scan puts it back */
		x->moved[i] = false;
	}
	sb_free(&from);
	errno = e;
}

void
expunge_free(struct expunge *x)
{
	arena_free(&x->ar);
}

static void
removed_list(const struct expunge *x, struct arena *ar, struct uid_list *l)
{
	l->count = x->count;
	l->uid = arena_alloc(ar, size_mul(x->count + 1, sizeof(*l->uid)));
	for (size_t i = 0; i < x->count; i++)
		l->uid[i] = x->rec[i].uid;
}

int
message_expunge(struct account *a, uint32_t box, const uint32_t *uid,
    size_t count, bool only_deleted, struct arena *ar,
    struct uid_list *removed, uint64_t *modseq)
{
	struct box b;
	struct expunge x = { .a = a, .b = &b };
	struct wtx w;
	bool clean;
	int r = -1;

	if (wtx_begin(a, &w) == -1)
		return -1;
	if (box_live(a, w.txn, box, ar, &b) == -1)
		goto abort;
	clean = seen_before(a, &b);
	if (expunge_run(&x, &w, uid, count, only_deleted) == -1)
		goto abort;
	*modseq = b.modseq;
	removed_list(&x, ar, removed);
	if (x.count == 0) {
		seen_after(a, &b, clean);
		r = 0;
		goto abort;
	}
	if (box_put(&w, &b) == -1)
		goto abort;
	if ((r = wtx_commit(&w)) == -1)
		goto out;
	seen_after(a, &b, clean);
	bell_ring(a);
	goto out;
abort:
	wtx_abort(&w);
out:
	if (r == -1)
		expunge_undo(&x);
	expunge_free(&x);
	return r;
}

/* ---- gone/ ---- */

/* Remove a directory tree of a mailbox that was removed: one level of
 * subdirectories. */
static void
remove_tree(int dir, const char *name, int depth)
{
	struct dirent *e;
	DIR *d;
	int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC |
	    O_NOFOLLOW);

	if (fd == -1 || (d = fdopendir(fd)) == NULL) {
		if (fd != -1)
			close(fd);
		return;
	}
	while ((e = readdir(d)) != NULL) {
		if (strcmp(e->d_name, ".") == 0 ||
		    strcmp(e->d_name, "..") == 0)
			continue;
		if (unlinkat(dirfd(d), e->d_name, 0) == -1 &&
		    errno == EISDIR && depth > 0)
			remove_tree(dirfd(d), e->d_name, depth - 1);
	}
	closedir(d);
	unlinkat(dir, name, AT_REMOVEDIR);
}

void
gone_box_drop(struct account *a, uint32_t id)
{
	char name[32];
	int fd = openat(a->dir, "gone", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd == -1)
		return;
	snprintf(name, sizeof(name), "box.%lu", (unsigned long)id);
	remove_tree(fd, name, 1);
	close(fd);
}

/* NULL if there is none, or it cannot be read. */
static DIR *
gone_open(struct account *a)
{
	int fd = openat(a->dir, "gone", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd != -1 ? fdopendir(fd) : NULL;

	if (d == NULL && fd != -1)
		close(fd);
	return d;
}

void
gone_orphan(struct account *a)
{
	struct dirent *e;
	DIR *d = gone_open(a);

	if (d == NULL)
		return;
	while ((e = readdir(d)) != NULL) {
		char name[RID_LEN + sizeof(ORPHAN)] = ORPHAN;

		if (e->d_name[0] == '.' ||
		    slice_starts(slice_str(e->d_name), S(ORPHAN)))
			continue;
		rid_new(name + strlen(ORPHAN));
		if (renameat(dirfd(d), e->d_name, dirfd(d), name) == -1)
			continue; /* as with what cannot be removed */
	}
	closedir(d);
}

/* Is the record that a name in gone/ belongs to really gone? */
static bool
is_gone(struct account *a, MDB_txn *txn, const char *name)
{
	struct arena ar = { 0 };
	struct slice rest = slice_str(name), head;
	uint64_t box, uid;
	struct box b;
	struct rec rec;
	bool gone = false;

	if (slice_starts(rest, S(ORPHAN)))
		return true;
	slice_cut(&rest, '.', &head);
	if (slice_eqs(head, "box")) {
		if (slice_u64(rest, UINT32_MAX, &box) == 0 &&
		    box_get(a, txn, (uint32_t)box, &ar, &b) == 1)
			gone = b.removed;
	} else if (slice_u64(head, UINT32_MAX, &box) == 0 &&
	    slice_u64(rest, UINT32_MAX, &uid) == 0)
		gone = rec_get(a, txn, (uint32_t)box, (uint32_t)uid, &ar,
		    &rec) == 0;
	arena_free(&ar);
	return gone;
}

void
gone_clean(struct account *a)
{
	int64_t before = clock_unix() - STORE_GONE_SECONDS;
	struct dirent *e;
	struct stat st;
	MDB_txn *txn;
	DIR *d = gone_open(a);

	if (d == NULL)
		return;
	if (rtx_begin(a, &txn) == -1) {
		closedir(d);
		return;
	}
	while ((e = readdir(d)) != NULL) {
		/* rename(2) sets ctime: when it came here. */
		if (e->d_name[0] == '.' ||
		    fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) ==
		    -1 || st.st_ctime > before || !is_gone(a, txn, e->d_name))
			continue;
		if (S_ISDIR(st.st_mode))
			remove_tree(dirfd(d), e->d_name, 1);
		else
			unlinkat(dirfd(d), e->d_name, 0);
	}
	rtx_end(a);
	closedir(d);
}
