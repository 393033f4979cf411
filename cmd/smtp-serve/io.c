#include "session.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "smtp/reply.h"

#define TEXT_MAX 2048 /* of one reply */

void
io_timeouts(struct session *s)
{
	struct timeval tv = { .tv_sec = COMMAND_SECONDS };
	int type;
	socklen_t n = sizeof(type);

	s->socket = getsockopt(s->in, SOL_SOCKET, SO_TYPE, &type, &n) == 0;
	if (s->socket) {
		setsockopt(s->in, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
		setsockopt(s->in, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	}
}

void
io_start(struct session *s)
{
	s->at = s->end = 0;
	s->session_by = clock_ms() + SESSION_SECONDS * INT64_C(1000);
	io_timeouts(s);
}

void
pause_ms(struct session *s, unsigned ms)
{
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000L };

	(void)s;
	if (!stopping)
		nanosleep(&ts, NULL); /* a signal ends it early, as it should */
}

int
reply(struct session *s, int code, const char *ecode, const char *fmt, ...)
{
	struct strbuf text = STRBUF_INIT(TEXT_MAX);
	va_list ap;

	va_start(ap, fmt);
	sb_vprintf(&text, fmt, ap);
	va_end(ap);
	if (code >= 500)
		s->errors++;
	if (s->slow)
		pause_ms(s, SLOW_MS);
	if (code >= 400)
		sb_printf(&text, " (%s)", s->peer.conn);
	smtp_reply(&s->output, code, ecode, sb_slice(&text));
	sb_free(&text);
	return code;
}

void
reply_id(struct session *s, int code, const char *ecode, const char *text,
    const char *id)
{
	struct strbuf t = STRBUF_INIT(TEXT_MAX);

	if (s->slow)
		pause_ms(s, SLOW_MS);
	sb_puts(&t, text);
	/* "delivered as ID" says it already. */
	if (slice_find(slice_str(text), slice_str(id)) == -1)
		sb_printf(&t, " (%s)", id);
	smtp_reply(&s->output, code, ecode, sb_slice(&t));
	sb_free(&t);
}

void
reply_lines(struct session *s, int code, struct slice text)
{
	smtp_reply(&s->output, code, NULL, text);
}

void
hang_up(struct session *s, const char *ecode, const char *text)
{
	reply(s, 421, ecode, "%s", text);
	s->closing = true;
}

int
flush(struct session *s)
{
	int r;

	if (s->output.n == 0)
		return 0;
	r = write_all(s->out, sb_slice(&s->output));
	sb_reset(&s->output);
	if (r == -1)
		s->closing = true;
	return r;
}

bool
talks_within(struct session *s, unsigned ms)
{
	return poll_until(s->in, POLLIN, clock_ms() + ms) > 0;
}

/* Wait where a descriptor has no time limit of its own. */
static int
wait_readable(struct session *s)
{
	int64_t by = clock_ms() + COMMAND_SECONDS * INT64_C(1000);

	if (s->socket)
		return 0;
	if (poll_until(s->in, POLLIN, by) > 0)
		return 0;
	errno = EAGAIN;
	return -1;
}

/* Read behind what is there; there must be room. */
static ssize_t
read_more(struct session *s)
{
	ssize_t n;

	if (clock_ms() > s->session_by || s->bytes > SESSION_BYTES_MAX) {
		errno = ETIMEDOUT;
		return -1;
	}
	do {
		if (wait_readable(s) == -1)
			return -1;
		n = read(s->in, s->input + s->end, INPUT_MAX - s->end);
	} while (n == -1 && errno == EINTR && !stopping);
	if (n > 0) {
		s->end += (size_t)n;
		s->bytes += (uint64_t)n;
	}
	return n;
}

ssize_t
fill(struct session *s)
{
	s->at = s->end = 0;
	return read_more(s);
}

/* Why there is no line: say so if the peer can hear it. */
static int
no_line(struct session *s, ssize_t got)
{
	if (stopping)
		hang_up(s, "4.3.2", "shutting down");
	else if (got == -1 && (errno == EAGAIN || errno == ETIMEDOUT)) {
		counter_add(s->srv->counters, COUNT_TIMEOUTS, 1);
		hang_up(s, "4.4.2", "too slow");
	}
	s->closing = true;
	return 0;
}

/* A complete line in the input: its length with LF; 0 if there is none. */
static size_t
line_length(const struct session *s, size_t from)
{
	const unsigned char *p = s->input + s->at;
	size_t n = input_left(s);
	const unsigned char *lf =
	    from < n ? memchr(p + from, '\n', n - from) : NULL;

	return lf != NULL ? (size_t)(lf - p) + 1 : 0;
}

static size_t
line_limit(const struct session *s, bool auth)
{
	struct slice have = slice_of(s->input + s->at, input_left(s));

	return auth || (s->submission && slice_istarts(have, S("AUTH "))) ?
	    AUTH_LINE_MAX : LINE_MAX_BYTES;
}

static void
make_room(struct session *s)
{
	if (s->at == 0)
		return;
	memmove(s->input, s->input + s->at, input_left(s));
	s->end -= s->at;
	s->at = 0;
}

int
read_line(struct session *s, bool auth, struct slice *line)
{
	int64_t by = 0;
	size_t seen = 0, n;

	if (s->output.n > OUTPUT_FLUSH && flush(s) == -1)
		return 0;
	while ((n = line_length(s, seen)) == 0) {
		ssize_t got;

		seen = input_left(s);
		if (seen >= line_limit(s, auth))
			break;
		if (flush(s) == -1)
			return 0;
		make_room(s);
		if (by == 0)
			by = clock_ms() + COMMAND_SECONDS * INT64_C(1000);
		else if (clock_ms() > by) {
			errno = ETIMEDOUT;
			return no_line(s, -1);
		}
		if ((got = read_more(s)) <= 0)
			return no_line(s, got);
	}
	if (n == 0 || n > line_limit(s, auth)) {
		reply(s, 500, "5.5.0", "line too long");
		s->closing = true;
		return 0;
	}
	*line = slice_of(s->input + s->at, n - 1);
	if (line->n != 0 && line->p[line->n - 1] == '\r')
		line->n--;
	s->at += n;
	return 1;
}
