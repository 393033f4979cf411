/*
 * remote.h - replies of another SMTP server (RFC 5321 section 4.2, RFC 2034)
 *
 * The other side may send anything: what is kept of a reply is bounded and
 * printable, and a reply that is not one ends the session.
 */
#ifndef SMTP_REMOTE_H
#define SMTP_REMOTE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"
#include "base/strbuf.h"

/* A reply line; RFC 5321 section 4.5.3.1.5 says 512. */
#define REMOTE_LINE_MAX ((size_t)2048)
/* Lines of a reply: no EHLO answer comes near. */
#define REMOTE_LINES_MAX 128
/* Text that is kept; the rest of a longer reply is read and dropped. */
#define REMOTE_TEXT_MAX ((size_t)8192)

struct remote_reply {
	int code;            /* 200..599 */
	char ecode[12];      /* "5.1.1", or "" */
	struct strbuf text;  /* lines without code, joined by LF, printable */
	unsigned lines;
	struct strbuf part;  /* the line that is being read */
	const char *error;   /* why -1; a constant */
};

void remote_init(struct remote_reply *r);
void remote_free(struct remote_reply *r);
/* Ready for the next reply. */
void remote_reset(struct remote_reply *r);

/*
 * Take bytes off *in: 1 when the reply is complete (the rest of *in belongs
 * to the next), 0 when more is needed, -1 when this is no SMTP. Any split of
 * the input gives the same result.
 */
int remote_feed(struct remote_reply *r, struct slice *in)
    __attribute__((warn_unused_result));

/* Does the EHLO answer name this extension? *args gets what follows. */
bool remote_has(const struct remote_reply *r, const char *keyword,
    struct slice *args);

#endif
