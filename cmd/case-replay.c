/*
 * case-replay - judge messages again from their cases
 * usage   case-replay [-nv] [-C root] id ...
 *         case-replay [-nv] [-C root] -a
 *         case-replay [-nv] [-C root] -H YYYYMMDDHH
 * fd 1    the lines of each check, "< recorded" and "> now" where they differ;
 *         with -a and -H only what differs, then a line with numbers
 * exit    0 all the same; 1 some differ; 100 bad usage, no such case, a case
 *         that cannot be judged again; 111 temporary
 * rights  reads case/ and cdb/, runs the programs of the checks; network: none,
 *         with -n DNS
 */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/confine.h"
#include "base/file.h"
#include "stage/types.h"
#include "case.h"

#define TEXT_MAX (4 * JOB_ENVELOPE_MAX)
#define CHILD_SECONDS 60 /* over the time of any budget of lib/dns/budget.h */
/* Cases that one run of a program judges, and about how many bytes of them: to
 * start a program costs more than to judge a case. */
#define BATCH_CASES 64
#define BATCH_BYTES (4 * JOB_ENVELOPE_MAX)

struct replay {
	const char *root, *bin;
	bool now;     /* -n: today's DNS and configuration */
	bool verbose; /* -v: the programs explain */
	bool quiet;   /* only what differs */
	unsigned cases, same, different, failed;
	int code;     /* the worst of the programs */
};

/* One check of one case. */
struct run {
	const struct check *check;
	struct strbuf then, now; /* its lines */
	pid_t pid;
	int out;
};

struct batch {
	struct arena ar;
	struct job job[BATCH_CASES];
	size_t count, bytes;
};

static int
file_with(struct slice text)
{
	int fd = memfd_new("case");

	if (fd == -1 || write_all(fd, text) == -1 ||
	    lseek(fd, 0, SEEK_SET) == -1)
		die_sys(EXIT_TEMP, "unable to make a file in memory");
	return fd;
}

static void
run_start(const struct replay *rp, struct run *r, struct slice envelope)
{
	char *path = xprintf("%s/%s", rp->bin, r->check->program);
	const char *how = rp->now ? rp->verbose ? "-Nv" : "-N" :
	    rp->verbose ? "-Rv" : "-R";
	int in = file_with(envelope);

	r->out = file_with(SLICE_NONE);
	r->pid = fork();
	if (r->pid == -1)
		die_sys(EXIT_TEMP, "unable to start %s", path);
	if (r->pid == 0) {
		alarm(CHILD_SECONDS);
		if (dup2(in, STDIN_FILENO) != -1 &&
		    dup2(r->out, STDOUT_FILENO) != -1)
			execl(path, r->check->program, how, "-C", rp->root,
			    (char *)NULL);
		die_sys(EXIT_TEMP, "unable to run %s", path);
	}
	close(in);
	free(path);
}

/* Wait for it and take what it printed: 0, or the code it failed with. */
static int
run_wait(const struct run *r, struct strbuf *all)
{
	int status, code = EXIT_TEMP;

	while (waitpid(r->pid, &status, 0) == -1 && errno == EINTR)
		;
	if (WIFEXITED(status) && WEXITSTATUS(status) <= EXIT_NO)
		code = 0;
	else if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_PERM)
		code = EXIT_PERM;
	if (lseek(r->out, 0, SEEK_SET) == -1 || fd_slurp(r->out, all) == -1)
		die_sys(EXIT_TEMP, "unable to read what %s said",
		    r->check->program);
	close(r->out);
	return code;
}

/* Wait for it and take its lines: 0, or the code it failed with. */
static int
run_end(const struct replay *rp, struct run *r)
{
	struct strbuf all = STRBUF_INIT(TEXT_MAX);
	int code = run_wait(r, &all);

	types_filter(sb_slice(&all), slice_str(r->check->type), &r->now);
	sb_free(&all);
	/* With -N 111 may be a verdict, too: that later it may be another. */
	return rp->now && code == EXIT_TEMP && r->now.n > 0 ? 0 : code;
}

/* A line that stages(8) wrote because the program was too slow says nothing
 * about the message. */
