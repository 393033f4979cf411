/*
 * describe.h - IMAP ENVELOPE and BODYSTRUCTURE of a message (RFC 9051 7.5.2)
 *
 * ENVELOPE: the date written anew from what was parsed (NIL if it could not
 * be); subject and names with their encoded words as they stand; groups as
 * the RFC has them; Sender and Reply-To fall back to From. An address without
 * a domain has the host "". BODYSTRUCTURE: with all extension data; parameters
 * sorted, names in upper case, values joined, not ASCII ones as RFC 2231 says
 * ("FILENAME*" "utf-8''..."); never NIL for encoding, size or lines; no
 * multipart without a part. Only quoted strings, no literals.
 */
#ifndef IMF_DESCRIBE_H
#define IMF_DESCRIBE_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/slice.h"
#include "base/strbuf.h"
#include "imf/message.h"
#include "imf/mime.h"

/* Bytes of an ENVELOPE or BODYSTRUCTURE; a tuple quotes them to less than
 * twice that much. */
#define DESCRIBE_MAX ((size_t)100 * 1024)
/* Bytes of one string in them, as given. */
#define DESCRIBE_STRING_MAX 1000

/*
 * Append the ENVELOPE of a message with these fields. With utf8, text that is not ASCII stands
 * as UTF-8 (for sessions with UTF8=ACCEPT or IMAP4rev2), else as encoded
 * words. Lists are cut so that DESCRIBE_MAX holds.
 */
void describe_envelope(const struct message *fields, bool utf8,
    struct arena *ar, struct strbuf *out);

/* Append the BODYSTRUCTURE; without parameters where they would not fit. */
void describe_body(const struct mime *m, struct arena *ar,
    struct strbuf *out);

#endif
