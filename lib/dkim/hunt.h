/*
 * hunt.h - what was done to a message after it was signed
 *
 * A hash only says that something is different. With RSA the hash that was
 * signed can be taken out of the signature, so that likely changes can be
 * undone one by one until it is met again; with Ed25519 each try is a
 * verification. bh= is given in the clear. What is found is certain: the
 * signature is good without that change.
 */
#ifndef DKIM_HUNT_H
#define DKIM_HUNT_H

#include "dkim/gather.h"

/* Headers hashed, each a few microseconds; with Ed25519 a hundred. */
#define DKIM_TRIES_RSA 20000u
#define DKIM_TRIES_ED25519 1000u
/* Signed text of a header that is looked into: ten times what mail has. */
#define DKIM_HUNT_HEADER_MAX ((size_t)64 * 1024)
/* A body that is looked into, and what is hashed of header or body in all: half
 * a second. */
#define DKIM_HUNT_BODY_MAX ((size_t)8 * 1024 * 1024)
#define DKIM_HUNT_HASHED_MAX ((size_t)128 * 1024 * 1024)

/*
 * The signature over the header is not good. Append one or two sentences for
 * people about why. true: the cause is certain.
 */
bool dkim_hunt_header(const struct dkim_gathered *g, const struct dkim_sig *sig,
    const struct dkim_key *k, struct arena *ar, struct strbuf *why);
/* The same for a body that does not have the hash bh=. */
bool dkim_hunt_body(const struct dkim_gathered *g, const struct dkim_sig *sig,
    struct strbuf *why);

#endif
