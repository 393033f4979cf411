/*
 * queue-run - decide when each queued message is sent, and by whom
 * usage   queue-run [-C root]
 * fd 2    log lines
 * socket  run/queue: any datagram says that the queue has changed; it may
 *         hold the ids of new entries
 * exit    0 on SIGTERM; 100 bad configuration; 111 try again
 * rights  user pneu-queue; once started: reads cdb/conf.cdb, writes queue/;
 *         network: none; talks to run/send and run/local
 */
#include "queue-run.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/confine.h"
#include "base/die.h"
#include "base/log.h"

/* The directory is read this often, should a ring have been lost. */
#define SCAN_MS 60000
/* A clean end waits this long for messages that are on their way. */
#define STOP_MS 3000
/* queue-processes is at most this (conf(5)). */
#define REMOTE_MAX 1000
#define WORKERS_MAX (REMOTE_MAX + LOCAL_MAX)
/* The journal is rewritten when it has grown to this, and to four times what
 * was left. */
#define COMPACT_MIN ((int64_t)8 << 20)
/* The journal, or what others have added to it: as large as the disk allows,
 * since what is not read would be lost. */
#define TAIL_MAX ((size_t)1 << 40)
/* Ids in one datagram: queue-add's largest batch. */
#define RING_MAX 4096
/* Rings taken in a row before mail is sent again. */
#define RINGS 64

static volatile sig_atomic_t stop_signal;

static void
on_stop(int sig)
{
	(void)sig;
	stop_signal = 1;
}

struct limits
limits(const struct run *r)
{
	return r->limits;
}

static void
read_limits(struct run *r)
{
	struct conf *c = r->conf;

	r->limits = (struct limits){
		.total = (unsigned)conf_host_u64(c, "queue-processes"),
		.per_domain = (unsigned)conf_host_u64(c, "queue-per-domain"),
		.retry = (int64_t)conf_host_u64(c, "queue-retry"),
		.retry_most = (int64_t)conf_host_u64(c, "queue-retry-most"),
		.lifetime = (int64_t)conf_host_u64(c, "queue-lifetime"),
		.warn = (int64_t)conf_host_u64(c, "queue-warn"),
	};
	if (r->limits.total > REMOTE_MAX)
		r->limits.total = REMOTE_MAX;
	r->generation++;
}

/* ---- entries from the disk ---- */

static int
load(void *ctx, const char *id)
{
	struct run *r = ctx;
	struct qentry *e;
	const char *why;

	if (qtable_find(&r->table, slice_str(id)) != NULL)
		return 0;
	if (qtable_load(&r->table, &r->q, id, &e, &why) == -1)
		log_error("queue entry %s: %s", id, why);
	else if (qtable_find(&r->table, slice_str(id)) != NULL &&
	    r->full_scan != 0) /* else main() schedules, after the journal */
		sched_entry(r, e);
	return 0;
}

static void
scan(struct run *r)
{
	if (queue_job_each(&r->q, load, r) == -1)
		log_sys("unable to read the queue's directory");
	r->full_scan = clock_ms() + SCAN_MS;
	r->reports = true; /* those whose DSN could not be written */
}

/* Entries that the journal ends, by others' or an earlier process's word. */
static void
drop_ended(struct run *r)
{
	struct qentry *e = NULL, **list;
	size_t bucket = 0, n = 0;

	list = xcalloc(r->table.count, sizeof(*list));
	while ((e = qtable_next(&r->table, &bucket, e)) != NULL)
		if (e->busy == 0 && e->ended)
			list[n++] = e;
	for (size_t i = 0; i < n; i++)
		entry_settle(r, list[i], clock_unix());
	free(list);
}

/* What queue-retry, queue-drop and their like have written. */
static void
read_others(struct run *r)
{
	struct strbuf sb = STRBUF_INIT(TAIL_MAX);

	if (queue_read(&r->q, &sb) == -1)
		log_sys("unable to read the journal");
	if (sb.n != 0) {
		qtable_apply(&r->table, sb_slice(&sb), NULL, NULL);
		drop_ended(r);
		sched_all(r);
	}
	sb_free(&sb);
}

/* ---- start ---- */

struct ids {
	struct slice *id;
	size_t count, cap;
};

static void
remember(void *ctx, struct slice id)
{
	struct ids *s = ctx;

	if (s->count == s->cap) {
		s->cap = size_add(size_mul(s->cap, 2), 1024);
		s->id = xrealloc(s->id, size_mul(s->cap, sizeof(*s->id)));
	}
	s->id[s->count++] = id;
}

/* A DSN that was about to be queued when we were killed: was it? */
static bool
dsn_exists(const struct run *r, const struct ids *gone, const char *id)
{
	if (qtable_find(&r->table, slice_str(id)) != NULL)
		return true;
	for (size_t i = 0; i < gone->count; i++)
		if (slice_eqs(gone->id[i], id))
			return true;
	return false;
}

