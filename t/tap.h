/*
 * tap.h - TAP for tests in C
 *
 *	plan(3);            or plan(0) at the start and done_testing() at the end
 *	ok(1 + 1 == 2, "sum of %d", 2);
 *	is(slice, "expected", "name");
 *	return done();
 */
#ifndef T_TAP_H
#define T_TAP_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <stdarg.h>
#include <string.h>

#include "base/slice.h"

static int tap_planned, tap_run, tap_failed;

static inline void
plan(int n)
{
	tap_planned = n;
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (n > 0)
		printf("1..%d\n", n);
}

static inline void
skip_all(const char *why)
{
	printf("1..0 # SKIP %s\n", why);
	exit(0);
}

__attribute__((format(printf, 2, 3))) static inline bool
ok(bool good, const char *fmt, ...)
{
	va_list ap;

	printf("%sok %d - ", good ? "" : "not ", ++tap_run);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	if (!good)
		tap_failed++;
	return good;
}

__attribute__((format(printf, 1, 2))) static inline void
diag(const char *fmt, ...)
{
	va_list ap;

	printf("# ");
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

static inline bool
is(struct slice got, const char *want, const char *name)
{
	bool good = slice_eqs(got, want);

	ok(good, "%s", name);
	if (!good) {
		diag("got:  '%.*s'", (int)got.n, (const char *)got.p);
		diag("want: '%s'", want);
	}
	return good;
}

static inline bool
isnum(long long got, long long want, const char *name)
{
	bool good = got == want;

	ok(good, "%s", name);
	if (!good)
		diag("got %lld, want %lld", got, want);
	return good;
}

/* A malloc copy without a NUL, so that a sanitizer sees over-reads. */
static inline struct slice
exact(const char *s)
{
	size_t n = strlen(s);
	void *p = malloc(n != 0 ? n : 1);

	if (p == NULL)
		abort();
	memcpy(p, s, n);
	return slice_of(p, n);
}

static inline int
done(void)
{
	if (tap_planned == 0)
		printf("1..%d\n", tap_run);
	else if (tap_planned != tap_run)
		printf("# planned %d tests, ran %d\n", tap_planned, tap_run);
	return tap_failed != 0 ||
	    (tap_planned != 0 && tap_planned != tap_run);
}

#endif
