/*
 * queue-drop - remove queued messages
 * usage   queue-drop [-A] [-C root] [filters] [id ...]
 * fd 1    "drop count=N"
 * exit    0 done; 100 neither ids, filter nor -A; 111 try again
 * rights  writes queue/, rings run/queue; network: none
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/confine.h"
#include "base/die.h"
#include "conf/conf.h"
#include "queue/select.h"

struct command {
	struct qfilter filter;
	const char *root;
};

/* Silently: nobody is told. The record first, then the files. */
static void
change(struct queue *q, const struct qselection *s)
{
	struct strbuf sb = STRBUF_INIT((size_t)1 << 40);

	for (size_t i = 0; i < s->count; i++)
		qrec_done(&sb, s->entry[i]->id, "dropped");
	if (s->count != 0 && queue_append(q, sb_slice(&sb)) == -1)
		die_sys(EXIT_TEMP, "unable to write the journal");
	for (size_t i = 0; i < s->count; i++)
		if (queue_job_remove(q, s->entry[i]->id) == -1)
			warn_sys("unable to remove %s", s->entry[i]->id);
	queue_ring(q->root, SLICE_NONE);
	sb_free(&sb);
}

/* Options up to the ids; nobody empties a queue by mistake. */
static void
options(int argc, char **argv, struct command *c)
{
	bool all = false;
	int ch;

	while ((ch = getopt_long_only(argc, argv, "AC:" QFILTER_OPTS,
	    qfilter_options, NULL)) != -1)
		switch (ch) {
		case 'A': all = true; break;
		case 'C': c->root = optarg; break;
		default:
			if (qfilter_set(&c->filter, ch, optarg) != 1)
				usage();
		}
	for (; optind < argc; optind++)
		if (qfilter_id(&c->filter, argv[optind]) == -1)
			die(EXIT_PERM, "%s: not an id", argv[optind]);
	if (!all && !c->filter.any)
		die(EXIT_PERM, "give ids, a filter, or -A for all");
	c->root = conf_root(c->root);
}

int
main(int argc, char **argv)
{
	struct command c = { 0 };
	struct qselection s;
	struct queue q;

	prog_start(argc, argv, "[-A] [-C root] [-n max] "
	    "[-ids id,...] [-account name] [-from text] [-to text] "
	    "[-submitted when] [-nextattempt when] [id ...]",
	    "remove queued messages",
	    "files: writes queue/; rings run/queue; network: none");
	options(argc, argv, &c);
	if (queue_open(&q, c.root) == -1)
		die_sys(EXIT_TEMP, "unable to open %s/queue", c.root);
	if (confine(&(struct confine){ .flags = CONFINE_UNIX,
	    .write = (const char *[]){ xprintf("%s/queue", c.root), NULL } }) ==
	    -1)
		die_sys(EXIT_TEMP, "unable to confine");
	if (qselect(&s, &q, &c.filter, QORDER_NEXT, false, clock_unix()) == -1)
		die_sys(EXIT_TEMP, "unable to read %s/queue", c.root);
	change(&q, &s);
	printf("drop count=%zu\n", s.count);
	qselect_free(&s);
	qfilter_free(&c.filter);
	queue_close(&q);
	return fflush(stdout) == 0 ? EXIT_DONE : EXIT_TEMP;
}