static void
check_reports(struct run *r, const struct ids *gone)
{
	struct qentry *e = NULL;
	size_t bucket = 0;

	while ((e = qtable_next(&r->table, &bucket, e)) != NULL) {
		if (e->report[0] == '\0' || e->ended ||
		    !dsn_exists(r, gone, e->report))
			continue;
		qrec_reported(&r->out, e);
		/* Applied by the same rules as after any crash. */
		qtable_apply(&r->table, sb_slice(&r->out), NULL, NULL);
	}
}

/* Entries that are over but for their `done'. */
static void
settle_all(struct run *r)
{
	struct qentry *e = NULL, **list;
	size_t bucket = 0, n = 0;

	list = xcalloc(r->table.count, sizeof(*list));
	while ((e = qtable_next(&r->table, &bucket, e)) != NULL)
		if (e->ended || qentry_ended(e) || e->report[0] != '\0')
			list[n++] = e;
	for (size_t i = 0; i < n; i++)
		entry_settle(r, list[i], clock_unix());
	free(list);
}

static void
rebuild(struct run *r)
{
	struct strbuf sb = STRBUF_INIT(TAIL_MAX);
	struct ids gone = { 0 };

	if (queue_job_each(&r->q, load, r) == -1 ||
	    queue_read(&r->q, &sb) == -1)
		die_sys(EXIT_TEMP, "unable to read %s/queue", r->root);
	qtable_apply(&r->table, sb_slice(&sb), remember, &gone);
	check_reports(r, &gone);
	sched_all(r);
	settle_all(r);
	r->full_scan = clock_ms() + SCAN_MS;
	free(gone.id);
	sb_free(&sb);
}

static int
bell_open(const char *root)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	char *path = xprintf("%s/run", root);
	int dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC), fd;

	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* By the directory: the path may be longer than sun_path. */
	snprintf(sun.sun_path, sizeof(sun.sun_path), "/proc/self/fd/%d/queue",
	    dir);
	if (dir == -1 || fd == -1 ||
	    (unlink(sun.sun_path) == -1 && errno != ENOENT) ||
	    bind(fd, (struct sockaddr *)&sun, sizeof(sun)) == -1 ||
	    chmod(sun.sun_path, 0660) == -1)
		die_sys(EXIT_TEMP, "unable to listen on %s/queue", path);
	close(dir);
	free(path);
	return fd;
}

/* ---- the loop ---- */

static void
take_rings(struct run *r)
{
	char buf[RING_MAX];
	bool look = false;
	ssize_t n;

	for (int i = 0; i < RINGS &&
	    (n = recv(r->bell, buf, sizeof(buf), 0)) >= 0; i++) {
		struct slice in = slice_of(buf, (size_t)n), word;
		bool named = false;

		while (slice_word(&in, &word)) {
			char id[RID_LEN + 1];

			named = rid_ok(word) &&
			    slice_cstr(word, id, sizeof(id)) == 0;
			if (named)
				(void)load(r, id);
		}
		look |= !named;
	}
	if (look) {
		read_others(r);
		scan(r);
	}
}

static void
render(void *ctx, struct slice tail, struct strbuf *out)
{
	struct run *r = ctx;
	struct qentry *e = NULL;
	size_t bucket = 0;

	qtable_apply(&r->table, tail, NULL, NULL);
	while ((e = qtable_next(&r->table, &bucket, e)) != NULL)
		if (e->ended)
			qrec_done(out, e->id, e->leaving ? "sent" : "dropped");
		else
			qrec_state(out, e);
}

static void
compact(struct run *r)
{
	struct strbuf tail = STRBUF_INIT(TAIL_MAX);

	if (r->q.seen < r->compact_at || r->out.n != 0)
		return;
	if (queue_compact(&r->q, &tail, render, r) == -1)
		log_sys("unable to rewrite the journal");
	if (tail.n != 0) {
		drop_ended(r);
		sched_all(r);
	}
	r->compact_at = 4 * r->q.seen > COMPACT_MIN ? 4 * r->q.seen :
	    COMPACT_MIN;
	sb_free(&tail);
}

static int
time_out(const struct run *r, int64_t now)
{
	int64_t next = sched_next(r), ms = clock_ms(), wait;

	wait = next <= now ? 0 : next - now > SCAN_MS / 1000 ? SCAN_MS :
	    1000 * (next - now);
	if (r->full_scan - ms < wait)
		wait = r->full_scan - ms;
	if ((r->out.n != 0 || r->ring != NULL) && wait > 200)
		wait = 200; /* the disk, or smtp-send, may be back */
	return wait > 0 ? (int)wait : 0;
}

