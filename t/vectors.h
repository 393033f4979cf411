/*
 * vectors.h - test vectors from outside the tree
 *
 * They lie in $PNEU_VECTORS, ../shared/vectors or ../../shared/vectors. A test
 * that finds none is skipped with a message.
 */
#ifndef T_VECTORS_H
#define T_VECTORS_H

#include <fcntl.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "tap.h"

/* The directory, or NULL. */
static inline const char *
vectors_dir(void)
{
	const char *dirs[] = { getenv("PNEU_VECTORS"), "../shared/vectors",
		"../../shared/vectors" };

	for (size_t i = 0; i < COUNTOF(dirs); i++)
		if (dirs[i] != NULL && access(dirs[i], R_OK) == 0)
			return dirs[i];
	return NULL;
}

/* Read the file into *sb, or skip the whole test. */
static inline void
vectors_load(const char *name, struct strbuf *sb)
{
	const char *dir = vectors_dir();
	char *path;

	if (dir == NULL)
		skip_all("no test vectors");
	path = xprintf("%s/%s", dir, name);
	sb_init(sb, (size_t)64 << 20);
	if (file_slurp(AT_FDCWD, path, sb) == -1)
		skip_all("the vectors lack this file");
	free(path);
}

#endif
