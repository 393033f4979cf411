/*
 * queue-drop - remove queued messages
 * usage   queue-drop [-A] [-C root] [filters] [id ...]
 * fd 1    "drop count=N"
 * exit    0 done; 1 an id that was named is not there; 100 neither ids, filter
 *         nor -A; 111 try again
 * rights  writes queue/, rings run/queue; network: none
 */
#include "qchange.h"

/* Silently: nobody is told. The record first, then the files. */
static void
drop(struct qchange *c)
{
	struct strbuf sb = STRBUF_INIT((size_t)1 << 40);

	for (size_t i = 0; i < c->s.count; i++)
		qrec_done(&sb, c->s.entry[i]->id, "dropped");
	qchange_commit(c, &sb);
	for (size_t i = 0; i < c->s.count; i++)
		if (queue_job_remove(&c->q, c->s.entry[i]->id) == -1)
			warn_sys("unable to remove %s", c->s.entry[i]->id);
	sb_free(&sb);
}

int
main(int argc, char **argv)
{
	struct qchange c = { .all = false };
	int ch;

	prog_start(argc, argv, "[-A] " QCHANGE_USAGE, "remove queued messages",
	    QCHANGE_CAGE);
	while ((ch = getopt_long_only(argc, argv, QCHANGE_OPTS,
	    qfilter_options, NULL)) != -1)
		qchange_option(&c, ch, optarg);
	qchange_begin(&c, argc, argv);
	drop(&c);
	return qchange_end(&c, "drop");
}
