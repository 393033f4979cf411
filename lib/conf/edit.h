/*
 * edit.h - one edit of conf/ by a program
 *
 *	conf_edit_open()     lock, build what people changed by hand, open
 *	conf_edit_read()     the text of a file, as people wrote it
 *	conf_edit_put()      its new text; conf_edit_remove()
 *	conf_edit_commit()   write, build, or put everything back
 *	conf_edit_close()
 */
#ifndef CONF_EDIT_H
#define CONF_EDIT_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/slice.h"
#include "base/strbuf.h"
#include "base/tuple.h"
#include "conf/build.h"
#include "conf/conf.h"

/* Most files that one edit changes: a domain, an account. */
#define CONF_EDIT_FILES 4

struct conf_edit {
	const char *root;
	int lock;
	struct conf *conf; /* as it was before the edit */
	struct arena ar;
	struct strbuf report; /* why the last call gave -1 with EINVAL */
	struct conf_change changes[CONF_EDIT_FILES];
	size_t count;
};

/* 0, or -1 with errno as conf_build(); close it in either case. */
int conf_edit_open(struct conf_edit *e, const char *root)
    __attribute__((warn_unused_result));
/* The text of conf/KIND/NAME (of a change not yet written, too), in arena
 * memory: 1, 0 if there is none, -1 with errno. */
int conf_edit_read(struct conf_edit *e, const char *kind, struct slice name,
    struct slice *text) __attribute__((warn_unused_result));
/* text is copied. */
void conf_edit_put(struct conf_edit *e, const char *kind, struct slice name,
    struct slice text);
void conf_edit_remove(struct conf_edit *e, const char *kind,
    struct slice name);
int conf_edit_commit(struct conf_edit *e) __attribute__((warn_unused_result));
void conf_edit_close(struct conf_edit *e);

/* Add one record at the end of a file's text, which gets a line end first. */
void conf_edit_append(struct strbuf *text, struct slice record);

#endif
