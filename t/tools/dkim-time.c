/*
 * dkim-time - what lib/dkim needs to verify a message, without job and DNS
 * usage   dkim-time [-n times] key-record
 * fd 0    the message, with CRLF; each of its signatures is asked the key
 * fd 1    "times=N result=pass us=MICROSECONDS", CPU time of one verification
 * exit    0 it passes, 1 it does not
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/die.h"
#include "base/file.h"
#include "dkim/verify.h"

#define QUERIES 40
#define MS 3600000

static double
cpu_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* A resolver that knows the key of the message's first signature. */
static struct dns *
resolver(struct slice msg, const char *key, struct arena *ar)
{
	struct dns *dns = dns_replay_open();
	struct strbuf text = STRBUF_INIT(65536);
	struct dkim_gathered g;
	struct tuple_reader r;
	struct tuple t;
	const struct tuple *bad;

	dkim_gather(msg, NULL, ar, &g);
	if (dkim_gathered_n(&g) == 0)
		die(EXIT_PERM, "no signature");
	tuple_begin(&text, "dns");
	tuple_puts(&text, "by", "x");
	tuple_puts(&text, "type", "TXT");
	sb_printf(&text, " name=%.*s._domainkey.%.*s",
	    SLICE_ARG(g.e[0].sig.selector), SLICE_ARG(g.e[0].sig.domain));
	tuple_puts(&text, "status", "ok");
	tuple_puts(&text, "ad", "no");
	tuple_putu(&text, "ttl", 60);
	tuple_puts(&text, "rr", key);
	tuple_end(&text);
	tuple_reader_init(&r, arena_copy(ar, sb_slice(&text)));
	if (tuple_next(&r, ar, &t) != 1 ||
	    dns_replay_load(dns, "x", &t, 1, ar, &bad) == -1)
		die(EXIT_PERM, "bad key record");
	sb_free(&text);
	return dns;
}

static enum dkim_status
verify(struct slice msg, struct dns *dns)
{
	static struct arena ar; /* reset after each, as in a worker */
	struct dkim_result result[DKIM_SIGNATURES_MAX + 1];
	struct dkim_gathered *g = arena_alloc(&ar, sizeof(*g));
	struct dns_budget budget;
	struct dkim_judge j = { .now = clock_unix(), .dns = dns,
		.budget = &budget, .ar = &ar };
	enum dkim_status status;

	dns_budget_init(&budget, QUERIES, MS);
	dkim_gather(msg, NULL, &ar, g);
	dkim_judge(&j, g, result);
	status = result[0].status;
	arena_reset(&ar);
	return status;
}

int
main(int argc, char **argv)
{
	struct strbuf in = STRBUF_INIT(1 << 28);
	enum dkim_status status = DKIM_NONE;
	struct arena ar = { 0 };
	struct dns *dns;
	unsigned times = 1;
	double from;
	int ch;

	prog_start(argc, argv, "[-n times] key-record", "time lib/dkim", "none");
	while ((ch = getopt(argc, argv, "n:")) != -1)
		switch (ch) {
		case 'n': times = (unsigned)atoi(optarg); break;
		default: usage();
		}
	if (optind + 1 != argc || times == 0)
		usage();
	if (fd_slurp(STDIN_FILENO, &in) == -1)
		die_sys(EXIT_TEMP, "message");
	dns = resolver(sb_slice(&in), argv[optind], &ar);
	verify(sb_slice(&in), dns); /* warm, as a worker is */
	from = cpu_us();
	for (unsigned i = 0; i < times; i++)
		status = verify(sb_slice(&in), dns);
	printf("times=%u result=%s us=%.2f\n", times, dkim_status_name(status),
	    (cpu_us() - from) / times);
	return status == DKIM_PASS ? 0 : EXIT_NO;
}
