/*
 * stage-try [-B] TYPE - a stage for tests: what it does is in the reverse-path
 *
 * Adds "TYPE result=pass from=... bytes=N". A reverse-path that starts with
 * TYPE and "-sleepN" makes it sleep N seconds, "-crash" kills it, "-refuse"
 * refuses, "-foreign" writes a line of another type, "-accept" answers.
 */
#include <stdlib.h>
#include <unistd.h>

#include "base/die.h"
#include "stage/stage.h"

static const char *type;

static int
try(void *ctx, struct job *j, struct strbuf *out)
{
	struct slice from = job_get(j, "from", "addr");

	(void)ctx;
	tuple_begin(out, type);
	tuple_puts(out, "result", "pass");
	tuple_put(out, "from", from);
	tuple_putu(out, "bytes", j->msg.n);
	tuple_end(out);
	if (!slice_starts(from, slice_str(type)))
		return EXIT_DONE;
	from = slice_skip(from, strlen(type));
	if (slice_starts(from, S("-sleep"))) {
		warn("sleeps");
		sleep((unsigned)(from.p[6] - '0'));
	} else if (slice_starts(from, S("-crash")))
		abort();
	else if (slice_starts(from, S("-foreign")))
		sb_puts(out, "job id=x\n");
	else if (slice_starts(from, S("-refuse")))
		return job_refuse(j, 550, "5.7.1", "refused by %s", type);
	else if (slice_starts(from, S("-accept")))
		return job_accept(j, "2.6.0", "taken by %s", type);
	return EXIT_DONE;
}

/* With -B: as many as wait at once, as deliver takes them. */
static void
try_batch(void *ctx, struct job **jobs, struct strbuf *out, int *verdict,
    size_t count)
{
	for (size_t i = 0; i < count; i++)
		verdict[i] = try(ctx, jobs[i], &out[i]);
}

int
main(int argc, char **argv)
{
	struct stage s = { .name = "stage-try", .run = try };
	struct stage_opts o = { 0 };
	int ch;

	prog_start(argc, argv, "[-Bw] type", "a stage for tests", "nothing");
	while ((ch = getopt(argc, argv, "B" STAGE_OPTS)) != -1)
		if (ch == 'B') {
			s.run = NULL;
			s.run_batch = try_batch;
			s.most = STAGE_BATCH_MAX;
		} else if (!stage_option(&o, ch, optarg))
			usage();
	if (optind + 1 != argc)
		usage();
	s.types = type = argv[optind];
	return stage_main(&s, &o);
}
