#include "stage/stage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "addr/addr.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/die.h"
#include "base/file.h"
#include "stage/driver.h"
#include "stage/types.h"

/* A job in a stream or a bare message; larger ones travel as files. */
#define STREAM_MAX ((size_t)256 * 1024 * 1024)

static bool
is_ip(const char *arg)
{
	struct ip ip;

	return ip_parse(slice_str(arg), &ip) == 0;
}

/* <ann@example.net> and <>, as in a protocol or a header. Never freed. */
static const char *
without_angles(const char *arg)
{
	struct slice s = slice_str(arg);

	return slice_starts(s, S("<")) && slice_ends(s, S(">")) ?
	    slice_dup(slice_sub(s, 1, s.n - 2)) : arg;
}

bool
stage_option(struct stage_opts *o, int letter, const char *arg)
{
	switch (letter) {
	case 'w': o->worker = true; return true;
	case 'v': o->verbose = true; return true;
	case 'n': o->no_message = true; break;
	case 'i':
		if (!is_ip(arg))
			die(EXIT_PERM, "not an IP address: %s", arg);
		o->ip = arg;
		break;
	case 'H': o->helo = arg; break;
	case 'f': o->from = without_angles(arg); break;
	case 'r':
		if (o->rcpts == COUNTOF(o->rcpt))
			die(EXIT_PERM, "more than %zu recipients", o->rcpts);
		o->rcpt[o->rcpts++] = arg;
		break;
	default: return false;
	}
	o->given = true;
	return true;
}

void
job_init(struct job *j, struct arena *a)
{
	*j = (struct job){ .arena = a, .msg_fd = -1, .reply = STRBUF_INIT(1024) };
}

size_t
own_lines(const struct stage *s, const struct strbuf *lines, struct strbuf *to)
{
	return types_filter(sb_slice(lines), slice_str(s->types), to);
}

int
run_one(const struct stage *s, struct job *j, struct strbuf *lines)
{
	int verdict = EXIT_TEMP;

	if (s->run != NULL)
		return s->run(s->ctx, j, lines);
	s->run_batch(s->ctx, &j, lines, &verdict, 1);
	return verdict;
}

/* Standard input as one slice that lives until the end of the process. */
static struct slice
read_input(void)
{
	struct strbuf in = STRBUF_INIT(STREAM_MAX);
	size_t n;

	if (fd_slurp(STDIN_FILENO, &in) == -1)
		die_sys(errno == EMSGSIZE || errno == EBADF ||
		    errno == EISDIR ? EXIT_PERM : EXIT_TEMP,
		    "unable to read standard input");
	n = in.n;
	return slice_of(sb_take(&in), n);
}

/* The message in a file of its own, for stages that copy it (j->msg_fd). */
static int
message_file(struct slice msg)
{
	int fd = memfd_new("message");

	if (fd == -1 || write_all(fd, msg) == -1)
		die_sys(EXIT_TEMP, "unable to make a file for the message");
	return fd;
}

/* Bare LF line ends, as in a file on Unix, become CRLF as on the wire. */
static struct slice
wire_lines(struct slice msg)
{
	struct strbuf sb = STRBUF_INIT(2 * STREAM_MAX);
	ptrdiff_t lf = slice_chr(msg, '\n');
	size_t n;

	if (msg.n == 0 || lf == -1 || (lf > 0 && msg.p[lf - 1] == '\r'))
		return msg;
	for (size_t i = 0; i < msg.n; i++) {
		if (msg.p[i] == '\n' && (i == 0 || msg.p[i - 1] != '\r'))
			sb_putc(&sb, '\r');
		sb_putc(&sb, msg.p[i]);
	}
	n = sb.n;
	return slice_of(sb_take(&sb), n);
}

/* The empty line that ends the envelope: false if there is none. */
static bool
split_job(struct slice in, struct slice *env, struct slice *msg)
{
	ptrdiff_t at = slice_find(in, S("\n\n"));

	if (at == -1)
		return false;
	*env = slice_sub(in, 0, (size_t)at + 1);
	*msg = slice_skip(in, (size_t)at + 2);
	return true;
}

