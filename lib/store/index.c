/* Environment and transactions; records are in record.c. */
#include "store/index.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "store/codec.h"

/* Address space is cheap; disk is used as pages are written. The map grows
 * when less than MAP_SPARE of it is free, which no transaction exceeds. */
#define MAP_FIRST ((size_t)256 * 1024 * 1024)
#define MAP_SPARE ((size_t)128 * 1024 * 1024)
#define READERS_MAX 1022 /* processes with one account open at once */

static const char *const db_names[DB_COUNT] = {
	"meta", "box", "msg", "change", "gone", "text", "sub",
};

int
index_errno(int rc)
{
	switch (rc) {
	case 0:
		return 0;
	case MDB_NOTFOUND:
		errno = ENOENT;
		break;
	case MDB_MAP_FULL:
		errno = ENOSPC;
		break;
	case MDB_READERS_FULL:
		errno = EAGAIN;
		break;
	case MDB_VERSION_MISMATCH:
	case MDB_INCOMPATIBLE:
		errno = EPROTO;
		break;
	default:
		errno = rc > 0 ? rc : EUCLEAN;
	}
	return -1;
}

/* Make the named databases and the first record in one transaction. */
static int
index_format(struct account *a)
{
	MDB_txn *txn;
	struct strbuf sb = STRBUF_INIT(64);
	MDB_val k = { 7, (char[]){ "account" } }, v;
	int rc;

	if ((rc = mdb_txn_begin(a->env, NULL, 0, &txn)) != 0)
		return index_errno(rc);
	for (int i = 0; rc == 0 && i < DB_COUNT; i++)
		rc = mdb_dbi_open(txn, db_names[i], MDB_CREATE, &a->db[i]);
	if (rc == 0 && mdb_get(txn, a->db[DB_META], &k, &v) == 0) {
		a->fresh = false; /* another process was faster */
		mdb_txn_abort(txn);
		return 0;
	}
	put_num(&sb, INDEX_VERSION, 1);
	/* After a loss of the index the clock is later than any modseq that
	 * was given before: they count up by one. */
	put_num(&sb, (uint64_t)clock_unix_us(), 8);
	put_num(&sb, (uint64_t)clock_unix() & UINT32_MAX, 4);
	put_num(&sb, 1, 4);
	put_num(&sb, 0, 8);
	v = (MDB_val){ sb.n, sb.p };
	if (rc == 0)
		rc = mdb_put(txn, a->db[DB_META], &k, &v, 0);
	if (rc == 0)
		rc = mdb_txn_commit(txn);
	else
		mdb_txn_abort(txn);
	sb_free(&sb);
	a->fresh = rc == 0;
	return index_errno(rc);
}

static int
index_attach(struct account *a)
{
	MDB_txn *txn;
	int rc;

	if ((rc = mdb_txn_begin(a->env, NULL, MDB_RDONLY, &txn)) != 0)
		return index_errno(rc);
	for (int i = 0; rc == 0 && i < DB_COUNT; i++)
		rc = mdb_dbi_open(txn, db_names[i], 0, &a->db[i]);
	if (rc == 0)
		rc = mdb_txn_commit(txn); /* keeps the handles */
	else
		mdb_txn_abort(txn);
	return rc == MDB_NOTFOUND ? index_format(a) : index_errno(rc);
}

static int
env_open(struct account *a, const char *path)
{
	int rc, dead;

	if ((rc = mdb_env_create(&a->env)) != 0)
		return index_errno(rc);
	mdb_env_set_maxdbs(a->env, DB_COUNT);
	mdb_env_set_maxreaders(a->env, READERS_MAX);
	mdb_env_set_mapsize(a->env, MAP_FIRST);
	if ((rc = mdb_env_open(a->env, path, MDB_NOTLS, 0600)) != 0)
		return index_errno(rc);
	mdb_reader_check(a->env, &dead);
	return 0;
}

