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
 *	         disposition=... filename=...
 *	envelope text="(...)"  IMAP ENVELOPE as sent (RFC 9051 section 7.5.2)
 *	body     text="(...)"  IMAP BODYSTRUCTURE with extension data
 *	preview  text="..."    at most 256 characters
 *	thread   msgid= ref= (repeated) subject= (base subject) reply=yes|no
 *
 * imf attributes: result=ok|bad reason= from=ann@example.net from-domain=
 * from-count=N (From fields) from-addrs=N (addresses in them) date=UNIX
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

/*
 * Append the records for msg to `parts' and the imf record also to `summary'.
 * Never fails: what cannot be understood is recorded as such.
 */
void imf_parts(struct slice msg, struct strbuf *parts, struct strbuf *summary);

#endif
