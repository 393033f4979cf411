/*
 * die.h - exit codes and one-line diagnostics (DESIGN.md 2.4)
 *
 * For cmd/ and stage.c only. A diagnostic is one line on stderr,
 * "prog: text[: reason]", with bytes outside 0x20..0x7e escaped.
 */
#ifndef BASE_DIE_H
#define BASE_DIE_H

enum {
	EXIT_DONE = 0,  /* done; for a check: the answer is favourable */
	EXIT_NO = 1,    /* the answer is unfavourable */
	EXIT_PERM = 100, /* permanent: bad usage, bad input */
	EXIT_TEMP = 111, /* temporary: try again later */
};

/* The program's name for diagnostics and logs; argv must stay valid. */
void prog_set(const char *argv0);
const char *prog_name(void);

/* Print and exit with `code'; die_sys() appends strerror(errno). */
void die(int code, const char *fmt, ...)
    __attribute__((noreturn, format(printf, 2, 3)));
void die_sys(int code, const char *fmt, ...)
    __attribute__((noreturn, format(printf, 2, 3)));
void warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void warn_sys(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/*
 * First thing in main(): sets the program's name and answers -h, -V and
 * --cage, which every program has. `synopsis' is the operand part of the
 * usage line ("[-w] [-c file]"), `purpose' one line, `cage' what confine()
 * leaves the program ("reads conf.cdb; network: none"). Returns only if none
 * of the three is argv[1].
 */
void prog_start(int argc, char **argv, const char *synopsis,
    const char *purpose, const char *cage);
/* Print "usage: prog synopsis" on stderr and exit 100. */
void usage(void) __attribute__((noreturn));

#endif
