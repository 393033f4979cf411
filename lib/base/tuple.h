/*
 * tuple.h - the one text format (pneu(7), DESIGN.md 2.1)
 *
 *	type attr=value attr="value with spaces" ...
 *
 * One record a line, UTF-8. A line that starts with SP or HTAB continues the
 * record before it. A line whose first byte is # is a comment, empty lines
 * are skipped. Types and names are [a-z0-9-]+ (upper case is refused).
 * A bare value has no blank, quote, backslash or control byte; in quotes,
 * \" \\ \n and \xHH are the only escapes, and a control byte (below 0x20, or
 * 0x7f) must be escaped. The writer escapes bytes that are not valid UTF-8
 * as \xHH, so its output is always printable, valid UTF-8, and a value can
 * never begin a new line.
 *
 * Limits: TUPLE_ATTR_MAX attributes a record, TUPLE_LINE_MAX bytes a record.
 */
#ifndef BASE_TUPLE_H
#define BASE_TUPLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/slice.h"
#include "base/strbuf.h"

#define TUPLE_ATTR_MAX 256
#define TUPLE_LINE_MAX ((size_t)256 * 1024)

struct attr {
	struct slice name, value;
};

struct tuple {
	struct slice type;
	struct attr *attr; /* in order of appearance; names may repeat */
	size_t count;
	unsigned line; /* 1 = first line of the input */
	struct slice raw; /* the bytes of the record with its line end */
};

struct tuple_reader {
	struct slice in; /* what is left */
	unsigned line;   /* number of the next line */
	const char *error; /* why tuple_next() gave -1; a constant */
	unsigned error_line;
};

void tuple_reader_init(struct tuple_reader *r, struct slice in);

/*
 * Read one record: 1 and *t, whose bytes are borrowed from the input or from
 * the arena; 0 at the end; -1 for a bad record, with r->error and
 * r->error_line set. After -1 reading may go on with the next record.
 */
int tuple_next(struct tuple_reader *r, struct arena *a, struct tuple *t)
    __attribute__((warn_unused_result));

/* First attribute of that name: true and *value (may be empty). */
bool tuple_get(const struct tuple *t, const char *name, struct slice *value);
/* The value, or an empty slice if the attribute is absent. */
struct slice tuple_value(const struct tuple *t, const char *name);
bool tuple_is(const struct tuple *t, const char *type);
/* attr exists and equals `value'. */
bool tuple_has(const struct tuple *t, const char *name, const char *value);
/* 0 and *out, or -1 if absent, not a number or over max. */
int tuple_u64(const struct tuple *t, const char *name, uint64_t max,
    uint64_t *out) __attribute__((warn_unused_result));

/*
 * Writing: tuple_begin(), any number of put calls, tuple_end() for the line
 * end. Type and names are the program's own constants.
 */
void tuple_begin(struct strbuf *sb, const char *type);
void tuple_put(struct strbuf *sb, const char *name, struct slice value);
void tuple_puts(struct strbuf *sb, const char *name, const char *value);
void tuple_putu(struct strbuf *sb, const char *name, uint64_t value);
/* As base64. */
void tuple_put64(struct strbuf *sb, const char *name, struct slice bytes);
/* Only if the value is not empty. */
void tuple_opt(struct strbuf *sb, const char *name, struct slice value);
void tuple_end(struct strbuf *sb);
/* A value alone, quoted where needed. */
void tuple_quote(struct strbuf *sb, struct slice value);

#endif
