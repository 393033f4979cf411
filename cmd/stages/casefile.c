/*
 * What was judged: envelopes as text, a file an hour; records for reports, the
 * same way; and jobs set aside.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fdpass.h"
#include "base/file.h"
#include "stages.h"

/* The envelope, the reply and an empty line, with one write, so that entries
 * of several processes do not mix. */
void
case_write(struct journal *cases, struct slice envelope, struct slice reply)
{
	struct strbuf sb = STRBUF_INIT(JOB_ENVELOPE_MAX + PACKET_MAX);

	sb_put(&sb, envelope);
	sb_put(&sb, reply);
	sb_putc(&sb, '\n');
	journal_write(cases, sb_slice(&sb));
	sb_free(&sb);
}

/* An attribute of the verdict, unless the record says it itself. */
static void
put_missing(struct strbuf *sb, const struct tuple *t, const char *name,
    struct slice value)
{
	struct slice own;

	if (!tuple_get(t, name, &own))
		tuple_opt(sb, name, value);
}

void
report_write(struct journal *report, const char *type, struct slice envelope,
    struct slice reply)
{
	struct strbuf sb = STRBUF_INIT(2 * JOB_ENVELOPE_MAX);
	struct slice time = SLICE_NONE;
	struct tuple_reader r;
	struct arena a = { 0 };
	struct tuple t, end;

	tuple_reader_init(&r, reply);
	if (tuple_next(&r, &a, &end) != 1)
		end = (struct tuple){ 0 };
	tuple_reader_init(&r, envelope);
	while (tuple_next(&r, &a, &t) == 1) {
		if (tuple_is(&t, "job"))
			time = tuple_value(&t, "time");
		if (!tuple_is(&t, type))
			continue;
		sb_put(&sb, slice_rtrim(t.raw));
		put_missing(&sb, &t, "id", tuple_value(&end, "id"));
		put_missing(&sb, &t, "time", time);
		put_missing(&sb, &t, "code", tuple_value(&end, "code"));
		tuple_end(&sb);
	}
	journal_write(report, sb_slice(&sb));
	arena_free(&a);
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
