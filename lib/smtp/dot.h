/*
 * dot.h - a message as DATA carries it (RFC 5321 section 4.5.2)
 *
 * What leaves has CRLF line ends only: a lone LF or CR becomes CRLF, so that
 * no server can see the end of the data anywhere but at our final dot. A
 * leading dot of a line is doubled.
 */
#ifndef SMTP_DOT_H
#define SMTP_DOT_H

#include <stdbool.h>

#include "base/slice.h"
#include "base/strbuf.h"

struct dot {
	bool inside; /* not at the beginning of a line */
	bool cr;     /* the last byte was a CR, written as CRLF */
};

/* Any split of the message gives the same bytes. A zeroed struct starts. */
void dot_feed(struct dot *d, struct slice in, struct strbuf *out);
/* The line end if one is missing, and the final dot. */
void dot_end(struct dot *d, struct strbuf *out);

#endif
