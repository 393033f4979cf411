#include "queue/queue.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/tuple.h"

/* How long queue_ring() waits when queue-run is behind with its bell. */
#define RING_MS 50
#define NAME_SIZE 64 /* "job/" or "tmp/", an id, "." and a pid */

int
queue_open(struct queue *q, const char *root)
{
	char *path = xprintf("%s/queue", root);
	int e;

	*q = (struct queue){ .dir = -1, .journal = -1, .lock = -1 };
	q->root = xstrdup(root);
	/* Below a root that is there: another is a mistake in writing. */
	if (mkdir(path, 0700) == -1 && errno != EEXIST)
		goto fail;
	q->dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (q->dir == -1 || dir_make(q->dir, "job", 0700) == -1 ||
	    dir_make(q->dir, "tmp", 0700) == -1)
		goto fail;
	q->lock = openat(q->dir, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (q->lock == -1)
		goto fail;
	q->journal = openat(q->dir, "journal",
	    O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (q->journal == -1 || fsync(q->dir) == -1)
		goto fail;
	free(path);
	return 0;
fail:
	e = errno;
	free(path);
	queue_close(q);
	errno = e;
	return -1;
}

void
queue_close(struct queue *q)
{
	if (q->dir != -1)
		close(q->dir);
	if (q->journal != -1)
		close(q->journal);
	if (q->lock != -1)
		close(q->lock);
	free(q->root);
	*q = (struct queue){ .dir = -1, .journal = -1, .lock = -1 };
}

static void
job_name(char name[NAME_SIZE], const char *id)
{
	snprintf(name, NAME_SIZE, "job/%s", id);
}

/* The pid keeps two writers of one id apart. */
static void
tmp_name(char name[NAME_SIZE], const char *id)
{
	snprintf(name, NAME_SIZE, "tmp/%s.%ld", id, (long)getpid());
}

/* All bytes of an array of slices with as few calls as possible. */
static int
write_slices(int fd, const struct slice *s, size_t count)
{
	struct iovec iov[QUEUE_BODY_MAX + 2];
	size_t done;
	ssize_t n;

	for (size_t i = 0; i < count; i++) {
		iov[i].iov_base = (void *)(uintptr_t)s[i].p;
		iov[i].iov_len = s[i].n;
	}
	do
		n = writev(fd, iov, (int)count);
	while (n == -1 && errno == EINTR);
	if (n == -1)
		return -1;
	/* Short when the disk is filling up or beyond 2 GiB. */
	done = (size_t)n;
	for (size_t i = 0; i < count; i++) {
		size_t skip = done < s[i].n ? done : s[i].n;

		done -= skip;
		if (write_all(fd, slice_skip(s[i], skip)) == -1)
			return -1;
	}
	return 0;
}

/* Write the file of one entry: the descriptor, still to be fsynced, or -1. */
static int
write_entry(struct queue *q, struct queue_new *n)
{
	struct slice all[QUEUE_BODY_MAX + 2];
	size_t count = 0;
	char tmp[NAME_SIZE];
	int e, fd;

	tmp_name(tmp, n->id);
	fd = openat(q->dir, tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd == -1)
		return -1;
	all[count++] = n->envelope;
	all[count++] = S("\n");
	for (size_t i = 0; i < n->count; i++)
		all[count++] = n->body[i];
	if (write_slices(fd, all, count) == -1) {
		e = errno;
		close(fd);
		unlinkat(q->dir, tmp, 0);
		errno = e;
		return -1;
	}
	return fd;
}

static int
commit_entry(struct queue *q, const struct queue_new *n, int fd)
{
	char tmp[NAME_SIZE], job[NAME_SIZE];
	int e, r;

	tmp_name(tmp, n->id);
	job_name(job, n->id);
	r = fsync(fd);
	e = errno;
	if (close(fd) == -1 && r == 0) {
		r = -1;
		e = errno;
	}
	if (r == 0 && (r = renameat(q->dir, tmp, q->dir, job)) == -1)
		e = errno;
	if (r == -1)
		unlinkat(q->dir, tmp, 0);
	errno = e;
	return r;
}

void
queue_add(struct queue *q, struct queue_new *entries, size_t count)
{
	int *fds = xcalloc(count, sizeof(*fds));
	size_t good = 0;

	/* All are written before the first is fsynced: the kernel then has
	 * them all to put into one transaction of the file system. */
	for (size_t i = 0; i < count; i++) {
		fds[i] = write_entry(q, &entries[i]);
		entries[i].error = fds[i] == -1 ? errno : 0;
	}
	for (size_t i = 0; i < count; i++) {
		if (fds[i] == -1)
			continue;
		if (commit_entry(q, &entries[i], fds[i]) == -1)
			entries[i].error = errno;
		else
			good++;
	}
	free(fds);
	if (good == 0 || dir_sync(q->dir, "job") == 0)
		return;
	for (size_t i = 0; i < count; i++) {
		int e = errno;

		if (entries[i].error != 0)
			continue;
		entries[i].error = e;
		if (queue_job_remove(q, entries[i].id) == -1)
			entries[i].error = errno;
	}
}

int
queue_job_open(const struct queue *q, const char *id)
{
	char name[NAME_SIZE];

	job_name(name, id);
	return openat(q->dir, name, O_RDONLY | O_CLOEXEC);
}

int
queue_job_remove(const struct queue *q, const char *id)
{
	char name[NAME_SIZE];

	job_name(name, id);
	return unlinkat(q->dir, name, 0) == -1 && errno != ENOENT ? -1 : 0;
}

int
queue_job_each(const struct queue *q, int (*fn)(void *ctx, const char *id),
    void *ctx)
{
	int e, r = 0, fd;
	struct dirent *d;
	DIR *dir;

	fd = openat(q->dir, "job", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd == -1)
		return -1;
	if ((dir = fdopendir(fd)) == NULL) {
		e = errno;
		close(fd);
		errno = e;
		return -1;
	}
	while (errno = 0, r == 0 && (d = readdir(dir)) != NULL)
		if (rid_ok(slice_str(d->d_name)))
			r = fn(ctx, d->d_name);
	if (r == 0 && errno != 0)
		r = -1;
	e = errno;
	closedir(dir);
	errno = e;
	return r;
}

static int
lock(const struct queue *q, int how)
{
	int r;

	do
		r = flock(q->lock, how);
	while (r == -1 && errno == EINTR);
	return r;
}

/* Open the journal again if it has been replaced since. The lock is held. */
static int
journal_refresh(struct queue *q)
{
	struct stat mine, now;
	int fd;

	if (fstat(q->journal, &mine) == -1)
		return -1;
	if (fstatat(q->dir, "journal", &now, 0) == 0 &&
	    now.st_ino == mine.st_ino && now.st_dev == mine.st_dev)
		return 0;
	fd = openat(q->dir, "journal", O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC,
	    0600);
	if (fd == -1)
		return -1;
	close(q->journal);
	q->journal = fd;
	q->seen = 0;
	return 0;
}

int
queue_append(struct queue *q, struct slice records)
{
	struct slice all[2] = { S("\n"), records };
	struct stat st;
	int e, r;

	if (lock(q, LOCK_SH) == -1)
		return -1;
	/* The empty line ends a record that a crash or a full disk cut off. */
	r = journal_refresh(q);
	if (r == 0)
		r = write_slices(q->journal, all, 2);
	if (r == 0)
		r = fdatasync(q->journal);
	/* If nobody else has written, there is nothing to be read. */
	if (r == 0 && fstat(q->journal, &st) == 0 &&
	    st.st_size == q->seen + 1 + (int64_t)records.n)
		q->seen = st.st_size;
	e = errno;
	(void)lock(q, LOCK_UN);
	errno = e;
	return r;
}

/* Append the journal from q->seen on to sb, whole lines only. */
static int
read_tail(struct queue *q, struct strbuf *sb)
{
	size_t start = sb->n, want;
	ptrdiff_t last;
	struct stat st;
	char *room;

	if (fstat(q->journal, &st) == -1)
		return -1;
	want = st.st_size > q->seen ? (size_t)(st.st_size - q->seen) : 0;
	if (want == 0)
		return 0;
	if ((room = sb_room(sb, want)) == NULL) {
		errno = EMSGSIZE;
		return -1;
	}
	if (pread_full(q->journal, room, want, q->seen) == -1)
		return -1;
	sb_grew(sb, want);
	last = slice_rchr(slice_skip(sb_slice(sb), start), '\n');
	sb_cut(sb, start + (size_t)(last + 1));
	q->seen += last + 1;
	return 0;
}

int
queue_read(struct queue *q, struct strbuf *sb)
{
	int e, r;

	if (lock(q, LOCK_SH) == -1)
		return -1;
	r = journal_refresh(q);
	if (r == 0)
		r = read_tail(q, sb);
	e = errno;
	(void)lock(q, LOCK_UN);
	errno = e;
	return r;
}

int
queue_compact(struct queue *q, struct strbuf *tail,
    void (*render)(void *ctx, struct slice tail, struct strbuf *out), void *ctx)
{
	struct strbuf out = STRBUF_INIT(SIZE_MAX / 2);
	int e, r = -1;

	if (lock(q, LOCK_EX) == -1)
		return -1;
	/* Removed entries must be gone for good before the journal that says
	 * `done' is. */
	if (journal_refresh(q) == -1 || read_tail(q, tail) == -1 ||
	    dir_sync(q->dir, "job") == -1)
		goto out;
	render(ctx, sb_slice(tail), &out);
	unlinkat(q->dir, "tmp/journal", 0);
	if (file_commit(q->dir, "tmp/journal", "journal", sb_slice(&out),
	    0600) == -1 || journal_refresh(q) == -1)
		goto out;
	q->seen = (int64_t)out.n;
	r = 0;
out:
	e = errno;
	(void)lock(q, LOCK_UN);
	sb_free(&out);
	errno = e;
	return r;
}

/* Does any of these records name the entry? */
static bool
has_id(struct slice records, const char *id)
{
	struct arena ar = { 0 };
	struct tuple_reader rd;
	struct tuple rec;
	bool found = false;
	int r;

	tuple_reader_init(&rd, records);
	while (!found && (r = tuple_next(&rd, &ar, &rec)) != 0) {
		found = r == 1 && tuple_has(&rec, "id", id);
		arena_reset(&ar);
	}
	arena_free(&ar);
	return found;
}

int
queue_had(struct queue *q, const char *id)
{
	struct strbuf sb = STRBUF_INIT(SIZE_MAX / 2);
	int r, fd = queue_job_open(q, id);

	if (fd != -1) {
		close(fd);
		return 1;
	}
	if (errno != ENOENT)
		return -1;
	/* An entry ends with a record before its file is removed. */
	q->seen = 0;
	r = queue_read(q, &sb);
	if (r == 0)
		r = has_id(sb_slice(&sb), id);
	sb_free(&sb);
	return r;
}

void
queue_ring(const char *root, struct slice ids)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	struct pollfd p = { .events = POLLOUT };
	char *path = xprintf("%s/run", root);
	struct slice text = ids.n != 0 ? ids : S("\n");
	int dir, n;

	/* Through the directory: a path of any length fits sun_path. */
	dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	free(path);
	p.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (dir == -1 || p.fd == -1)
		goto out;
	n = snprintf(sun.sun_path, sizeof(sun.sun_path),
	    "/proc/self/fd/%d/queue", dir);
	if (n < 0 || connect(p.fd, (struct sockaddr *)&sun, sizeof(sun)) == -1)
		goto out;
	if (send(p.fd, text.p, text.n, MSG_NOSIGNAL) == -1 &&
	    errno == EAGAIN && poll(&p, 1, RING_MS) == 1)
		(void)!send(p.fd, text.p, text.n, MSG_NOSIGNAL);
out:
	if (p.fd != -1)
		close(p.fd);
	if (dir != -1)
		close(dir);
}