static struct slice
made_envelope(const struct stage_opts *o, size_t size)
{
	struct strbuf sb = STRBUF_INIT(JOB_ENVELOPE_MAX);
	char id[RID_LEN + 1];
	size_t n;

	rid_new(id);
	tuple_begin(&sb, "job");
	tuple_puts(&sb, "id", id);
	tuple_putu(&sb, "size", size);
	tuple_putu(&sb, "time", (uint64_t)clock_unix());
	tuple_end(&sb);
	if (o->ip != NULL || o->helo != NULL) {
		tuple_begin(&sb, "client");
		tuple_opt(&sb, "ip", slice_str(o->ip));
		tuple_opt(&sb, "helo", slice_str(o->helo));
		tuple_end(&sb);
	}
	tuple_begin(&sb, "from");
	tuple_put(&sb, "addr", slice_str(o->from));
	tuple_end(&sb);
	for (size_t i = 0; i < o->rcpts; i++) {
		tuple_begin(&sb, "rcpt");
		tuple_puts(&sb, "addr", o->rcpt[i]);
		tuple_end(&sb);
	}
	n = sb.n;
	return slice_of(sb_take(&sb), n);
}

static void
print_reply(const struct job *j)
{
	struct strbuf line = STRBUF_INIT(2048);

	if (j->reply.n == 0)
		return;
	tuple_begin(&line, "reply");
	sb_put(&line, sb_slice(&j->reply));
	warn("%s", sb_cstr(&line));
	sb_free(&line);
}

static void
print(struct slice s)
{
	if (write_all(STDOUT_FILENO, s) == -1)
		die_sys(EXIT_TEMP, "unable to write the result");
}

/* Parts for a stage that needs them, made from the message. */
static struct slice
stream_parts(const struct stage *s, const struct job *j)
{
	struct strbuf parts = STRBUF_INIT(JOB_PARTS_MAX);
	size_t n;

	if (s->make_parts == NULL || j->msg.n == 0)
		return SLICE_NONE;
	if (s->make_parts(j, &parts) == -1)
		die_sys(EXIT_TEMP, "unable to look into the message");
	n = parts.n;
	return slice_of(sb_take(&parts), n);
}

/* What people see: all but quiet types. */
static void
print_own(const struct stage *s, const struct strbuf *lines)
{
	struct strbuf quiet = STRBUF_INIT(JOB_ENVELOPE_MAX);
	struct strbuf shown = STRBUF_INIT(JOB_ENVELOPE_MAX);

	types_split(sb_slice(lines), slice_str(s->quiet), &quiet, &shown);
	print(sb_slice(&shown));
	sb_free(&shown);
	sb_free(&quiet);
}

/* Did the stage write this line? Of a type that it has to itself, or by=it. */
static bool
is_own(const struct stage *s, const struct tuple *t)
{
	struct slice by;

	return types_have(slice_str(s->types), t->type) &&
	    (!tuple_get(t, "by", &by) || slice_eqs(by, s->name));
}

/* -R: the case in *whole, and what the stage had before it in *j. */
static void
parse_case(const struct stage *s, struct slice env, struct job *whole,
    struct job *j)
{
	const char *error;

	if (job_parse(whole, env, &error) == -1)
		die(EXIT_PERM, "bad case: %s", error);
	*j = *whole;
	j->whole = whole;
	for (j->count = 0; j->count < whole->count; j->count++)
		if (is_own(s, &whole->rec[j->count]))
			break;
}

/* The exit code for people. Of a case that is judged again a temperror is an
 * answer like any other. */
static int
people_code(const struct job *j, int verdict)
{
	if (verdict != EXIT_DONE)
		return verdict;
	if (j->doubtful && j->whole == NULL)
		return EXIT_TEMP;
	return j->unfavourable ? EXIT_NO : EXIT_DONE;
}

/* The lines of a stage that prints text, and its verdict. */
static int
finish_text(const struct strbuf *lines, const struct job *j, int verdict)
{
	print(sb_slice(lines));
	return people_code(j, verdict);
}

