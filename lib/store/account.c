/* Accounts: opening, and the set of their mailboxes. */
#include "store/index.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"

#define PATH_MAX_BYTES ((size_t)4096)
#define ACCOUNT_NAME_MAX 100

static const struct {
	const char *name;
	unsigned special;
} defaults[] = {
	{ "INBOX", 0 },
	{ "Sent", SPECIAL_SENT },
	{ "Archive", SPECIAL_ARCHIVE },
	{ "Drafts", SPECIAL_DRAFTS },
	{ "Trash", SPECIAL_TRASH },
	{ "Junk", SPECIAL_JUNK },
};

bool
account_name_ok(struct slice name)
{
	if (name.n == 0 || name.n > ACCOUNT_NAME_MAX || name.p[0] == '.')
		return false;
	for (size_t i = 0; i < name.n; i++)
		if (name.p[i] < 0x21 || name.p[i] == 0x7f || name.p[i] == '/')
			return false;
	return true;
}

int
account_dir(const struct account *a)
{
	return a->dir;
}

void
account_quota(struct account *a, uint64_t bytes)
{
	a->quota = bytes;
}

int
account_state(struct account *a, uint64_t *modseq, uint64_t *bytes)
{
	struct meta m;
	MDB_txn *txn;
	int r;

	if (rtx_begin(a, &txn) == -1)
		return -1;
	r = meta_get(a, txn, &m);
	rtx_end(a);
	if (r == 0) {
		*modseq = m.modseq;
		*bytes = m.bytes;
	}
	return r;
}

/* ---- the set of directories ---- */

struct dirs {
	struct slice *name;
	size_t count, cap;
};

static void
dirs_add(struct dirs *l, struct arena *ar, const char *name)
{
	if (l->count == l->cap) {
		size_t cap = l->cap != 0 ? size_mul(l->cap, 2) : 64;

		l->name = arena_grow(ar, l->name, l->cap * sizeof(*l->name),
		    size_mul(cap, sizeof(*l->name)));
		l->cap = cap;
	}
	l->name[l->count++] = arena_copy(ar, slice_str(name));
}

static bool
is_mailbox_dir(int dir, const char *name)
{
	struct strbuf path = STRBUF_INIT(PATH_MAX_BYTES);
	struct stat st;
	bool good;

	sb_puts(&path, name);
	sb_puts(&path, "/cur");
	good = fstatat(dir, sb_cstr(&path), &st, 0) == 0 &&
	    S_ISDIR(st.st_mode);
	sb_free(&path);
	return good;
}

static int
dirs_list(struct account *a, struct arena *ar, struct dirs *l)
{
	struct dirent *e;
	DIR *d;
	int fd = openat(a->maildir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd == -1)
		return -1;
	if ((d = fdopendir(fd)) == NULL) {
		close(fd);
		return -1;
	}
	if (is_mailbox_dir(a->maildir, "."))
		dirs_add(l, ar, ".");
	while (errno = 0, l->count <= STORE_MAILBOX_MAX &&
	    (e = readdir(d)) != NULL)
		if (e->d_name[0] == '.' && strcmp(e->d_name, ".") != 0 &&
		    strcmp(e->d_name, "..") != 0 &&
		    is_mailbox_dir(a->maildir, e->d_name))
			dirs_add(l, ar, e->d_name);
	fd = errno;
	closedir(d);
	errno = fd;
	return l->count <= STORE_MAILBOX_MAX && errno != 0 ? -1 : 0;
}

/*
 * Is the mailbox's directory where its record says? Only what is surely not
 * there is missing: what readdir() has not shown may be.
 */
static bool
box_present(struct account *a, const struct box *b)
{
	struct strbuf path = STRBUF_INIT(PATH_MAX_BYTES);
	struct stat st;
	bool there = box_path(b, "cur", SLICE_NONE, &path) == -1 ||
	    fstatat(a->maildir, sb_cstr(&path), &st, 0) == 0 ||
	    (errno != ENOENT && errno != ENOTDIR);

	sb_free(&path);
	return there;
}

/* The living mailbox whose directory has this UIDVALIDITY but is not where
 * its record says. */
static struct box *
find_moved(struct account *a, struct box *list, size_t count, uint32_t v)
{
	for (size_t i = 0; i < count; i++)
		if (!list[i].removed && list[i].uidvalidity == v &&
		    !box_present(a, &list[i]))
			return &list[i];
	return NULL;
}

/* Bring a directory's name to the form in which we write it. */
static bool
dir_canonical(struct account *a, struct slice dir, struct slice name)
{
	struct strbuf want = STRBUF_INIT(PATH_MAX_BYTES);
	struct strbuf have = STRBUF_INIT(PATH_MAX_BYTES);
	bool good = maildir_from_name(name, &want) == 0;

	sb_put(&have, dir);
	if (good && !slice_eq(sb_slice(&want), dir))
		good = renameat2(a->maildir, sb_cstr(&have), a->maildir,
		    sb_cstr(&want), RENAME_NOREPLACE) == 0;
	sb_free(&want);
	sb_free(&have);
	return good;
}

