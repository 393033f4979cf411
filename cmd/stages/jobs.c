/*
 * Jobs on their way through the pipeline.
 *
 * On entry the envelope is copied into a file of our own and the message is
 * sealed (a memfd) or copied (anything else), so the program that talked to
 * the stranger can change neither any more. We keep descriptors of all three
 * until the verdict, so that a job survives the death of a worker.
 */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/die.h"
#include "base/fdpass.h"
#include "base/file.h"
#include "base/log.h"
#include "net/net.h"
#include "stage/types.h"
#include "stages.h"

/* A larger message that is not sealed goes to disk, not to memory. */
#define MEMORY_MAX ((off_t)1024 * 1024)
#define DEATHS_MAX 2 /* workers that one job may kill */

enum { ENVELOPE, MESSAGE, PARTS, JOB_FDS };

struct entry {
	bool used;
	uint32_t serial; /* "slot" in packets; its index is serial % table */
	char id[RID_LEN + 1];
	int client; /* -1: gone */
	int fd[JOB_FDS];
	int64_t since;
	unsigned deaths;
	bool again; /* the client has asked before, of us or who was before us */
};

struct jobs {
	struct pipeline *pipe;
	const char *spool;
	struct journal *cases; /* NULL if none are kept */
	bool reports; /* a stage has append= */
	struct entry table[JOBS_IN_FLIGHT];
	uint32_t next;
	unsigned in_flight;
	uid_t net_uid; /* the user whose auth records are believed */
	struct strbuf env, text;
};

struct jobs *
jobs_new(struct pipeline *p, const char *spool, struct journal *cases)
{
	struct jobs *js = xcalloc(1, sizeof(*js));
	const struct passwd *pw = getpwnam("pneu-net");

	js->pipe = p;
	js->spool = spool;
	js->cases = cases;
	for (size_t i = 0; i < p->count; i++)
		js->reports |= p->pool[i]->conf.append != NULL;
	js->net_uid = pw != NULL ? pw->pw_uid : geteuid();
	sb_init(&js->env, JOB_ENVELOPE_MAX);
	sb_init(&js->text, PACKET_MAX);
	return js;
}

unsigned
jobs_in_flight(const struct jobs *js)
{
	return js->in_flight;
}

static struct slice
reply_text(struct jobs *js, const char *id, int code, const char *ecode,
    struct slice text)
{
	sb_reset(&js->text);
	tuple_begin(&js->text, "reply");
	tuple_puts(&js->text, "id", id);
	tuple_putu(&js->text, "code", (uint64_t)code);
	tuple_puts(&js->text, "ecode", ecode);
	tuple_put(&js->text, "text", text);
	tuple_end(&js->text);
	return sb_slice(&js->text);
}

/* The client may be slow or gone; neither may hold us up. */
static void
tell(int client, struct slice text)
{
	ssize_t ignored;

	if (client == -1)
		return;
	ignored = send(client, text.p, text.n, MSG_DONTWAIT | MSG_NOSIGNAL);
	(void)ignored;
}

static void
entry_end(struct jobs *js, struct entry *e)
{
	fds_close(e->fd, JOB_FDS);
	e->used = false;
	js->in_flight--;
}

/* The envelope as it is now in js->env: 0, or -1. */
static int
read_envelope(struct jobs *js, const struct entry *e)
{
	struct stat st;
	void *room;

	sb_reset(&js->env);
	if (fstat(e->fd[ENVELOPE], &st) == -1 ||
	    (room = sb_room(&js->env, (size_t)st.st_size)) == NULL ||
	    pread_full(e->fd[ENVELOPE], room, (size_t)st.st_size, 0) == -1)
		return -1;
	sb_grew(&js->env, (size_t)st.st_size);
	return 0;
}

/* The case first, so that it is there when its id is known. */
static void
answer(struct jobs *js, struct entry *e, int code, const char *ecode,
    struct slice text)
{
	struct slice line = reply_text(js, e->id, code, ecode, text);
	struct slice env;

	if ((js->cases != NULL || js->reports) && read_envelope(js, e) == 0) {
		env = sb_slice(&js->env);
		if (js->cases != NULL)
			case_write(js->cases, env, line);
		for (size_t i = 0; i < js->pipe->count; i++) {
			struct pool *pool = js->pipe->pool[i];

			if (pool->conf.append != NULL)
				report_write(&pool->report, pool->conf.append,
				    env, line);
		}
	}
	tell(e->client, line);
	entry_end(js, e);
}

