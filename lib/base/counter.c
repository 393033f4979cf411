#include "base/counter.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/rid.h"
#include "base/tuple.h"

#define NAME_MAX_LEN 56 /* with its NUL; a record is one cache line */
#define COUNTERS_MAX 64
#define OPEN_TRIES 5

struct record {
	char name[NAME_MAX_LEN];
	int64_t value;
};

struct counters {
	struct record *rec;
	size_t count;
};

static bool
same_names(const struct record *a, const struct record *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (memcmp(a[i].name, b[i].name, NAME_MAX_LEN) != 0)
			return false;
	return true;
}

static struct record *
map_records(int fd, size_t n)
{
	void *p = mmap(NULL, n * sizeof(struct record), PROT_READ | PROT_WRITE,
	    MAP_SHARED, fd, 0);

	return p == MAP_FAILED ? NULL : p;
}

/* The open file's records if it has these names; else NULL. */
static struct record *
join(int fd, const struct record *want, size_t n)
{
	struct record *rec = NULL;
	struct stat st;

	if (fstat(fd, &st) == 0 &&
	    (uint64_t)st.st_size == n * sizeof(struct record))
		rec = map_records(fd, n);
	if (rec != NULL && !same_names(rec, want, n)) {
		munmap(rec, n * sizeof(struct record));
		rec = NULL;
	}
	return rec;
}

/*
 * An older program's file, with other names, is replaced by one process, the
 * one that gets its lock while it still has the name.
 */
static bool
may_replace(int old, const char *path)
{
	struct stat a, b;

	return flock(old, LOCK_EX) == 0 && fstat(old, &a) == 0 &&
	    stat(path, &b) == 0 && a.st_ino == b.st_ino && a.st_dev == b.st_dev;
}

/*
 * Write a new file and give it the name, in place of `old' if that is not -1.
 * 0 also if another process was first; the caller looks again.
 */
static int
create(const char *path, int old, const struct record *want, size_t n)
{
	char id[RID_LEN + 1], *tmp;
	int e, fd, r = -1;

	rid_new(id);
	tmp = xprintf("%s.%s", path, id);
	fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd != -1) {
		r = write_all(fd, slice_of(want, n * sizeof(*want)));
		close(fd);
		if (r == 0 && old == -1 && link(tmp, path) == -1)
			r = errno == EEXIST ? 0 : -1;
		else if (r == 0 && old != -1 && may_replace(old, path))
			r = rename(tmp, path);
		e = errno;
		unlink(tmp);
		errno = e;
	}
	e = errno;
	free(tmp);
	errno = e;
	return r;
}

/* NULL with errno 0: look again. */
static struct record *
open_or_create(const char *path, const struct record *want, size_t n)
{
	struct record *rec = NULL;
	int e, fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd == -1 && errno != ENOENT)
		return NULL;
	if (fd != -1)
		rec = join(fd, want, n);
	e = 0;
	if (rec == NULL && create(path, fd, want, n) == -1)
		e = errno;
	if (fd != -1)
		close(fd);
	errno = e;
	return rec;
}

struct counters *
counters_open(const char *path, const char *const *names)
{
	struct record want[COUNTERS_MAX] = { 0 }, *rec = NULL;
	struct counters *c;
	size_t n = 0;

	for (; names[n] != NULL; n++) {
		if (n == COUNTERS_MAX || slice_cstr(slice_str(names[n]),
		    want[n].name, NAME_MAX_LEN) == -1) {
			errno = EINVAL;
			return NULL;
		}
	}
	if (n == 0) {
		errno = EINVAL;
		return NULL;
	}
	for (int i = 0; rec == NULL && i < OPEN_TRIES; i++) {
		rec = open_or_create(path, want, n);
		if (rec == NULL && errno != 0)
			return NULL;
	}
	if (rec == NULL) {
		errno = EAGAIN;
		return NULL;
	}
	c = xmalloc(sizeof(*c));
	*c = (struct counters){ rec, n };
	return c;
}

void
counter_add(struct counters *c, unsigned index, int64_t n)
{
	if (c != NULL && index < c->count)
		__atomic_fetch_add(&c->rec[index].value, n, __ATOMIC_RELAXED);
}

void
counters_close(struct counters *c)
{
	if (c == NULL)
		return;
	munmap(c->rec, c->count * sizeof(*c->rec));
	free(c);
}

int
counters_print(const char *path, const char *prog, struct strbuf *out)
{
	struct record rec[COUNTERS_MAX];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got;

	if (fd == -1)
		return -1;
	got = read(fd, rec, sizeof(rec));
	close(fd);
	if (got == -1)
		return -1;
	for (size_t i = 0; i < (size_t)got / sizeof(rec[0]); i++) {
		size_t len = strnlen(rec[i].name, NAME_MAX_LEN);
		int64_t v = rec[i].value;

		tuple_begin(out, "counter");
		tuple_puts(out, "prog", prog);
		tuple_put(out, "name", slice_of(rec[i].name, len));
		/* A gauge may be caught below 0 for a moment. */
		tuple_putu(out, "value", v > 0 ? (uint64_t)v : 0);
		tuple_end(out);
	}
	return 0;
}
