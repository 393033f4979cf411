/*
 * canon.h - canonical forms of header and body (RFC 6376 section 3.4)
 *
 * Lines may end in LF or CRLF; the canonical form always has CRLF. Output goes
 * to a sink in pieces of any size; any split of a body's input gives the same
 * output.
 */
#ifndef DKIM_CANON_H
#define DKIM_CANON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

enum canon { CANON_SIMPLE, CANON_RELAXED };

typedef void canon_sink(void *ctx, const void *p, size_t n);

#define CANON_BUFFER 2048

/* Memory does not depend on the body: runs of empty lines are a count. */
struct canon_body {
	enum canon how;
	canon_sink *sink;
	void *ctx;
	uint64_t lines; /* line ends seen, not yet known to be inside the body */
	bool cr;        /* a CR that may belong to a line end */
	bool blank;     /* blanks that may be at the end of a line */
	bool inside;    /* a line has begun */
	bool any;       /* something was written */
	size_t n;
	unsigned char buf[CANON_BUFFER];
};

void canon_body_init(struct canon_body *c, enum canon how, canon_sink *sink,
    void *ctx);
void canon_body_feed(struct canon_body *c, struct slice in);
/* The end of the body: what is held back is written or dropped. */
void canon_body_end(struct canon_body *c);

/* A header field with its name, from field_next()'s raw, with or without the
 * CRLF at its end. */
void canon_field(enum canon how, struct slice raw, bool crlf,
    canon_sink *sink, void *ctx);
/*
 * A DKIM-Signature field as it is signed: the value of its b= tag is taken to
 * be empty, and there is no CRLF at the end (section 3.7).
 */
void canon_signature(enum canon how, struct slice raw, canon_sink *sink,
    void *ctx);

#endif
