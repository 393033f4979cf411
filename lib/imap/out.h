/*
 * out.h - pieces of IMAP responses (RFC 9051 section 9)
 */
#ifndef IMAP_OUT_H
#define IMAP_OUT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "base/strbuf.h"

/* Longer strings are sent as literals, which no client has to scan. */
#define IMAP_QUOTED_MAX 1000

/*
 * A quoted string, or a literal if the bytes have CR, LF, or what is not
 * ASCII and not valid UTF-8 for a session with utf8. NUL cannot be sent in a
 * string and is left out.
 */
void imap_put_string(struct strbuf *sb, struct slice s, bool utf8);
/* The same, but an atom where that is possible. */
void imap_put_astring(struct strbuf *sb, struct slice s, bool utf8);
/* A mailbox name, in modified UTF-7 unless the session has utf8. */
void imap_put_mailbox(struct strbuf *sb, struct slice name, bool utf8);
/* "17-Jul-1996 02:44:25 +0000", always in UTC. */
void imap_put_datetime(struct strbuf *sb, int64_t unix_time);

#endif