static struct entry *
find(struct jobs *js, uint64_t serial)
{
	struct entry *e = &js->table[serial % JOBS_IN_FLIGHT];

	return e->used && e->serial == serial ? e : NULL;
}

static struct entry *
new_entry(struct jobs *js)
{
	for (unsigned i = 0; i < JOBS_IN_FLIGHT; i++) {
		uint32_t serial = js->next++ & INT32_MAX;
		struct entry *e = &js->table[serial % JOBS_IN_FLIGHT];

		if (e->used)
			continue;
		*e = (struct entry){ .used = true, .serial = serial,
			.since = clock_ms(), .fd = { -1, -1, -1 } };
		js->in_flight++;
		return e;
	}
	return NULL;
}

/* Hand the job to a stage; -1 if its socket is full. */
static int
dispatch(struct jobs *js, struct entry *e, size_t stage)
{
	struct pool *pool = js->pipe->pool[stage];
	char text[64 + RID_LEN];
	int n = snprintf(text, sizeof(text), "job id=%s slot=%u%s\n", e->id,
	    e->serial, e->again || e->deaths != 0 ? " again=yes" : "");

	/* Who starts and reaps the workers must not wait for them. */
	if (fd_send_now(pool->in[1], slice_of(text, (size_t)n), e->fd,
	    JOB_FDS) == -1)
		return -1;
	pool_wake(js->pipe);
	return 0;
}

/* What may enter: records of the entering program's types, and who it is. */
static int
copy_envelope(struct jobs *js, struct entry *e, int from, uid_t uid)
{
	struct strbuf own = STRBUF_INIT(JOB_ENVELOPE_MAX);
	struct strbuf types = STRBUF_INIT(1024);
	struct slice list = slice_str(js->pipe->entry_types), one;
	size_t dropped;
	int r = -1;

	while (list.n != 0) {
		slice_cut(&list, ',', &one);
		if (slice_eqs(one, "auth") && uid != js->net_uid &&
		    uid != geteuid() && uid != 0)
			continue;
		sb_put(&types, one);
		sb_putc(&types, ',');
	}
	sb_reset(&js->env);
	if (lseek(from, 0, SEEK_SET) == 0 && fd_slurp(from, &js->env) == 0) {
		dropped = types_filter(sb_slice(&js->env), sb_slice(&types),
		    &own);
		if (dropped != 0)
			log_error("job %s: %zu records of foreign types "
			    "dropped at entry", e->id, dropped);
		tuple_begin(&own, "peer");
		tuple_putu(&own, "uid", uid);
		tuple_end(&own);
		e->fd[ENVELOPE] = memfd_new("envelope");
		if (!own.over && e->fd[ENVELOPE] != -1)
			r = write_all(e->fd[ENVELOPE], sb_slice(&own));
	}
	sb_free(&own);
	sb_free(&types);
	return r;
}

/* No worker may write to our copy: seal it, or let them have it read-only. */
static int
make_final(int fd)
{
	char path[32];
	int ro = -1;

	if (memfd_seal(fd) == 0)
		return fd;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	ro = open(path, O_RDONLY | O_CLOEXEC);
	close(fd);
	return ro;
}

static int
copy_message(struct jobs *js, int from, off_t size)
{
	off_t at = 0;
	int e, to = size <= MEMORY_MAX ? memfd_new("message") :
	    open(js->spool, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (to == -1)
		return -1;
	while (at < size) {
		char buf[65536];
		ssize_t n = pread(from, buf, sizeof(buf), at);

		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0 || at + n > size ||
		    write_all(to, slice_of(buf, (size_t)n)) == -1) {
			e = n <= 0 ? EIO : errno;
			close(to);
			errno = e;
			return -1;
		}
		at += n;
	}
	return make_final(to);
}