/* A directory that no record names: renamed, or new. */
static int
take_dir(struct wtx *w, struct box *list, size_t count, struct slice dir)
{
	struct strbuf text = STRBUF_INIT(PATH_MAX_BYTES);
	struct slice name = SLICE_NONE;
	struct box_file f;
	struct box *moved, b;
	int r = maildir_to_name(dir, &text);

	if (r == 0)
		r = mailbox_name(sb_slice(&text), &w->ar, &name);
	sb_free(&text);
	if (r == -1 || box_named(w->a, w->txn, name, &w->ar, &b) != 0 ||
	    !dir_canonical(w->a, dir, name))
		return 0; /* not a name that can be shown: left alone */
	if ((r = box_file_read(w->a, dir, &f)) == -1)
		return -1;
	moved = r == 1 ? find_moved(w->a, list, count, f.uidvalidity) : NULL;
	if (box_parents(w, name, false) == -1)
		return -1;
	if (moved == NULL)
		return box_make(w, name, 0, &b);
	moved->oldname = moved->name;
	moved->name = name;
	moved->nameseq = wtx_seq(w);
	return box_put(w, moved);
}

/* A record whose directory is not there: a removal that was not committed is
 * taken back, else another program removed it. */
static int
lost_dir(struct wtx *w, struct box *b)
{
	struct strbuf from = STRBUF_INIT(PATH_MAX_BYTES);
	struct strbuf to = STRBUF_INIT(PATH_MAX_BYTES);
	int r = box_dir(b, &to);

	sb_printf(&from, "gone/box.%lu", (unsigned long)b->id);
	if (r == 0)
		r = renameat(w->a->dir, sb_cstr(&from), w->a->maildir,
		    sb_cstr(&to));
	sb_free(&from);
	sb_free(&to);
	if (r == 0 || errno != ENOENT)
		return r;
	if (box_clear(w, b) == -1)
		return -1;
	b->removed = true;
	b->special = 0;
	b->nameseq = b->modseq = wtx_seq(w);
	return box_put(w, b);
}

static int
dir_order(const void *a, const void *b)
{
	return slice_cmp(*(const struct slice *)a, *(const struct slice *)b);
}

/* The directories of the living mailboxes, sorted. */
static void
dirs_of(const struct box *list, size_t count, struct arena *ar,
    struct dirs *known)
{
	struct strbuf dir = STRBUF_INIT(PATH_MAX_BYTES);

	for (size_t i = 0; i < count; i++) {
		sb_reset(&dir);
		if (!list[i].removed && box_dir(&list[i], &dir) == 0)
			dirs_add(known, ar, sb_cstr(&dir));
	}
	if (known->count != 0)
		qsort(known->name, known->count, sizeof(*known->name),
		    dir_order);
	sb_free(&dir);
}

int
scan_account(struct wtx *w, bool *changed)
{
	struct dirs dirs = { 0 }, known = { 0 };
	struct box *list;
	size_t count;
	uint64_t seq = w->seq;

	if (dirs_list(w->a, &w->ar, &dirs) == -1 ||
	    box_all(w->a, w->txn, &w->ar, &list, &count) == -1)
		return -1;
	dirs_of(list, count, &w->ar, &known);
	for (size_t i = 0; i < dirs.count; i++)
		if ((known.count == 0 || bsearch(&dirs.name[i], known.name,
		    known.count, sizeof(*known.name), dir_order) == NULL) &&
		    take_dir(w, list, count, dirs.name[i]) == -1)
			return -1;
	/* With the renamed ones in their new places. */
	for (size_t i = 0; i < count; i++)
		if (!list[i].removed && !box_present(w->a, &list[i]) &&
		    lost_dir(w, &list[i]) == -1)
			return -1;
	*changed = w->seq != seq;
	return 0;
}

