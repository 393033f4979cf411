/*
 * The worker face: jobs as packets of descriptors, see stage.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/die.h"
#include "base/fdpass.h"
#include "base/file.h"
#include "base/log.h"
#include "stage/driver.h"
#include "stage/types.h"

enum { FD_IN = 0, FD_OUT = 1, FD_REPLY = 3, FD_SEATS = 4 };
enum { ENVELOPE, MESSAGE, PARTS, JOB_FDS };

/* A message up to this size is read, a larger one mapped. */
#define READ_MAX ((size_t)128 * 1024)
/* A buffer that grew past this is given back after the job. */
#define KEEP_MAX ((size_t)256 * 1024)

/* A job in hand with all its memory; reused for the next one. */
struct held {
	struct job job;
	struct arena arena;
	struct strbuf env, msg, parts, new_parts, lines;
	struct slice mapped_msg, mapped_parts;
	int fd[JOB_FDS];
	char id[RID_LEN + 1]; /* of the packet */
	uint64_t slot;
	bool again;
};

struct worker {
	const struct stage *stage;
	const struct stage_opts *opts;
	struct held *held;
	size_t most;
	struct stage_seat *seat;
	struct slice types; /* that may be in the envelope before us */
	struct strbuf own;  /* ours that the pipeline lets us add */
	bool last, shadow;
	unsigned jobs;
};

static void
seat_map(struct worker *w)
{
	const char *text = getenv("PNEU_SEAT");
	uint64_t n;
	struct stat st;
	void *page;

	if (text == NULL || slice_u64(slice_str(text), 1024, &n) == -1 ||
	    fstat(FD_SEATS, &st) == -1 ||
	    (size_t)st.st_size < (n + 1) * sizeof(struct stage_seat))
		die(EXIT_PERM, "-w works only below stages(8)");
	page = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE,
	    MAP_SHARED, FD_SEATS, 0);
	if (page == MAP_FAILED)
		die_sys(EXIT_TEMP, "unable to map the seats");
	w->seat = (struct stage_seat *)page + n;
	close(FD_SEATS);
}

/* Types of the stage that are in this list; without a list all. */
static void
own_types(struct worker *w, struct slice list)
{
	struct slice types = slice_str(w->stage->types), one;

	sb_init(&w->own, types.n + 1);
	if (list.n == 0)
		list = types;
	while (types.n != 0) {
		slice_cut(&types, ',', &one);
		if (!types_have(list, one))
			continue;
		if (w->own.n != 0)
			sb_putc(&w->own, ',');
		sb_put(&w->own, one);
	}
}

static void
worker_init(struct worker *w)
{
	const char *types = getenv("PNEU_TYPES");

	w->types = slice_str(types != NULL ? types : "job,client,from,rcpt");
	own_types(w, slice_str(getenv("PNEU_OWN")));
	w->last = getenv("PNEU_LAST") != NULL;
	w->shadow = getenv("PNEU_SHADOW") != NULL;
	w->most = w->stage->run_batch != NULL ? w->stage->most : 1;
	if (w->most > STAGE_BATCH_MAX)
		w->most = STAGE_BATCH_MAX;
	w->held = xcalloc(w->most, sizeof(*w->held));
	for (size_t i = 0; i < w->most; i++) {
		struct held *h = &w->held[i];

		sb_init(&h->env, JOB_ENVELOPE_MAX);
		sb_init(&h->msg, READ_MAX);
		sb_init(&h->parts, JOB_PARTS_MAX);
		sb_init(&h->new_parts, JOB_PARTS_MAX);
		sb_init(&h->lines, JOB_ENVELOPE_MAX);
	}
	seat_map(w);
	for (size_t i = 0; i < STAGE_BATCH_MAX; i++)
		w->seat->slot[i] = -1;
}

static int
read_file(int fd, off_t size, struct strbuf *sb)
{
	void *room;

	if (size == 0)
		return 0;
	room = sb_room(sb, (size_t)size);
	if (room == NULL) {
		errno = EMSGSIZE;
		return -1;
	}
	if (pread_full(fd, room, (size_t)size, 0) == -1)
		return -1;
	sb_grew(sb, (size_t)size);
	return 0;
}

