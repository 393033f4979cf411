/* tree.h - take away what a test made */
#ifndef T_TREE_H
#define T_TREE_H

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The file, or the directory and all below it. -1: not all of it. */
static inline int
remove_tree(const char *path)
{
	struct dirent *e;
	DIR *d = opendir(path);

	if (d == NULL)
		return unlink(path);
	while ((e = readdir(d)) != NULL) {
		char sub[PATH_MAX];

		if (strcmp(e->d_name, ".") == 0 ||
		    strcmp(e->d_name, "..") == 0)
			continue;
		if (snprintf(sub, sizeof(sub), "%s/%s", path, e->d_name) <
		    (int)sizeof(sub) && unlink(sub) == -1)
			remove_tree(sub);
	}
	closedir(d);
	return rmdir(path);
}

#endif
