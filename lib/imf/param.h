/*
 * param.h - Content-Type, Content-Disposition and their parameters (RFC 2045
 * section 5.1, RFC 2183, RFC 2231)
 */
#ifndef IMF_PARAM_H
#define IMF_PARAM_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/slice.h"

#define PARAM_SEGMENTS_MAX 64 /* looked at in one field, pieces counted */
#define PARAM_VALUE_MAX 2048  /* bytes of a value kept */

struct param {
	struct slice name;  /* lower case */
	struct slice value; /* pieces joined, decoded, UTF-8; may be empty */
};

struct params {
	struct param *list; /* in order of appearance, each name once */
	size_t count;
};

struct content_type {
	struct slice type, subtype; /* lower case */
	struct params params;
};

struct disposition {
	struct slice type; /* "attachment", lower case */
	struct params params;
};

/*
 * Parse a folded value; results in the arena, or borrowed from the value.
 * 0, or -1 if there is no type/subtype (no disposition) at its start. Never
 * fails for parameters: what cannot be read is skipped. Of a parameter given
 * twice the first counts, and the form of RFC 2231 before the plain one.
 */
int content_type_parse(struct slice value, struct arena *ar,
    struct content_type *ct) __attribute__((warn_unused_result));
int disposition_parse(struct slice value, struct arena *ar,
    struct disposition *d) __attribute__((warn_unused_result));

/* "; a=b; c=d" alone. */
void params_parse(struct slice in, struct arena *ar, struct params *p);

/* The value, or an empty slice. name is in lower case. */
struct slice params_get(const struct params *p, const char *name);

/*
 * The one name of an attachment: what a disposition's filename or a type's
 * name says, without directories ("/", "\", drive), control and direction
 * characters, at most 255 bytes. Empty if there is none.
 */
struct slice param_filename(const struct disposition *d,
    const struct content_type *ct, struct arena *ar);

#endif