static bool
ran(const struct job *j, const char *type)
{
	const struct tuple *t = job_find(j, type);

	return t != NULL && !tuple_has(t, "by", "stages");
}

static void
put_lines(struct strbuf *sb, const char *mark, const struct strbuf *lines)
{
	struct slice in = sb_slice(lines), line;

	while (slice_line(&in, &line) == 1) {
		sb_puts(sb, mark);
		sb_put(sb, line);
		sb_putc(sb, '\n');
	}
}

/* Say what one check said: true if it said the same then. */
static bool
report(const struct replay *rp, const struct run *r, const struct job *j,
    struct strbuf *out)
{
	bool same = slice_eq(sb_slice(&r->then), sb_slice(&r->now));

	if (same && !rp->quiet)
		put_lines(out, "", &r->now);
	else if (!same) {
		if (rp->quiet) {
			tuple_begin(out, "case");
			tuple_puts(out, "id", j->id);
			tuple_puts(out, "check", r->check->type);
			tuple_end(out);
		}
		put_lines(out, "< ", &r->then);
		put_lines(out, "> ", &r->now);
	}
	return same;
}

/*
 * The case as the checks from `k' on see it today: what the earlier ones say
 * now stands where their lines stood.
 */
static void
envelope_now(const struct job *j, const struct run *runs, size_t k,
    struct strbuf *sb)
{
	bool put[CHECKS] = { false };

	sb_reset(sb);
	for (size_t i = 0; i < j->count; i++) {
		const struct tuple *t = &j->rec[i];
		size_t c = 0;

		while (c < k && !tuple_is(t, runs[c].check->type))
			c++;
		if (c == k)
			sb_put(sb, t->raw);
		else if (!put[c])
			sb_put(sb, sb_slice(&runs[c].now));
		if (c < k)
			put[c] = true;
	}
}

/* All checks of one case: from the records at the same time, with -n one after
 * the other. */
static size_t
run_checks(struct replay *rp, const struct job *j, struct run runs[CHECKS],
    int *failed)
{
	struct strbuf env = STRBUF_INIT(TEXT_MAX);
	size_t n = 0;
	int code;

	for (size_t i = 0; i < CHECKS; i++) {
		if (rp->now ? job_find(j, checks[i].type) == NULL :
		    !ran(j, checks[i].type))
			continue;
		runs[n] = (struct run){ .check = &checks[i],
			.then = STRBUF_INIT(TEXT_MAX),
			.now = STRBUF_INIT(TEXT_MAX) };
		types_filter(j->envelope, slice_str(checks[i].type),
		    &runs[n].then);
		if (rp->now)
			envelope_now(j, runs, n, &env);
		run_start(rp, &runs[n], rp->now ? sb_slice(&env) : j->envelope);
		if (rp->now && (code = run_end(rp, &runs[n])) > *failed)
			*failed = code;
		n++;
	}
	for (size_t i = 0; !rp->now && i < n; i++)
		if ((code = run_end(rp, &runs[i])) > *failed)
			*failed = code;
	sb_free(&env);
	return n;
}

static void
replay(struct replay *rp, const struct job *j)
{
	struct run runs[CHECKS];
	struct strbuf out = STRBUF_INIT(TEXT_MAX);
	bool same = true;
	int failed = 0;
	size_t n = run_checks(rp, j, runs, &failed);

	for (size_t i = 0; i < n; i++) {
		same &= report(rp, &runs[i], j, &out);
		sb_free(&runs[i].then);
		sb_free(&runs[i].now);
	}
	if (write_all(STDOUT_FILENO, sb_slice(&out)) == -1)
		die_sys(EXIT_TEMP, "unable to write");
	if (failed != 0)
		warn("case %s cannot be judged again by each program", j->id);
	rp->cases++;
	rp->failed += failed != 0;
	rp->same += failed == 0 && same;
	rp->different += failed == 0 && !same;
	if (failed > rp->code)
		rp->code = failed;
	sb_free(&out);
}

/* ---- many cases ---- */

