/*
 * build.h - check conf/ and compile it; edit its files (conf(5))
 *
 * All of these work under the lock of conf_lock(), so that two programs
 * cannot edit or build at the same time.
 */
#ifndef CONF_BUILD_H
#define CONF_BUILD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/slice.h"
#include "base/strbuf.h"
#include "base/tuple.h"

#define CONF_FILE_MAX ((size_t)16 << 20)
#define CONF_REPORT_MAX ((size_t)65536)

/* Wait for and take the lock on ROOT/conf; close the descriptor to give it
 * back. -1 with errno. */
int conf_lock(const char *root) __attribute__((warn_unused_result));

/*
 * Check ROOT/conf and, if `write', compile it to ROOT/cdb/conf.cdb. 0, or -1:
 * errno is EINVAL if conf/ has mistakes, and each is a line
 * "conf/FILE:LINE: ATTRIBUTE: what is wrong" in *report; otherwise an error
 * of the file system. After -1 the old conf.cdb is as it was.
 */
int conf_build(const char *root, bool write, struct strbuf *report)
    __attribute__((warn_unused_result));

/* A new text for a file of conf/, such as "account/bob". */
struct conf_change {
	const char *file;
	struct slice text;
	bool remove; /* remove the file instead */
};

/*
 * Make the changes, then conf_build(); if that fails everything is put back.
 * 0, or -1 as conf_build().
 */
int conf_change(const char *root, const struct conf_change *changes,
    size_t count, struct strbuf *report) __attribute__((warn_unused_result));

/* The text of a file of conf/, in the arena: 1, 0 if there is none, -1. */
int conf_read(const char *root, const char *file, struct arena *ar,
    struct slice *text) __attribute__((warn_unused_result));

#endif