/*
 * The message and the parts can no longer change (sealed, or written by
 * stages(8) only), so a map of them is safe.
 */
static int
take_bytes(int fd, struct strbuf *sb, struct slice *mapped, struct slice *out)
{
	struct stat st;

	if (fstat(fd, &st) == -1)
		return -1;
	if ((size_t)st.st_size > READ_MAX) {
		if (fd_map(fd, mapped) == -1)
			return -1;
		*out = *mapped;
		return 0;
	}
	if (read_file(fd, st.st_size, sb) == -1)
		return -1;
	*out = sb_slice(sb);
	return 0;
}

/* Fill in the job: NULL, or why it cannot be taken. */
static const char *
held_load(struct worker *w, struct held *h)
{
	struct job *j = &h->job;
	const char *error;
	struct stat st;

	job_init(j, &h->arena);
	if (fstat(h->fd[ENVELOPE], &st) == -1 ||
	    read_file(h->fd[ENVELOPE], st.st_size, &h->env) == -1)
		return "envelope cannot be read";
	if (job_parse(j, sb_slice(&h->env), &error) == -1)
		return error;
	if (strcmp(j->id, h->id) != 0)
		return "envelope of another job";
	/* A line of our own or of a later stage can only be forged. */
	for (size_t i = 0; i < j->count; i++)
		if (!types_have(w->types, j->rec[i].type) ||
		    tuple_has(&j->rec[i], "by", w->stage->name))
			return "record of a type that cannot be there yet";
	if (!w->stage->skip_message &&
	    take_bytes(h->fd[MESSAGE], &h->msg, &h->mapped_msg, &j->msg) == -1)
		return "message cannot be read";
	if (!w->stage->skip_message && j->msg.n != j->size)
		return "message is not of the stated size";
	if (!w->stage->skip_parts && !w->stage->writes_parts &&
	    take_bytes(h->fd[PARTS], &h->parts, &h->mapped_parts, &j->parts) ==
	    -1)
		return "parts cannot be read";
	j->msg_fd = h->fd[MESSAGE];
	j->again = h->again;
	j->verbose = w->opts->verbose;
	if (w->stage->writes_parts)
		j->new_parts = &h->new_parts;
	return NULL;
}

static void
send_reply(struct held *h, struct slice reply)
{
	struct strbuf text = STRBUF_INIT(PACKET_MAX);

	tuple_begin(&text, "reply");
	tuple_puts(&text, "id", h->id);
	tuple_putu(&text, "slot", h->slot);
	sb_put(&text, reply);
	tuple_end(&text);
	if (fd_send(FD_REPLY, sb_slice(&text), NULL, 0) == -1)
		die_sys(EXIT_TEMP, "unable to send a reply");
	sb_free(&text);
}

static struct slice
default_reply(int verdict)
{
	if (verdict == EXIT_DONE)
		return S(" code=250 ecode=2.0.0 text=\"ok\"");
	if (verdict == EXIT_PERM)
		return S(" code=554 ecode=5.3.0 text=\"message refused\"");
	return S(" code=451 ecode=4.3.0 text=\"try again later\"");
}

/* In shadow what the stage says is recorded, not used. */
static void
shadow_lines(struct worker *w, struct held *h, int verdict, struct strbuf *own)
{
	struct slice in = sb_slice(&h->lines), line;

	while (slice_line(&in, &line) == 1) {
		tuple_begin(own, "shadow");
		tuple_puts(own, "stage", w->stage->name);
		tuple_put(own, "line", line);
		tuple_end(own);
	}
	if (verdict == EXIT_DONE)
		return;
	tuple_begin(own, "shadow");
	tuple_puts(own, "stage", w->stage->name);
	tuple_put(own, "reply", h->job.reply.n != 0 ?
	    sb_slice(&h->job.reply) : default_reply(verdict));
	tuple_end(own);
}

/*
 * The stage's lines; only what the pipeline file says, or the next stage would
 * not take the job. (A file that is older than a type of ours lacks it.)
 */
