/*
 * reply.h - SMTP replies (RFC 5321 section 4.2, RFC 2034)
 */
#ifndef SMTP_REPLY_H
#define SMTP_REPLY_H

#include "base/slice.h"
#include "base/strbuf.h"

/* Octets of a reply line with its CRLF: RFC 5321 section 4.5.3.1.5. */
#define SMTP_REPLY_LINE_MAX 512

/*
 * Append a reply. `ecode' ("5.1.1") is repeated on each line; "" or NULL for
 * replies that have none (the banner, EHLO, 334, 354). A LF in the text
 * begins a new line; longer lines are split, at a space where there is one.
 * Bytes outside 0x20..0x7e become "?": a reply is ASCII (RFC 5321 section
 * 4.2).
 */
void smtp_reply(struct strbuf *sb, int code, const char *ecode,
    struct slice text);

#endif
