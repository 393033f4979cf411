/*
 * password.h - a password from a person or a pipe
 */
#ifndef CMD_PASSWORD_H
#define CMD_PASSWORD_H

#include <errno.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/die.h"
#include "base/file.h"
#include "base/rid.h"
#include "base/slice.h"
#include "base/strbuf.h"
#include "sasl/passwd.h"

#define PASSWORD_LINE_MAX 1024

/* One line of stdin into sb; ends the program if there is none. */
static inline void
password_line(struct strbuf *sb)
{
	char c = '\0';
	ssize_t n;

	sb_reset(sb);
	while ((n = read(STDIN_FILENO, &c, 1)) == 1 && c != '\n')
		sb_putc(sb, (unsigned char)c);
	if (n == -1)
		die_sys(EXIT_TEMP, "unable to read a password from stdin");
	if (sb->n == 0 || sb->over)
		die(EXIT_PERM, "no password on stdin, or a line too long");
}

static inline void
prompt(const char *text)
{
	if (write_all(STDERR_FILENO, slice_str(text)) == -1)
		die_sys(EXIT_TEMP, "unable to ask for a password");
}

/*
 * From a terminal: twice, without echo. Otherwise one line of stdin. Before
 * confine(), which allows no change of a terminal.
 */
static inline void
password_read(struct strbuf *sb)
{
	struct strbuf again = STRBUF_INIT(PASSWORD_LINE_MAX);
	struct termios old, quiet;

	if (tcgetattr(STDIN_FILENO, &old) == -1) {
		password_line(sb);
		return;
	}
	quiet = old;
	quiet.c_lflag &= ~(tcflag_t)ECHO;
	if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet) == -1)
		die_sys(EXIT_TEMP, "unable to switch off echo");
	prompt("password: ");
	password_line(sb);
	prompt("\nagain: ");
	password_line(&again);
	prompt("\n");
	(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &old);
	if (!slice_eq(sb_slice(sb), sb_slice(&again)))
		die(EXIT_PERM, "the two passwords differ");
	sb_free(&again);
}

/* 80 random bits, in four groups for people who type it. */
static inline void
password_make(struct strbuf *sb)
{
	char id[RID_LEN + 1];

	rid_new(id);
	sb_reset(sb);
	for (size_t i = 0; i < RID_LEN; i++) {
		if (i != 0 && i % 4 == 0)
			sb_putc(sb, '-');
		sb_putc(sb, (unsigned char)id[i]);
	}
}

/* Store it; ends the program with a clear line if it is not acceptable. */
static inline void
password_store(const char *root, struct slice account, struct slice password)
{
	if (passwd_set(root, account, password) == 0)
		return;
	switch (errno) {
	case EINVAL:
		die(EXIT_PERM, "the password has characters that cannot be used");
	case EILSEQ:
		die(EXIT_PERM, "the password is not valid UTF-8");
	case ERANGE:
		die(EXIT_PERM, "the password is too short");
	case E2BIG:
		die(EXIT_PERM, "the password is too long");
	default:
		die_sys(EXIT_TEMP, "unable to write %s/secret/auth/passwd", root);
	}
}

#endif
