/*
 * mime.h - the structure of a message (RFC 2045, 2046)
 *
 * One pass over the message, linear in its size whatever it contains, to a
 * tree of entities with their offsets. Limits are those of parts.h: an entity
 * nested too deep is an application/octet-stream leaf, and after
 * IMF_PARTS_MAX entities the rest of the message is one such leaf.
 *
 * Decisions where readers differ:
 * - A delimiter line is exact: "--", a boundary of an open multipart
 *   (innermost first), perhaps "--", blanks. A longer line is text. The
 *   boundary of an outer multipart closes the inner ones.
 * - Of a Content- field given twice the first counts.
 * - No Content-Type, or one that cannot be read: text/plain, and
 *   message/rfc822 in a multipart/digest.
 * - A multipart in which no delimiter is found has its whole body as one
 *   text/plain part.
 * - message/rfc822 with a transfer encoding is a leaf (RFC 2046 5.2.1 has no
 *   encoding there).
 */
#ifndef IMF_MIME_H
#define IMF_MIME_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/slice.h"
#include "imf/decode.h"
#include "imf/param.h"

enum mime_kind { MIME_LEAF, MIME_MULTIPART, MIME_MESSAGE };

struct mime_part {
	enum mime_kind kind;
	struct mime_part *parent, *child, *next;
	unsigned number; /* place in the multipart, from 1; 0: a message */
	size_t at;    /* of the header, bytes from the message's start */
	size_t body;  /* of the body, after the header's empty line */
	size_t end;   /* of the body, before the delimiter's line end */
	size_t lines; /* of the body; an unfinished last one counts */
	struct content_type ct;      /* never without a type and subtype */
	struct disposition disposition; /* type empty: no field */
	enum encoding encoding;
	/* Values as they stand, trimmed, folded; empty: no field. */
	struct slice encoding_name, id, description, language, location, md5;
};

struct mime {
	struct slice msg;
	struct mime_part *top; /* the message itself */
	size_t count;          /* entities */
	bool cut;              /* a limit was met */
};

/* Never fails. Results in the arena and borrowed from msg. */
void mime_parse(struct slice msg, struct arena *ar, struct mime *m);

/* Header with its empty line, and body. */
struct slice mime_header(const struct mime *m, const struct mime_part *p);
struct slice mime_body(const struct mime *m, const struct mime_part *p);

/* The next entity in the order of the message, or NULL. */
struct mime_part *mime_next(const struct mime_part *p);

#endif
