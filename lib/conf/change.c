/* Edit files of conf/ so that a mistake changes nothing. */
#include "conf/build.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/rid.h"

/* People edit these files: readable by all, written by their owner. */
#define CONF_MODE 0644

int
conf_lock(const char *root)
{
	char *path = xprintf("%s/conf", root);
	int e, fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = -1;

	if (fd != -1)
		do
			r = flock(fd, LOCK_EX);
		while (r == -1 && errno == EINTR);
	e = errno;
	if (fd != -1 && r == -1) {
		close(fd);
		fd = -1;
	}
	free(path);
	errno = e;
	return fd;
}

static int
open_conf(const char *root)
{
	char *path = xprintf("%s/conf", root);
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), e = errno;

	free(path);
	errno = e;
	return fd;
}

static int
read_at(int dir, const char *file, struct arena *ar, struct slice *text)
{
	struct strbuf sb = STRBUF_INIT(CONF_FILE_MAX);
	int e, r = file_slurp(dir, file, &sb);

	e = errno;
	*text = r == 0 ? arena_copy(ar, sb_slice(&sb)) : SLICE_NONE;
	sb_free(&sb);
	errno = e;
	if (r == 0)
		return 1;
	return errno == ENOENT ? 0 : -1;
}

int
conf_read(const char *root, const char *file, struct arena *ar,
    struct slice *text)
{
	int dir = open_conf(root), e, r;

	if (dir == -1)
		return -1;
	r = read_at(dir, file, ar, text);
	e = errno;
	close(dir);
	errno = e;
	return r;
}

/* Names that start with a dot are not read by conf_build(). */
static char *
temporary(const char *file)
{
	const char *slash = strrchr(file, '/');
	int dir = slash == NULL ? 0 : (int)(slash + 1 - file);
	char id[RID_LEN + 1];

	rid_new(id);
	return xprintf("%.*s.%s.%s", dir, file, file + dir, id);
}

static int
apply(int dir, const char *file, struct slice text, bool remove_it)
{
	const char *slash = strrchr(file, '/');
	char *tmp, *parent;
	int e, r;

	parent = slice_dup(slice_of(file,
	    slash == NULL ? 0 : (size_t)(slash - file)));
	if (remove_it) {
		r = unlinkat(dir, file, 0);
		if (r == 0)
			r = dir_sync(dir, parent[0] != '\0' ? parent : ".");
	} else {
		tmp = temporary(file);
		r = parent[0] == '\0' ? 0 : dir_make(dir, parent, 0755);
		if (r == 0)
			r = file_commit(dir, tmp, file, text, CONF_MODE);
		e = errno;
		free(tmp);
		errno = e;
	}
	e = errno;
	free(parent);
	errno = e;
	return r;
}

int
conf_change(const char *root, const struct conf_change *changes, size_t count,
    struct strbuf *report)
{
	struct conf_change *old = xcalloc(count + 1, sizeof(*old));
	struct arena ar = { 0 };
	int dir = open_conf(root), e, r = dir == -1 ? -1 : 0;
	size_t done = 0;

	for (; r == 0 && done < count; done++) {
		const struct conf_change *c = &changes[done];
		int had = read_at(dir, c->file, &ar, &old[done].text);

		if (had == -1) {
			r = -1;
			break;
		}
		old[done].file = c->file;
		old[done].remove = had == 0;
		r = apply(dir, c->file, c->text, c->remove);
	}
	if (r == 0)
		r = conf_build(root, true, report);
	e = errno;
	while (r == -1 && done-- > 0)
		if (apply(dir, old[done].file, old[done].text,
		    old[done].remove) == -1 && errno != ENOENT)
			sb_printf(report, "conf/%s: not put back as it was\n",
			    old[done].file);
	if (dir != -1)
		close(dir);
	arena_free(&ar);
	free(old);
	errno = e;
	return r;
}
