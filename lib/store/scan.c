/*
 * What other programs did to the files, and what a crash left half done.
 *
 * A scan runs inside a write transaction, so that nothing of ours changes the
 * files meanwhile, except that a message already committed gets its name.
 */
#include "store/append.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"

#define PATH_MAX_BYTES ((size_t)1024)
#define FILES_MAX 2000000 /* names in one mailbox */
/* After an own change the directories' times do not show whether another
 * program changed something in the same instant: look once more later, and
 * the larger the mailbox, the more rarely. */
#define SETTLE_MS 2000
#define SETTLE_MESSAGES_PER_MS 2
#define WRITER_SECONDS 60
#define MTIME_GRAIN_MS 100 /* coarser than any file system's clock we meet */

/* ---- hints ---- */

static int64_t
now_ms(void)
{
	return clock_unix_us() / 1000;
}

static int64_t
mtime_ns(int dir, const struct strbuf *path)
{
	struct stat st;

	if (fstatat(dir, sb_cstr(path), &st, 0) == -1)
		return -1;
	return (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
}

void
seen_get(struct account *a, uint32_t slot, struct seen *s)
{
	if (pread_full(a->seen, s, sizeof(*s),
	    (off_t)slot * (off_t)sizeof(*s)) == -1)
		*s = (struct seen){ 0 };
}

/* If it cannot be written there will be one scan more than needed. */
static void
seen_put(struct account *a, uint32_t slot, const struct seen *s)
{
	int e = errno;

	(void)!pwrite(a->seen, s, sizeof(*s),
	    (off_t)slot * (off_t)sizeof(*s));
	errno = e;
}

static void
seen_times(struct account *a, const struct box *b, struct seen *s)
{
	struct strbuf path = STRBUF_INIT(PATH_MAX_BYTES);

	s->new_mtime = s->cur_mtime = -1;
	if (box_path(b, "new", SLICE_NONE, &path) == 0)
		s->new_mtime = mtime_ns(a->maildir, &path);
	if (box_path(b, "cur", SLICE_NONE, &path) == 0)
		s->cur_mtime = mtime_ns(a->maildir, &path);
	sb_free(&path);
}

bool
seen_before(struct account *a, const struct box *b)
{
	struct seen was, is, dirty;
	bool clean;

	seen_get(a, b->id, &was);
	seen_times(a, b, &is);
	clean = was.state != SEEN_NOTHING &&
	    was.new_mtime == is.new_mtime && was.cur_mtime == is.cur_mtime;
	dirty = was;
	dirty.state = SEEN_NOTHING;
	seen_put(a, b->id, &dirty);
	return clean;
}

void
seen_after(struct account *a, const struct box *b, bool clean)
{
	struct seen s;

	if (!clean)
		return;
	seen_get(a, b->id, &s);
	seen_times(a, b, &s);
	s.state = SEEN_UNSETTLED;
	seen_put(a, b->id, &s);
}

bool
scan_needed(const struct seen *was, const struct seen *is, uint32_t messages)
{
	int64_t wait = SETTLE_MS + messages / SETTLE_MESSAGES_PER_MS;

	if (was->state == SEEN_NOTHING || was->new_mtime != is->new_mtime ||
	    was->cur_mtime != is->cur_mtime)
		return true;
	return was->state == SEEN_UNSETTLED && now_ms() - was->scanned > wait;
}

/* `before' was read before the scan began. */
void
seen_scanned(struct account *a, uint32_t slot, struct seen *before)
{
	int64_t latest = before->new_mtime > before->cur_mtime ?
	    before->new_mtime : before->cur_mtime;

	before->scanned = now_ms();
	before->state = before->scanned - latest / 1000000 > MTIME_GRAIN_MS ?
	    SEEN_SETTLED : SEEN_UNSETTLED;
	seen_put(a, slot, before);
}

/* ---- listing ---- */

struct file {
	struct slice base, info;
	enum maildir_where where;
	bool used;
};

struct listing {
	struct file *file;
	size_t count, cap;
	size_t *slot; /* hash table of index + 1 */
	size_t slots; /* a power of two */
	struct arena *ar;
};

static size_t
hash(struct slice s)
{
	uint64_t h = 14695981039346656037u; /* FNV-1a */

	for (size_t i = 0; i < s.n; i++)
		h = (h ^ s.p[i]) * 1099511628211u;
	return (size_t)(h ^ h >> 32);
}

static int
file_order(const void *a, const void *b)
{
	const struct file *x = a, *y = b;
	int64_t s = maildir_seconds(x->base), t = maildir_seconds(y->base);

	if (s != t)
		return s < t ? -1 : 1;
	return slice_cmp(x->base, y->base);
}

static struct file *
listing_find(struct listing *l, struct slice base)
{
	size_t i;

	if (l->slots == 0)
		return NULL;
	for (i = hash(base) & (l->slots - 1); l->slot[i] != 0;
	    i = (i + 1) & (l->slots - 1))
		if (slice_eq(l->file[l->slot[i] - 1].base, base))
			return &l->file[l->slot[i] - 1];
	return NULL;
}

static void
listing_hash(struct listing *l)
{
	for (l->slots = 64; l->slots < size_mul(l->count, 2);)
		l->slots *= 2;
	l->slot = arena_alloc(l->ar, size_mul(l->slots, sizeof(*l->slot)));
	for (size_t n = 0; n < l->count; n++) {
		size_t i = hash(l->file[n].base) & (l->slots - 1);

		while (l->slot[i] != 0)
			i = (i + 1) & (l->slots - 1);
		l->slot[i] = n + 1;
	}
}

static void
listing_add(struct listing *l, const char *name, enum maildir_where where)
{
	struct file *f;

	if (l->count == l->cap) {
		size_t cap = l->cap != 0 ? size_mul(l->cap, 2) : 256;

		l->file = arena_grow(l->ar, l->file,
		    l->cap * sizeof(*l->file), size_mul(cap,
		    sizeof(*l->file)));
		l->cap = cap;
	}
	f = &l->file[l->count++];
	*f = (struct file){ .where = where };
	maildir_split(arena_copy(l->ar, slice_str(name)), &f->base, &f->info);
}

static int
list_dir(struct account *a, const struct box *b, enum maildir_where where,
    struct listing *l)
{
	struct strbuf path = STRBUF_INIT(PATH_MAX_BYTES);
	struct dirent *e;
	DIR *d = NULL;
	int fd = -1;

	if (box_path(b, maildir_sub(where), SLICE_NONE, &path) == 0)
		fd = openat(a->maildir, sb_cstr(&path),
		    O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	sb_free(&path);
	if (fd == -1)
		return errno == ENOENT ? 0 : -1;
	if ((d = fdopendir(fd)) == NULL) {
		close(fd);
		return -1;
	}
	while (errno = 0, (e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.' || (e->d_type != DT_REG &&
		    e->d_type != DT_UNKNOWN))
			continue;
		if (l->count == FILES_MAX) {
			errno = E2BIG;
			break;
		}
		listing_add(l, e->d_name, where);
	}
	fd = errno;
	closedir(d);
	errno = fd;
	return errno != 0 ? -1 : 0;
}

/* new/ first: a message that another program moves meanwhile is then seen in
 * cur/. One name twice: the one in cur/ counts. */
static int
list_box(struct account *a, const struct box *b, struct arena *ar,
    struct listing *l)
{
	size_t n = 0;

	*l = (struct listing){ .ar = ar };
	if (list_dir(a, b, IN_NEW, l) == -1 || list_dir(a, b, IN_CUR, l) == -1)
		return -1;
	if (l->count == 0)
		return 0;
	qsort(l->file, l->count, sizeof(*l->file), file_order);
	for (size_t i = 0; i < l->count; i++) {
		if (n != 0 && slice_eq(l->file[n - 1].base, l->file[i].base)) {
			if (l->file[i].where == IN_CUR)
				l->file[n - 1] = l->file[i];
			continue;
		}
		l->file[n++] = l->file[i];
	}
	l->count = n;
	listing_hash(l);
	return 0;
}

/* ---- comparing ---- */

struct scan {
	struct wtx *w;
	struct box *b;
	struct listing files;
	struct unlettered unlettered; /* when the index was made anew */
	struct listing again; /* second look, when something is missing */
	bool looked_again, changed;
	bool unfinished; /* a file was left out, somebody is writing it */
};

/* The file was renamed, perhaps for flags. */
static int
take_flags(struct scan *s, const struct rec *old, const struct file *f)
{
	struct rec r = *old;

	if (old->where == f->where && slice_eq(old->info, f->info))
		return 0;
	r.where = f->where;
	r.info = f->info;
	if (rec_from_info(s->w, s->b, f->info, &r) == -1)
		return -1;
	if (rec_same_flags(old, &r))
		return rec_rewrite(s->w, s->b, &r);
	s->changed = true;
	return rec_change(s->w, s->b, old, &r);
}

/* End a rename from tmp/, or take back one to gone/: 1 if there was one. */
static int
recover(struct scan *s, const struct rec *r)
{
	struct strbuf from = STRBUF_INIT(PATH_MAX_BYTES);
	struct strbuf to = STRBUF_INIT(PATH_MAX_BYTES);
	struct account *a = s->w->a;
	int rc = -1;

	if (rec_path(s->b, r, &to) == -1 || box_path(s->b, "tmp",
	    maildir_tmp(r->base), &from) == -1)
		goto out;
	if (!slice_eq(maildir_tmp(r->base), r->base))
		rc = renameat(a->maildir, sb_cstr(&from), a->maildir,
		    sb_cstr(&to));
	if (rc == -1) {
		gone_path(&from, s->b->id, r->uid);
		rc = renameat(a->dir, sb_cstr(&from), a->maildir,
		    sb_cstr(&to));
	}
	if (rc == -1 && errno == ENOENT)
		rc = 0;
	else if (rc == 0)
		rc = 1;
out:
	sb_free(&from);
	sb_free(&to);
	return rc;
}

/* A record without its file. */
static int
missing(struct scan *s, const struct rec *r)
{
	const struct file *f;
	int rc = recover(s, r);

	if (rc != 0)
		return rc == 1 ? 0 : -1;
	/* Another program may have renamed it while the directory was read:
	 * it is gone only if it is not there at a second look either. */
	if (!s->looked_again) {
		if (list_box(s->w->a, s->b, &s->w->ar, &s->again) == -1)
			return -1;
		s->looked_again = true;
	}
	f = listing_find(&s->again, r->base);
	if (f != NULL)
		return take_flags(s, r, f);
	s->changed = true;
	return rec_remove(s->w, s->b, r);
}

/* All records of the mailbox, so that they can be changed while walking. */
static int
load(struct scan *s, struct rec **list, size_t *count)
{
	struct walk k;
	size_t cap = s->b->messages;
	int r;

	*list = arena_alloc(&s->w->ar, size_mul(cap + 1, sizeof(**list)));
	*count = 0;
	if (walk_begin(s->w->a, s->w->txn, DB_MSG, s->b->id, 0, 4, &k) == -1)
		return -1;
	while ((r = walk_next(&k)) == 1 && *count < cap) {
		r = rec_decode(slice_of(k.v.mv_data, k.v.mv_size),
		    key_u32(&k.k, 4), &s->w->ar, &(*list)[*count]);
		if (r == -1)
			break;
		++*count;
	}
	walk_end(&k);
	return r == -1 ? -1 : 0;
}

static int
compare(struct scan *s)
{
	struct rec *list;
	size_t count;

	if (load(s, &list, &count) == -1)
		return -1;
	for (size_t i = 0; i < count; i++) {
		struct file *f = listing_find(&s->files, list[i].base);
		int r;

		if (f != NULL)
			f->used = true;
		r = f != NULL ? take_flags(s, &list[i], f) :
		    missing(s, &list[i]);
		if (r == -1)
			return -1;
	}
	return 0;
}

/* ---- files without a record ---- */

/* Does another program's file have bare LF, and what is its size with CRLF? */
static int
measure(int fd, uint64_t *size, bool *lf)
{
	struct slice s;
	size_t bare = 0;

	if (fd_map(fd, &s) == -1)
		return -1;
	for (size_t i = 0; i < s.n; i++) {
		const unsigned char *p = memchr(s.p + i, '\n', s.n - i);

		if (p == NULL)
			break;
		i = (size_t)(p - s.p);
		bare += i == 0 || s.p[i - 1] != '\r';
	}
	*size = s.n + bare;
	*lf = bare != 0;
	fd_unmap(s);
	return 0;
}

/*
 * Does somebody write this file? A read lease is refused while anyone has it
 * open for writing (fcntl(2)). One that is not our own, or whose writer has
 * been silent for a minute, is taken as it is.
 */
static bool
being_written(int fd, const struct stat *st)
{
	if (now_ms() / 1000 - st->st_mtime > WRITER_SECONDS)
		return false;
	/* Who opens it for writing now would send SIGIO, which ends us. */
	if (fcntl(fd, F_SETSIG, SIGURG) == -1)
		return false;
	if (fcntl(fd, F_SETLEASE, F_RDLCK) == -1)
		return errno == EAGAIN;
	(void)fcntl(fd, F_SETLEASE, F_UNLCK);
	return false;
}

static int
uid_free(struct scan *s, uint32_t uid)
{
	struct arena ar = { 0 };
	struct rec rec;
	struct tomb t;
	int r = rec_get(s->w->a, s->w->txn, s->b->id, uid, &ar, &rec);

	if (r == 0)
		r = tomb_get(s->w->a, s->w->txn, s->b->id, uid, &t);
	arena_free(&ar);
	return r == -1 ? -1 : r == 0;
}

/*
 * The UID of a file that is ours by its name: 1. It counts only if the index
 * was made anew (or went back in time) since the name was given; else the file
 * is a copy, or was put back from a backup, and is a new message.
 */
static int
own_uid(struct scan *s, struct slice base, uint32_t *uid)
{
	uint32_t v;
	int r;

	if (maildir_tag(base, &v, uid) == 0 || v != s->b->uidvalidity ||
	    *uid >= UID_MAX - UID_RESERVE)
		return 0;
	if (*uid >= s->b->adopt &&
	    (*uid < s->b->uidnext || *uid >= s->b->uidlimit))
		return 0;
	r = uid_free(s, *uid);
	if (r == 1 && *uid >= s->b->uidnext)
		s->b->uidnext = *uid + 1;
	return r;
}

/* Put our tag into a file's name; if it cannot be, it stays as it is. */
static void
tag(struct scan *s, struct rec *r, int64_t size)
{
	struct strbuf bare = STRBUF_INIT(PATH_MAX_BYTES);
	struct strbuf from = STRBUF_INIT(PATH_MAX_BYTES);
	struct strbuf to = STRBUF_INIT(PATH_MAX_BYTES);
	struct rec named = *r;
	bool has_size = slice_find(r->base, S(",S=")) != -1;

	maildir_untag(r->base, &bare);
	maildir_base(&to, sb_slice(&bare), has_size ? -1 : size,
	    s->b->uidvalidity, r->uid);
	named.base = arena_copy(&s->w->ar, sb_slice(&to));
	if (named.base.n + r->info.n < NAME_MAX &&
	    rec_path(s->b, r, &from) == 0 && rec_path(s->b, &named, &to) == 0 &&
	    renameat2(s->w->a->maildir, sb_cstr(&from), s->w->a->maildir,
	    sb_cstr(&to), RENAME_NOREPLACE) == 0)
		r->base = named.base;
	sb_free(&bare);
	sb_free(&from);
	sb_free(&to);
}

static int
adopt(struct scan *s, const struct file *f)
{
	struct rec r = { .base = f->base, .info = f->info,
		.where = f->where };
	struct stat st;
	int own, fd = rec_open(s->w->a, s->b, &r);

	if (fd != -1 && fstat(fd, &st) == 0 && being_written(fd, &st)) {
		s->unfinished = true;
		close(fd);
		return 0;
	}
	if (fd == -1 || fstat(fd, &st) == -1 || !S_ISREG(st.st_mode) ||
	    measure(fd, &r.size, &r.lf) == -1) {
		if (fd != -1)
			close(fd);
		return 0; /* gone again, or not ours to read */
	}
	close(fd);
	r.received = st.st_mtime;
	r.saved = maildir_seconds(f->base);
	if ((own = own_uid(s, f->base, &r.uid)) == -1)
		return -1;
	if (!own || r.saved == -1)
		r.saved = clock_unix();
	if (!own) {
		r.uid = s->b->uidnext++;
		tag(s, &r, st.st_size);
	}
	if (rec_from_info(s->w, s->b, r.info, &r) == -1 ||
	    (own && unlettered_apply(s->w, s->b, &s->unlettered, &r) == -1))
		return -1;
	s->changed = true;
	return rec_add(s->w, s->b, &r);
}

int
scan_box(struct wtx *w, struct box *b, bool *changed, bool *unfinished)
{
	struct scan s = { .w = w, .b = b };

	STEP("scan");
	if (list_box(w->a, b, &w->ar, &s.files) == -1 ||
	    box_keywords_read(w, b) == -1 || compare(&s) == -1)
		return -1;
	if (b->messages == 0 && s.files.count != 0)
		unlettered_read(w, b, &s.unlettered);
	/* Own names first, then strangers: their UIDs come after. */
	for (size_t i = 0; i < s.files.count; i++) {
		struct file *f = &s.files.file[i];
		uint32_t v, uid;

		if (!f->used && maildir_tag(f->base, &v, &uid) == 1 &&
		    v == b->uidvalidity) {
			f->used = true;
			if (adopt(&s, f) == -1)
				return -1;
		}
	}
	for (size_t i = 0; i < s.files.count; i++)
		if (!s.files.file[i].used && adopt(&s, &s.files.file[i]) == -1)
			return -1;
	if (box_reserve(w, b) == -1)
		return -1;
	*changed = s.changed;
	*unfinished = s.unfinished;
	return box_put(w, b);
}

/* Is a scan needed? 1 and what the directories' times are now, 0, -1. */
static int
look(struct account *a, MDB_txn *txn, uint32_t box, struct arena *ar,
    struct box *b, struct seen *now)
{
	struct seen was;

	if (box_live(a, txn, box, ar, b) == -1)
		return -1;
	*now = (struct seen){ 0 };
	seen_get(a, box, &was);
	seen_times(a, b, now);
	return scan_needed(&was, now, b->messages);
}

int
mailbox_sync(struct account *a, uint32_t box)
{
	struct arena ar = { 0 };
	struct seen now;
	struct wtx w;
	struct box b;
	MDB_txn *txn;
	bool changed = false, unfinished = false;
	int r;

	if (rtx_begin(a, &txn) == -1)
		return -1;
	r = look(a, txn, box, &ar, &b, &now);
	rtx_end(a);
	arena_free(&ar);
	if (r != 1)
		return r;
	if (wtx_begin(a, &w) == -1)
		return -1;
	/* Again, now that no one of ours is in the middle of a change. */
	r = look(a, w.txn, box, &w.ar, &b, &now);
	if (r == 1)
		r = scan_box(&w, &b, &changed, &unfinished) == -1 ? -1 : 1;
	if (r != 1) {
		wtx_abort(&w);
		return r;
	}
	if (wtx_commit(&w) == -1)
		return -1;
	if (!unfinished) /* else the next call scans again */
		seen_scanned(a, box, &now);
	if (changed)
		bell_ring(a);
	return unfinished ? 2 : changed;
}
