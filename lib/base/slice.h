/*
 * slice.h - borrowed, read-only bytes
 *
 * A slice is never freed and carries no NUL. {NULL, 0} is the empty slice.
 * Functions that take a pointer to a slice advance it past what they took.
 * Case is ASCII case: RFC 5321 section 2.4, RFC 5322 section 1.2.2.
 */
#ifndef BASE_SLICE_H
#define BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
	const unsigned char *p;
	size_t n;
};

/* A string literal as a slice. */
#define S(lit) ((struct slice){ (const unsigned char *)("" lit), sizeof(lit) - 1 })
#define SLICE_NONE ((struct slice){ NULL, 0 })

/* For printf: "%.*s", SLICE_ARG(s); only for bytes known to be harmless. */
#define SLICE_ARG(s) (int)(s).n, (const char *)(s).p

static inline struct slice
slice_of(const void *p, size_t n)
{
	return (struct slice){ p, n };
}

static inline struct slice
slice_str(const char *s)
{
	return slice_of(s, s != NULL ? strlen(s) : 0);
}

/* The part from offset `from' (clamped), at most n bytes of it. */
struct slice slice_sub(struct slice s, size_t from, size_t n);
/* Drop the first n bytes (clamped). */
struct slice slice_skip(struct slice s, size_t n);

bool slice_eq(struct slice a, struct slice b);
bool slice_ieq(struct slice a, struct slice b);
bool slice_eqs(struct slice a, const char *b);
bool slice_ieqs(struct slice a, const char *b);
int slice_cmp(struct slice a, struct slice b);
int slice_icmp(struct slice a, struct slice b);
bool slice_starts(struct slice s, struct slice prefix);
bool slice_istarts(struct slice s, struct slice prefix);
bool slice_ends(struct slice s, struct slice suffix);
bool slice_iends(struct slice s, struct slice suffix);

/* Offset of the first (last) c, or of the first needle; -1 if there is none. */
ptrdiff_t slice_chr(struct slice s, unsigned char c);
ptrdiff_t slice_rchr(struct slice s, unsigned char c);
ptrdiff_t slice_find(struct slice s, struct slice needle);

/*
 * Split *in at the first `sep': *head gets what is before it, *in what is
 * after it, and the result is true. Without a `sep' *head gets all, *in
 * becomes empty, and the result is false.
 */
bool slice_cut(struct slice *in, unsigned char sep, struct slice *head);

/*
 * Take one line off *in: 1 and *line without its LF or CRLF; 0 at the end.
 * A last line without LF counts as a line.
 */
int slice_line(struct slice *in, struct slice *line);

/* Take the next word of non-blanks off *in: false when only blanks are left. */
bool slice_word(struct slice *in, struct slice *word);

/* Without SP, HTAB, CR and LF at both ends (or one). */
struct slice slice_trim(struct slice s);
struct slice slice_rtrim(struct slice s);
struct slice slice_ltrim(struct slice s);

/*
 * Digits only, no sign, no more than max: 0 and *out, or -1 with errno EINVAL
 * or ERANGE.
 */
int slice_u64(struct slice s, uint64_t max, uint64_t *out)
    __attribute__((warn_unused_result));

/* Copy with a NUL into buf of cap bytes: 0, or -1 (ERANGE, or a NUL inside). */
int slice_cstr(struct slice s, char *buf, size_t cap)
    __attribute__((warn_unused_result));
/* The same in memory that the caller frees. A NUL inside ends the string. */
char *slice_dup(struct slice s);

/* All bytes are 0x20..0x7e; all bytes are below 0x80; is valid UTF-8. */
bool slice_is_print(struct slice s);
bool slice_is_ascii(struct slice s);
bool slice_is_utf8(struct slice s);

static inline unsigned char
ascii_lower(unsigned char c)
{
	return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

static inline unsigned char
ascii_upper(unsigned char c)
{
	return c >= 'a' && c <= 'z' ? c & 0xdf : c;
}

static inline bool
ascii_isdigit(unsigned char c)
{
	return c >= '0' && c <= '9';
}

static inline bool
ascii_isalpha(unsigned char c)
{
	return ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z';
}

static inline bool
ascii_isalnum(unsigned char c)
{
	return ascii_isalpha(c) || ascii_isdigit(c);
}

static inline bool
ascii_isblank(unsigned char c)
{
	return c == ' ' || c == '\t';
}

/* 0..15, or -1. */
static inline int
ascii_hex(unsigned char c)
{
	if (ascii_isdigit(c))
		return c - '0';
	c = ascii_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The value of a base64 digit (RFC 4648 section 4), 0..63, or -1. */
static inline int
ascii_base64(unsigned char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (ascii_isdigit(c))
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

#endif
