/*
 * strip.h - a message without some of its fields
 */
#ifndef IMF_STRIP_H
#define IMF_STRIP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"
#include "imf/field.h"

#define STRIP_MAX 256 /* fields taken out of one message, and one */

struct strip {
	struct slice part[STRIP_MAX]; /* what is left, in order */
	size_t count;
	bool full; /* more would have to be taken out than `most' allows */
};

/*
 * The parts of msg without the fields for which drop() is true; at most
 * `most' parts, which is no more than STRIP_MAX. A first line that begins
 * with a blank belongs to no field; it is left out always, because it would go
 * on with the last field that somebody puts in front.
 */
void strip_fields(struct slice msg, size_t most,
    bool (*drop)(void *ctx, const struct field *f), void *ctx,
    struct strip *out);

#endif
