/*
 * case-list - list the messages that were judged
 * usage   case-list [-C root] [-S since] [-U until] [-f sender] [-r recipient]
 *         [-i ip[/bits]] [-s check=result] [-c code] [-n max]
 * fd 1    a line "case ..." each, the oldest first
 * exit    0 done; 1 none found; 100 bad usage, no cases there; 111 cannot be
 *         read
 * rights  reads case/; network: none
 */
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "addr/addr.h"
#include "base/clock.h"
#include "base/confine.h"
#include "base/file.h"
#include "case.h"

#define LINE_MAX_BYTES ((size_t)64 * 1024)
#define LIST_MOST 1000000 /* of -n */

struct filter {
	int64_t since, until;
	struct slice from, rcpt, check, result;
	bool by_from;
	struct ip net;
	unsigned bits;
	uint64_t code;
};

/* The newest `most' lines, if -n is given. */
struct ring {
	char **line;
	size_t most, count;
};

/* Unix seconds, or 30m, 5h, 2d: that long ago. */
static int64_t
when(const char *arg)
{
	static const struct {
		unsigned char unit;
		int64_t seconds;
	} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 } };
	struct slice s = slice_str(arg);
	uint64_t n;

	for (size_t i = 0; i < COUNTOF(units); i++)
		if (s.n > 1 && s.p[s.n - 1] == units[i].unit &&
		    slice_u64(slice_sub(s, 0, s.n - 1), INT32_MAX, &n) == 0)
			return clock_unix() - (int64_t)n * units[i].seconds;
	if (slice_u64(s, INT64_MAX, &n) == -1)
		die(EXIT_PERM, "%s is not a time: Unix seconds, or 30m, 5h, 2d "
		    "for that long ago", arg);
	return (int64_t)n;
}

static void
set_net(struct filter *f, const char *arg)
{
	struct slice bits = slice_str(arg), ip;
	bool given = slice_cut(&bits, '/', &ip);
	uint64_t n = 0;

	if (ip_parse(ip, &f->net) == -1 || (given && slice_u64(bits,
	    f->net.family == AF_INET ? 32 : 128, &n) == -1))
		die(EXIT_PERM, "%s is not an address", arg);
	f->bits = given ? (unsigned)n : f->net.family == AF_INET ? 32 : 128;
}

/* An address, or "@domain" for all of it; <> is the null sender. */
static bool
addr_fits(struct slice addr, struct slice want)
{
	if (slice_starts(want, S("@")))
		return slice_iends(addr, want);
	return slice_ieq(addr, want);
}

static bool
has_rcpt(const struct job *j, struct slice want)
{
	const struct tuple *t = NULL;

	while ((t = job_next(j, "rcpt", t)) != NULL)
		if (addr_fits(tuple_value(t, "addr"), want))
			return true;
	return false;
}

static bool
has_result(const struct job *j, struct slice check, struct slice result)
{
	for (size_t i = 0; i < j->count; i++)
		if (slice_eq(j->rec[i].type, check) &&
		    slice_eq(tuple_value(&j->rec[i], "result"), result))
			return true;
	return false;
}

static bool
fits(const struct filter *f, const struct job *j, const struct tuple *reply)
{
	struct ip ip;
	uint64_t code;

	if (j->time < f->since || j->time > f->until)
		return false;
	if (f->code != 0 && (tuple_u64(reply, "code", 599, &code) == -1 ||
	    code != f->code))
		return false;
	if (f->by_from && !addr_fits(job_get(j, "from", "addr"), f->from))
		return false;
	if (f->rcpt.n > 0 && !has_rcpt(j, f->rcpt))
		return false;
	if (f->net.family != 0 && (ip_parse(job_get(j, "client", "ip"), &ip) ==
	    -1 || !ip_in(&ip, &f->net, f->bits)))
		return false;
	return f->check.n == 0 || has_result(j, f->check, f->result);
}

/* The results of a check's records, in their order. */
static void
put_results(struct strbuf *sb, const struct job *j, const char *type)
{
	struct strbuf all = STRBUF_INIT(4096);
	const struct tuple *t = NULL;

	while ((t = job_next(j, type, t)) != NULL) {
		if (all.n > 0)
			sb_putc(&all, ',');
		sb_put(&all, tuple_value(t, "result"));
	}
	tuple_opt(sb, type, sb_slice(&all));
	sb_free(&all);
}

