/* Reading: records, changes, views, texts, files. */
#include "store/index.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "imf/parts.h"
#include "store/append.h"

#define PATH_MAX_BYTES ((size_t)1024)
#define PARTS_MAX ((size_t)16 * 1024 * 1024)

/* ---- records ---- */

static int
keyword_order(const void *a, const void *b)
{
	return slice_cmp(*(const struct slice *)a, *(const struct slice *)b);
}

void
rec_message(const struct box *b, const struct rec *r, struct arena *ar,
    struct message *m)
{
	*m = (struct message){
		.uid = r->uid, .createseq = r->createseq, .modseq = r->modseq,
		.received = r->received, .saved = r->saved, .size = r->size,
		.file = r->base, .set.flags = r->flags,
	};
	if (r->kws == 0)
		return;
	m->set.keyword = arena_alloc(ar,
	    size_mul(r->kws, sizeof(*m->set.keyword)));
	for (size_t i = 0; i < r->kws; i++)
		if (r->kw[i] < b->keywords)
			m->set.keyword[m->set.keywords++] =
			    lower_copy(ar, b->keyword[r->kw[i]]);
	qsort(m->set.keyword, m->set.keywords, sizeof(*m->set.keyword),
	    keyword_order);
}

struct message_array {
	struct message *m;
	size_t n, cap;
};

static struct message *
array_add(struct message_array *l, struct arena *ar)
{
	if (l->n == l->cap) {
		size_t cap = l->cap != 0 ? size_mul(l->cap, 2) : 64;

		l->m = arena_grow(ar, l->m, l->cap * sizeof(*l->m),
		    size_mul(cap, sizeof(*l->m)));
		l->cap = cap;
	}
	return &l->m[l->n++];
}

int
message_list(struct account *a, uint32_t box, uint32_t first, uint32_t last,
    size_t most, struct arena *ar, struct message **list, size_t *count)
{
	struct message_array l = { 0 };
	struct walk k;
	struct box b;
	struct rec rec;
	MDB_txn *txn;
	int r;

	*count = 0;
	if (rtx_begin(a, &txn) == -1)
		return -1;
	if ((r = box_live(a, txn, box, ar, &b)) == -1 ||
	    (r = walk_begin(a, txn, DB_MSG, box, first, 4, &k)) == -1)
		goto out;
	while (l.n < most && (r = walk_next(&k)) == 1) {
		uint32_t uid = key_u32(&k.k, 4);

		if (uid > last)
			break;
		r = rec_decode(slice_of(k.v.mv_data, k.v.mv_size), uid, ar,
		    &rec);
		if (r == -1)
			break;
		rec_message(&b, &rec, ar, array_add(&l, ar));
	}
	walk_end(&k);
	*list = l.m;
	*count = l.n;
out:
	rtx_end(a);
	return r == -1 ? -1 : 0;
}

int
message_get(struct account *a, uint32_t box, uint32_t uid, struct arena *ar,
    struct message *m)
{
	struct message *list;
	size_t count;

	if (message_list(a, box, uid, uid, 1, ar, &list, &count) == -1)
		return -1;
	if (count == 1)
		*m = list[0];
	return (int)count;
}

/* The living message or the tombstone with that UID, for message_changes. */
static int
change_message(struct account *a, MDB_txn *txn, struct box *b, uint32_t uid,
    struct arena *ar, struct message *m)
{
	struct rec rec;
	struct tomb t;
	int r = rec_get(a, txn, b->id, uid, ar, &rec);

	if (r == 1)
		rec_message(b, &rec, ar, m);
	if (r != 0)
		return r == 1 ? 0 : -1;
	if ((r = tomb_get(a, txn, b->id, uid, &t)) == 0)
		errno = EUCLEAN;
	if (r != 1)
		return -1;
	*m = (struct message){
		.uid = uid, .removed = true,
		.createseq = t.createseq, .modseq = t.modseq,
	};
	return 0;
}

int
message_changes(struct account *a, uint32_t box, uint64_t since,
    struct arena *ar, struct message **list, size_t *count, uint64_t *now)
{
	struct message_array l = { 0 };
	struct walk k;
	struct box b;
	MDB_txn *txn;
	int r;

