/*
 * Workers: connections to smtp-send for other hosts, own processes for our
 * accounts. Both take the same requests and give the same answers.
 */
#include "queue-run.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <signal.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/die.h"
#include "base/fdpass.h"
#include "base/log.h"
#include "base/tuple.h"
#include "net/net.h"

/* After smtp-send could not be reached. */
#define CONNECT_PAUSE_MS 1000
/* An idle worker costs a process. */
#define TRIM_MS 30000

static int
connect_remote(struct run *r)
{
	char *path;
	int fd;

	if (r->no_connect > clock_ms())
		return -1;
	path = xprintf("%s/run/send", r->root);
	fd = unix_connect(path);
	free(path);
	if (fd == -1) {
		log_sys("unable to reach smtp-send");
		r->no_connect = clock_ms() + CONNECT_PAUSE_MS;
	}
	return fd;
}

static int
fork_local(struct run *r)
{
	pid_t parent = getpid(), pid;
	int sv[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv) == -1)
		return -1;
	pid = fork();
	if (pid == 0) {
		if (prctl(PR_SET_PDEATHSIG, SIGTERM) == -1 ||
		    getppid() != parent)
			_exit(EXIT_TEMP);
		close(sv[0]);
		/* Else a worker would not see when its socket is closed. */
		for (size_t i = 0; i < r->workers; i++)
			close(r->worker[i].fd);
		close(r->bell);
		close(r->lock);
		local_worker(sv[1], r);
	}
	close(sv[1]);
	if (pid == -1) {
		log_sys("unable to fork");
		close(sv[0]);
		return -1;
	}
	return sv[0];
}

bool
workers_free(const struct run *r)
{
	struct limits l = limits(r);

	if (r->locals < LOCAL_MAX || r->workers - r->locals < l.total)
		return true;
	for (size_t i = 0; i < r->workers; i++)
		if (r->worker[i].job == NULL)
			return true;
	return false;
}

/* How much sooner than others this idle worker should be taken. */
static int
merit(const struct worker *k, const struct domain *d, int64_t now)
{
	bool warm = k->last != NULL && now - k->since < WARM_MS;

	if (warm && k->last == d)
		return 3;
	return warm ? 1 : 2; /* spare the connections of other domains */
}

struct worker *
worker_for(struct run *r, struct domain *d)
{
	struct limits l = limits(r);
	struct worker *best = NULL;
	int64_t now = clock_ms();
	int most = 0, fd;

	for (size_t i = 0; i < r->workers && most < 3; i++) {
		struct worker *k = &r->worker[i];

		if (k->job != NULL || k->local != d->local ||
		    merit(k, d, now) <= most)
			continue;
		best = k;
		most = merit(k, d, now);
	}
	if (most >= 2 || (d->local ? r->locals >= LOCAL_MAX :
	    r->workers - r->locals >= l.total))
		return best;
	fd = d->local ? fork_local(r) : connect_remote(r);
	if (fd == -1)
		return best;
	/* The array has its full size from the start: see main.c. */
	best = &r->worker[r->workers++];
	*best = (struct worker){ .fd = fd, .local = d->local, .since = now };
	r->locals += d->local;
	return best;
}

static void
put_request(struct strbuf *sb, const struct work *w)
{
	const struct qentry *e = w->g->entry;
	bool utf8 = e->utf8;

	for (size_t i = 0; i < w->count; i++)
		utf8 |= !slice_is_ascii(slice_str(e->rcpt[w->asked[i]].addr));
	tuple_begin(sb, "send");
	tuple_puts(sb, "id", e->id);
	tuple_puts(sb, "domain", w->g->domain);
	tuple_puts(sb, "from", e->from);
	tuple_putu(sb, "size", e->size);
	tuple_putu(sb, "offset", (uint64_t)e->offset);
	tuple_puts(sb, "body", e->eight_bit ? "8bitmime" : "7bit");
	tuple_puts(sb, "smtputf8", utf8 ? "yes" : "no");
	if (w->g->attempts > 1)
		tuple_puts(sb, "again", "yes");
	tuple_end(sb);
	for (size_t i = 0; i < w->count; i++) {
		tuple_begin(sb, "rcpt");
		tuple_puts(sb, "addr", e->rcpt[w->asked[i]].addr);
		tuple_putu(sb, "n", w->asked[i]);
		tuple_end(sb);
	}
}

static void
worker_free(struct run *r, struct worker *k)
{
	close(k->fd);
	r->locals -= k->local;
	*k = r->worker[--r->workers];
	if (k->job != NULL)
		k->job->worker = k;
}

/* All that have no result of this attempt are deferred for this reason. */
static void
defer_rest(struct work *w, const char *ecode, const char *text)
{
	struct qgroup *g = w->g;

	for (size_t i = 0; i < w->count; i++) {
		struct qrcpt *c = &g->entry->rcpt[w->asked[i]];

		if (c->tried == g->attempts)
			continue;
		c->tried = g->attempts;
		qrcpt_set(c, Q_WAITING, 0, slice_str(ecode), slice_str(text),
		    SLICE_NONE, SLICE_NONE, clock_unix());
	}
}

/* A worker died. The first time that may be chance (a restart): the group
 * need not wait for its next turn. */
