/*
 * field.h - header fields of a message (RFC 5322 section 2.2)
 *
 * The one cutter of header fields in pneu. Lines end in CRLF or LF. The
 * header ends at the first empty line, or at the end of the message.
 */
#ifndef IMF_FIELD_H
#define IMF_FIELD_H

#include <stdbool.h>

#include "base/slice.h"
#include "base/strbuf.h"

struct field {
	struct slice name;  /* before the colon, without WSP before the colon */
	struct slice value; /* after the colon, folded as it stands, without
	                       the last line end */
	struct slice raw;   /* the whole field with its last line end */
	bool bad;           /* a line without a colon or with a bad name: it is
	                       returned with name empty and value = the line */
};

/* Take one field off *in: 1; 0 at the empty line (taken off too) or the end.
 * At 0 *in starts at the body. */
int field_next(struct slice *in, struct field *f);
/* The header with its empty line, and the body. */
struct slice header_of(struct slice msg, struct slice *body);
/* Append the value unfolded: line ends before WSP removed, trimmed. */
void field_unfold(struct strbuf *sb, struct slice value);

#endif
