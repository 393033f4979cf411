#include "base/log.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "base/die.h"

#define LOG_LINE_MAX 8192

/*
 * How long a line waits for a logger that does not read: its disk is full, and
 * we go on without a log then.
 */
#define LOG_WAIT_MS 100

static struct strbuf line = STRBUF_INIT(LOG_LINE_MAX);
static uint64_t lost; /* lines, since the last that was written */

struct strbuf *
log_begin(const char *event)
{
	sb_reset(&line);
	tuple_begin(&line, event);
	tuple_puts(&line, "prog", prog_name());
	return &line;
}

/*
 * A pipe that is ready has room for PIPE_BUF bytes; a longer line may have to
 * wait for its end. Others write to the same pipe, but then the reader reads.
 */
static bool
room(int ms)
{
	struct pollfd p = { .fd = STDERR_FILENO, .events = POLLOUT };

	return poll(&p, 1, ms) != 0;
}

static void
put_line(const struct strbuf *sb)
{
	/* After one wait in vain, none until the logger reads again. */
	if (!room(lost == 0 ? LOG_WAIT_MS : 0)) {
		lost++;
		return;
	}
	if (lost != 0) {
		char text[80];
		int n = snprintf(text, sizeof(text),
		    "log-lost prog=%s lines=%llu\n", prog_name(),
		    (unsigned long long)lost);

		if (n > 0 && (size_t)n < sizeof(text))
			(void)!write(STDERR_FILENO, text, (size_t)n);
		lost = 0;
	}
	(void)!write(STDERR_FILENO, sb->p, sb->n);
}

void
log_end(void)
{
	if (line.over)
		sb_cut(&line, line.n < LOG_LINE_MAX - 2 ? line.n : LOG_LINE_MAX - 2);
	line.over = false;
	tuple_end(&line);
	put_line(&line);
}

__attribute__((format(printf, 1, 0))) static void
log_text(const char *fmt, va_list ap, int error)
{
	struct strbuf text = STRBUF_INIT(LOG_LINE_MAX / 2);

	sb_vprintf(&text, fmt, ap);
	if (error != 0)
		sb_printf(&text, ": %s", strerror(error));
	tuple_put(log_begin("error"), "text", sb_slice(&text));
	log_end();
	sb_free(&text);
}

void
log_error(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_text(fmt, ap, 0);
	va_end(ap);
}

void
log_sys(const char *fmt, ...)
{
	int error = errno;
	va_list ap;

	va_start(ap, fmt);
	log_text(fmt, ap, error);
	va_end(ap);
	errno = error;
}
