/*
 * queue-retry - try queued messages again
 * usage   queue-retry [-A] [-t time] [-C root] [filters] [id ...]
 * fd 1    "retry count=N"
 * exit    0 done; 1 an id that was named is not there; 100 neither ids, filter
 *         nor -A; 111 try again
 * rights  writes queue/, rings run/queue; network: none
 */
#include "qchange.h"

static void
retry(struct qchange *c, int64_t at)
{
	struct strbuf sb = STRBUF_INIT((size_t)1 << 40);

	for (size_t i = 0; i < c->s.count; i++)
		qrec_next(&sb, c->s.entry[i], at);
	qchange_commit(c, &sb);
	sb_free(&sb);
}

int
main(int argc, char **argv)
{
	struct qchange c = { .all = false };
	int64_t delay = 0; /* from now, seconds */
	int ch;

	prog_start(argc, argv, "[-A] [-t time] " QCHANGE_USAGE,
	    "try queued messages again", QCHANGE_CAGE);
	while ((ch = getopt_long_only(argc, argv, "t:" QCHANGE_OPTS,
	    qfilter_options, NULL)) != -1)
		if (ch != 't')
			qchange_option(&c, ch, optarg);
		else if (qduration(slice_str(optarg), &delay) == -1)
			usage();
	qchange_begin(&c, argc, argv);
	retry(&c, clock_unix() + delay);
	return qchange_end(&c, "retry");
}
