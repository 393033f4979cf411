/*
 * types.h - lists of record types: "job,client,from"
 */
#ifndef STAGE_TYPES_H
#define STAGE_TYPES_H

#include <stdbool.h>

#include "base/slice.h"
#include "base/strbuf.h"
#include "stage/job.h"

/* Is the type in the comma-separated list? */
bool types_have(struct slice list, struct slice type);
/* Append to `to' the records of `text' whose type is in the list; the number
 * of records left out (a bad one counts). */
size_t types_filter(struct slice text, struct slice list, struct strbuf *to);
/* The same, and the good records that were left out to `other'. */
size_t types_split(struct slice text, struct slice list, struct strbuf *to,
    struct strbuf *other);
/* The first records, up to one whose type is not in the list. */
struct slice types_prefix(struct slice text, struct slice list);

#endif
