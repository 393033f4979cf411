#include "stage/cases.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"

#define CHUNK ((size_t)256 * 1024)
#define ENTRY_MAX (2 * JOB_ENVELOPE_MAX)

static bool
is_hour(const char *name)
{
	return strlen(name) == CASE_HOUR_NAME &&
	    strspn(name, "0123456789") == CASE_HOUR_NAME;
}

static void
hour_name(int64_t when, char name[CASE_HOUR_NAME + 1])
{
	time_t t = (time_t)when;
	struct tm tm;

	if (gmtime_r(&t, &tm) == NULL || strftime(name, CASE_HOUR_NAME + 1,
	    "%Y%m%d%H", &tm) != CASE_HOUR_NAME)
		name[0] = '\0';
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void
add_hour(struct cases *c, const char *name)
{
	if ((c->hours & (c->hours - 1)) == 0) /* 0 or a power of two */
		c->hour = xrealloc(c->hour, size_mul(2 * c->hours + 1,
		    sizeof(*c->hour)));
	c->hour[c->hours++] = xstrdup(name);
}

/* Names of hours that a message of those times can be in. */
static int
list_hours(struct cases *c, int64_t since, int64_t until)
{
	char from[CASE_HOUR_NAME + 1] = "", to[CASE_HOUR_NAME + 1] = "";
	int fd = fcntl(c->dir, F_DUPFD_CLOEXEC, 0);
	DIR *list = fd != -1 ? fdopendir(fd) : NULL;
	struct dirent *d;

	if (list == NULL)
		return -1;
	if (since > 0)
		hour_name(since, from);
	if (until < INT64_MAX - CASE_LATE)
		hour_name(until + CASE_LATE, to);
	while ((d = readdir(list)) != NULL)
		if (is_hour(d->d_name) && strcmp(d->d_name, from) >= 0 &&
		    (to[0] == '\0' || strcmp(d->d_name, to) <= 0))
			add_hour(c, d->d_name);
	closedir(list);
	if (c->hours > 1)
		qsort(c->hour, c->hours, sizeof(*c->hour), by_name);
	return 0;
}

int
cases_open(struct cases *c, const char *root, int64_t since, int64_t until,
    const char *hour)
{
	char *path = xprintf("%s/case", root);
	struct stat st;

	*c = (struct cases){ .fd = -1, .buf = STRBUF_INIT(ENTRY_MAX + CHUNK) };
	c->dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(path);
	if (c->dir == -1)
		return -1;
	if (hour == NULL)
		return list_hours(c, since, until);
	errno = ENOENT;
	if (!is_hour(hour) || fstatat(c->dir, hour, &st, 0) == -1)
		return -1;
	add_hour(c, hour);
	return 0;
}

void
cases_close(struct cases *c)
{
	if (c->fd != -1)
		close(c->fd);
	if (c->dir != -1)
		close(c->dir);
	for (size_t i = 0; i < c->hours; i++)
		free(c->hour[i]);
	free(c->hour);
	sb_free(&c->buf);
	*c = (struct cases){ .dir = -1, .fd = -1 };
}

/* The next file: 1, 0 no more, -1. One that was removed meanwhile is no
 * error. */
static int
next_file(struct cases *c)
{
	struct stat st;

	if (c->fd != -1)
		close(c->fd);
	c->fd = -1;
	sb_reset(&c->buf);
	c->used = 0;
	c->end = false;
	while (c->at < c->hours) {
		c->fd = openat(c->dir, c->hour[c->at++], O_RDONLY |
		    O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
		if (c->fd != -1 && fstat(c->fd, &st) == 0 &&
		    S_ISREG(st.st_mode))
			return 1;
		if (c->fd == -1 && errno != ENOENT)
			return -1;
		if (c->fd != -1)
			close(c->fd);
		c->fd = -1;
	}
	return 0;
}

/* More of the file behind what is left in the buffer: 0, or -1. */
static int
fill(struct cases *c)
{
	size_t left = c->buf.n - c->used;
	ssize_t n;

	if (left > ENTRY_MAX) {
		/* Nothing of ours: its end is looked for. */
		c->damaged++;
		c->used = c->buf.n - 1;
		left = 1;
	}
	if (c->used > 0) {
		memmove(c->buf.p, c->buf.p + c->used, left);
		sb_cut(&c->buf, left);
		c->used = 0;
	}
	n = sb_read(&c->buf, c->fd, CHUNK);
	c->end = n == 0;
	return n == -1 ? -1 : 0;
}

int
cases_next(struct cases *c, struct slice *text)
{
	int got;

	if (c->fd == -1 && (got = next_file(c)) != 1)
		return got;
	for (;;) {
		struct slice rest = slice_skip(sb_slice(&c->buf), c->used);
		ptrdiff_t end = slice_find(rest, S("\n\n"));

		if (end != -1) {
			c->used += (size_t)end + 2;
			*text = slice_sub(rest, 0, (size_t)end + 1);
			while (text->n > 0 && text->p[0] == '\n')
				*text = slice_skip(*text, 1);
			if (text->n > 0)
				return 1;
		} else if (!c->end) {
			if (fill(c) == -1)
				return -1;
		} else {
			c->damaged += slice_trim(rest).n > 0;
			if ((got = next_file(c)) != 1)
				return got;
		}
	}
}

int
cases_find(struct cases *c, const char *id, struct strbuf *text)
{
	struct strbuf start = STRBUF_INIT(RID_LEN + 16);
	struct slice one;
	int got, found = 0;

	sb_printf(&start, "job id=%s ", id);
	while ((got = cases_next(c, &one)) == 1)
		if (slice_starts(one, sb_slice(&start))) {
			sb_reset(text);
			sb_put(text, one);
			found = 1;
		}
	sb_free(&start);
	return got == -1 ? -1 : found;
}

int
case_parse(struct job *j, struct slice text, const struct tuple **reply,
    const char **error)
{
	uint64_t code;

	if (job_parse(j, text, error) == -1)
		return -1;
	*reply = j->count > 0 ? &j->rec[j->count - 1] : NULL;
	if (*reply != NULL && tuple_is(*reply, "reply") &&
	    tuple_has(*reply, "id", j->id) &&
	    tuple_u64(*reply, "code", 599, &code) == 0)
		return 0;
	*error = "no reply at its end";
	return -1;
}
