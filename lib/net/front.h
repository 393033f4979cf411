/*
 * front.h - accept connections and hand each to a process of its own
 *
 * What smtp-listen and imap-listen have in common: sockets, limits per
 * address, and an elastic pool of child programs. A child gets a
 * SOCK_SEQPACKET socket as fd 0. It says "idle" when it is ready and after
 * each connection; it is handed
 *
 *	conn id=ID service=NAME ip=IP port=N local-ip=IP local-port=N ...
 *
 * with the TCP descriptor, when it is idle and only then, and says "taken"
 * before anything else. So no connection is lost with a child: none is
 * accepted before a child is idle, and one whose child dies before it says
 * "taken" goes to another. A child that gets end of file exits. Children are
 * started when connections wait and all are busy, up to a ceiling; spare
 * ones end after some seconds, the last stays.
 *
 * Everything is logged with log.h.
 */
#ifndef NET_FRONT_H
#define NET_FRONT_H

#include <stdint.h>

#include "addr/addr.h"
#include "base/counter.h"
#include "base/slice.h"

enum front_count {
	FRONT_ACCEPTED,
	FRONT_REFUSED,  /* over a limit */
	FRONT_STARTED,  /* children */
	FRONT_DIED,     /* children that did not exit 0 */
	FRONT_COUNTS,
};

struct front_config {
	char *const *argv;  /* the child; argv[0] is its path */
	unsigned processes; /* most children */
	unsigned per_ip;    /* open connections of one address, iplimit.h */
	unsigned rate;      /* its new connections a minute */
	/* What a refused client is told; empty where TLS starts at once. */
	struct slice (*refusal)(const char *service);
	struct counters *counters; /* indexes as in enum front_count */
};

struct front;

struct front *front_new(const struct front_config *c);
/*
 * Listen there: 0, or -1 with errno. `attrs' is text for the conn packet,
 * such as " name=mx.example.org"; it is copied, as service is.
 */
int front_listen(struct front *f, const char *service, const struct ip *ip,
    uint16_t port, struct slice attrs) __attribute__((warn_unused_result));
/*
 * Serve until SIGTERM or SIGINT, then end the children: 0, or -1 with errno.
 * The caller must not have blocked or caught these and SIGCHLD.
 */
int front_run(struct front *f) __attribute__((warn_unused_result));
void front_free(struct front *f);

/* The child's half of it. */
#define FRONT_PACKET_MAX 2048
/*
 * Say idle on fd 0, wait for a connection, say taken: 1 with the packet in
 * `text' and the caller's descriptor in *fd; 0 when the listener has closed or
 * a signal came; -1 with errno.
 */
int front_take(char text[FRONT_PACKET_MAX], size_t *n, int *fd)
    __attribute__((warn_unused_result));

#endif
