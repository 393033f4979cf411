/* Counters shared by processes and read by others. */
#include "base/counter.h"

#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tap.h"

static const char *const names[] = { "in", "out", NULL };
static const char *const other[] = { "in", "lost", NULL };
#define CHILDREN 4
#define ADDS 1000

int
main(void)
{
	char dir[] = "/tmp/pneu-counter-XXXXXX";
	struct strbuf out = STRBUF_INIT(4096);
	char long_name[80];
	const char *bad[] = { long_name, NULL };
	struct counters *c;
	int good = 0, status;

	plan(0);
	if (mkdtemp(dir) == NULL || chdir(dir) == -1)
		return 1;
	for (int i = 0; i < CHILDREN; i++) {
		if (fork() != 0)
			continue;
		c = counters_open("c", names);
		for (int k = 0; c != NULL && k < ADDS; k++) {
			counter_add(c, 0, 1);
			counter_add(c, 1, 2);
		}
		_exit(c == NULL);
	}
	while (wait(&status) > 0)
		good += status == 0;
	isnum(good, CHILDREN, "processes that start together share a file");
	ok(counters_print("c", "p", &out) == 0, "print");
	is(sb_slice(&out), "counter prog=p name=in value=4000\n"
	    "counter prog=p name=out value=8000\n", "nothing is lost");

	c = counters_open("c", names);
	counter_add(c, 2, 1); /* out of range: nothing */
	counters_close(c);
	counter_add(NULL, 0, 1);
	c = counters_open("c", other);
	counter_add(c, 1, 5);
	sb_reset(&out);
	ok(c != NULL && counters_print("c", "p", &out) == 0, "other names");
	is(sb_slice(&out), "counter prog=p name=in value=0\n"
	    "counter prog=p name=lost value=5\n", "start a new file");
	counters_close(c);

	memset(long_name, 'x', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = '\0';
	ok(counters_open("d", bad) == NULL && errno == EINVAL, "name too long");
	ok(counters_open("no/d", names) == NULL && errno == ENOENT, "no place");
	sb_reset(&out);
	ok(counters_print("no", "p", &out) == -1, "nothing to print");
	sb_free(&out);
	unlink("c");
	ok(rmdir(dir) == 0, "no other file left");
	return done();
}