	*count = 0;
	if (rtx_begin(a, &txn) == -1)
		return -1;
	if ((r = box_live(a, txn, box, ar, &b)) == -1)
		goto out;
	*now = b.modseq;
	if (since < b.trimmed) {
		errno = ESTALE;
		r = -1;
		goto out;
	}
	if (since >= b.modseq)
		goto out;
	if ((r = walk_begin(a, txn, DB_CHANGE, box, since + 1, 8, &k)) == -1)
		goto out;
	while ((r = walk_next(&k)) == 1) {
		r = change_message(a, txn, &b, key_u32(&k.k, 12), ar,
		    array_add(&l, ar));
		if (r == -1)
			break;
	}
	walk_end(&k);
	*list = l.m;
	*count = l.n;
out:
	rtx_end(a);
	return r == -1 ? -1 : 0;
}

/* ---- views ---- */

static int
uid_order(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* createseq of an encoded record: version, bits, flags, createseq. */
static uint64_t
val_createseq(const MDB_val *v)
{
	return key_u64(v, 4);
}

static int
view_living(struct account *a, MDB_txn *txn, uint32_t box, uint64_t at,
    struct view *v, size_t cap)
{
	struct walk k;
	int r;

	if (walk_begin(a, txn, DB_MSG, box, 0, 4, &k) == -1)
		return -1;
	while ((r = walk_next(&k)) == 1 && v->count < cap)
		if (val_createseq(&k.v) <= at)
			v->uid[v->count++] = key_u32(&k.k, 4);
	walk_end(&k);
	return r == -1 ? -1 : 0;
}

/* Those that went after `at'. */
static int
view_gone(struct account *a, MDB_txn *txn, uint32_t box, uint64_t at,
    struct view *v, size_t cap)
{
	struct walk k;
	struct tomb t;
	int r;

	if (walk_begin(a, txn, DB_CHANGE, box, at + 1, 8, &k) == -1)
		return -1;
	while ((r = walk_next(&k)) == 1 && v->count < cap) {
		uint32_t uid = key_u32(&k.k, 12);

		if ((r = tomb_get(a, txn, box, uid, &t)) == -1)
			break;
		if (r == 1 && t.createseq <= at)
			v->uid[v->count++] = uid;
	}
	walk_end(&k);
	return r == -1 ? -1 : 0;
}

int
message_view(struct account *a, uint32_t box, uint64_t at, struct arena *ar,
    struct view *v)
{
	struct box b;
	MDB_txn *txn;
	size_t cap;
	int r;

	*v = (struct view){ 0 };
	if (rtx_begin(a, &txn) == -1)
		return -1;
	if ((r = box_live(a, txn, box, ar, &b)) == -1)
		goto out;
	if (at < b.trimmed) {
		errno = ESTALE;
		r = -1;
		goto out;
	}
	v->modseq = at < b.modseq ? at : b.modseq;
	cap = size_add(b.messages, b.tombstones);
	v->uid = arena_alloc(ar, size_mul(size_add(cap, 1), sizeof(*v->uid)));
	r = view_living(a, txn, box, at, v, cap);
	if (r == 0 && at < b.modseq) {
		r = view_gone(a, txn, box, at, v, cap);
		qsort(v->uid, v->count, sizeof(*v->uid), uid_order);
	}
out:
	rtx_end(a);
	return r == -1 ? -1 : 0;
}

/* ---- files ---- */

int
rec_path(const struct box *b, const struct rec *r, struct strbuf *path)
{
	if (box_path(b, maildir_sub(r->where), r->base, path) == -1)
		return -1;
	if (r->info.n != 0) {
		sb_putc(path, ':');
		sb_put(path, r->info);
	}
	if (!path->over)
		return 0;
	errno = ENAMETOOLONG;
	return -1;
}

void
gone_path(struct strbuf *sb, uint32_t box, uint32_t uid)
{
	sb_reset(sb);
	sb_printf(sb, "gone/%lu.%lu", (unsigned long)box, (unsigned long)uid);
}

static int
open_file(int dir, const struct strbuf *path)
{
	/* O_NONBLOCK: a stranger's FIFO in cur/ must not hold us. */
	return openat(dir, sb_cstr(path),
	    O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
}

/* Look for a base name in cur/ or new/: 1 and its whole name. */
static int
find_in(struct account *a, const struct box *b, const char *sub,
    struct slice base, struct strbuf *path)
{
	struct dirent *e;
	struct slice eb, info;
	DIR *d;
	int fd, found = 0;

	if (box_path(b, sub, SLICE_NONE, path) == -1)
		return -1;
	fd = openat(a->maildir, sb_cstr(path),
	    O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd == -1 || (d = fdopendir(fd)) == NULL) {
		if (fd != -1)
			close(fd);
		return -1;
	}
	while (!found && (e = readdir(d)) != NULL) {
		maildir_split(slice_str(e->d_name), &eb, &info);
		if (slice_eq(eb, base)) {
			found = 1;
			sb_putc(path, '/');
			sb_puts(path, e->d_name);
		}
	}
	closedir(d);
	return found;
}

static bool
exists(int dir, const struct strbuf *path)
{
	struct stat st;

	return fstatat(dir, sb_cstr(path), &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Where the record says, or renamed or moved to the other directory by another
 * program, or still in tmp/ after a crash. */
int
rec_find(struct account *a, const struct box *b, const struct rec *r,
    struct strbuf *path)
{
	if (rec_path(b, r, path) == -1)
		return -1;
	if (exists(a->maildir, path) ||
	    find_in(a, b, "cur", r->base, path) == 1 ||
	    find_in(a, b, "new", r->base, path) == 1)
		return 0;
	if (box_path(b, "tmp", maildir_tmp(r->base), path) == 0 &&
	    exists(a->maildir, path))
		return 0;
	errno = ENOENT;
	return -1;
}

int
rec_open(struct account *a, const struct box *b, const struct rec *r)
{
	struct strbuf path = STRBUF_INIT(PATH_MAX_BYTES);
	int fd = -1;

	if (rec_path(b, r, &path) == 0)
		fd = open_file(a->maildir, &path);
	if (fd == -1 && errno == ENOENT) {
		if (rec_find(a, b, r, &path) == 0)
			fd = open_file(a->maildir, &path);
		else {
			gone_path(&path, b->id, r->uid);
			fd = open_file(a->dir, &path);
		}
	}
	sb_free(&path);
	return fd;
}

static bool
has_bare_lf(struct slice s)
{
	for (size_t i = 0; i < s.n; i++) {
		const unsigned char *lf = memchr(s.p + i, '\n', s.n - i);

		if (lf == NULL)
			break;
		i = (size_t)(lf - s.p);
		if (i == 0 || s.p[i - 1] != '\r')
			return true;
	}
	return false;
}

/* Copy with CRLF into a memfd. */
static int
crlf_copy(struct slice s)
{
	struct strbuf out = STRBUF_INIT(size_add(size_mul(s.n, 2), 1));
	int fd = memfd_new("message");

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\n' && (i == 0 || s.p[i - 1] != '\r'))
			sb_putc(&out, '\r');
		sb_putc(&out, s.p[i]);
	}
	if (fd != -1 && (write_all(fd, sb_slice(&out)) == -1 ||
	    lseek(fd, 0, SEEK_SET) == -1)) {
		close(fd);
		fd = -1;
	}
	sb_free(&out);
	return fd;
}

/* A file of ours has CRLF; another program's may have LF. Takes over fd. */
static int
with_crlf(int fd)
{
	struct slice s;
	int crlf;

	if (fd_map(fd, &s) == -1) {
		close(fd);
		return -1;
	}
	crlf = has_bare_lf(s) ? crlf_copy(s) : fd;
	fd_unmap(s);
	if (crlf != fd)
		close(fd);
	return crlf;
}

static int
open_gone(struct account *a, uint32_t box, uint32_t uid)
{
	struct strbuf path = STRBUF_INIT(PATH_MAX_BYTES);
	int fd;

	gone_path(&path, box, uid);
	fd = open_file(a->dir, &path);
	sb_free(&path);
	return fd == -1 ? -1 : with_crlf(fd);
}

int
message_open(struct account *a, uint32_t box, uint32_t uid)
{
	struct arena ar = { 0 };
	struct box b;
	struct rec rec;
	MDB_txn *txn;
	int fd = -1, r;

	if (rtx_begin(a, &txn) == -1)
		return -1;
	if ((r = box_live(a, txn, box, &ar, &b)) == 1)
		r = rec_get(a, txn, box, uid, &ar, &rec);
	rtx_end(a);
	if (r == 0)
		fd = open_gone(a, box, uid);
	else if (r == 1 && (fd = rec_open(a, &b, &rec)) != -1 && rec.lf)
		fd = with_crlf(fd);
	arena_free(&ar);
	return fd;
}

/* ---- texts ---- */

/* Parse the message and keep what it says. */
static int
text_make(struct account *a, uint32_t box, uint32_t uid, struct strbuf *value)
{
	struct strbuf parts = STRBUF_INIT(PARTS_MAX);
	struct strbuf summary = STRBUF_INIT(PARTS_MAX);
	struct arena ar = { 0 };
	struct rec rec;
	struct slice msg;
	struct wtx w;
	int r, fd = message_open(a, box, uid);

	if (fd == -1)
		return -1;
	r = fd_map(fd, &msg);
	close(fd);
	if (r == -1)
		return -1;
	imf_parts(msg, &parts, &summary);
	fd_unmap(msg);
	text_encode(sb_slice(&parts), value);
	sb_free(&parts);
	sb_free(&summary);
	if (wtx_begin(a, &w) == -1)
		return -1;
	if ((r = rec_get(a, w.txn, box, uid, &ar, &rec)) == 1)
		r = text_put(&w, box, uid, sb_slice(value));
	arena_free(&ar);
	if (r == -1) {
		wtx_abort(&w);
		return -1;
	}
	return wtx_commit(&w);
}

int
message_text(struct account *a, uint32_t box, uint32_t uid, struct arena *ar,
    struct message_text *t)
{
	struct strbuf made = STRBUF_INIT((size_t)4 * 1024 * 1024);
	struct slice value;
	struct rec rec = { 0 };
	MDB_txn *txn;
	int r;

	if (rtx_begin(a, &txn) == -1)
		return -1;
	if ((r = rec_get(a, txn, box, uid, ar, &rec)) == 1 &&
	    (r = text_get(a, txn, box, uid, &value)) == 1)
		r = text_decode(value, ar, t) == -1 ? -1 : 1;
	else if (r == 0 && rec.uid == uid)
		r = 2; /* the message is there, its text is not */
	rtx_end(a);
	if (r != 2)
		return r;
	r = text_make(a, box, uid, &made);
	if (r == 0)
		r = text_decode(sb_slice(&made), ar, t);
	sb_free(&made);
	return r == -1 ? -1 : 1;
}

/* ---- sets of flags ---- */

int
rec_same_flags(const struct rec *a, const struct rec *b)
{
	return a->flags == b->flags && a->kws == b->kws &&
	    (a->kws == 0 ||
	    memcmp(a->kw, b->kw, a->kws * sizeof(*a->kw)) == 0);
}

static int
id_order(const void *a, const void *b)
{
	return *(const uint16_t *)a - *(const uint16_t *)b;
}

int
rec_set(struct wtx *w, struct box *b, const struct flagset *set,
    struct rec *r, bool *grew)
{
	size_t n = 0;

	if (set->keywords > STORE_MESSAGE_KEYWORDS) {
		errno = E2BIG;
		return -1;
	}
	r->flags = set->flags & FLAG_ALL;
	r->kw = arena_alloc(&w->ar,
	    size_mul(size_add(set->keywords, 1), sizeof(*r->kw)));
	for (size_t i = 0; i < set->keywords; i++) {
		struct slice name = set->keyword[i];
		int id;

		if (!keyword_ok(name)) {
			errno = EINVAL;
			return -1;
		}
		if (keyword_flag(name) != 0) {
			r->flags |= keyword_flag(name);
			continue;
		}
		id = box_keyword(w, b, lower_copy(&w->ar, name), true, grew);
		if (id == -1)
			return -1;
		r->kw[n++] = (uint16_t)id;
	}
	qsort(r->kw, n, sizeof(*r->kw), id_order);
	r->kws = 0;
	for (size_t i = 0; i < n; i++)
		if (i == 0 || r->kw[i] != r->kw[i - 1])
			r->kw[r->kws++] = r->kw[i];
	return 0;
}
