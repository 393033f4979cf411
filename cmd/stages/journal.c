/*
 * Files of an hour, named YYYYMMDDHH (UTC), in a directory that is bounded in
 * days and in bytes: cases, and records that reports are made of.
 *
 * An hour may have a quarter of the bytes, the hours before it the rest: so no
 * flood can take away more than its own hour and the oldest, and the sum needs
 * to be looked at only once an hour. What cannot be kept is dropped, with one
 * log line an hour; it never holds up the mail.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "stages.h"

#define HOUR_SHARE 4 /* an hour may have one part of these */
#define HOURS_MAX 100000 /* files looked at: over eleven years */

struct hour {
	char name[HOUR_NAME + 1];
	uint64_t size;
};

void
journal_init(struct journal *j, const char *dir, unsigned days, uint64_t size)
{
	*j = (struct journal){ .dir = dir, .days = days, .size = size,
		.fd = -1, .hour = -1 };
}

static void
hour_name(int64_t when, char name[HOUR_NAME + 1])
{
	time_t t = (time_t)when;
	struct tm tm;

	gmtime_r(&t, &tm);
	if (strftime(name, HOUR_NAME + 1, "%Y%m%d%H", &tm) != HOUR_NAME)
		name[0] = '\0';
}

static bool
is_hour(const char *name)
{
	return strlen(name) == HOUR_NAME &&
	    strspn(name, "0123456789") == HOUR_NAME;
}

/* The newest first. */
static int
by_name(const void *a, const void *b)
{
	const struct hour *x = a, *y = b;

	return strcmp(y->name, x->name);
}

static struct hour *
hours_of(DIR *list, size_t *count)
{
	struct hour *all = NULL;
	struct dirent *d;
	struct stat st;
	size_t cap = 0;

	*count = 0;
	while (*count < HOURS_MAX && (d = readdir(list)) != NULL) {
		if (!is_hour(d->d_name) || fstatat(dirfd(list), d->d_name, &st,
		    AT_SYMLINK_NOFOLLOW) == -1)
			continue;
		if (*count == cap) {
			cap = cap * 2 + 64;
			all = xrealloc(all, size_mul(cap, sizeof(*all)));
		}
		memcpy(all[*count].name, d->d_name, HOUR_NAME + 1);
		all[(*count)++].size = (uint64_t)st.st_size;
	}
	if (*count > 1)
		qsort(all, *count, sizeof(*all), by_name);
	return all;
}

/* Files are named by the hour, so names in order are hours in order. */
static void
forget_old(const struct journal *j, const char *now)
{
	char oldest[HOUR_NAME + 1];
	DIR *list = opendir(j->dir);
	uint64_t room = j->size - j->size / HOUR_SHARE;
	struct hour *all;
	size_t n;

	if (list == NULL)
		return;
	hour_name(clock_unix() - (int64_t)j->days * 86400, oldest);
	all = hours_of(list, &n);
	for (size_t i = 0; i < n; i++) {
		if (strcmp(all[i].name, now) == 0)
			continue;
		if (strcmp(all[i].name, oldest) >= 0 && all[i].size <= room) {
			room -= all[i].size;
			continue;
		}
		room = 0;
		if (unlinkat(dirfd(list), all[i].name, 0) == -1 &&
		    errno != ENOENT)
			log_sys("unable to remove %s/%s", j->dir, all[i].name);
	}
	free(all);
	closedir(list);
}

/* The file of this hour: 0, or -1 if there is none. */
static int
hour_open(struct journal *j)
{
	int64_t now = clock_unix() / 3600;
	char name[HOUR_NAME + 1];
	struct stat st;
	char *path;

	if (now == j->hour)
		return j->fd == -1 ? -1 : 0;
	if (j->fd != -1)
		close(j->fd);
	j->hour = now;
	j->full = j->failed = false;
	j->end = -1;
	hour_name(now * 3600, name);
	path = xprintf("%s/%s", j->dir, name);
	/* Not to wait for the reader of a FIFO, nor to follow a link. */
	j->fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC |
	    O_NOFOLLOW | O_NONBLOCK, 0640);
	if (j->fd != -1 && (fstat(j->fd, &st) == -1 || !S_ISREG(st.st_mode))) {
		close(j->fd);
		j->fd = -1;
		errno = EINVAL;
	}
	if (j->fd == -1)
		log_sys("unable to open %s", path);
	free(path);
	forget_old(j, name);
	return j->fd == -1 ? -1 : 0;
}

/* Another's write may have ended in the middle when the disk was full. */
static bool
is_torn(int fd, off_t size)
{
	char last;

	return size > 0 && pread(fd, &last, 1, size - 1) == 1 && last != '\n';
}

void
journal_write(struct journal *j, struct slice entry)
{
	struct strbuf sb = STRBUF_INIT(entry.n + 2);
	struct stat st;

	if (entry.n == 0 || hour_open(j) == -1)
		return;
	if (fstat(j->fd, &st) == -1)
		st.st_size = 0;
	if ((uint64_t)st.st_size + entry.n > j->size / HOUR_SHARE) {
		if (!j->full)
			log_error("%s: this hour has its share of %llu bytes, "
			    "the rest of it is not kept", j->dir,
			    (unsigned long long)(j->size / HOUR_SHARE));
		j->full = true;
		return;
	}
	if (st.st_size != j->end && is_torn(j->fd, st.st_size)) {
		sb_puts(&sb, "\n\n");
		sb_put(&sb, entry);
		entry = sb_slice(&sb);
	}
	if (write_all(j->fd, entry) == 0)
		j->end = st.st_size + (off_t)entry.n;
	else {
		j->end = -1;
		if (!j->failed)
			log_sys("unable to write to %s", j->dir);
		j->failed = true;
	}
	sb_free(&sb);
}
