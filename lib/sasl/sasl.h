/*
 * sasl.h - the server's side of SASL mechanisms (RFC 4422), without I/O
 *
 * PLAIN (RFC 4616), LOGIN, SCRAM-SHA-1 and SCRAM-SHA-256 with their -PLUS
 * forms (RFC 5802, 7677; tls-unique of RFC 5929, tls-exporter of RFC 9266).
 *
 * A machine says what it needs next:
 *
 *	sasl_init()    names a mechanism and the TLS channel
 *	sasl_start()   takes the initial response, or none
 *	sasl_feed()    takes each further response
 *	sasl_keys()    answers SASL_KEYS
 *
 * It holds nothing but the messages of the exchange; whether an account
 * exists is the caller's knowledge, and the machine treats keys that nobody
 * owns like any others up to the end.
 */
#ifndef SASL_SASL_H
#define SASL_SASL_H

#include <stdbool.h>

#include "base/slice.h"
#include "base/strbuf.h"
#include "sasl/scram.h"

/* Octets of one message, decoded; PASSWORD_MAX and two addresses fit. */
#define SASL_MESSAGE_MAX ((size_t)4096)
/* Octets of the server's part of a nonce (printable, no comma). */
#define SASL_NONCE_MAX ((size_t)64)

enum sasl_result {
	SASL_CONTINUE, /* send `out' as a challenge, then sasl_feed() */
	SASL_KEYS,     /* find the keys of sasl_login(), then sasl_keys() */
	SASL_CHECK,    /* check sasl_login() and sasl_password(); the end */
	SASL_OK,       /* proven; `out' is additional data (may be empty) */
	SASL_FAIL,     /* sasl_reason(); `out' a message for the client, or
	                  empty */
};

/* What the TLS channel offers; all empty without TLS. Borrowed by
 * sasl_init(), which copies them. */
struct sasl_channel {
	bool tls;
	struct slice exporter; /* RFC 9266, octets */
	struct slice unique;   /* RFC 5929 tls-unique, octets */
};

struct sasl;

/*
 * A machine, or NULL if there is no such mechanism (names in any case).
 * nonce is the server's part, used by SCRAM.
 */
struct sasl *sasl_init(struct slice mech, const struct sasl_channel *ch,
    struct slice nonce);
void sasl_free(struct sasl *s);

/* ir NULL: there was no initial response. out is reset first. */
enum sasl_result sasl_start(struct sasl *s, const struct slice *ir,
    struct strbuf *out);
enum sasl_result sasl_feed(struct sasl *s, struct slice data,
    struct strbuf *out);
/* real: these are an account's keys, and not made up for a stranger. */
enum sasl_result sasl_keys(struct sasl *s, const struct scram_keys *k,
    bool real, struct strbuf *out);

/* The mechanism as registered; the user name in NFC; the prepared password;
 * which hash SASL_KEYS wants. Valid until sasl_free(). */
const char *sasl_mech(const struct sasl *s);
struct slice sasl_login(const struct sasl *s);
struct slice sasl_password(const struct sasl *s);
enum scram_hash sasl_hash(const struct sasl *s);
/* After SASL_FAIL: credentials protocol encoding tls binding authzid. */
const char *sasl_reason(const struct sasl *s);

#endif
