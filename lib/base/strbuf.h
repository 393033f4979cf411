/*
 * strbuf.h - owned, growing bytes with a hard limit
 *
 * An append that would pass `max' does nothing and sets the sticky flag
 * `over': write a whole sequence, then test sb.over once where the result is
 * used. The bytes always stand before a NUL that is not counted in n, so
 * sb_cstr() is free. A zeroed struct with a max set is an empty strbuf.
 */
#ifndef BASE_STRBUF_H
#define BASE_STRBUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/slice.h"

struct strbuf {
	unsigned char *p;
	size_t n, cap, max;
	bool over;
};

#define STRBUF_INIT(limit) { .max = (limit) }

void sb_init(struct strbuf *sb, size_t max);
/* Forget the bytes and the flag, keep the memory. */
void sb_reset(struct strbuf *sb);
void sb_free(struct strbuf *sb);
/* Hand the bytes (NUL-terminated) to the caller, who frees them. */
char *sb_take(struct strbuf *sb);

void sb_put(struct strbuf *sb, struct slice s);
void sb_puts(struct strbuf *sb, const char *s);
void sb_putc(struct strbuf *sb, unsigned char c);
/* In decimal. */
void sb_putu(struct strbuf *sb, uint64_t value);
void sb_printf(struct strbuf *sb, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void sb_vprintf(struct strbuf *sb, const char *fmt, va_list ap)
    __attribute__((format(printf, 2, 0)));
/* Lower-case hexadecimal; standard base64 with padding (RFC 4648). */
void sb_hex(struct strbuf *sb, struct slice s);
void sb_base64(struct strbuf *sb, struct slice s);
/*
 * Decode standard base64 strictly: 0, or -1 on any byte or padding that is
 * not canonical. FWS is not skipped; callers that allow it remove it first.
 */
int sb_unbase64(struct strbuf *sb, struct slice s)
    __attribute__((warn_unused_result));
int sb_unhex(struct strbuf *sb, struct slice s)
    __attribute__((warn_unused_result));
/* Shorten to n bytes; n must not exceed sb->n. */
void sb_cut(struct strbuf *sb, size_t n);
/* Room for n more bytes at the returned address, or NULL (over). */
void *sb_room(struct strbuf *sb, size_t n);
/* Bytes written into that room. */
void sb_grew(struct strbuf *sb, size_t n);
/* One read(2) of at most n bytes: its result, or -1 with EMSGSIZE if full. */
ssize_t sb_read(struct strbuf *sb, int fd, size_t n)
    __attribute__((warn_unused_result));

static inline struct slice
sb_slice(const struct strbuf *sb)
{
	return slice_of(sb->p, sb->n);
}

/* The bytes as a C string; "" when empty. Valid until the next append. */
const char *sb_cstr(const struct strbuf *sb);

#endif
