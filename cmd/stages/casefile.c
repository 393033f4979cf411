/*
 * What was judged: envelopes as text, a file an hour; and jobs set aside.
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

/* Files are named by the hour, so names in order are hours in order. */
static void
forget_old(const char *dir, unsigned days)
{
	time_t t = (time_t)(clock_unix() - (int64_t)days * 86400);
	struct tm tm;
	char oldest[32];
	struct dirent *d;
	DIR *list = opendir(dir);

	if (list == NULL)
		return;
	gmtime_r(&t, &tm);
	strftime(oldest, sizeof(oldest), "%Y%m%d%H", &tm);
	while ((d = readdir(list)) != NULL)
		if (strlen(d->d_name) == 10 && d->d_name[0] != '.' &&
		    strcmp(d->d_name, oldest) < 0 &&
		    unlinkat(dirfd(list), d->d_name, 0) == -1)
			log_sys("unable to remove %s/%s", dir, d->d_name);
	closedir(list);
}

/*
 * Append the envelope, the reply and an empty line to the hour's file with
 * one write, so that entries of several processes do not mix. A case that
 * cannot be kept is logged; it does not hold up the mail.
 */
void
case_write(const char *dir, unsigned days, struct slice envelope,
    struct slice reply)
{
	static int fd = -1;
	static int64_t hour = -1;
	struct strbuf sb = STRBUF_INIT(JOB_ENVELOPE_MAX + 8192);
	int64_t now = clock_unix() / 3600;

	if (now != hour || fd == -1) {
		time_t t = (time_t)(now * 3600);
		struct tm tm;
		char name[32];
		char *path;

		if (fd != -1)
			close(fd);
		gmtime_r(&t, &tm);
		strftime(name, sizeof(name), "%Y%m%d%H", &tm);
		path = xprintf("%s/%s", dir, name);
		fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
		if (fd == -1)
			log_sys("unable to open %s", path);
		free(path);
		forget_old(dir, days);
		hour = now;
	}
	if (fd == -1)
		return;
	sb_put(&sb, envelope);
	sb_put(&sb, reply);
	sb_putc(&sb, '\n');
	if (write_all(fd, sb_slice(&sb)) == -1)
		log_sys("unable to keep a case");
	sb_free(&sb);
}

static int
copy(int from, int to)
{
	char buf[65536];
	off_t at = 0;
	ssize_t n;

	while ((n = pread(from, buf, sizeof(buf), at)) > 0) {
		if (write_all(to, slice_of(buf, (size_t)n)) == -1)
			return -1;
		at += n;
	}
	return n == -1 ? -1 : 0;
}

int
poison_write(const char *spool, const char *id, struct slice envelope,
    int msg_fd)
{
	char *path = xprintf("%s/poison/%s", spool, id);
	int e, r = -1, fd;

	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd != -1 && write_all(fd, envelope) == 0 &&
	    write_all(fd, S("\n")) == 0 && copy(msg_fd, fd) == 0 &&
	    fsync(fd) == 0)
		r = 0;
	e = errno;
	if (fd != -1)
		close(fd);
	free(path);
	errno = e;
	return r;
}
