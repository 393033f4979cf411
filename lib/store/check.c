/* Comparing files and index, and making the index anew. */
#include "store/append.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/tuple.h"

#define PATH_MAX_BYTES ((size_t)4096)
#define LINE_MAX_BYTES ((size_t)65536)
#define TEXT_STEP 500 /* messages read at once while texts are made */

struct check {
	struct account *a;
	MDB_txn *txn;
	unsigned flags;
	void (*say)(void *ctx, struct slice line);
	void *ctx;
	int64_t findings;
	struct arena ar;
};

static void __attribute__((format(printf, 5, 6)))
finding(struct check *c, const struct box *b, uint32_t uid, const char *kind,
    const char *fmt, ...)
{
	struct strbuf line = STRBUF_INIT(LINE_MAX_BYTES);
	struct strbuf text = STRBUF_INIT(LINE_MAX_BYTES);
	va_list ap;

	va_start(ap, fmt);
	sb_vprintf(&text, fmt, ap);
	va_end(ap);
	tuple_begin(&line, "finding");
	tuple_puts(&line, "kind", kind);
	if (b != NULL)
		tuple_put(&line, "mailbox", b->name);
	if (uid != 0)
		tuple_putu(&line, "uid", uid);
	tuple_put(&line, "text", sb_slice(&text));
	c->say(c->ctx, sb_slice(&line));
	c->findings++;
	sb_free(&line);
	sb_free(&text);
}

/* The file where the record says it is, of the size it says. */
static void
check_file(struct check *c, const struct box *b, const struct rec *r)
{
	struct strbuf path = STRBUF_INIT(PATH_MAX_BYTES);
	struct stat st;

	if (rec_path(b, r, &path) == -1 || fstatat(c->a->maildir,
	    sb_cstr(&path), &st, AT_SYMLINK_NOFOLLOW) == -1)
		finding(c, b, r->uid, "file-missing", "%s", sb_cstr(&path));
	else if (!S_ISREG(st.st_mode))
		finding(c, b, r->uid, "file-odd", "%s is no regular file",
		    sb_cstr(&path));
	else if (!r->lf && (uint64_t)st.st_size != r->size)
		finding(c, b, r->uid, "size", "file %lld, index %llu",
		    (long long)st.st_size, (unsigned long long)r->size);
	sb_free(&path);
}

static void
check_rec(struct check *c, const struct box *b, const struct rec *r,
    const struct meta *m)
{
	struct tomb t;

	if (r->uid == 0 || r->uid >= b->uidnext)
		finding(c, b, r->uid, "uid", "not below UIDNEXT %lu",
		    (unsigned long)b->uidnext);
	if (r->createseq == 0 || r->modseq < r->createseq ||
	    r->modseq > b->modseq || b->modseq > m->modseq)
		finding(c, b, r->uid, "modseq", "created %llu, changed %llu, "
		    "mailbox %llu, account %llu",
		    (unsigned long long)r->createseq,
		    (unsigned long long)r->modseq,
		    (unsigned long long)b->modseq,
		    (unsigned long long)m->modseq);
	for (size_t i = 0; i < r->kws; i++)
		if (r->kw[i] >= b->keywords)
			finding(c, b, r->uid, "keyword", "number %u of %zu",
			    r->kw[i], b->keywords);
	if (tomb_get(c->a, c->txn, b->id, r->uid, &t) != 0)
		finding(c, b, r->uid, "tombstone", "of a living message");
	if ((c->flags & CHECK_FILES) != 0)
		check_file(c, b, r);
}

