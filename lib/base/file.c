#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"

int
write_all(int fd, struct slice s)
{
	while (s.n != 0) {
		ssize_t n = write(fd, s.p, s.n);

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return -1;
		s = slice_skip(s, (size_t)n);
	}
	return 0;
}

int
pwrite_all(int fd, struct slice s, off_t at)
{
	while (s.n != 0) {
		ssize_t n = pwrite(fd, s.p, s.n, at);

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return -1;
		s = slice_skip(s, (size_t)n);
		at += n;
	}
	return 0;
}

int
read_full(int fd, void *p, size_t n)
{
	char *at = p;

	while (n != 0) {
		ssize_t got = read(fd, at, n);

		if (got == -1 && errno == EINTR)
			continue;
		if (got == 0)
			errno = EPIPE;
		if (got <= 0)
			return -1;
		at += got;
		n -= (size_t)got;
	}
	return 0;
}

int
pread_full(int fd, void *p, size_t n, off_t at)
{
	char *to = p;

	while (n != 0) {
		ssize_t got = pread(fd, to, n, at);

		if (got == -1 && errno == EINTR)
			continue;
		if (got == 0)
			errno = EPIPE;
		if (got <= 0)
			return -1;
		to += got;
		at += got;
		n -= (size_t)got;
	}
	return 0;
}

int
fd_slurp(int fd, struct strbuf *sb)
{
	ssize_t n;

	for (;;) {
		size_t room = sb->max - sb->n;

		if (room > 65536)
			room = 65536;
		if (room == 0) {
			char c;

			do
				n = read(fd, &c, 1);
			while (n == -1 && errno == EINTR);
			if (n > 0)
				errno = EMSGSIZE;
			return n == 0 ? 0 : -1;
		}
		n = sb_read(sb, fd, room);
		if (n <= 0)
			return (int)n;
	}
}

int
file_slurp(int dir, const char *path, struct strbuf *sb)
{
	int e, r, fd = openat(dir, path, O_RDONLY | O_CLOEXEC);

	if (fd == -1)
		return -1;
	r = fd_slurp(fd, sb);
	e = errno;
	close(fd);
	errno = e;
	return r;
}

int
dir_sync(int dir, const char *path)
{
	int e, r, fd = openat(dir, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd == -1)
		return -1;
	r = fsync(fd);
	e = errno;
	close(fd);
	errno = e;
	return r;
}

/* The directory part of a path, "." if there is none. */
static int
parent_sync(int dir, const char *path)
{
	const char *slash = strrchr(path, '/');
	char *parent;
	int r;

	if (slash == NULL)
		return dir_sync(dir, ".");
	parent = slice_dup(slice_of(path, (size_t)(slash - path)));
	r = dir_sync(dir, parent[0] != '\0' ? parent : "/");
	free(parent);
	return r;
}

int
file_commit(int dir, const char *tmp, const char *to, struct slice body,
    mode_t mode)
{
	int e, fd;

	fd = openat(dir, tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	if (fd == -1)
		return -1;
	if (write_all(fd, body) == -1 || fsync(fd) == -1 ||
	    renameat(dir, tmp, dir, to) == -1) {
		e = errno;
		unlinkat(dir, tmp, 0);
		close(fd);
		errno = e;
		return -1;
	}
	return close(fd) == -1 ? -1 : parent_sync(dir, to);
}

int
dir_make(int dir, const char *path, mode_t mode)
{
	char *copy = slice_dup(slice_str(path)), *p = copy;
	int e, r = 0;

	for (; *p == '/'; p++)
		;
	while (r == 0 && (p = strchr(p, '/')) != NULL) {
		*p = '\0';
		r = mkdirat(dir, copy, mode);
		if (r == -1 && errno == EEXIST)
			r = 0;
		*p++ = '/';
	}
	if (r == 0 && (r = mkdirat(dir, copy, mode)) == -1 && errno == EEXIST)
		r = 0;
	e = errno;
	free(copy);
	errno = e;
	return r;
}

char *
program_dir(void)
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self));
	ptrdiff_t slash;

	if (n == -1)
		return NULL;
	slash = slice_rchr(slice_of(self, (size_t)n), '/');
	if (n == sizeof(self) || slash == -1) {
		errno = ENAMETOOLONG;
		return NULL;
	}
	return xprintf("%.*s", (int)slash, self);
}

int
memfd_new(const char *label)
{
	return memfd_create(label, MFD_CLOEXEC | MFD_ALLOW_SEALING);
}

int
memfd_seal(int fd)
{
	return fcntl(fd, F_ADD_SEALS,
	    F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL);
}

int
fd_map(int fd, struct slice *s)
{
	struct stat st;
	void *p;

	if (fstat(fd, &st) == -1)
		return -1;
	*s = SLICE_NONE;
	if (st.st_size == 0)
		return 0;
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		return -1;
	*s = slice_of(p, (size_t)st.st_size);
	return 0;
}

void
fd_unmap(struct slice s)
{
	if (s.n != 0)
		munmap((void *)(uintptr_t)s.p, s.n);
}
