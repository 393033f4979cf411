/*
 * sign.h - signing a message (RFC 6376 section 5, 8301, 8463)
 *
 * relaxed/relaxed; every field of the list that is signed is named once more
 * than it occurs, so that none can be added (section 8.15).
 */
#ifndef DKIM_SIGN_H
#define DKIM_SIGN_H

#include "dkim/sig.h"

struct dkim_signer {
	struct slice domain, selector; /* canonical */
	EVP_PKEY *key;
};

/* The message as it will be sent, cut once for all its signatures. */
struct dkim_message {
	struct dkim_fields fields;
	unsigned char body_hash[DKIM_HASH_SIZE];
	size_t from_fields;
};

/*
 * added: fields that will stand in front of msg, each with its line end. 0, or
 * -1 with *error: a damaged header is not signed. Borrowed and arena memory.
 */
int dkim_message_read(struct slice added, struct slice msg, struct arena *ar,
    struct dkim_message *m, const char **error)
    __attribute__((warn_unused_result));

/*
 * Append "DKIM-Signature: ..." to out, folded with CRLF HTAB, without a line
 * end after it. identity is i=; now is t=. 0, or -1: OpenSSL failed.
 */
int dkim_sign(const struct dkim_signer *s, const struct dkim_message *m,
    struct slice identity, int64_t now, struct arena *ar, struct strbuf *out)
    __attribute__((warn_unused_result));

#endif
