#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "base/die.h"

#define LOG_LINE_MAX 8192

static struct strbuf line = STRBUF_INIT(LOG_LINE_MAX);

struct strbuf *
log_begin(const char *event)
{
	sb_reset(&line);
	tuple_begin(&line, event);
	tuple_puts(&line, "prog", prog_name());
	return &line;
}

void
log_end(void)
{
	ssize_t ignored;

	if (line.over)
		sb_cut(&line, line.n < LOG_LINE_MAX - 2 ? line.n : LOG_LINE_MAX - 2);
	line.over = false;
	tuple_end(&line);
	ignored = write(STDERR_FILENO, line.p, line.n);
	(void)ignored;
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
