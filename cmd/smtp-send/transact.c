/*
 * Mail transactions on an open session (RFC 5321 section 3.3, 2920, 1870,
 * 6152, 6531).
 */
#include "smtp-send.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#include "base/clock.h"
#include "smtp/dot.h"

/* Bytes of the message that are encoded and written at a time. */
#define BLOCK ((size_t)64 * 1024)

enum after { A_GO, A_LOST }; /* may the session be used on? */

/* What the host says on a whole transaction, for recipients in `state'. */
static void
settle(struct request *q, enum rcpt_state state, enum rcpt_state to,
    const struct failure *f)
{
	for (size_t i = 0; i < q->rcpts; i++)
		if (q->rcpt[i].state == state) {
			q->rcpt[i].state = to;
			q->rcpt[i].why = *f;
		}
}

static size_t
count(const struct request *q, enum rcpt_state state)
{
	size_t n = 0;

	for (size_t i = 0; i < q->rcpts; i++)
		n += q->rcpt[i].state == state;
	return n;
}

static void
put_mail(struct session *s, const struct request *q)
{
	sb_printf(&s->out, "MAIL FROM:<%.*s>", SLICE_ARG(q->from));
	if (s->size)
		sb_printf(&s->out, " SIZE=%llu", (unsigned long long)q->size);
	if (s->eight_bit && (q->eight_bit || q->utf8))
		sb_puts(&s->out, " BODY=8BITMIME");
	if (q->utf8)
		sb_puts(&s->out, " SMTPUTF8");
	sb_puts(&s->out, "\r\n");
}

static void
put_rcpt(struct session *s, const struct rcpt *r)
{
	sb_printf(&s->out, "RCPT TO:<%.*s>\r\n", SLICE_ARG(r->addr));
}

static enum after
lost(struct failure *f)
{
	failure_set(f, false, "4.4.2", "connection lost");
	return A_LOST;
}

/* Whether the host could take this message at all; another host may. */
static bool
suits(const struct session *s, const struct request *q, struct failure *f)
{
	if (s->size_most != 0 && q->size > s->size_most) {
		failure_set(f, true, "5.3.4", "the host takes messages of up "
		    "to %llu bytes, this one has %llu",
		    (unsigned long long)s->size_most,
		    (unsigned long long)q->size);
		return false;
	}
	if (q->eight_bit && !s->eight_bit) {
		/* RFC 6152 section 3: not without the extension. Conversion
		 * would break signatures. */
		failure_set(f, true, "5.6.3", "the host takes no 8-bit "
		    "messages (8BITMIME)");
		return false;
	}
	if (q->utf8 && !s->utf8) {
		failure_set(f, true, "5.6.7", "the host does not support "
		    "internationalized mail (SMTPUTF8)");
		return false;
	}
	return true;
}

/* The reply to MAIL: true if the transaction has begun. A 4xx leaves the
 * recipients to the next host. */
static bool
take_mail(struct session *s, struct request *q, struct failure *f)
{
	if (s->reply.code / 100 == 2)
		return true;
	failure_reply(f, &s->reply);
	if (f->permanent)
		settle(q, R_OPEN, R_REFUSED, f);
	return false;
}

/*
 * The reply to one RCPT. 251 is success (RFC 5321 section 3.4). 452, and 552
 * from old hosts, after recipients that were accepted mean that this is all
 * for one transaction (section 4.5.3.1.10).
 */
static void
take_rcpt(struct session *s, struct request *q, struct rcpt *r)
{
	int code = s->reply.code;
	bool full = code == 452 || (code == 552 &&
	    strncmp(s->reply.ecode, "5.2.", 4) != 0);

	failure_reply(&r->why, &s->reply);
	if (code / 100 == 2)
		r->state = R_ACCEPTED;
	else if (full && count(q, R_ACCEPTED) != 0)
		r->state = R_LATER;
	else if (code / 100 == 5 && !full)
		r->state = R_REFUSED;
	else if (code != 421) {
		r->state = R_DEFERRED;
		r->why.permanent = false;
	}
}

