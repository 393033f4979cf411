/*
 * queue-list - list the queue of outgoing mail
 * usage   queue-list [-v] [-C root] [-sort nextattempt|queued] [-asc | -desc]
 *         [filters] [id ...]
 * fd 1    a line "entry ..." each, with -v also "rcpt ..." lines
 * exit    0 done; 1 an id that was named is not there; 100 bad usage; 111 the
 *         queue cannot be read
 * rights  reads and writes queue/ (locks its journal); network: none
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/confine.h"
#include "base/alloc.h"
#include "base/die.h"
#include "base/file.h"
#include "base/tuple.h"
#include "conf/conf.h"
#include "queue/select.h"

#define OUT_MAX ((size_t)1 << 40)
#define FILTERS_MAX 16
enum { OPT_SORT = 1000, OPT_ASC, OPT_DESC };

/* The trouble of the recipient that was tried last. */
static const struct qresult *
last_result(const struct qentry *e)
{
	const struct qresult *last = NULL;

	for (size_t i = 0; i < e->rcpts; i++)
		if (e->rcpt[i].last != NULL && (last == NULL ||
		    e->rcpt[i].last->time >= last->time))
			last = e->rcpt[i].last;
	return last;
}

static void
put_result(struct strbuf *sb, const struct qresult *l)
{
	if (l == NULL)
		return;
	if (l->code != 0)
		tuple_putu(sb, "code", (uint64_t)l->code);
	tuple_opt(sb, "ecode", slice_str(l->ecode));
	tuple_opt(sb, "text", slice_str(l->text));
	tuple_opt(sb, "host", slice_str(l->host));
}

static void
put_entry(struct strbuf *sb, const struct qentry *e)
{
	unsigned attempts = 0;
	int64_t last = 0, next = qentry_next(e);

	for (size_t i = 0; i < e->groups; i++) {
		if (e->group[i].attempts > attempts)
			attempts = e->group[i].attempts;
		if (e->group[i].last > last)
			last = e->group[i].last;
	}
	tuple_begin(sb, "entry");
	tuple_puts(sb, "id", e->id);
	tuple_puts(sb, "from", e->from);
	tuple_puts(sb, "to", e->rcpt[0].addr);
	tuple_putu(sb, "rcpts", e->rcpts);
	tuple_putu(sb, "size", e->size);
	tuple_opt(sb, "account", slice_str(e->account));
	tuple_putu(sb, "queued", (uint64_t)e->time);
	tuple_putu(sb, "attempts", attempts);
	if (last != 0)
		tuple_putu(sb, "last", (uint64_t)last);
	if (next != INT64_MAX)
		tuple_putu(sb, "next", (uint64_t)next);
	put_result(sb, last_result(e));
	tuple_end(sb);
}

static void
put_rcpts(struct strbuf *sb, const struct qentry *e)
{
	for (size_t i = 0; i < e->rcpts; i++) {
		const struct qrcpt *r = &e->rcpt[i];

		tuple_begin(sb, "rcpt");
		tuple_puts(sb, "id", e->id);
		tuple_puts(sb, "addr", r->addr);
		tuple_puts(sb, "status", r->last == NULL ? "new" :
		    qstatus_name(r->last->status));
		put_result(sb, r->last);
		tuple_end(sb);
	}
}

static void
print(struct qselection *s, bool verbose)
{
	struct strbuf sb = STRBUF_INIT(OUT_MAX);

	for (size_t i = 0; i < s->count; i++) {
		put_entry(&sb, s->entry[i]);
		if (verbose)
			put_rcpts(&sb, s->entry[i]);
	}
	if (write_all(STDOUT_FILENO, sb_slice(&sb)) == -1)
		die_sys(EXIT_TEMP, "unable to write");
	sb_free(&sb);
}

/* The filters' options and our own in one list. */
static void
all_options(struct option *to)
{
	const struct option own[] = {
		{ "sort", required_argument, NULL, OPT_SORT },
		{ "asc", no_argument, NULL, OPT_ASC },
		{ "desc", no_argument, NULL, OPT_DESC },
	};
	size_t n = 0;

	for (; n < COUNTOF(own); n++)
		to[n] = own[n];
	for (const struct option *o = qfilter_options; o->name != NULL; o++)
		to[n++] = *o;
	to[n] = (struct option){ 0 };
}

int
main(int argc, char **argv)
{
	struct option options[FILTERS_MAX];
	struct qfilter f = { 0 };
	struct qselection s;
	struct queue q;
	enum qorder order = QORDER_NEXT;
	bool descending = false, verbose = false, missing;
	const char *root = NULL;
	int ch;

	prog_start(argc, argv, "[-v] [-C root] [-sort nextattempt|queued] "
	    "[-asc | -desc] [-n max] [-ids id,...] [-account name] "
	    "[-from text] [-to text] [-submitted when] [-nextattempt when] "
	    "[id ...]", "list the queue of outgoing mail",
	    "files: queue/; network: none");
	all_options(options);
	while ((ch = getopt_long_only(argc, argv, "vC:" QFILTER_OPTS, options,
	    NULL)) != -1)
		switch (ch) {
		case 'v': verbose = true; break;
		case 'C': root = optarg; break;
		case OPT_ASC: descending = false; break;
		case OPT_DESC: descending = true; break;
		case OPT_SORT:
			if (strcmp(optarg, "queued") == 0)
				order = QORDER_QUEUED;
			else if (strcmp(optarg, "nextattempt") != 0)
				usage();
			break;
		default:
			if (qfilter_set(&f, ch, optarg) != 1)
				usage();
		}
	for (; optind < argc; optind++)
		if (qfilter_id(&f, argv[optind]) == -1)
			die(EXIT_PERM, "%s: not an id", argv[optind]);
	root = conf_root(root);
	if (queue_open(&q, root) == -1)
		die_sys(EXIT_TEMP, "unable to open %s/queue", root);
	if (confine(&(struct confine){ .write = (const char *[]){
	    xprintf("%s/queue", root), NULL } }) == -1)
		die_sys(EXIT_TEMP, "unable to confine");
	if (qselect(&s, &q, &f, order, descending, clock_unix()) == -1)
		die_sys(EXIT_TEMP, "unable to read %s/queue", root);
	if (s.bad != 0)
		warn("%u files in %s/queue/job cannot be read", s.bad, root);
	print(&s, verbose);
	missing = f.most == 0 && s.count < f.count;
	qselect_free(&s);
	qfilter_free(&f);
	queue_close(&q);
	return missing ? EXIT_NO : EXIT_DONE;
}
