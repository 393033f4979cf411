/*
 * queue-retry - try queued messages again
 * usage   queue-retry [-A] [-t time] [-C root] [filters] [id ...]
 * fd 1    "retry count=N"
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
	int64_t delay; /* from now, seconds */
};

static void
change(struct queue *q, const struct qselection *s, int64_t at)
{
	struct strbuf sb = STRBUF_INIT((size_t)1 << 40);

	for (size_t i = 0; i < s->count; i++)
		qrec_next(&sb, s->entry[i], at);
	if (s->count != 0 && queue_append(q, sb_slice(&sb)) == -1)
		die_sys(EXIT_TEMP, "unable to write the journal");
	queue_ring(q->root, SLICE_NONE);
	sb_free(&sb);
}

/* Options up to the ids; nobody empties a queue by mistake. */
static void
options(int argc, char **argv, struct command *c)
{
	bool all = false;
	int ch;

	while ((ch = getopt_long_only(argc, argv, "At:C:" QFILTER_OPTS,
	    qfilter_options, NULL)) != -1)
		switch (ch) {
		case 'A': all = true; break;
		case 'C': c->root = optarg; break;
		case 't':
			if (qduration(slice_str(optarg), &c->delay) == -1)
				usage();
			break;
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

	prog_start(argc, argv, "[-A] [-t time] [-C root] [-n max] "
	    "[-ids id,...] [-account name] [-from text] [-to text] "
	    "[-submitted when] [-nextattempt when] [id ...]",
	    "try queued messages again",
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
	change(&q, &s, clock_unix() + c.delay);
	printf("retry count=%zu\n", s.count);
	qselect_free(&s);
	qfilter_free(&c.filter);
	queue_close(&q);
	return fflush(stdout) == 0 ? EXIT_DONE : EXIT_TEMP;
}