/* Each entry of `change' must belong to one message or tombstone. */
static int
check_changes(struct check *c, const struct box *b)
{
	struct walk k;
	struct rec rec;
	struct tomb t;
	uint64_t n = 0;
	int r;

	if (walk_begin(c->a, c->txn, DB_CHANGE, b->id, 0, 8, &k) == -1)
		return -1;
	while ((r = walk_next(&k)) == 1) {
		uint32_t uid = key_u32(&k.k, 12);
		uint64_t seq = key_u64(&k.k, 4), have = 0;

		n++;
		r = rec_get(c->a, c->txn, b->id, uid, &c->ar, &rec);
		if (r == 1)
			have = rec.modseq;
		else if (r == 0 && (r = tomb_get(c->a, c->txn, b->id, uid,
		    &t)) == 1)
			have = t.modseq;
		if (r == -1)
			break;
		if (have != seq)
			finding(c, b, uid, "change", "at %llu, record at %llu",
			    (unsigned long long)seq,
			    (unsigned long long)have);
	}
	walk_end(&k);
	if (r != -1 && n != (uint64_t)b->messages + b->tombstones)
		finding(c, b, 0, "change", "%llu entries for %lu messages "
		    "and %lu tombstones", (unsigned long long)n,
		    (unsigned long)b->messages, (unsigned long)b->tombstones);
	return r == -1 ? -1 : 0;
}

static void
check_counts(struct check *c, const struct box *b, const struct box *is)
{
	if (b->messages != is->messages || b->unseen != is->unseen ||
	    b->deleted != is->deleted || b->size != is->size ||
	    b->deleted_size != is->deleted_size)
		finding(c, b, 0, "counts", "recorded %lu %lu %lu %llu, "
		    "counted %lu %lu %lu %llu", (unsigned long)b->messages,
		    (unsigned long)b->unseen, (unsigned long)b->deleted,
		    (unsigned long long)b->size,
		    (unsigned long)is->messages, (unsigned long)is->unseen,
		    (unsigned long)is->deleted,
		    (unsigned long long)is->size);
}

static int
check_box(struct check *c, const struct box *b, const struct meta *m)
{
	struct box is = { 0 };
	struct walk k;
	struct rec rec;
	int r;

	if (b->uidnext > b->uidlimit)
		finding(c, b, 0, "uidlimit", "UIDNEXT %lu, promised %lu",
		    (unsigned long)b->uidnext, (unsigned long)b->uidlimit);
	if (b->uidvalidity >= m->next_uidvalidity)
		finding(c, b, 0, "uidvalidity", "%lu is not below the next",
		    (unsigned long)b->uidvalidity);
	if (walk_begin(c->a, c->txn, DB_MSG, b->id, 0, 4, &k) == -1)
		return -1;
	while ((r = walk_next(&k)) == 1) {
		r = rec_decode(slice_of(k.v.mv_data, k.v.mv_size),
		    key_u32(&k.k, 4), &c->ar, &rec);
		if (r == -1)
			break;
		is.messages++;
		is.size += rec.size;
		is.unseen += (rec.flags & FLAG_SEEN) == 0;
		if ((rec.flags & FLAG_DELETED) != 0) {
			is.deleted++;
			is.deleted_size += rec.size;
		}
		check_rec(c, b, &rec, m);
	}
	walk_end(&k);
	if (r == -1)
		return -1;
	check_counts(c, b, &is);
	return check_changes(c, b);
}

/* Special uses and names are unique; the sum of sizes is right. */
static void
check_account(struct check *c, struct box *list, size_t count,
    const struct meta *m)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < count; i++) {
		if (list[i].removed)
			continue;
		bytes += list[i].size;
		for (size_t k = i + 1; k < count; k++) {
			if (list[k].removed)
				continue;
			if (slice_eq(list[i].name, list[k].name))
				finding(c, &list[i], 0, "name", "twice");
			if ((list[i].special & list[k].special) != 0)
				finding(c, &list[k], 0, "special",
				    "a special use twice");
			if (list[i].uidvalidity == list[k].uidvalidity)
				finding(c, &list[k], 0, "uidvalidity",
				    "twice");
		}
	}
	if (bytes != m->bytes)
		finding(c, NULL, 0, "bytes", "recorded %llu, sum %llu",
		    (unsigned long long)m->bytes, (unsigned long long)bytes);
}