/* Wait, then hear the bell and the workers. */
static void
listen_all(struct run *r, struct pollfd *p, int64_t now)
{
	size_t n = 0, workers = r->workers, sweepers;

	p[n++] = (struct pollfd){ .fd = r->bell, .events = POLLIN };
	for (size_t i = 0; i < workers; i++)
		p[n++] = (struct pollfd){ .fd = r->worker[i].fd,
			.events = POLLIN };
	sweepers = n;
	for (size_t i = 0; i < SWEEPERS; i++)
		p[n++] = (struct pollfd){ .fd = r->sweeper[i].fd,
			.events = POLLIN };
	if (poll(p, n, time_out(r, now)) <= 0)
		return;
	/* From the end: a lost worker is replaced by the last. */
	for (size_t i = workers; i-- > 0;)
		if (p[i + 1].revents != 0)
			worker_read(r, &r->worker[i]);
	for (size_t i = 0; i < SWEEPERS; i++)
		if (p[sweepers + i].revents != 0)
			sweep_read(r, &r->sweeper[i]);
	if (p[0].revents != 0)
		take_rings(r);
}

static bool
busy(const struct run *r)
{
	for (size_t i = 0; i < r->workers; i++)
		if (r->worker[i].job != NULL)
			return true;
	return sweep_busy(r);
}

static void
serve(struct run *r)
{
	struct pollfd *p = xcalloc(1 + WORKERS_MAX + SWEEPERS, sizeof(*p));
	int64_t until = 0, now = clock_unix();

	for (;;) {
		if (clock_ms() >= r->no_write) {
			if (!stop_signal) {
				sched_due(r, now);
				sched_start(r, now);
			}
			entry_commit(r, now);
			compact(r);
		}
		if (stop_signal && until == 0)
			until = clock_ms() + STOP_MS;
		if (stop_signal && (!busy(r) || clock_left(until) == 0))
			break;
		listen_all(r, p, now);
		now = clock_unix();
		if (clock_ms() >= r->full_scan) {
			if (conf_refresh(r->conf) == 1)
				read_limits(r);
			scan(r);
			workers_trim(r);
		}
	}
	free(p);
}

static void
on_signals(void)
{
	struct sigaction stop = { .sa_handler = on_stop };

	sigaction(SIGTERM, &stop, NULL);
	sigaction(SIGINT, &stop, NULL);
	signal(SIGPIPE, SIG_IGN);
	/* Workers are known by their sockets; nobody waits for them. */
	signal(SIGCHLD, SIG_IGN);
}

/* Only one queue-run may keep the schedule. */
static void
only_one(struct run *r)
{
	r->lock = openat(r->q.dir, "run.lock", O_RDWR | O_CREAT | O_CLOEXEC,
	    0600);
	if (r->lock == -1)
		die_sys(EXIT_TEMP, "unable to open %s/queue/run.lock", r->root);
	if (flock(r->lock, LOCK_EX | LOCK_NB) == -1)
		die(EXIT_TEMP, "queue-run runs already in %s", r->root);
}

static void
enter(struct run *r)
{
	char *cdb = xprintf("%s/cdb", r->root);
	char *queue = xprintf("%s/queue", r->root);
	const char *read[] = { cdb, NULL }, *write[] = { queue, NULL };
	const struct confine cage = { .flags = CONFINE_UNIX | CONFINE_FORK,
		.read = read, .write = write };

	if ((r->conf = conf_open(r->root)) == NULL)
		die_sys(EXIT_TEMP, "unable to read %s/conf.cdb", cdb);
	if (queue_open(&r->q, r->root) == -1)
		die_sys(EXIT_TEMP, "unable to open %s", queue);
	only_one(r);
	r->bell = bell_open(r->root);
	on_signals();
	if (confine(&cage) == -1)
		die_sys(EXIT_TEMP, "unable to confine");
	free(cdb);
	free(queue);
}

int
main(int argc, char **argv)
{
	static struct run r = { .compact_at = COMPACT_MIN };
	const char *root = NULL;
	int ch;

	prog_start(argc, argv, "[-C root]",
	    "decide when each queued message is sent, and by whom",
	    "files: reads cdb/conf.cdb, writes queue/; network: none");
	while ((ch = getopt(argc, argv, "C:")) != -1)
		if (ch == 'C')
			root = optarg;
		else
			usage();
	if (optind != argc)
		usage();
	r.root = conf_root(root);
	sb_init(&r.out, QUEUE_APPEND_MAX);
	r.worker = xcalloc(WORKERS_MAX, sizeof(*r.worker));
	enter(&r);
	read_limits(&r);
	sweep_start(&r); /* while it is small */
	rebuild(&r);
	serve(&r);
	return EXIT_DONE;
}
