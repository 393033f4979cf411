/*
 * qchange.h - how queue-drop and queue-retry begin and end
 */
#ifndef CMD_QCHANGE_H
#define CMD_QCHANGE_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/confine.h"
#include "base/die.h"
#include "conf/conf.h"
#include "queue/select.h"

#define QCHANGE_OPTS "AC:" QFILTER_OPTS
#define QCHANGE_USAGE "[-C root] [-n max] [-ids id,...] [-account name] " \
	"[-from text] [-to text] [-submitted when] [-nextattempt when] [id ...]"
#define QCHANGE_CAGE "files: writes queue/; rings run/queue; network: none"

struct qchange {
	struct qfilter filter;
	const char *root;
	bool all;
	struct queue q;
	struct qselection s;
};

/* An option of QCHANGE_OPTS; ends the program if it is none. */
static inline void
qchange_option(struct qchange *c, int ch, char *arg)
{
	switch (ch) {
	case 'A': c->all = true; break;
	case 'C': c->root = arg; break;
	default:
		if (qfilter_set(&c->filter, ch, arg) != 1)
			usage();
	}
}

/* The ids, then what is selected; nobody changes a whole queue by mistake. */
static inline void
qchange_begin(struct qchange *c, int argc, char **argv)
{
	for (; optind < argc; optind++)
		if (qfilter_id(&c->filter, argv[optind]) == -1)
			die(EXIT_PERM, "%s: not an id", argv[optind]);
	if (!c->all && !c->filter.any)
		die(EXIT_PERM, "give ids, a filter, or -A for all");
	c->root = conf_root(c->root);
	if (queue_open(&c->q, c->root) == -1)
		die_sys(EXIT_TEMP, "unable to open %s/queue", c->root);
	if (confine(&(struct confine){ .flags = CONFINE_UNIX,
	    .write = (const char *[]){ xprintf("%s/queue", c->root), NULL } }) ==
	    -1)
		die_sys(EXIT_TEMP, "unable to confine");
	if (qselect(&c->s, &c->q, &c->filter, QORDER_NEXT, false,
	    clock_unix()) == -1)
		die_sys(EXIT_TEMP, "unable to read %s/queue", c->root);
}

/* Make the records durable; they say what becomes of the messages. */
static inline void
qchange_commit(struct qchange *c, const struct strbuf *records)
{
	if (c->s.count != 0 && queue_append(&c->q, sb_slice(records)) == -1)
		die_sys(EXIT_TEMP, "unable to write the journal");
}

/* Ring, and say how many: the exit code. */
static inline int
qchange_end(struct qchange *c, const char *what)
{
	/* Each id that was named counts, unless -n cut the list. */
	bool missing = c->filter.most == 0 && c->s.count < c->filter.count;

	queue_ring(c->q.root, SLICE_NONE);
	printf("%s count=%zu\n", what, c->s.count);
	qselect_free(&c->s);
	qfilter_free(&c->filter);
	queue_close(&c->q);
	if (fflush(stdout) != 0)
		return EXIT_TEMP;
	return missing ? EXIT_NO : EXIT_DONE;
}

#endif
