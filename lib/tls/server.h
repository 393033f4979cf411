/*
 * server.h - the server's side of TLS 1.2 and 1.3 for one service
 *
 * A server is a set of rules (who gets which certificate, session tickets) that
 * all sessions of a service share; each service has ticket keys of its own.
 */
#ifndef TLS_SERVER_H
#define TLS_SERVER_H

#include <openssl/ssl.h>
#include <stdbool.h>

#include "base/slice.h"
#include "base/strbuf.h"
#include "tls/certs.h"

struct tls_server;

struct tls_policy {
	bool tickets;      /* offer session tickets */
	bool refuse_names; /* a dotted name without a certificate gets the alert
	                      unrecognized_name, instead of the host's pair */
	bool client_cert;  /* ask for a client certificate; any will do, and
	                      none */
};

/* NULL if OpenSSL fails (out of memory). certs must live as long. */
struct tls_server *tls_server_new(const char *service,
    const struct tls_policy *policy, struct certs *certs);
void tls_server_free(struct tls_server *s);
/* Forget the ticket keys once a day; call it now and then. */
void tls_server_rotate(struct tls_server *s);
/* A session on a connected, non-blocking TCP socket, which stays the
 * caller's. NULL on failure. */
SSL *tls_session_new(struct tls_server *s, int fd);

/* Append the attributes of run/tls's answer to a tuple: version, cipher, bits,
 * sni, resumed, exporter, unique, client-cert. */
void tls_describe(SSL *ssl, struct strbuf *sb);

/*
 * Why SSL_accept() failed with this SSL_get_error(): eof, timeout is the
 * caller's, not-tls, sslv2, version, no-shared-cipher, no-certificate,
 * unknown-name, client-cert, alert-N-NAME, other. Takes the error off OpenSSL's queue.
 */
void tls_failure(int ssl_error, int saved_errno, struct strbuf *sb);

#endif