/* The check's run over those of the batch that it judged: how many. */
static size_t
batch_start(const struct replay *rp, const struct batch *b, struct run *r)
{
	struct strbuf in = STRBUF_INIT(2 * BATCH_BYTES);
	size_t n = 0;

	for (size_t i = 0; i < b->count; i++)
		if (ran(&b->job[i], r->check->type)) {
			sb_put(&in, b->job[i].envelope);
			sb_putc(&in, '\n');
			n++;
		}
	if (n > 0)
		run_start(rp, r, sb_slice(&in));
	sb_free(&in);
	return n;
}

/* What it printed for the next case: up to an empty line or the end. */
static struct slice
next_piece(struct slice *in)
{
	const unsigned char *start = in->p;
	size_t n = 0;
	struct slice line;

	while (slice_line(in, &line) == 1 && line.n > 0)
		n = (size_t)(in->p - start);
	return slice_of(start, n);
}

/* Has it `n' pieces, as those of n cases have? */
static bool
has_pieces(struct slice in, size_t n)
{
	size_t empty = 0;
	struct slice line;

	while (slice_line(&in, &line) == 1)
		empty += line.n == 0;
	return in.n == 0 && empty == (n > 1 ? n : 0);
}

/* Say of each case what the checks said of it. */
static void
batch_report(struct replay *rp, const struct batch *b,
    const struct strbuf all[CHECKS])
{
	struct slice in[CHECKS];

	for (size_t k = 0; k < CHECKS; k++)
		in[k] = sb_slice(&all[k]);
	for (size_t i = 0; i < b->count; i++) {
		const struct job *j = &b->job[i];
		struct strbuf out = STRBUF_INIT(TEXT_MAX);
		bool same = true;

		for (size_t k = 0; k < CHECKS; k++) {
			struct run r = { .check = &checks[k],
				.then = STRBUF_INIT(TEXT_MAX),
				.now = STRBUF_INIT(TEXT_MAX) };
			struct slice type = slice_str(checks[k].type);

			if (!ran(j, checks[k].type))
				continue;
			types_filter(j->envelope, type, &r.then);
			types_filter(next_piece(&in[k]), type, &r.now);
			same &= report(rp, &r, j, &out);
			sb_free(&r.then);
			sb_free(&r.now);
		}
		if (write_all(STDOUT_FILENO, sb_slice(&out)) == -1)
			die_sys(EXIT_TEMP, "unable to write");
		rp->cases++;
		rp->same += same;
		rp->different += !same;
		sb_free(&out);
	}
}

/* All that is in it, each check once; or, if that cannot be, one by one. */
static void
batch_end(struct replay *rp, struct batch *b)
{
	struct strbuf all[CHECKS];
	struct run run[CHECKS];
	size_t n[CHECKS];
	bool good = true;

	for (size_t k = 0; k < CHECKS; k++) {
		run[k] = (struct run){ .check = &checks[k] };
		n[k] = batch_start(rp, b, &run[k]);
	}
	for (size_t k = 0; k < CHECKS; k++) {
		sb_init(&all[k], 2 * BATCH_BYTES);
		if (n[k] > 0 && (run_wait(&run[k], &all[k]) != 0 ||
		    !has_pieces(sb_slice(&all[k]), n[k])))
			good = false;
	}
	if (good)
		batch_report(rp, b, all);
	for (size_t i = 0; !good && i < b->count; i++)
		replay(rp, &b->job[i]);
	for (size_t k = 0; k < CHECKS; k++)
		sb_free(&all[k]);
	arena_reset(&b->ar);
	b->count = b->bytes = 0;
}

/* With -n each check sees what those before it say now, and -v explains case
 * by case: one by one. */
static void
batch_add(struct replay *rp, struct batch *b, const struct job *j)
{
	if (rp->now || rp->verbose) {
		replay(rp, j);
		return;
	}
	b->job[b->count++] = *j;
	b->bytes += j->envelope.n;
	if (b->count == BATCH_CASES || b->bytes >= BATCH_BYTES)
		batch_end(rp, b);
}

static void
replay_id(struct replay *rp, const char *id)
{
	struct strbuf text = STRBUF_INIT(TEXT_MAX);
	struct arena ar = { 0 };
	const struct tuple *reply;
	struct job j;

	case_get(rp->root, id, &text);
	case_read(&j, &ar, id, sb_slice(&text), &reply);
	replay(rp, &j);
	arena_free(&ar);
	sb_free(&text);
}