int
account_sync(struct account *a)
{
	struct seen was, now = { 0 };
	struct stat st;
	struct wtx w;
	bool changed = false;

	if (fstat(a->maildir, &st) == -1)
		return -1;
	now.new_mtime = now.cur_mtime =
	    (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
	seen_get(a, 0, &was);
	if (!scan_needed(&was, &now, 0))
		return 0;
	if (wtx_begin(a, &w) == -1)
		return -1;
	if (scan_account(&w, &changed) == -1) {
		wtx_abort(&w);
		return -1;
	}
	if (!changed)
		wtx_abort(&w);
	else if (wtx_commit(&w) == -1)
		return -1;
	seen_scanned(a, 0, &now);
	if (changed)
		bell_ring(a);
	return changed;
}

/* ---- opening ---- */

static int
make_default(struct wtx *w, struct slice name, unsigned special)
{
	struct box b;
	int r = box_named(w->a, w->txn, name, &w->ar, &b);

	if (r != 0)
		return r == 1 ? 0 : -1;
	if (box_make(w, name, special, &b) == -1)
		return -1;
	/* With as many subscriptions as there may be, it is there without. */
	r = sub_put(w, name, true);
	return r == -1 && errno == E2BIG ? 0 : r;
}

/* What ACCOUNT_CREATE promises; only a new account gets all defaults, an old
 * one whose Trash was removed keeps its owner's choice. */
static int
make_defaults(struct wtx *w, bool all)
{
	for (size_t i = 0; i < (all ? COUNTOF(defaults) : 1); i++)
		if (make_default(w, slice_str(defaults[i].name),
		    defaults[i].special) == -1)
			return -1;
	return subscriptions_write(w);
}

/* A new index: everything that the files say, with the UIDs in their names. */
static int
fill(struct wtx *w, bool new_account)
{
	struct box *list;
	size_t count;
	bool changed, unfinished;

	if (subscriptions_read(w) == -1 || scan_account(w, &changed) == -1 ||
	    make_defaults(w, new_account) == -1 ||
	    box_all(w->a, w->txn, &w->ar, &list, &count) == -1)
		return -1;
	for (size_t i = 0; i < count; i++)
		if (!list[i].removed && scan_box(w, &list[i], &changed,
		    &unfinished) == -1)
			return -1;
	return 0;
}

static int
first_fill(struct account *a, bool new_account)
{
	struct wtx w;
	struct box *list;
	size_t count;
	int r;

	if (wtx_begin(a, &w) == -1)
		return -1;
	/* Another process may have been faster, or have died between the
	 * format and this. */
	r = box_all(a, w.txn, &w.ar, &list, &count);
	if (r == 0 && count == 0)
		gone_orphan(a);
	if (r == -1 || count != 0 || fill(&w, new_account) == -1) {
		wtx_abort(&w);
		return r == 0 && count != 0 ? 0 : -1;
	}
	if (wtx_commit(&w) == -1)
		return -1;
	bell_ring(a);
	return 0;
}

static int
needs_fill(struct account *a)
{
	struct arena ar = { 0 };
	struct box *list;
	size_t count = 0;
	MDB_txn *txn;
	int r;

	if (a->fresh)
		return 1;
	if (rtx_begin(a, &txn) == -1)
		return -1;
	r = box_all(a, txn, &ar, &list, &count);
	rtx_end(a);
	arena_free(&ar);
	return r == -1 ? -1 : count == 0;
}

static int
open_dirs(struct account *a, int dir, const char *path, unsigned flags,
    bool *new_account)
{
	if ((flags & ACCOUNT_CREATE) != 0 && dir_make(dir, path, 0700) == -1)
		return -1;
	a->dir = openat(dir, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* Until the account is whole: LMDB finds a file half made by another
	 * process damaged. */
	if (a->dir == -1 || flock(a->dir, LOCK_EX) == -1)
		return -1;
	a->maildir = openat(a->dir, "Maildir",
	    O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*new_account = a->maildir == -1 && errno == ENOENT;
	if (*new_account && (flags & ACCOUNT_CREATE) != 0 &&
	    dir_make(a->dir, "Maildir", 0700) == 0)
		a->maildir = openat(a->dir, "Maildir",
		    O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (a->maildir == -1 || dir_make(a->dir, "gone", 0700) == -1)
		return -1;
	return *new_account ? dir_sync(a->dir, ".") : 0;
}

static int
open_all(struct account *a, int dir, const char *path, unsigned flags)
{
	struct strbuf index = STRBUF_INIT(PATH_MAX_BYTES);
	bool new_account = false;
	int r = open_dirs(a, dir, path, flags, &new_account);

	if (dir == AT_FDCWD)
		sb_puts(&index, path);
	else /* LMDB takes a path only */
		sb_printf(&index, "/proc/self/fd/%d", a->dir);
	sb_puts(&index, "/index");
	if (r == 0)
		r = index.over ? -1 : index_open(a, sb_cstr(&index));
	sb_free(&index);
	if (r == 0)
		r = needs_fill(a);
	return r == 1 ? first_fill(a, new_account) : r;
}

struct account *
account_open(int dir, const char *path, unsigned flags)
{
	struct account *a = xcalloc(1, sizeof(*a));

	*a = (struct account){ .dir = -1, .maildir = -1, .seen = -1 };
	if (open_all(a, dir, path, flags) == -1) {
		account_close(a);
		return NULL;
	}
	(void)flock(a->dir, LOCK_UN);
	gone_clean(a);
	return a;
}

void
account_close(struct account *a)
{
	int e = errno;

	if (a == NULL)
		return;
	index_close(a);
	if (a->maildir != -1)
		close(a->maildir);
	if (a->dir != -1)
		close(a->dir);
	free(a);
	errno = e;
}