static void
put_case(struct strbuf *sb, const struct job *j, const struct tuple *reply)
{
	const struct tuple *t = NULL;
	size_t rcpts = 0;

	while ((t = job_next(j, "rcpt", t)) != NULL)
		rcpts++;
	tuple_begin(sb, "case");
	tuple_puts(sb, "id", j->id);
	tuple_putu(sb, "time", (uint64_t)j->time);
	tuple_opt(sb, "ip", job_get(j, "client", "ip"));
	tuple_put(sb, "from", job_get(j, "from", "addr"));
	tuple_opt(sb, "rcpt", job_get(j, "rcpt", "addr"));
	if (rcpts != 1)
		tuple_putu(sb, "rcpts", rcpts);
	tuple_put(sb, "code", tuple_value(reply, "code"));
	tuple_put(sb, "ecode", tuple_value(reply, "ecode"));
	for (size_t i = 0; i < CHECKS; i++)
		put_results(sb, j, checks[i].type);
	tuple_end(sb);
}

static void
print(const char *line)
{
	if (write_all(STDOUT_FILENO, slice_str(line)) == -1)
		die_sys(EXIT_TEMP, "unable to write");
}

static void
keep(struct ring *r, struct strbuf *line)
{
	size_t at = r->count++ % (r->most != 0 ? r->most : 1);

	if (r->most == 0) {
		print(sb_cstr(line));
		sb_reset(line);
		return;
	}
	free(r->line[at]);
	r->line[at] = sb_take(line);
}

static void
print_kept(const struct ring *r)
{
	size_t from = r->count > r->most ? r->count - r->most : 0;

	for (size_t i = from; r->most != 0 && i < r->count; i++)
		print(r->line[i % r->most]);
}

static void
list(struct cases *c, const struct filter *f, struct ring *r)
{
	struct strbuf line = STRBUF_INIT(LINE_MAX_BYTES);
	struct arena ar = { 0 };
	struct slice text;
	int got;

	while ((got = cases_next(c, &text)) == 1) {
		struct job j = { .arena = &ar, .msg_fd = -1 };
		const struct tuple *reply;
		const char *error;

		arena_reset(&ar);
		if (case_parse(&j, text, &reply, &error) == -1)
			c->damaged++;
		else if (fits(f, &j, reply)) {
			put_case(&line, &j, reply);
			keep(r, &line);
		}
	}
	if (got == -1)
		die_sys(EXIT_TEMP, "unable to read the cases");
	if (c->damaged != 0)
		warn("%u damaged entries skipped", c->damaged);
	print_kept(r);
	sb_free(&line);
	arena_free(&ar);
}

static void
number(const char *arg, const char *what, uint64_t most, uint64_t *n)
{
	if (slice_u64(slice_str(arg), most, n) == -1 || *n == 0)
		die(EXIT_PERM, "%s is not a %s", arg, what);
}

int
main(int argc, char **argv)
{
	struct filter f = { .until = INT64_MAX };
	const char *root = NULL;
	struct ring r = { 0 };
	struct cases c;
	uint64_t n = 0;
	int ch;

	prog_start(argc, argv, "[-C root] [-S since] [-U until] [-f sender] "
	    "[-r recipient] [-i ip[/bits]] [-s check=result] [-c code] "
	    "[-n max]", "list the messages that were judged",
	    "reads case/; network: none");
	while ((ch = getopt(argc, argv, "C:S:U:f:r:i:s:c:n:")) != -1)
		switch (ch) {
		case 'C': root = optarg; break;
		case 'S': f.since = when(optarg); break;
		case 'U': f.until = when(optarg); break;
		case 'f':
			f.by_from = true;
			f.from = slice_str(strcmp(optarg, "<>") == 0 ? "" :
			    optarg);
			break;
		case 'r': f.rcpt = slice_str(optarg); break;
		case 'i': set_net(&f, optarg); break;
		case 's':
			f.result = slice_str(optarg);
			if (!slice_cut(&f.result, '=', &f.check) ||
			    f.check.n == 0)
				usage();
			break;
		case 'c': number(optarg, "reply code", 599, &f.code); break;
		case 'n': number(optarg, "number", LIST_MOST, &n); break;
		default: usage();
		}
	if (argc != optind)
		usage();
	r.most = (size_t)n;
	r.line = xcalloc(r.most + 1, sizeof(*r.line));
	root = conf_root(root);
	case_begin(&c, root, f.since, f.until, NULL);
	if (confine(&(struct confine){ .read = (const char *[]){
	    xprintf("%s/case", root), NULL } }) == -1)
		die_sys(EXIT_TEMP, "unable to confine");
	list(&c, &f, &r);
	cases_close(&c);
	return r.count != 0 ? EXIT_DONE : EXIT_NO;
}