int
index_open(struct account *a, const char *path)
{
	if (dir_make(a->dir, "index", 0700) == -1)
		return -1;
	a->seen = openat(a->dir, "index/seen",
	    O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (a->seen == -1 || env_open(a, path) == -1)
		return -1;
	return index_attach(a);
}

void
index_close(struct account *a)
{
	if (a->reader != NULL)
		mdb_txn_abort(a->reader);
	if (a->env != NULL)
		mdb_env_close(a->env);
	if (a->seen != -1)
		close(a->seen);
	a->reader = NULL;
	a->env = NULL;
	a->seen = -1;
}

/* Another process made the file larger than our map. */
static int
map_follow(struct account *a)
{
	return mdb_env_set_mapsize(a->env, 0);
}

int
rtx_begin(struct account *a, MDB_txn **txn)
{
	int rc;

	for (int tries = 0; tries < 3; tries++) {
		if (a->reader == NULL)
			rc = mdb_txn_begin(a->env, NULL, MDB_RDONLY,
			    &a->reader);
		else
			rc = mdb_txn_renew(a->reader);
		if (rc == 0) {
			*txn = a->reader;
			return 0;
		}
		if (a->reader != NULL)
			mdb_txn_abort(a->reader);
		a->reader = NULL;
		if (rc != MDB_MAP_RESIZED || (rc = map_follow(a)) != 0)
			break;
	}
	return index_errno(rc);
}

void
rtx_end(struct account *a)
{
	mdb_txn_reset(a->reader);
}

/* Grow the map when it is getting full, before a transaction needs it. */
static int
map_grow(struct account *a)
{
	MDB_envinfo info;
	MDB_stat st;
	size_t used;

	mdb_env_info(a->env, &info);
	mdb_env_stat(a->env, &st);
	used = size_mul(info.me_last_pgno + 1, st.ms_psize);
	if (used < info.me_mapsize && info.me_mapsize - used >= MAP_SPARE)
		return 0;
	return mdb_env_set_mapsize(a->env, size_mul(info.me_mapsize, 2));
}

int
meta_get(struct account *a, MDB_txn *txn, struct meta *m)
{
	MDB_val k = { 7, (char[]){ "account" } }, v;
	struct taker t;
	int rc = mdb_get(txn, a->db[DB_META], &k, &v);

	if (rc != 0) {
		errno = rc == MDB_NOTFOUND ? EUCLEAN : EIO;
		return -1;
	}
	t = (struct taker){ .in = slice_of(v.mv_data, v.mv_size) };
	if (take_num(&t, 1) != INDEX_VERSION) {
		errno = EPROTO;
		return -1;
	}
	m->modseq = take_num(&t, 8);
	m->next_uidvalidity = (uint32_t)take_num(&t, 4);
	m->next_box = (uint32_t)take_num(&t, 4);
	m->bytes = take_num(&t, 8);
	if (!t.bad)
		return 0;
	errno = EUCLEAN;
	return -1;
}

static int
meta_put(struct wtx *w)
{
	struct strbuf sb = STRBUF_INIT(64);
	MDB_val k = { 7, (char[]){ "account" } }, v;
	int rc;

	put_num(&sb, INDEX_VERSION, 1);
	put_num(&sb, w->meta.modseq, 8);
	put_num(&sb, w->meta.next_uidvalidity, 4);
	put_num(&sb, w->meta.next_box, 4);
	put_num(&sb, w->meta.bytes, 8);
	v = (MDB_val){ sb.n, sb.p };
	rc = mdb_put(w->txn, w->a->db[DB_META], &k, &v, 0);
	sb_free(&sb);
	return rc;
}

int
wtx_begin(struct account *a, struct wtx *w)
{
	int rc = 0;

	*w = (struct wtx){ .a = a };
	for (int tries = 0; tries < 3; tries++) {
		rc = map_grow(a);
		if (rc == 0)
			rc = mdb_txn_begin(a->env, NULL, 0, &w->txn);
		if (rc != MDB_MAP_RESIZED || (rc = map_follow(a)) != 0)
			break;
	}
	if (rc != 0)
		return index_errno(rc);
	if (meta_get(a, w->txn, &w->meta) == -1) {
		wtx_abort(w);
		return -1;
	}
	return 0;
}

int
wtx_commit(struct wtx *w)
{
	int rc = meta_put(w);

	STEP("commit");
	if (rc == 0)
		rc = mdb_txn_commit(w->txn);
	else
		mdb_txn_abort(w->txn);
	w->txn = NULL;
	STEP("committed");
	arena_free(&w->ar);
	return index_errno(rc);
}

void
wtx_abort(struct wtx *w)
{
	int e = errno;

	if (w->txn != NULL)
		mdb_txn_abort(w->txn);
	w->txn = NULL;
	arena_free(&w->ar);
	errno = e;
}

uint64_t
wtx_seq(struct wtx *w)
{
	if (w->seq == 0)
		w->seq = ++w->meta.modseq;
	return w->seq;
}

void
bell_ring(const struct account *a)
{
	int fd, e = errno;

	/* A missing bell wakes nobody; whoever asks still sees the change. */
	if (utimensat(a->dir, STORE_BELL, NULL, 0) == -1 && errno == ENOENT) {
		fd = openat(a->dir, STORE_BELL,
		    O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
		if (fd != -1)
			close(fd);
	}
	errno = e;
}
