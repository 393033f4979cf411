/*
 * parts.h - what imf-parse found in a message (parts(5))
 *
 * imf_parts() is the one walk over a stranger's message: it writes tuple lines
 * that all others read instead of parsing. Offsets and lengths are bytes of
 * the message as received (without headers that are put in front later).
 *
 *	imf      the summary, also put into the envelope; see below
 *	field    name="Subject" at=OFF len=N value-at=OFF value-len=N
 *	         (raw field; the first IMF_FIELDS_MAX)
 *	address  field=from name="Ann" addr=ann@example.net (group="" start/end
 *	         as group=NAME and end-group=yes), in order, for from sender
 *	         reply-to to cc bcc
 *	part     n=1.2 (empty for the top) type=text subtype=plain charset=...
 *	         encoding=7bit at=OFF header-len=N body-at=OFF body-len=N lines=N
 *	         disposition=... filename=...   With inner=yes: the message in
 *	         the message/rfc822 part n. A message that is no multipart has
 *	         its body in its own record (IMAP: BODY[1]).
 *	envelope text="(...)"  IMAP ENVELOPE as sent (RFC 9051 section 7.5.2),
 *	         ASCII: what is not stands as encoded words
 *	envelope-utf8 text="(...)"  the same for sessions that take UTF-8; only
 *	         if the header has bytes above 0x7f
 *	body     text="(...)"  IMAP BODYSTRUCTURE with extension data
 *	preview  text="..."    at most 256 characters
 *	thread   msgid= ref= (repeated) subject= (base subject) reply=yes|no
 *
 * imf attributes: result=ok|bad reason= from=ann@example.net from-domain=
 * from-count=N (From fields) from-addrs=N (addresses in them) from-domains=N
 * (only with several addresses: their domains; 1 if all have the same, 0 if
 * one has none) date=UNIX (absent: unreadable, or before 1970)
 * msgid= subject= received=N (fields) eight-bit=yes|no (header bytes >= 0x80)
 * body-eight-bit=yes|no bare-lf=yes|no
 */
#ifndef IMF_PARTS_H
#define IMF_PARTS_H

#include "base/slice.h"
#include "base/strbuf.h"

#define IMF_FIELDS_MAX 1000   /* fields recorded */
#define IMF_PARTS_MAX 1000    /* MIME parts recorded */
#define IMF_DEPTH_MAX 50      /* nesting; deeper is an octet-stream leaf */
#define IMF_HEADER_MAX ((size_t)1024 * 1024) /* of header looked at */
#define IMF_PARTS_BYTES ((size_t)16 * 1024 * 1024)

/*
 * Append the records for msg to `parts' and the imf record also to `summary'.
 * Never fails: what cannot be understood is recorded as such. Records that do
 * not fit into parts->max are left out; IMF_PARTS_BYTES is enough for all.
 * No record is longer than TUPLE_LINE_MAX.
 */
void imf_parts(struct slice msg, struct strbuf *parts, struct strbuf *summary);

#endif
