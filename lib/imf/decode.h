/*
 * decode.h - content transfer encodings (RFC 2045 section 6)
 *
 * Push style: any split of the input gives the same output. Lenient as mail
 * readers are: bytes that are not base64 are skipped and padding may stand
 * in the middle; "=" without two hexadecimal digits stays as it is; blanks
 * at line ends of quoted-printable are dropped.
 */
#ifndef IMF_DECODE_H
#define IMF_DECODE_H

#include <stdbool.h>

#include "base/slice.h"
#include "base/strbuf.h"

enum encoding {
	ENC_IDENTITY, /* 7bit, 8bit, binary, or no field */
	ENC_QP,
	ENC_BASE64,
	ENC_UNKNOWN,
};

/* Blanks remembered at a line's end; more of them are kept as text. */
#define DECODE_BLANKS 80

struct decode {
	enum encoding encoding;
	unsigned bits, have;   /* base64 */
	unsigned held;         /* bytes in hold */
	unsigned char hold[DECODE_BLANKS + 4]; /* quoted-printable */
};

enum encoding encoding_of(struct slice name);

void decode_init(struct decode *d, enum encoding encoding);
void decode_feed(struct decode *d, struct slice in, struct strbuf *out);
void decode_end(struct decode *d, struct strbuf *out);

#endif
