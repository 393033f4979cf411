/*
 * utf7.h - modified UTF-7 of mailbox names (RFC 3501 section 5.1.3)
 */
#ifndef IMAP_UTF7_H
#define IMAP_UTF7_H

#include "base/slice.h"
#include "base/strbuf.h"

/*
 * Append the UTF-8 form: 0, or -1 with errno EILSEQ for anything that is not
 * the one right encoding (bytes that must be shifted, superfluous or unended
 * shifts, bad base64, lone surrogates, shifted printable ASCII, NUL).
 */
int utf7_decode(struct strbuf *sb, struct slice name)
    __attribute__((warn_unused_result));
/* Append the modified UTF-7 form of valid UTF-8. */
void utf7_encode(struct strbuf *sb, struct slice utf8);

/*
 * Most bytes that a name of n bytes can become, either way: U+0001 is one
 * byte in UTF-8 and "&AAE-" in UTF-7.
 */
static inline size_t
utf7_max(size_t n)
{
	return n < SIZE_MAX / 5 ? n * 5 : n;
}

#endif
