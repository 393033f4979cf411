/* DATA: take the message, hand it to the pipeline, pass on its verdict. */
#include "session.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "smtp/data.h"
#include "stage/job.h"
#include "stage/submit.h"

#define SINK_BUFFER 32768

/* Where a message's bytes go. */
struct sink {
	int fd;        /* a memfd, or an unnamed file in the spool */
	bool in_file;
	const char *spool;
	uint64_t size; /* written, and waiting in buf */
	uint64_t max;
	bool over;     /* larger than max; no longer kept */
	int error;     /* errno of the first failure; no longer kept */
	size_t n;
	unsigned char *buf;
};

static void
sink_fail(struct sink *k)
{
	if (k->error == 0)
		k->error = errno != 0 ? errno : EIO;
	k->n = 0;
}

/* Go on in a file of the spool: what memory holds is copied. */
static int
to_file(struct sink *k)
{
	int fd = open(k->spool, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	unsigned char copy[4096];
	off_t at = 0;
	ssize_t n = 0;

	if (fd == -1)
		return -1;
	while (k->fd != -1 && (n = pread(k->fd, copy, sizeof(copy), at)) > 0) {
		if (write_all(fd, slice_of(copy, (size_t)n)) == -1)
			break;
		at += n;
	}
	if (n != 0) {
		close(fd);
		return -1;
	}
	if (k->fd != -1)
		close(k->fd);
	k->fd = fd;
	k->in_file = true;
	return 0;
}

static void
sink_flush(struct sink *k)
{
	if (k->n == 0 || k->error != 0)
		return;
	if (!k->in_file && k->size > MEMORY_MAX && to_file(k) == -1) {
		sink_fail(k);
		return;
	}
	if (k->fd == -1 && (k->fd = memfd_new("message")) == -1) {
		sink_fail(k);
		return;
	}
	if (write_all(k->fd, slice_of(k->buf, k->n)) == -1)
		sink_fail(k);
	k->n = 0;
}

static void
sink_put(void *ctx, struct slice s)
{
	struct sink *k = ctx;

	if (k->over || k->error != 0)
		return;
	if (s.n > k->max - k->size) {
		k->over = true;
		return;
	}
	k->size += s.n;
	while (s.n != 0) {
		size_t n = SINK_BUFFER - k->n;

		if (n > s.n)
			n = s.n;
		memcpy(k->buf + k->n, s.p, n);
		k->n += n;
		s = slice_skip(s, n);
		if (k->n == SINK_BUFFER)
			sink_flush(k);
	}
}

/*
 * Read up to the end of the message: 0; -1 the connection has ended or must
 * end, and nothing of the message counts.
 */
static int
receive(struct session *s, struct smtp_data *d, struct sink *k)
{
	int64_t by = clock_ms() + DATA_SECONDS * INT64_C(1000);
	uint64_t drained = 0;

	for (;;) {
		struct slice in = slice_of(s->input + s->at, input_left(s));
		bool end = smtp_data_feed(d, &in);
		ssize_t n;

		if (k->over || k->error != 0 || d->bad)
			drained += input_left(s) - in.n;
		s->at = s->end - in.n;
		if (end)
			return 0;
		if (drained > DRAIN_MAX) {
			s->closing = true;
			return 0; /* the verdict is known */
		}
		n = clock_ms() > by ? -1 : fill(s);
		if (n > 0)
			continue;
		if (stopping)
			hang_up(s, "4.3.2", "shutting down");
		else if (n == -1) {
			counter_add(s->srv->counters, COUNT_TIMEOUTS, 1);
			hang_up(s, "4.4.2", "too slow");
		}
		s->closing = true;
		return -1;
	}
}

/* RFC 3848, RFC 6531 section 4.3. */
static void
put_proto(const struct session *s, struct strbuf *e)
{
	struct strbuf p = STRBUF_INIT(32);

	sb_puts(&p, !s->esmtp ? "SMTP" : s->t.utf8 ? "UTF8SMTP" : "ESMTP");
	if (s->esmtp && s->tls)
		sb_putc(&p, 'S');
	if (s->esmtp && s->account.n != 0)
		sb_putc(&p, 'A');
	tuple_put(e, "proto", sb_slice(&p));
	sb_free(&p);
}

static void
put_client(const struct session *s, struct strbuf *e)
{
	tuple_begin(e, "client");
	tuple_puts(e, "ip", s->peer.ip);
	tuple_putu(e, "port", s->peer.port);
	tuple_put(e, "helo", s->helo);
	tuple_puts(e, "local-ip", s->peer.local_ip);
	tuple_puts(e, "service", s->peer.service);
	put_proto(s, e);
	tuple_puts(e, "conn", s->peer.conn);
	if (s->tls) {
		tuple_put(e, "tls", s->tls_version);
		tuple_opt(e, "cipher", s->cipher);
		tuple_opt(e, "sni", s->sni);
	}
	tuple_end(e);
}

/* job(5): the records that smtp-serve owns. */
static void
put_envelope(const struct session *s, const char *id, uint64_t size,
    struct strbuf *e)
{
	const struct transaction *t = &s->t;

	tuple_begin(e, "job");
	tuple_puts(e, "id", id);
	tuple_putu(e, "size", size);
	tuple_putu(e, "time", (uint64_t)clock_unix());
	tuple_puts(e, "body", t->eight_bit ? "8bitmime" : "7bit");
	tuple_puts(e, "smtputf8", t->utf8 ? "yes" : "no");
	tuple_end(e);
	put_client(s, e);
	if (s->account.n != 0) {
		tuple_begin(e, "auth");
		tuple_put(e, "account", s->account);
		tuple_put(e, "login", s->login);
		tuple_put(e, "mech", s->mech);
		tuple_end(e);
	}
	tuple_begin(e, "from");
	tuple_put(e, "addr", t->from);
	tuple_end(e);
	for (size_t i = 0; i < t->count; i++) {
		tuple_begin(e, "rcpt");
		tuple_put(e, "addr", t->rcpt[i].addr);
		tuple_opt(e, "account", t->rcpt[i].account);
		tuple_opt(e, "mailbox", t->rcpt[i].mailbox);
		tuple_opt(e, "alias", t->rcpt[i].alias);
		tuple_end(e);
	}
}

static void
message_log(const struct session *s, const char *id, uint64_t size,
    const struct verdict *v)
{
	struct strbuf *l = log_begin("message");

	tuple_puts(l, "id", id);
	tuple_puts(l, "conn", s->peer.conn);
	tuple_puts(l, "ip", s->peer.ip);
	tuple_opt(l, "account", s->account);
	tuple_put(l, "from", s->t.from);
	tuple_put(l, "rcpt", s->t.rcpt[0].addr);
	tuple_putu(l, "rcpts", s->t.count);
	tuple_putu(l, "size", size);
	tuple_putu(l, "code", (uint64_t)v->code);
	tuple_puts(l, "ecode", v->ecode);
	tuple_puts(l, "text", v->text);
	log_end();
}

static const struct verdict unavailable = {
	.code = 451, .ecode = "4.3.0", .text = "try again later"
};

/* Ask the pipeline: false if there is no verdict. */
static bool
submit(struct session *s, struct sink *k, const char *id, struct verdict *v)
{
	struct service *pipe =
	    s->submission ? &s->srv->outbound : &s->srv->inbound;
	struct strbuf e = STRBUF_INIT(JOB_ENVELOPE_MAX);
	bool done = false;

	put_envelope(s, id, k->size, &e);
	if (e.over)
		log_error("envelope of %s is too large", id);
	else if (pipeline_submit(pipe, sb_slice(&e), k->fd, false, VERDICT_MS,
	    v) == -1)
		log_sys("no verdict on %s from %s", id, pipe->path);
	else
		done = true;
	sb_free(&e);
	return done;
}

/* `ours': the trouble is on our side. */
static void
count_verdict(struct session *s, const struct verdict *v, bool ours,
    uint64_t size)
{
	struct counters *c = s->srv->counters;

	if (v->code < 300) {
		s->good++;
		s->messages++;
		s->commands = 0;
		counter_add(c, COUNT_MESSAGES, 1);
		counter_add(c, COUNT_BYTES, (int64_t)size);
		return;
	}
	if (!ours) {
		s->bad++;
		s->slow = true; /* until the connection ends, or it logs in */
	}
	counter_add(c, v->code < 500 ? COUNT_DEFERRED : COUNT_REFUSED, 1);
}

/* A whole and well-formed message: the pipeline decides. */
static void
judge(struct session *s, struct sink *k)
{
	char id[RID_LEN + 1];
	struct verdict v;
	bool judged = false;

	rid_new(id);
	if (k->fd == -1)
		k->fd = memfd_new("message"); /* an empty message */
	if (k->fd == -1)
		log_sys("unable to make a file");
	else
		judged = submit(s, k, id, &v);
	if (!judged)
		v = unavailable;
	message_log(s, id, k->size, &v);
	count_verdict(s, &v, !judged, k->size);
	/* The job's id in place of the connection's. */
	reply_id(s, v.code, v.ecode, v.text, id);
}

/* What is wrong with the message as bytes: true if it was answered. */
static bool
refused(struct session *s, const struct smtp_data *d, const struct sink *k)
{
	if (d->bad) {
		counter_add(s->srv->counters, COUNT_SMUGGLED, 1);
		reply(s, 500, "5.5.2", "bare CR, or an end of data that is none");
	} else if (k->over)
		reply(s, 552, k->size < SIZE_USUAL - SINK_BUFFER ? "5.2.3" :
		    "5.3.4", "message too large");
	else if (k->error == ENOSPC || k->error == EDQUOT)
		reply(s, 452, "4.3.1", "disk full");
	else if (k->error != 0)
		reply(s, 451, "4.3.0", "unable to keep the message");
	else
		return false;
	if (k->error != 0) {
		errno = k->error;
		log_sys("unable to keep a message of connection %s",
		    s->peer.conn);
	}
	s->bad++;
	return true;
}

static void
take_message(struct session *s)
{
	struct sink k = { .fd = -1, .spool = s->srv->spool,
		.max = size_max(s), .buf = xmalloc(SINK_BUFFER) };
	struct smtp_data d;

	smtp_data_init(&d, sink_put, &k);
	if (receive(s, &d, &k) == 0) {
		sink_flush(&k);
		if (!refused(s, &d, &k))
			judge(s, &k);
	}
	if (k.fd != -1)
		close(k.fd);
	free(k.buf);
}

void
do_data(struct session *s, const struct smtp_command *c)
{
	if (c->arg.n != 0) {
		reply(s, 501, "5.5.2", "DATA takes no argument");
		return;
	}
	if (!s->t.open || s->t.count == 0) {
		reply(s, 503, "5.5.1", "MAIL and RCPT first");
		return;
	}
	reply_lines(s, 354, S("go ahead, end with a lone dot"));
	if (flush(s) == 0)
		take_message(s);
	transaction_reset(s);
}
