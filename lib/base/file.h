/*
 * file.h - whole reads and writes, durable files
 *
 * Actions return 0, or -1 with errno. Paths are relative to a directory
 * descriptor (AT_FDCWD for the current one).
 */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <sys/types.h>

#include "base/slice.h"
#include "base/strbuf.h"

#define MUST_USE __attribute__((warn_unused_result))

/* All bytes, through short writes and EINTR. */
int write_all(int fd, struct slice s) MUST_USE;
int pwrite_all(int fd, struct slice s, off_t at) MUST_USE;
/* Exactly n bytes: 0, or -1 (errno EPIPE at an early end). */
int read_full(int fd, void *p, size_t n) MUST_USE;
int pread_full(int fd, void *p, size_t n, off_t at) MUST_USE;
/* Append everything up to end of file: -1 with EMSGSIZE past sb->max. */
int fd_slurp(int fd, struct strbuf *sb) MUST_USE;
int file_slurp(int dir, const char *path, struct strbuf *sb) MUST_USE;

/*
 * Put body at `to' by way of `tmp' (same file system, must not exist), with
 * mode 0600 & mode. On 0 it survives a crash. On -1 `to' may already exist:
 * callers must live with a duplicate, never with a loss.
 */
int file_commit(int dir, const char *tmp, const char *to, struct slice body,
    mode_t mode) MUST_USE;
/* fsync of the directory that holds names; "." for dir itself. */
int dir_sync(int dir, const char *path) MUST_USE;
/* mkdir -p below dir; existing directories are fine. */
int dir_make(int dir, const char *path, mode_t mode) MUST_USE;

/*
 * The directory that the running program is in, where the suite's other
 * programs are too; the caller frees it. NULL with errno.
 */
char *program_dir(void) MUST_USE;

/* An anonymous file in memory that can be sealed, close-on-exec. */
int memfd_new(const char *name) MUST_USE;
/* After this no one can change the bytes or the size. */
int memfd_seal(int fd) MUST_USE;

/*
 * Map a whole regular file (or memfd) for reading: the slice, or -1. An
 * empty file gives an empty slice. fd_unmap() takes it back.
 */
int fd_map(int fd, struct slice *s) MUST_USE;
void fd_unmap(struct slice s);

#endif