static int
replay_case(const struct stage *s, const struct stage_opts *o,
    struct slice env, struct arena *a)
{
	struct strbuf lines = STRBUF_INIT(JOB_ENVELOPE_MAX);
	struct strbuf own = STRBUF_INIT(JOB_ENVELOPE_MAX);
	struct job j, whole;
	int verdict;

	job_init(&whole, a);
	parse_case(s, env, &whole, &j);
	j.verbose = o->verbose;
	j.live = o->live;
	verdict = run_one(s, &j, &lines);
	if (s->text)
		print(sb_slice(&lines));
	else {
		own_lines(s, &lines, &own);
		print_own(s, &own);
	}
	sb_free(&lines);
	sb_free(&own);
	return people_code(&j, verdict);
}

/* Options make the envelope, and nobody looks at a message: whatever standard
 * input is, a terminal perhaps, it is left alone. */
static bool
needs_input(const struct stage *s, const struct stage_opts *o)
{
	bool enough = s->skip_message && s->make_parts == NULL &&
	    (o->ip != NULL || o->helo != NULL || o->from != NULL);

	return !o->no_message && !enough;
}

static int
replay(const struct stage *s, const struct stage_opts *o)
{
	struct arena a = { 0 };
	struct slice in = read_input(), env;
	bool several = false, more;
	int code, worst = EXIT_DONE;

	do {
		struct slice rest = SLICE_NONE;

		if (!split_job(in, &env, &rest))
			env = in;
		in = rest;
		more = slice_starts(in, S("job "));
		several = several || more;
		arena_reset(&a);
		code = replay_case(s, o, env, &a);
		worst = code > worst ? code : worst;
		if (several)
			print(S("\n"));
	} while (more);
	arena_free(&a);
	return worst;
}

static int
once(const struct stage *s, const struct stage_opts *o)
{
	struct arena a = { 0 };
	struct strbuf lines = STRBUF_INIT(JOB_ENVELOPE_MAX);
	struct strbuf own = STRBUF_INIT(JOB_ENVELOPE_MAX);
	struct strbuf parts = STRBUF_INIT(JOB_PARTS_MAX);
	struct slice in = SLICE_NONE, env, msg;
	struct job j;
	const char *error;
	bool stream;
	int verdict;

	job_init(&j, &a);
	if (needs_input(s, o))
		in = read_input();
	stream = slice_starts(in, S("job ")) && split_job(in, &env, &msg);
	if (!stream) {
		msg = wire_lines(in);
		env = made_envelope(o, msg.n);
	}
	if (job_parse(&j, env, &error) == -1)
		die(EXIT_PERM, "bad job: %s", error);
	if (msg.n != j.size)
		die(EXIT_TEMP, "job cut: %zu bytes of message, %llu expected",
		    msg.n, (unsigned long long)j.size);
	j.msg = msg;
	j.msg_fd = message_file(msg);
	j.verbose = o->verbose;
	j.parts = stream_parts(s, &j);
	if (s->writes_parts)
		j.new_parts = &parts;
	if (s->refresh != NULL)
		s->refresh(s->ctx);
	verdict = run_one(s, &j, &lines);
	if (s->text)
		return finish_text(&lines, &j, verdict);
	own_lines(s, &lines, &own);
	if (verdict != EXIT_DONE || j.reply.n != 0)
		print_reply(&j);
	if (!stream && s->show != NULL)
		s->show(s->ctx, in, sb_slice(&own));
	else if (!stream) {
		print_own(s, &own);
		if (o->verbose && s->writes_parts)
			print(sb_slice(&parts));
	}
	if (verdict != EXIT_DONE)
		return verdict;
	if (!stream)
		return people_code(&j, verdict);
	print(env);
	print(sb_slice(&own));
	print(S("\n"));
	print(msg);
	return EXIT_DONE;
}

int
stage_main(const struct stage *s, const struct stage_opts *o)
{
	if (o->replay || o->live)
		return replay(s, o);
	return o->worker ? stage_worker(s, o) : once(s, o);
}
