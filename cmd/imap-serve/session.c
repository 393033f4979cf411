#include <errno.h>
#include <poll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "session.h"

static const struct imap_limits limits = {
	LINE_MAX_BYTES, LITERAL_MAX, LITERALS_MAX, LITERALS_COUNT
};

void
session_init(struct session *s, int in, int out)
{
	struct timeval tv = { .tv_sec = WRITE_SECONDS };

	*s = (struct session){ .in = in, .out = out };
	imap_reader_init(&s->reader, &limits);
	sb_init(&s->o, OUT_MAX);
	sb_init(&s->reply, OUT_MAX); /* COPYUID of a long set */
	sb_init(&s->view.name, STORE_NAME_MAX);
	sb_init(&s->idle_tag, LINE_MAX_BYTES);
	/* Fails on a pipe, which then waits for ever: a shell's own affair. */
	(void)setsockopt(out, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
}

void
session_free(struct session *s)
{
	imap_reader_free(&s->reader);
	sb_free(&s->o);
	sb_free(&s->reply);
	sb_free(&s->view.name);
	sb_free(&s->idle_tag);
	free(s->view.uid);
	arena_free(&s->ar);
	arena_free(&s->saved_ar);
	account_close(s->store);
}

void
session_pending(struct session *s, struct slice bytes)
{
	bytes = slice_sub(bytes, 0, sizeof(s->buf));
	if (bytes.n != 0)
		memcpy(s->buf, bytes.p, bytes.n);
	s->input = slice_of(s->buf, bytes.n);
}

/* ---- output ---- */

void
flush(struct session *s)
{
	if (s->o.over) {
		log_error("response over %zu bytes", OUT_MAX);
		s->dead = true;
	}
	if (!s->dead && write_all(s->out, sb_slice(&s->o)) == -1)
		s->dead = true;
	sb_reset(&s->o);
}

void
flush_some(struct session *s)
{
	if (s->o.n >= OUT_FLUSH || s->o.over)
		flush(s);
}

void
out_bytes(struct session *s, struct slice bytes)
{
	if (bytes.n < OUT_FLUSH) {
		sb_put(&s->o, bytes);
		flush_some(s);
		return;
	}
	flush(s);
	if (!s->dead && write_all(s->out, bytes) == -1)
		s->dead = true;
}

void
out_file(struct session *s, int fd, uint64_t at, uint64_t n)
{
	off_t off = (off_t)at;

	flush(s);
	while (n != 0 && !s->dead) {
		ssize_t r = sendfile(s->out, fd, &off, n);

		if (r == -1 && errno == EINTR)
			continue;
		if (r <= 0) /* 0: another program has cut the file */
			s->dead = true;
		else
			n -= (uint64_t)r;
	}
}

void
line(struct session *s, const char *fmt, ...)
{
	va_list ap;

	sb_puts(&s->o, "* ");
	va_start(ap, fmt);
	sb_vprintf(&s->o, fmt, ap);
	va_end(ap);
	sb_puts(&s->o, "\r\n");
	flush_some(s);
}

void
session_bye(struct session *s, const char *text)
{
	line(s, "BYE %s", text);
	s->bye = true;
}

/* ---- replies ---- */

static enum result __attribute__((format(printf, 3, 0)))
reply(struct session *s, const char *kind, const char *fmt, va_list ap)
{
	sb_reset(&s->reply);
	sb_puts(&s->reply, kind);
	sb_vprintf(&s->reply, fmt, ap);
	return R_DONE;
}

#define REPLY(s, kind, fmt) do { \
	va_list ap; \
	enum result r; \
	va_start(ap, fmt); \
	r = reply(s, kind, fmt, ap); \
	va_end(ap); \
	return r; \
} while (0)

enum result
ok(struct session *s, const char *fmt, ...)
{
	REPLY(s, "OK ", fmt);
}

enum result
no(struct session *s, const char *fmt, ...)
{
	REPLY(s, "NO ", fmt);
}