/* Files that no record names: how many a scan would take in. */
static int
sync_all(struct account *a, struct box *list, size_t count, bool *changed)
{
	int r = account_sync(a);

	if (r == -1)
		return -1;
	*changed = r == 1;
	for (size_t i = 0; i < count; i++) {
		if (list[i].removed)
			continue;
		if ((r = mailbox_sync(a, list[i].id)) == -1 &&
		    errno != ENOENT)
			return -1;
		*changed = *changed || r > 0;
	}
	return 0;
}

static int
check_all(struct check *c)
{
	struct box *list;
	struct meta m;
	size_t count;

	if (meta_get(c->a, c->txn, &m) == -1 ||
	    box_all(c->a, c->txn, &c->ar, &list, &count) == -1)
		return -1;
	check_account(c, list, count, &m);
	for (size_t i = 0; i < count; i++)
		if (!list[i].removed && check_box(c, &list[i], &m) == -1)
			return -1;
	return 0;
}

int64_t
account_check(struct account *a, unsigned flags,
    void (*say)(void *ctx, struct slice line), void *ctx)
{
	struct check c = { .a = a, .flags = flags, .say = say, .ctx = ctx };
	struct box *list;
	size_t count;
	bool changed = false;
	int r;

	if (rtx_begin(a, &c.txn) == -1)
		return -1;
	r = box_all(a, c.txn, &c.ar, &list, &count);
	rtx_end(a);
	/* What other programs did is no fault of the index: take it in. */
	if (r == 0)
		r = sync_all(a, list, count, &changed);
	if (r == 0 && rtx_begin(a, &c.txn) == 0) {
		r = check_all(&c);
		rtx_end(a);
	} else
		r = -1;
	arena_free(&c.ar);
	return r == -1 ? -1 : c.findings;
}

/* ---- rebuild ---- */

static void
remove_index(int dir, const char *name)
{
	struct dirent *e;
	DIR *d;
	int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd == -1 || (d = fdopendir(fd)) == NULL) {
		if (fd != -1)
			close(fd);
		return;
	}
	while ((e = readdir(d)) != NULL)
		if (e->d_name[0] != '.')
			unlinkat(dirfd(d), e->d_name, 0);
	closedir(d);
	unlinkat(dir, name, AT_REMOVEDIR);
}

static int
make_texts(struct account *a, struct mailbox *mb)
{
	struct arena ar = { 0 };
	struct message *list;
	struct message_text t;
	uint32_t next = 1;
	size_t count;
	int r;

	while ((r = message_list(a, mb->id, next, UID_MAX, TEXT_STEP, &ar,
	    &list, &count)) == 0 && count != 0) {
		for (size_t i = 0; r != -1 && i < count; i++)
			r = message_text(a, mb->id, list[i].uid, &ar, &t);
		if (r == -1)
			break;
		next = list[count - 1].uid + 1;
		arena_reset(&ar);
	}
	arena_free(&ar);
	return r;
}

int
account_rebuild(int dir, const char *path, bool texts)
{
	struct arena ar = { 0 };
	struct account *a;
	struct mailbox *list;
	char old[64];
	size_t count;
	int r = -1, e, fd = openat(dir, path, O_RDONLY | O_DIRECTORY |
	    O_CLOEXEC);

	if (fd == -1)
		return -1;
	snprintf(old, sizeof(old), "index.old.%lld", (long long)clock_unix());
	if (renameat(fd, "index", fd, old) == -1 && errno != ENOENT) {
		close(fd);
		return -1;
	}
	a = account_open(dir, path, ACCOUNT_CREATE);
	if (a != NULL && mailbox_list(a, false, &ar, &list, &count) == 0) {
		r = 0;
		for (size_t i = 0; texts && r == 0 && i < count; i++)
			r = make_texts(a, &list[i]);
	}
	e = errno;
	account_close(a);
	if (r == 0)
		remove_index(fd, old);
	close(fd);
	arena_free(&ar);
	errno = e;
	return r;
}
