/*
 * alloc.h - memory that is there or ends the process
 *
 * Running out of memory ends the process with exit 111: a mail program that
 * stops loses nothing, since nothing is acknowledged before it is on disk.
 * This is one of two places in lib/ that may exit (the other is stage.c).
 * Sizes are in bytes; every sum or product that sizes an allocation goes
 * through size_add() and size_mul(), which end the process on overflow.
 */
#ifndef BASE_ALLOC_H
#define BASE_ALLOC_H

#include <stddef.h>

#define COUNTOF(a) (sizeof(a) / sizeof((a)[0]))

size_t size_add(size_t a, size_t b);
size_t size_mul(size_t a, size_t b);

/* The caller owns and frees what these return; never NULL. */
void *xmalloc(size_t n) __attribute__((malloc, alloc_size(1)));
void *xcalloc(size_t count, size_t size) __attribute__((malloc));
void *xrealloc(void *p, size_t n);
void *xmemdup(const void *p, size_t n);
char *xstrdup(const char *s);
char *xprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