/* All cases, or those of an hour; then how many. */
static void
replay_all(struct replay *rp, const char *hour)
{
	static struct batch b;
	struct strbuf out = STRBUF_INIT(4096);
	struct cases c;
	struct slice text;
	int got;

	rp->quiet = true;
	case_begin(&c, rp->root, 0, INT64_MAX, hour);
	while ((got = cases_next(&c, &text)) == 1) {
		struct job j = { .arena = &b.ar, .msg_fd = -1 };
		const struct tuple *reply;
		const char *error;

		text = arena_copy(&b.ar, text);
		if (case_parse(&j, text, &reply, &error) == 0)
			batch_add(rp, &b, &j);
		else
			c.damaged++;
		if (b.count == 0)
			arena_reset(&b.ar);
	}
	if (got == -1)
		die_sys(EXIT_TEMP, "unable to read the cases");
	if (b.count > 0)
		batch_end(rp, &b);
	tuple_begin(&out, "replayed");
	tuple_putu(&out, "cases", rp->cases);
	tuple_putu(&out, "same", rp->same);
	tuple_putu(&out, "different", rp->different);
	tuple_putu(&out, "failed", rp->failed);
	tuple_putu(&out, "damaged", c.damaged);
	tuple_end(&out);
	if (write_all(STDOUT_FILENO, sb_slice(&out)) == -1)
		die_sys(EXIT_TEMP, "unable to write");
	cases_close(&c);
	arena_free(&b.ar);
	sb_free(&out);
}

/* The programs are run within this, and take away the rest themselves. */
static void
cage(const struct replay *rp)
{
	static const char *const linker[] = { "/lib", "/lib64", "/usr/lib",
		"/lib32", "/usr/local/lib" };
	static const char *const host_files[] = { "/etc/ld.so.cache",
		"/etc/resolv.conf", "/etc/localtime", "/dev/null",
		"/dev/urandom" };
	const char *exec[COUNTOF(linker) + 2] = { rp->bin };
	const char *read[COUNTOF(host_files) + 3] = { NULL };
	const char *dirs[] = { xprintf("%s/case", rp->root),
		xprintf("%s/cdb", rp->root) };
	size_t e = 1, r = 0;

	for (size_t i = 0; i < COUNTOF(linker); i++)
		if (access(linker[i], X_OK) == 0)
			exec[e++] = linker[i];
	for (size_t i = 0; i < COUNTOF(host_files); i++)
		if (access(host_files[i], R_OK) == 0)
			read[r++] = host_files[i];
	for (size_t i = 0; i < COUNTOF(dirs); i++)
		if (access(dirs[i], R_OK) == 0)
			read[r++] = dirs[i];
	if (confine(&(struct confine){ .flags = CONFINE_EXEC | CONFINE_FORK |
	    (rp->now ? CONFINE_DNS : 0), .read = read, .exec = exec }) == -1)
		die_sys(EXIT_TEMP, "unable to confine");
}

int
main(int argc, char **argv)
{
	struct replay rp = { 0 };
	const char *root = NULL, *hour = NULL;
	bool all = false;
	int ch;

	prog_start(argc, argv, "[-nv] [-C root] [-a | -H YYYYMMDDHH | id ...]",
	    "judge messages again from their cases",
	    "reads case/ and cdb/, runs the checks; network: none, with -n DNS");
	while ((ch = getopt(argc, argv, "C:H:anv")) != -1)
		switch (ch) {
		case 'C': root = optarg; break;
		case 'H': hour = optarg; break;
		case 'a': all = true; break;
		case 'n': rp.now = true; break;
		case 'v': rp.verbose = true; break;
		default: usage();
		}
	if (all + (hour != NULL) + (argc > optind) != 1)
		usage();
	rp.root = conf_root(root);
	if ((rp.bin = program_dir()) == NULL)
		die_sys(EXIT_TEMP, "unable to find this program's directory");
	cage(&rp);
	if (argc > optind)
		for (int i = optind; i < argc; i++)
			replay_id(&rp, argv[i]);
	else
		replay_all(&rp, hour);
	return rp.code != 0 ? rp.code : rp.different != 0 ? EXIT_NO : EXIT_DONE;
}