enum result
bad(struct session *s, const char *fmt, ...)
{
	REPLY(s, "BAD ", fmt);
}

enum result
no_errno(struct session *s, const char *what)
{
	static const struct {
		int err;
		const char *text;
	} codes[] = {
		{ ENOENT, "[NONEXISTENT] no such mailbox" },
		{ EEXIST, "[ALREADYEXISTS] the mailbox exists" },
		{ EINVAL, "[CANNOT] not a valid name" },
		{ ENAMETOOLONG, "[CANNOT] name too long" },
		{ ENOTEMPTY, "[HASCHILDREN] the mailbox has children" },
		{ EPERM, "[CANNOT] not with INBOX" },
		{ EDQUOT, "[OVERQUOTA] over quota" },
		{ ENOSPC, "[UNAVAILABLE] disk full" },
		{ E2BIG, "[LIMIT] too many" },
		{ EUCLEAN, "[CORRUPTION] the index is damaged" },
		{ EPROTO, "[UNAVAILABLE] the index has another version" },
	};
	int e = errno;

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (codes[i].err == e)
			return no(s, "%s", codes[i].text);
	errno = e;
	log_sys("%s", what);
	return no(s, "[SERVERBUG] internal error, see the log");
}

/* ---- input ---- */

int
session_fill(struct session *s, int timeout_ms)
{
	ssize_t n;
	int r;

	flush(s);
	if (s->dead)
		return -1;
	if (timeout_ms >= 0) {
		r = poll_until(s->in, POLLIN, clock_ms() + timeout_ms);
		if (r <= 0)
			return r;
	}
	do
		n = read(s->in, s->buf, sizeof(s->buf));
	while (n == -1 && errno == EINTR);
	if (n <= 0) {
		s->dead = true;
		return -1;
	}
	s->input = slice_of(s->buf, (size_t)n);
	return 1;
}

enum imap_event
session_event(struct session *s, int timeout_ms, struct slice *data)
{
	enum imap_event ev = IMAP_MORE;

	while (!s->dead && !s->bye) {
		if ((ev = imap_read(&s->reader, &s->input, data)) != IMAP_MORE)
			return ev;
		if (session_fill(s, timeout_ms) == 0)
			session_bye(s, "too slow");
	}
	return IMAP_MORE;
}

/* Wait for the next command: 1 bytes are there, 0 the session has ended. */
static int
await_command(struct session *s)
{
	bool can_park = s->park != NULL && !s->view.grown &&
	    imap_reader_idle(&s->reader);
	int r = session_fill(s, can_park ? PARK_MS : READ_MS);

	if (r == 0 && can_park) {
		if (session_park(s))
			return 0;
		r = session_fill(s, READ_MS - PARK_MS);
	}
	if (r == 0) {
		session_bye(s, "no command for 30 minutes");
		flush(s);
	}
	return r == 1;
}

static void
too_long(struct session *s)
{
	struct slice text = sb_slice(&s->reader.text), tag;

	if (!imap_tag(&text, &tag))
		tag = S("*");
	if (s->reader.lost || !s->spoke)
		session_bye(s, "command line too long");
	else
		sb_printf(&s->o, "%.*s BAD [TOOBIG] command over %zu bytes\r\n",
		    SLICE_ARG(slice_sub(tag, 0, 64)), LINE_MAX_BYTES);
}

void
session_run(struct session *s)
{
	struct slice data;

	if (s->idling)
		idle_loop(s);
	while (!s->dead && !s->bye && !s->parked) {
		switch (imap_read(&s->reader, &s->input, &data)) {
		case IMAP_MORE:
			(void)await_command(s);
			break;
		case IMAP_COMMAND:
			session_command(s);
			break;
		case IMAP_LITERAL:
			session_literal(s);
			break;
		case IMAP_TOOLONG:
			too_long(s);
			break;
		default:
			break; /* data of literals is read by cmd_append() */
		}
		arena_reset(&s->ar);
	}
	flush(s);
}
