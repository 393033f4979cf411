/*
 * sign.h - signing a message (RFC 6376 section 5, 8301, 8463, 8616)
 */
#ifndef DKIM_SIGN_H
#define DKIM_SIGN_H

#include "dkim/sig.h"

/* How a key signs: a dkim record of conf/domain/NAME. */
struct dkim_signer {
	struct slice domain, selector; /* canonical */
	EVP_PKEY *key;
	enum canon header, body;
	struct slice headers;  /* names of fields, by commas, with From */
	/* "no", "yes" or names by commas: what is named in h= once more than it
	 * occurs, so that none can be added (section 8.15). "yes" leaves out
	 * Sender, List-* and Resent-*, which others rightly add. */
	struct slice oversign;
	int64_t expire;        /* seconds from t= to x=; 0: no x= */
};

/* The message as it will be sent, cut once for all its signatures; its body is
 * hashed once for each canonical form. */
struct dkim_message {
	struct dkim_fields fields;
	struct slice body;
	bool hashed[2];
	unsigned char body_hash[2][DKIM_HASH_SIZE];
	size_t from_fields;
};

/* What went into a signature; arena memory. */
struct dkim_signed {
	struct slice names;      /* h= */
	struct slice oversigned; /* names, by commas */
	unsigned char header_hash[DKIM_HASH_SIZE], body_hash[DKIM_HASH_SIZE];
};

/*
 * added: fields that will stand in front of msg, each with its line end. 0, or
 * -1 with *error: a damaged header is not signed. Borrowed and arena memory.
 */
int dkim_message_read(struct slice added, struct slice msg, struct arena *ar,
    struct dkim_message *m, const char **error)
    __attribute__((warn_unused_result));

/*
 * Append "DKIM-Signature: ..." to out, folded with CRLF HTAB at 76 columns,
 * without a line end after it. identity is i=, an address or "@domain"; now is
 * t=. 0, or -1 with *error a constant: not one From field, too many fields,
 * OpenSSL failed.
 */
int dkim_sign(const struct dkim_signer *s, struct dkim_message *m,
    struct slice identity, int64_t now, struct arena *ar, struct strbuf *out,
    struct dkim_signed *what, const char **error)
    __attribute__((warn_unused_result));

#endif