static void
worker_lines(const struct worker *w, const struct held *h, struct strbuf *own)
{
	struct strbuf all = STRBUF_INIT(JOB_ENVELOPE_MAX);

	/* Ours that are not wanted are dropped without a word. */
	if (types_filter(sb_slice(&h->lines), sb_slice(&w->own), own) != 0 &&
	    own_lines(w->stage, &h->lines, &all) != 0)
		log_error("job %s: lines of foreign types dropped", h->id);
	sb_free(&all);
}

static int
append_results(struct worker *w, struct held *h, int verdict)
{
	struct strbuf own = STRBUF_INIT(JOB_ENVELOPE_MAX);
	int r = 0;

	if (w->shadow)
		shadow_lines(w, h, verdict, &own);
	else
		worker_lines(w, h, &own);
	if (own.n != 0)
		r = pwrite_all(h->fd[ENVELOPE], sb_slice(&own),
		    (off_t)h->env.n);
	if (r == 0 && w->stage->writes_parts)
		r = pwrite_all(h->fd[PARTS], sb_slice(&h->new_parts), 0);
	if (r == 0 && w->stage->writes_parts)
		r = memfd_seal(h->fd[PARTS]);
	if (own.over || h->lines.over || h->new_parts.over)
		r = -1;
	sb_free(&own);
	return r;
}

static void
pass_on(struct held *h)
{
	char text[64 + RID_LEN];
	int n = snprintf(text, sizeof(text), "job id=%s slot=%llu%s\n",
	    h->id, (unsigned long long)h->slot, h->again ? " again=yes" : "");

	if (fd_send(FD_OUT, slice_of(text, (size_t)n), h->fd, JOB_FDS) == -1)
		die_sys(EXIT_TEMP, "unable to pass job %s on", h->id);
}

static void
finish(struct worker *w, struct held *h, int verdict)
{
	bool end = w->last || (!w->shadow &&
	    (verdict != EXIT_DONE || h->job.reply.n != 0));

	if (append_results(w, h, verdict) == -1) {
		log_sys("job %s: results not recorded", h->id);
		send_reply(h, default_reply(EXIT_TEMP));
	} else if (!end)
		pass_on(h);
	else if (!w->shadow && h->job.reply.n != 0)
		send_reply(h, sb_slice(&h->job.reply));
	else
		send_reply(h, default_reply(w->shadow ? EXIT_DONE : verdict));
}

static void
keep_small(struct strbuf *sb)
{
	if (sb->cap > KEEP_MAX)
		sb_free(sb);
	else
		sb_reset(sb);
}

static void
held_release(struct held *h)
{
	sb_free(&h->job.reply);
	fd_unmap(h->mapped_msg);
	fd_unmap(h->mapped_parts);
	h->mapped_msg = h->mapped_parts = SLICE_NONE;
	fds_close(h->fd, JOB_FDS);
	keep_small(&h->env);
	keep_small(&h->msg);
	keep_small(&h->parts);
	keep_small(&h->new_parts);
	keep_small(&h->lines);
	arena_reset(&h->arena);
}

/* 1: a job with its descriptors; 0: no more, or none in time; -1: skip. */
static int
held_recv(struct held *h)
{
	char buf[256];
	struct arena a = { 0 };
	struct tuple_reader r;
	struct tuple t;
	size_t n, count;
	struct slice id;
	int got = fd_recv(FD_IN, buf, sizeof(buf), &n, h->fd, JOB_FDS, &count);

	if (got == 0 || (got == -1 && errno == EAGAIN))
		return 0;
	if (got == -1 && errno == EPROTO)
		return -1;
	if (got == -1)
		die_sys(EXIT_TEMP, "unable to receive a job");
	tuple_reader_init(&r, slice_of(buf, n));
	got = -1;
	if (count == JOB_FDS && tuple_next(&r, &a, &t) == 1 &&
	    tuple_is(&t, "job") && tuple_get(&t, "id", &id) && rid_ok(id) &&
	    slice_cstr(id, h->id, sizeof(h->id)) == 0 &&
	    tuple_u64(&t, "slot", INT32_MAX, &h->slot) == 0) {
		h->again = tuple_has(&t, "again", "yes");
		got = 1;
	}
	arena_free(&a);
	if (got == -1)
		fds_close(h->fd, count);
	return got;
}

