/*
 * edit.h - how the programs that edit conf/ begin and end
 */
#ifndef CMD_EDIT_H
#define CMD_EDIT_H

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/confine.h"
#include "base/die.h"
#include "base/file.h"
#include "conf/conf.h"
#include "conf/edit.h"
#include "conf/setting.h"
#include "report.h"

/* Programs that only read: conf.cdb, nothing else. Ends the program if there
 * is none. */
static inline struct conf *
list_begin(const char *root)
{
	char *cdb = xprintf("%s/cdb", root);
	struct confine cage = { .read = (const char *[]){ cdb, NULL } };
	struct conf *c = conf_open(root);

	if (c == NULL)
		die_sys(EXIT_TEMP, "unable to open %s/conf.cdb", cdb);
	if (confine(&cage) == -1)
		die_sys(EXIT_TEMP, "unable to confine itself to %s", cdb);
	free(cdb);
	return c;
}

static inline void
list_end(struct conf *c, const struct strbuf *out)
{
	if (out->over)
		die(EXIT_TEMP, "the list is too long");
	if (write_all(STDOUT_FILENO, sb_slice(out)) == -1)
		die_sys(EXIT_TEMP, "unable to write the list");
	conf_close(c);
}

/*
 * Make cdb/ and, if not NULL, a directory that only its owner may look into;
 * secret/ itself may be passed through by the other programs' users. The root
 * must be there: a wrong -C makes nothing.
 */
static inline void
make_dirs(const char *root, const char *private)
{
	int dir = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (dir == -1)
		die_sys(EXIT_TEMP, "unable to open %s", root);
	if (dir_make(dir, "cdb", 0755) == -1)
		die_sys(EXIT_TEMP, "unable to make %s/cdb", root);
	if (private != NULL && ((strncmp(private, "secret", 6) == 0 &&
	    dir_make(dir, "secret", 0711) == -1) ||
	    dir_make(dir, private, 0700) == -1))
		die_sys(EXIT_TEMP, "unable to make %s/%s", root, private);
	close(dir);
}

/*
 * Confine to conf/, cdb/ and `more' (below root; NULL: nothing more, made if
 * need be), lock and open. Ends the program if conf/ has mistakes already.
 */
static inline void
edit_begin(struct conf_edit *e, const char *root, const char *more)
{
	char *paths[4] = { xprintf("%s/conf", root), xprintf("%s/cdb", root),
		more == NULL ? NULL : xprintf("%s/%s", root, more), NULL };
	struct confine cage = { .write = (const char *const *)paths };

	make_dirs(root, more);
	if (confine(&cage) == -1)
		die_sys(EXIT_TEMP, "unable to confine itself to %s", root);
	for (char **p = paths; *p != NULL; p++)
		free(*p);
	if (conf_edit_open(e, root) == -1)
		exit(report_failure(&e->report, root));
}

/* Write and build; ends the program if that fails. */
static inline void
edit_commit(struct conf_edit *e)
{
	if (conf_edit_commit(e) == -1)
		exit(report_failure(&e->report, e->root));
}

/* Names of accounts are names of files: ends the program on any other. */
static inline void
account_name(struct slice name)
{
	if (!setting_name_ok(name))
		die(EXIT_PERM, "not the name of an account");
}

/* The records on stdin, for programs that take "-". The text lives as long
 * as the program. */
static inline struct slice
read_records(void)
{
	static struct strbuf sb = STRBUF_INIT(CONF_FILE_MAX);

	if (fd_slurp(STDIN_FILENO, &sb) == -1)
		die_sys(EXIT_TEMP, "unable to read records from stdin");
	return sb_slice(&sb);
}

#endif