/* Seal it if it can be sealed, and then *from is ours; else copy it. */
static int
take_message(struct jobs *js, struct entry *e, int *from)
{
	const int sealed = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW;
	struct stat st;

	if (fstat(*from, &st) == -1 || !S_ISREG(st.st_mode))
		return -1;
	if (memfd_seal(*from) == 0 || (errno == EPERM &&
	    (fcntl(*from, F_GET_SEALS) & sealed) == sealed)) {
		e->fd[MESSAGE] = *from;
		*from = -1;
	} else
		e->fd[MESSAGE] = copy_message(js, *from, st.st_size);
	return e->fd[MESSAGE] == -1 ? -1 : 0;
}

/* "job id=ID": false if the packet is something else. */
static bool
packet_id(struct slice text, const char *type, struct tuple *t,
    struct arena *a, char id[RID_LEN + 1])
{
	struct tuple_reader r;

	tuple_reader_init(&r, text);
	return tuple_next(&r, a, t) == 1 && tuple_is(t, type) &&
	    rid_ok(tuple_value(t, "id")) &&
	    slice_cstr(tuple_value(t, "id"), id, RID_LEN + 1) == 0;
}

static void
enter(struct jobs *js, int client, const char *id, bool again,
    int fds[2], uid_t uid)
{
	struct entry *e = new_entry(js);

	if (e == NULL) {
		tell(client, reply_text(js, id, 451, "4.3.2",
		    S("too busy, try again later")));
		return;
	}
	memcpy(e->id, id, sizeof(e->id));
	e->client = client;
	e->again = again;
	if (copy_envelope(js, e, fds[0], uid) == 0 &&
	    take_message(js, e, &fds[1]) == 0 &&
	    (e->fd[PARTS] = memfd_new("parts")) != -1 &&
	    dispatch(js, e, 0) == 0)
		return;
	log_sys("job %s: unable to take it in", id);
	tell(client, reply_text(js, id, errno == ENOSPC ? 452 : 451,
	    errno == ENOSPC ? "4.3.1" : "4.3.0", S("try again later")));
	entry_end(js, e);
}

bool
jobs_enter(struct jobs *js, int client)
{
	char buf[512], id[RID_LEN + 1];
	struct arena a = { 0 };
	struct tuple t;
	int fds[2];
	size_t n, count;
	uid_t uid;
	bool good = false;
	int got = fd_recv(client, buf, sizeof(buf), &n, fds, 2, &count);

	if (got <= 0)
		return got == -1 && (errno == EAGAIN || errno == EPROTO);
	if (count == 2 && unix_peer_uid(client, &uid) == 0 &&
	    packet_id(slice_of(buf, n), "job", &t, &a, id)) {
		enter(js, client, id, tuple_has(&t, "again", "yes"), fds, uid);
		good = true;
	}
	fds_close(fds, count);
	arena_free(&a);
	return good;
}

void
jobs_client_gone(struct jobs *js, int client)
{
	for (size_t i = 0; i < JOBS_IN_FLIGHT; i++)
		if (js->table[i].used && js->table[i].client == client)
			js->table[i].client = -1;
}

/* What a stage says, if it makes sense. Only the last stage can have made the
 * message safe. */
static void
take_reply(struct jobs *js, struct entry *e, const struct pool *pool,
    const struct tuple *t)
{
	struct slice text = tuple_value(t, "ecode");
	char ecode[12];
	uint64_t code;

	if (tuple_u64(t, "code", 599, &code) == -1 ||
	    (code != 250 && code < 400) || !ecode_ok(text) ||
	    slice_cstr(text, ecode, sizeof(ecode)) == -1) {
		log_error("job %s: bad reply from %s", e->id, pool->conf.name);
		answer(js, e, 451, "4.3.0", S("try again later"));
	} else if (code < 400 && !pool->last)
		answer(js, e, 451, "4.3.0", S("try again later"));
	else
		answer(js, e, (int)code, ecode, tuple_value(t, "text"));
}

bool
jobs_reply(struct jobs *js, size_t stage)
{
	struct pool *pool = js->pipe->pool[stage];
	char buf[4096], id[RID_LEN + 1];
	struct arena a = { 0 };
	struct tuple t;
	struct entry *e;
	uint64_t slot;
	size_t n, count;

	if (fd_recv(pool->reply[0], buf, sizeof(buf), &n, NULL, 0, &count) != 1)
		return false;
	if (!packet_id(slice_of(buf, n), "reply", &t, &a, id) ||
	    tuple_u64(&t, "slot", INT32_MAX, &slot) == -1)
		log_error("bad reply from %s", pool->conf.name);
	else if ((e = find(js, slot)) == NULL || strcmp(e->id, id) != 0)
		log_error("reply from %s for job %s, which is not waiting",
		    pool->conf.name, id);
	else
		take_reply(js, e, pool, &t);
	arena_free(&a);
	return true;
}