static void
worker_lost(struct run *r, struct worker *k)
{
	struct work *w = k->job;
	int64_t now = clock_unix();

	if (w != NULL) {
		defer_rest(w, "4.3.0", "the sending process died");
		if (w->lost++ == 0)
			w->g->next = now + 1;
		sched_finish(r, w, now);
	}
	worker_free(r, k);
}

void
worker_send(struct run *r, struct work *w)
{
	struct strbuf sb = STRBUF_INIT(PACKET_MAX);
	int fd = queue_job_open(&r->q, w->g->entry->id);

	put_request(&sb, w);
	if (fd == -1 || sb.over) {
		log_sys("unable to open queue entry %s", w->g->entry->id);
		defer_rest(w, "4.3.0", "the queue entry could not be read");
		sched_finish(r, w, clock_unix());
	} else if (fd_send(w->worker->fd, sb_slice(&sb), &fd, 1) == -1)
		worker_lost(r, w->worker);
	if (fd != -1)
		close(fd);
	sb_free(&sb);
}

static void
log_result(const struct qentry *e, const struct qrcpt *c, const char *event,
    struct slice tls)
{
	struct strbuf *l = log_begin(event);
	const struct qresult *x = c->last;

	tuple_puts(l, "id", e->id);
	tuple_puts(l, "addr", c->addr);
	tuple_opt(l, "host", slice_str(x->host));
	tuple_opt(l, "ip", slice_str(x->ip));
	tuple_opt(l, "tls", tls);
	if (x->code != 0)
		tuple_putu(l, "code", (uint64_t)x->code);
	tuple_opt(l, "ecode", slice_str(x->ecode));
	tuple_opt(l, "text", slice_str(x->text));
	log_end();
}

/* RFC 3463 section 3.5: no answer from host, directory server failure, unable
 * to route. A connection that was lost (X.4.2) may be lost over one message. */
static bool
unreachable(const char *ecode)
{
	return strcmp(ecode, "4.4.1") == 0 || strcmp(ecode, "4.4.3") == 0 ||
	    strcmp(ecode, "4.4.4") == 0;
}

void
worker_skip(struct work *w)
{
	const struct qresult *dead = w->d->dead.last;
	struct qgroup *g = w->g;

	for (size_t i = 0; i < w->count; i++) {
		struct qrcpt *c = &g->entry->rcpt[w->asked[i]];

		c->tried = g->attempts;
		qrcpt_set(c, Q_WAITING, 0, slice_str(dead->ecode),
		    slice_str(dead->text), slice_str(dead->host),
		    slice_str(dead->ip), dead->time);
		log_result(g->entry, c, "skipped", SLICE_NONE);
	}
}

/* One "result" line: 0, or -1 if it is not about what was asked. */
static int
take_result(struct run *r, struct work *w, const struct tuple *t, size_t *at)
{
	struct qentry *e = w->g->entry;
	enum qstatus status = tuple_has(t, "status", "sent") ? Q_SENT :
	    tuple_has(t, "status", "refused") ? Q_FAILED : Q_WAITING;
	uint64_t code = 0;
	struct qrcpt *c;

	if (*at == w->count)
		return -1;
	c = &e->rcpt[w->asked[(*at)++]];
	if (!slice_eqs(tuple_value(t, "addr"), c->addr))
		return -1;
	if (tuple_u64(t, "code", 599, &code) == -1)
		code = 0;
	c->tried = w->g->attempts;
	qrcpt_set(c, status, (int)code, tuple_value(t, "ecode"),
	    tuple_value(t, "text"), tuple_value(t, "host"),
	    tuple_value(t, "ip"), clock_unix());
	log_result(e, c, qstatus_name(status), tuple_value(t, "tls"));
	if (status == Q_WAITING && code == 0 && unreachable(c->last->ecode))
		sched_dead(r, w->d, c->last);
	else
		sched_reached(w->d);
	return 0;
}

static size_t
answered(const struct work *w)
{
	size_t n = 0;

	while (n < w->count && w->g->entry->rcpt[w->asked[n]].tried ==
	    w->g->attempts)
		n++;
	return n;
}

void
worker_read(struct run *r, struct worker *k)
{
	static char buf[PACKET_MAX];
	struct arena ar = { 0 };
	struct work *w = k->job;
	struct tuple_reader rd;
	struct tuple t;
	size_t n, fds, at;
	bool ended = false;
	int got;

	got = fd_recv(k->fd, buf, sizeof(buf), &n, NULL, 0, &fds);
	if (got != 1 || w == NULL) {
		worker_lost(r, k);
		return;
	}
	at = answered(w);
	tuple_reader_init(&rd, slice_of(buf, n));
	while (got == 1 && !ended && (got = tuple_next(&rd, &ar, &t)) == 1) {
		ended = tuple_is(&t, "end");
		if (ended && !tuple_has(&t, "open", "yes"))
			k->last = NULL;
		if (!ended && (!tuple_is(&t, "result") ||
		    take_result(r, w, &t, &at) == -1))
			got = -1;
	}
	arena_free(&ar);
	if (got == -1) {
		log_error("a worker does not keep to the protocol");
		worker_lost(r, k);
	} else if (ended) {
		defer_rest(w, "4.3.0", "no result");
		sched_finish(r, w, clock_unix());
	}
}

void
workers_trim(struct run *r)
{
	int64_t now = clock_ms();

	for (size_t i = r->workers; i-- > 0;)
		if (r->worker[i].job == NULL &&
		    now - r->worker[i].since > TRIM_MS)
			worker_free(r, &r->worker[i]);
}
