/*
 * prep.h - preparing user names and passwords (RFC 8265, 8264)
 *
 * Passwords follow the OpaqueString profile of PRECIS: characters of the
 * FreeformClass, non-ASCII spaces become U+0020, NFC, not empty. User names
 * are only brought to NFC here: they are mail addresses, and lib/addr judges
 * them.
 */
#ifndef SASL_PREP_H
#define SASL_PREP_H

#include "base/slice.h"
#include "base/strbuf.h"

/* Octets of a password as it comes and as it is prepared. */
#define PASSWORD_MAX ((size_t)1024)
/* Characters of a new password (NIST SP 800-63B section 5.1.1.1). */
#define PASSWORD_MIN 8

/*
 * OpaqueString: the prepared bytes appended to out (whose memory the caller
 * wipes), and their number of characters in *chars if chars is not NULL.
 * 0, or -1 with errno: EILSEQ not UTF-8, EINVAL empty or a character that is
 * not allowed, E2BIG over PASSWORD_MAX.
 */
int password_prepare(struct slice in, struct strbuf *out, size_t *chars)
    __attribute__((warn_unused_result));

/* NFC, appended to out: 0, or -1 (EILSEQ; E2BIG when out is full). */
int username_prepare(struct slice in, struct strbuf *out)
    __attribute__((warn_unused_result));

#endif