static void
seat_take(struct worker *w, size_t i)
{
	if (i == 0)
		w->seat->since = clock_ms();
	w->seat->slot[i] = (int32_t)w->held[i].slot;
	w->seat->busy = (uint32_t)i + 1;
}

static void
seat_free(struct worker *w, size_t count)
{
	for (size_t i = 0; i < count; i++)
		w->seat->slot[i] = -1;
	w->seat->jobs += (uint32_t)count;
	w->seat->busy = 0;
}

/* No longer ours: it must not be given to another if we die now. */
static void
seat_done(struct worker *w, const struct held *h)
{
	w->seat->slot[h - w->held] = -1;
}

/*
 * Take a waiting job, then, for a batch, whatever else waits already, up to
 * one that may have ended a worker before: that runs alone, so that it takes
 * no others with it.
 */
static size_t
take_jobs(struct worker *w)
{
	size_t count = 0;
	int got;

	do
		got = held_recv(&w->held[0]);
	while (got == -1 && w->seat->retire == 0);
	if (got != 1)
		return 0;
	seat_take(w, count++);
	while (count < w->most && !w->held[count - 1].again) {
		struct pollfd p = { .fd = FD_IN, .events = POLLIN };

		if (poll(&p, 1, 0) != 1 || !(p.revents & POLLIN))
			break;
		got = held_recv(&w->held[count]);
		if (got == 0)
			break;
		if (got == 1)
			seat_take(w, count++);
	}
	return count;
}

static void
run_jobs(struct worker *w, size_t first, size_t count)
{
	struct job *good[STAGE_BATCH_MAX];
	struct held *from[STAGE_BATCH_MAX];
	struct strbuf lines[STAGE_BATCH_MAX];
	int verdict[STAGE_BATCH_MAX];
	size_t n = 0;

	for (size_t i = 0; i < count; i++) {
		struct held *h = &w->held[first + i];
		const char *error = held_load(w, h);

		if (error != NULL) {
			log_error("bad job %s: %s", h->id, error);
			send_reply(h, default_reply(EXIT_TEMP));
			continue;
		}
		from[n] = h;
		good[n] = &h->job;
		lines[n] = h->lines;
		verdict[n] = EXIT_TEMP;
		n++;
	}
	if (n != 0 && w->stage->run_batch != NULL)
		w->stage->run_batch(w->stage->ctx, good, lines, verdict, n);
	else if (n != 0)
		verdict[0] = w->stage->run(w->stage->ctx, good[0], &lines[0]);
	for (size_t i = 0; i < n; i++) {
		from[i]->lines = lines[i];
		finish(w, from[i], verdict[i]);
		seat_done(w, from[i]);
	}
	for (size_t i = 0; i < count; i++)
		held_release(&w->held[first + i]);
}

int
stage_worker(const struct stage *s, const struct stage_opts *o)
{
	struct worker w = { .stage = s, .opts = o };
	size_t count;

	worker_init(&w);
	while (w.jobs < STAGE_JOBS_MAX && w.seat->retire == 0 &&
	    (count = take_jobs(&w)) != 0) {
		if (s->refresh != NULL)
			s->refresh(s->ctx);
		if (count > 1 && w.held[count - 1].again) {
			run_jobs(&w, 0, count - 1);
			run_jobs(&w, count - 1, 1);
		} else
			run_jobs(&w, 0, count);
		w.jobs += (unsigned)count;
		seat_free(&w, count);
	}
	for (size_t i = 0; i < w.most; i++) {
		struct held *h = &w.held[i];

		sb_free(&h->env);
		sb_free(&h->msg);
		sb_free(&h->parts);
		sb_free(&h->new_parts);
		sb_free(&h->lines);
		arena_free(&h->arena);
	}
	free(w.held);
	sb_free(&w.own);
	return EXIT_DONE;
}
