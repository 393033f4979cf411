/*
 * ask.h - ask a service on a SEQPACKET socket, one request at a time
 *
 * The connection is kept between requests and made anew when the service was
 * restarted in between.
 */
#ifndef NET_ASK_H
#define NET_ASK_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/slice.h"
#include "base/tuple.h"

struct service {
	const char *path;
	int fd; /* -1: not connected */
};

/*
 * Send text (and fd unless -1), wait up to ms for one tuple in the arena and,
 * if `got' is not NULL, one descriptor (*got = -1: none came). `first': this
 * begins an exchange, a stale connection is replaced. 0, or -1 with errno and
 * the connection closed.
 */
int service_ask(struct service *sv, bool first, struct slice text, int fd,
    int ms, struct arena *ar, struct tuple *answer, int *got)
    __attribute__((warn_unused_result));
/*
 * The connected descriptor, for what is no question with one answer; -1 with
 * errno. A stale connection is replaced.
 */
int service_fd(struct service *sv) __attribute__((warn_unused_result));
void service_close(struct service *sv);

#endif
