/*
 * queue-show - print a queued message
 * usage   queue-show [-e] [-C root] id
 * fd 1    the message; with -e its envelope and what the journal says of it
 * exit    0 done; 1 no such entry; 111 the queue cannot be read
 * rights  reads and writes queue/ (locks its journal); network: none
 */
#include <errno.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/confine.h"
#include "base/die.h"
#include "base/file.h"
#include "base/rid.h"
#include "base/tuple.h"
#include "conf/conf.h"
#include "queue/queue.h"

/* The journal's records of this entry, as they stand. */
static void
print_records(struct queue *q, const char *id)
{
	struct strbuf sb = STRBUF_INIT((size_t)1 << 40);
	struct arena ar = { 0 };
	struct tuple_reader rd;
	struct tuple t;
	int r;

	if (queue_read(q, &sb) == -1)
		die_sys(EXIT_TEMP, "unable to read the journal");
	tuple_reader_init(&rd, sb_slice(&sb));
	while ((r = tuple_next(&rd, &ar, &t)) != 0) {
		if (r == 1 && tuple_has(&t, "id", id) &&
		    write_all(STDOUT_FILENO, t.raw) == -1)
			die_sys(EXIT_TEMP, "unable to write");
		arena_reset(&ar);
	}
	arena_free(&ar);
	sb_free(&sb);
}

int
main(int argc, char **argv)
{
	const char *root = NULL, *id;
	bool envelope = false;
	struct slice all, msg;
	struct queue q;
	ptrdiff_t end;
	int ch, fd;

	prog_start(argc, argv, "[-e] [-C root] id", "print a queued message",
	    "files: queue/; network: none");
	while ((ch = getopt(argc, argv, "eC:")) != -1)
		switch (ch) {
		case 'e': envelope = true; break;
		case 'C': root = optarg; break;
		default: usage();
		}
	if (optind != argc - 1)
		usage();
	id = argv[optind];
	if (!rid_ok(slice_str(id)))
		die(EXIT_PERM, "%s: not an id", id);
	root = conf_root(root);
	if (queue_open(&q, root) == -1)
		die_sys(EXIT_TEMP, "unable to open %s/queue", root);
	if (confine(&(struct confine){ .write = (const char *[]){
	    xprintf("%s/queue", root), NULL } }) == -1)
		die_sys(EXIT_TEMP, "unable to confine");
	fd = queue_job_open(&q, id);
	if (fd == -1 && errno == ENOENT)
		die(EXIT_NO, "%s: not in the queue", id);
	if (fd == -1 || fd_map(fd, &all) == -1)
		die_sys(EXIT_TEMP, "unable to read %s", id);
	end = slice_find(all, S("\n\n"));
	msg = slice_skip(all, end == -1 ? 0 : (size_t)end + 2);
	if (write_all(STDOUT_FILENO, envelope ?
	    slice_sub(all, 0, (size_t)(end + 1)) : msg) == -1)
		die_sys(EXIT_TEMP, "unable to write");
	if (envelope)
		print_records(&q, id);
	queue_close(&q);
	return EXIT_DONE;
}
