/*
 * queue-fill - put many entries into a queue at once
 * usage   queue-fill root count from size rcpt...
 * "%d" in a recipient becomes the entry's number. fd 1: the ids.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/die.h"
#include "base/tuple.h"
#include "queue/queue.h"

#define BATCH 64

static void
make(struct queue_new *n, struct strbuf *env, struct strbuf *msg, long number,
    char **argv, size_t size)
{
	rid_new(n->id);
	sb_reset(msg);
	sb_reset(env);
	sb_printf(msg, "Subject: %ld\r\nMessage-ID: <%s@test>\r\n\r\n", number,
	    n->id);
	while (msg->n < size)
		sb_puts(msg, ".line of the body, with a dot in front\r\n");
	tuple_begin(env, "job");
	tuple_puts(env, "id", n->id);
	tuple_putu(env, "size", msg->n);
	tuple_putu(env, "time", (uint64_t)clock_unix());
	tuple_puts(env, "body", "7bit");
	tuple_puts(env, "smtputf8", "no");
	tuple_end(env);
	tuple_begin(env, "from");
	tuple_puts(env, "addr", argv[3]);
	tuple_end(env);
	for (char **a = argv + 5; *a != NULL; a++) {
		struct strbuf to = STRBUF_INIT(1024);
		struct slice rest = slice_str(*a);
		ptrdiff_t at = slice_find(rest, S("%d"));

		sb_put(&to, slice_sub(rest, 0, at == -1 ? rest.n : (size_t)at));
		if (at != -1) {
			sb_printf(&to, "%ld", number);
			sb_put(&to, slice_skip(rest, (size_t)at + 2));
		}
		tuple_begin(env, "rcpt");
		tuple_put(env, "addr", sb_slice(&to));
		tuple_end(env);
		sb_free(&to);
	}
	n->envelope = sb_slice(env);
	n->body[0] = sb_slice(msg);
	n->count = 1;
}

int
main(int argc, char **argv)
{
	static struct queue_new n[BATCH];
	struct strbuf env[BATCH], msg[BATCH];
	struct queue q;
	long count;

	prog_set(argv[0]);
	if (argc < 6)
		die(EXIT_PERM, "usage: queue-fill root count from size rcpt...");
	if (queue_open(&q, argv[1]) == -1)
		die_sys(EXIT_TEMP, "unable to open the queue");
	count = strtol(argv[2], NULL, 10);
	for (size_t i = 0; i < BATCH; i++) {
		sb_init(&env[i], 65536);
		sb_init(&msg[i], (size_t)1 << 28);
	}
	for (long done = 0; done < count;) {
		size_t k;

		for (k = 0; k < BATCH && done + (long)k < count; k++)
			make(&n[k], &env[k], &msg[k], done + (long)k, argv,
			    strtoul(argv[4], NULL, 10));
		queue_add(&q, n, k);
		for (size_t i = 0; i < k; i++) {
			if (n[i].error != 0)
				die(EXIT_TEMP, "add: %s", strerror(n[i].error));
			puts(n[i].id);
		}
		done += (long)k;
	}
	queue_ring(argv[1], SLICE_NONE);
	queue_close(&q);
	return EXIT_DONE;
}