/*
 * The envelope as it was when the job came to this stage: without what the
 * dead worker may have written, which begins with a line of a type that only
 * its stage has.
 */
static int
envelope_before(struct jobs *js, struct entry *e, size_t stage)
{
	struct strbuf kept = STRBUF_INIT(JOB_ENVELOPE_MAX);
	int fd = -1;

	if (read_envelope(js, e) == 0) {
		sb_put(&kept, types_prefix(sb_slice(&js->env),
		    slice_str(js->pipe->pool[stage]->types_before)));
		fd = memfd_new("envelope");
		if (fd != -1 && write_all(fd, sb_slice(&kept)) == -1) {
			close(fd);
			fd = -1;
		}
	}
	sb_free(&kept);
	if (fd == -1)
		return -1;
	close(e->fd[ENVELOPE]);
	e->fd[ENVELOPE] = fd;
	return 0;
}

/* The stage has no verdict: say so, and let the next one go on. */
static int
pass_neutral(struct jobs *js, struct entry *e, size_t stage, const char *why)
{
	const struct pool *pool = js->pipe->pool[stage];
	struct strbuf line = STRBUF_INIT(1024);
	struct slice list = slice_str(pool->conf.types), type;
	struct stat st;
	int r = -1;

	slice_cut(&list, ',', &type);
	sb_put(&line, type);
	tuple_puts(&line, "result", "temperror");
	tuple_puts(&line, "by", "stages");
	tuple_puts(&line, "reason", why);
	tuple_end(&line);
	if (!pool->last && fstat(e->fd[ENVELOPE], &st) == 0 &&
	    pwrite_all(e->fd[ENVELOPE], sb_slice(&line), st.st_size) == 0)
		r = dispatch(js, e, stage + 1);
	sb_free(&line);
	return r;
}

static void
set_aside(struct jobs *js, struct entry *e, size_t stage)
{
	if (read_envelope(js, e) == -1)
		sb_reset(&js->env);
	if (poison_write(js->spool, e->id, sb_slice(&js->env),
	    e->fd[MESSAGE]) == -1)
		log_sys("job %s: unable to set it aside", e->id);
	log_error("job %s ended %d workers of %s and is set aside in "
	    "spool/poison", e->id, DEATHS_MAX,
	    js->pipe->pool[stage]->conf.name);
	answer(js, e, 451, "4.3.0", S("message cannot be handled now"));
}

static void
one_died(struct jobs *js, struct entry *e, const struct died *d)
{
	const struct pool *pool = js->pipe->pool[d->stage];

	if (envelope_before(js, e, d->stage) == -1) {
		answer(js, e, 451, "4.3.0", S("try again later"));
		return;
	}
	e->deaths++;
	if (d->overtime && pool->conf.on_fail == FAIL_NEUTRAL) {
		if (pass_neutral(js, e, d->stage, "time budget used up") == -1)
			answer(js, e, 451, "4.3.0", S("try again later"));
	} else if (d->overtime)
		answer(js, e, 451, "4.3.0", S("try again later"));
	else if (e->deaths >= DEATHS_MAX)
		set_aside(js, e, d->stage);
	else if (dispatch(js, e, d->stage) == -1)
		answer(js, e, 451, "4.3.0", S("try again later"));
}

void
jobs_died(struct jobs *js, const struct died *d)
{
	/* What it could still say counts. */
	while (jobs_reply(js, d->stage))
		;
	for (size_t i = 0; i < d->count; i++) {
		struct entry *e = find(js, (uint64_t)d->slot[i]);

		if (e != NULL)
			one_died(js, e, d);
	}
}

void
jobs_sweep(struct jobs *js, int64_t now)
{
	for (size_t i = 0; js->in_flight != 0 && i < JOBS_IN_FLIGHT; i++) {
		struct entry *e = &js->table[i];

		if (e->used && now - e->since > JOB_MS)
			answer(js, e, 451, "4.3.0", S("took too long"));
	}
}
