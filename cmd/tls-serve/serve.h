/* The parts of tls-serve(8): clients, and the sessions made for them. */
#ifndef TLS_SERVE_H
#define TLS_SERVE_H

#include <event2/event.h>

#include "base/counter.h"
#include "base/slice.h"
#include "base/strbuf.h"
#include "tls/certs.h"
#include "tls/server.h"

enum { COUNT_OK, COUNT_FAILED, COUNT_BYTES_IN, COUNT_BYTES_OUT };

enum service { SMTP, SUBMISSION, SUBMISSIONS, IMAP, IMAPS, SERVICES };

struct serve {
	struct event_base *base;
	struct certs *certs;
	struct tls_server *server[SERVICES];
	struct counters *counters;
	unsigned clients, clients_most, sessions, sessions_most;
};

/*
 * session.c: a TLS session from handshake to end. done() is called once, when
 * the handshake is over: plain is a descriptor for the caller to keep, or -1
 * and `answer' says why.
 */
struct session;
typedef void session_done(void *arg, int plain, const struct strbuf *answer);
/* Takes tcp in any case. NULL: done() has not been and will not be called. */
struct session *session_new(struct serve *s, enum service service, int tcp,
    session_done *done, void *arg);
/* Nobody waits for the handshake any more: end it. */
void session_cancel(struct session *c);

/* client.c: a connection on run/tls. Takes fd in any case. */
int client_new(struct serve *s, int fd);

#endif