/* queue-run has gone: it will send the message again, so do not now. */
static bool
orphaned(const struct request *q)
{
	struct pollfd p = { .fd = q->owner, .events = POLLIN | POLLRDHUP };

	return q->owner != -1 && poll(&p, 1, 0) == 1 &&
	    (p.revents & (POLLHUP | POLLRDHUP | POLLERR));
}

/* Write the message and the final dot. */
static int
put_message(struct session *s, const struct request *q)
{
	int64_t until = clock_ms() + 1000 * (DATA_SECONDS_MIN +
	    (int64_t)(q->size / BYTES_A_SECOND_MIN));
	struct slice in = q->msg;
	struct dot d = { 0 };

	for (; in.n > BLOCK; in = slice_skip(in, BLOCK)) {
		dot_feed(&d, slice_sub(in, 0, BLOCK), &s->out);
		if (io_flush(s, T_BLOCK) == -1)
			return -1;
		if (clock_left(until) == 0) {
			errno = ETIMEDOUT;
			return -1;
		}
	}
	dot_feed(&d, in, &s->out);
	if (orphaned(q)) {
		errno = ECANCELED;
		return -1;
	}
	dot_end(&d, &s->out);
	return io_flush(s, T_BLOCK);
}

/* After a broken write: what the host said before it closed, if anything. */
static enum after
last_words(struct session *s, struct request *q, struct failure *f)
{
	struct failure ignored = *f;

	failure_set(f, false, "4.4.2", "connection lost while sending");
	if (errno == ECANCELED)
		settle(q, R_ACCEPTED, R_DEFERRED, f);
	while (errno != ECANCELED && io_reply(s, 1, &ignored) == 0)
		if (s->reply.code >= 400) {
			failure_reply(f, &s->reply);
			settle(q, R_ACCEPTED,
			    f->permanent ? R_REFUSED : R_DEFERRED, f);
			return A_LOST;
		}
	return A_LOST;
}

/* The 354 has come: the message, the dot, the answer that counts. */
static enum after
send_data(struct session *s, struct request *q, struct failure *f)
{
	sb_reset(&s->out);
	if (count(q, R_ACCEPTED) == 0) {
		sb_puts(&s->out, ".\r\n"); /* RFC 2920 section 3.1 */
		if (io_flush(s, T_BLOCK) == -1 || io_reply(s, T_FINAL, f) == -1)
			return A_LOST;
		return A_GO;
	}
	if (put_message(s, q) == -1)
		return last_words(s, q, f);
	if (io_reply(s, T_FINAL, f) == -1) {
		/* It may have been taken. Another host now would deliver it
		 * twice; the next attempt perhaps too, but must be made. */
		settle(q, R_ACCEPTED, R_DEFERRED, f);
		return A_LOST;
	}
	failure_reply(f, &s->reply);
	if (s->reply.code / 100 == 2)
		settle(q, R_ACCEPTED, R_SENT, f);
	else
		settle(q, R_ACCEPTED, f->permanent ? R_REFUSED : R_DEFERRED, f);
	return s->reply.code == 421 ? A_LOST : A_GO;
}

/* The reply to DATA has come. */
static enum after
take_data(struct session *s, struct request *q, struct failure *f)
{
	int code = s->reply.code;

	if (code == 354)
		return send_data(s, q, f);
	failure_reply(f, &s->reply);
	if (code < 400)
		failure_set(f, false, "4.5.0", "bad reply to DATA");
	settle(q, R_ACCEPTED, f->permanent ? R_REFUSED : R_DEFERRED, f);
	return code == 421 || code < 400 ? A_LOST : A_GO;
}

