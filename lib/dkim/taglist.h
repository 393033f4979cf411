/*
 * taglist.h - lists of tag=value (RFC 6376 section 3.2, RFC 8616)
 */
#ifndef DKIM_TAGLIST_H
#define DKIM_TAGLIST_H

#include <stdbool.h>

#include "base/slice.h"
#include "base/strbuf.h"

/* Tags of a list; a signature has 15 names at most, a key record 8. */
#define TAGLIST_MAX 64

/*
 * Take one tag off *in: 1 and *tag, *val, borrowed from *in and without
 * blanks around them; 0 at the end; -1 malformed. A CR or LF that does not
 * fold is malformed.
 */
int taglist_next(struct slice *in, struct slice *tag, struct slice *val)
    __attribute__((warn_unused_result));

/*
 * The same tag twice, also one that nobody knows, makes a list invalid
 * (section 3.2): remember a name. NULL, or what is wrong with the list.
 */
struct taglist_seen {
	struct slice name[TAGLIST_MAX];
	size_t n;
};
const char *taglist_once(struct taglist_seen *seen, struct slice tag);

/* Take one item off a list in a value ("from : to"); false at its end. */
bool taglist_item(struct slice *val, unsigned char sep, struct slice *item);

/* Base64 with folding white space inside, padded or not: 0, or -1 if it is not
 * base64 or does not fit out->max. */
int taglist_base64(struct slice val, struct strbuf *out)
    __attribute__((warn_unused_result));

/* Quoted-printable with white space inside that means nothing (section 2.11):
 * 0, or -1 malformed. */
int taglist_qp(struct slice val, struct strbuf *out)
    __attribute__((warn_unused_result));

#endif
