#include "base/die.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/strbuf.h"

#define DIAG_MAX 2048
#ifndef PNEU_VERSION
#define PNEU_VERSION "0"
#endif

static const char *name = "pneu";
static const char *synopsis_text = "";

void
prog_set(const char *argv0)
{
	const char *slash = strrchr(argv0, '/');

	name = slash != NULL ? slash + 1 : argv0;
}

const char *
prog_name(void)
{
	return name;
}

/* One write, so that lines of several processes do not mix. */
__attribute__((format(printf, 1, 0))) static void
diag(const char *fmt, va_list ap, int error)
{
	struct strbuf text = STRBUF_INIT(DIAG_MAX), line = STRBUF_INIT(DIAG_MAX);
	ssize_t ignored;

	sb_vprintf(&text, fmt, ap);
	if (error != 0)
		sb_printf(&text, ": %s", strerror(error));
	sb_printf(&line, "%s: ", name);
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] >= 0x20 && text.p[i] != 0x7f)
			sb_putc(&line, text.p[i]);
		else
			sb_printf(&line, "\\x%02x", text.p[i]);
	}
	sb_putc(&line, '\n');
	ignored = write(STDERR_FILENO, line.p, line.n);
	(void)ignored;
	sb_free(&text);
	sb_free(&line);
}

void
die(int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	diag(fmt, ap, 0);
	va_end(ap);
	exit(code);
}

void
die_sys(int code, const char *fmt, ...)
{
	int error = errno;
	va_list ap;

	va_start(ap, fmt);
	diag(fmt, ap, error);
	va_end(ap);
	exit(code);
}

void
warn(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	diag(fmt, ap, 0);
	va_end(ap);
}

void
warn_sys(const char *fmt, ...)
{
	int error = errno;
	va_list ap;

	va_start(ap, fmt);
	diag(fmt, ap, error);
	va_end(ap);
	errno = error;
}

void
prog_start(int argc, char **argv, const char *synopsis, const char *purpose,
    const char *cage)
{
	prog_set(argc > 0 ? argv[0] : "pneu");
	synopsis_text = synopsis;
	if (argc < 2)
		return;
	if (strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0)
		printf("%s - %s\nusage: %s %s\n", name, purpose, name, synopsis);
	else if (strcmp(argv[1], "-V") == 0)
		printf("%s (pneu) %s\n", name, PNEU_VERSION);
	else if (strcmp(argv[1], "--cage") == 0)
		printf("%s: %s\n", name, cage);
	else
		return;
	exit(fflush(stdout) == 0 ? EXIT_DONE : EXIT_TEMP);
}

void
usage(void)
{
	fprintf(stderr, "usage: %s %s\n", name, synopsis_text);
	exit(EXIT_PERM);
}