/* MAIL, all RCPT and DATA in one write (RFC 2920). */
static enum after
pipelined(struct session *s, struct request *q, struct failure *f)
{
	bool begun, closing;

	sb_reset(&s->out);
	put_mail(s, q);
	for (size_t i = 0; i < q->rcpts; i++) {
		q->rcpt[i].asked = q->rcpt[i].state == R_OPEN;
		if (q->rcpt[i].asked)
			put_rcpt(s, &q->rcpt[i]);
	}
	sb_puts(&s->out, "DATA\r\n");
	if (io_flush(s, T_COMMAND) == -1)
		return lost(f);
	if (io_reply(s, T_COMMAND, f) == -1)
		return A_LOST;
	begun = take_mail(s, q, f);
	closing = s->reply.code == 421;
	for (size_t i = 0; i < q->rcpts && !closing; i++) {
		struct failure late = *f;

		if (!q->rcpt[i].asked)
			continue;
		if (io_reply(s, T_COMMAND, begun ? f : &late) == -1)
			return A_LOST;
		if (begun)
			take_rcpt(s, q, &q->rcpt[i]);
		closing = begun && s->reply.code == 421;
	}
	if (closing) {
		failure_reply(f, &s->reply);
		return A_LOST;
	}
	if (!begun) {
		struct failure late = *f;

		if (io_reply(s, T_DATA, &late) == -1)
			return A_LOST;
		return s->reply.code == 354 ? send_data(s, q, &late) : A_GO;
	}
	if (io_reply(s, T_DATA, f) == -1)
		return A_LOST;
	return take_data(s, q, f);
}

static enum after
one_by_one(struct session *s, struct request *q, struct failure *f)
{
	sb_reset(&s->out);
	put_mail(s, q);
	if (io_flush(s, T_COMMAND) == -1)
		return lost(f);
	if (io_reply(s, T_COMMAND, f) == -1)
		return A_LOST;
	if (!take_mail(s, q, f))
		return s->reply.code == 421 ? A_LOST : A_GO;
	for (size_t i = 0; i < q->rcpts; i++) {
		if (q->rcpt[i].state != R_OPEN)
			continue;
		put_rcpt(s, &q->rcpt[i]);
		if (io_flush(s, T_COMMAND) == -1)
			return lost(f);
		if (io_reply(s, T_COMMAND, f) == -1)
			return A_LOST;
		take_rcpt(s, q, &q->rcpt[i]);
		if (s->reply.code == 421) {
			failure_reply(f, &s->reply);
			return A_LOST;
		}
	}
	if (count(q, R_ACCEPTED) == 0)
		return A_GO;
	sb_puts(&s->out, "DATA\r\n");
	if (io_flush(s, T_COMMAND) == -1)
		return lost(f);
	if (io_reply(s, T_DATA, f) == -1)
		return A_LOST;
	return take_data(s, q, f);
}

/* Ready for another transaction, whatever the last one left behind. */
static enum after
reset(struct session *s)
{
	struct failure ignored;

	sb_reset(&s->out);
	sb_puts(&s->out, "RSET\r\n");
	return io_flush(s, T_COMMAND) == 0 &&
	    io_reply(s, T_COMMAND, &ignored) == 0 &&
	    s->reply.code / 100 == 2 ? A_GO : A_LOST;
}

/* Accepted recipients of a transaction that came to nothing, and those for
 * the next one, are open again. */
static void
reopen(struct request *q)
{
	for (size_t i = 0; i < q->rcpts; i++)
		if (q->rcpt[i].state == R_ACCEPTED ||
		    q->rcpt[i].state == R_LATER)
			q->rcpt[i].state = R_OPEN;
}

void
transact(struct session *s, struct request *q, struct failure *f)
{
	enum after after = A_GO;
	size_t before, done;

	snprintf(f->host, sizeof(f->host), "%s", s->host);
	snprintf(f->ip, sizeof(f->ip), "%s", s->ip_text);
	snprintf(f->tls, sizeof(f->tls), "%s", s->tls);
	for (size_t i = 0; i < q->rcpts; i++)
		if (q->rcpt[i].state == R_OPEN)
			q->rcpt[i].why = *f; /* host and address */
	if (!suits(s, q, f))
		return;
	do {
		bool sent;

		before = count(q, R_OPEN);
		after = s->pipelining ? pipelined(s, q, f) :
		    one_by_one(s, q, f);
		sent = count(q, R_SENT) != 0;
		reopen(q);
		done = before - count(q, R_OPEN);
		s->messages++;
		if (after == A_GO && (!sent || s->reply.code / 100 != 2))
			after = reset(s);
	} while (after == A_GO && done != 0 && count(q, R_OPEN) != 0);
	if (after == A_LOST)
		session_drop(s);
}
