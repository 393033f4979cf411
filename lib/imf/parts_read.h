/*
 * parts_read.h - read what imf-parse wrote (parts(5))
 *
 * For programs that have the message and its parts file and parse neither.
 * Offsets are checked against the message's size, so that a slice made from
 * them lies in the message whatever the file says.
 */
#ifndef IMF_PARTS_READ_H
#define IMF_PARTS_READ_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/slice.h"
#include "base/tuple.h"

struct part {
	struct slice n;    /* "1.2"; empty for the message */
	bool inner;        /* the message in the message/rfc822 part n */
	struct slice type, subtype, charset, encoding, disposition, filename;
	size_t at, header_len; /* header with its empty line */
	size_t body_at, body_len;
	size_t lines;
};

struct parts_reader {
	struct tuple_reader in;
	size_t size; /* of the message */
};

/* The text of the first record of that type ("envelope", "envelope-utf8",
 * "body", "preview"): 1 and *text (arena or borrowed), 0 if there is none. */
int parts_text(struct slice parts, const char *type, struct arena *ar,
    struct slice *text);

/* The first record of that type ("imf", "thread"): 1 and *t, or 0. */
int parts_record(struct slice parts, const char *type, struct arena *ar,
    struct tuple *t);

/* Go through the part records: 1 and *p, 0 at the end. A record with offsets
 * outside of the message is skipped. */
void parts_reader_init(struct parts_reader *r, struct slice parts,
    size_t message_size);
int parts_next(struct parts_reader *r, struct arena *ar, struct part *p);

/*
 * The part that an IMAP section number names (RFC 9051 section 6.4.5.1):
 * "" is the message; "1" of a message that is no multipart is its body, and
 * "2.1" likewise for a message in part 2. With inner, the message inside a
 * message/rfc822 part, for HEADER and TEXT. 1 and *p, or 0.
 */
int parts_find(struct slice parts, size_t message_size, struct slice n,
    bool inner, struct arena *ar, struct part *p);

#endif
