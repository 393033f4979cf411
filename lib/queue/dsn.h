/*
 * dsn.h - delivery status notifications (RFC 3464, 6522, 6533)
 *
 * One message to the sender about all recipients of an entry that failed and
 * that it has not heard of, or about all that are late. The original header
 * is returned, never the body. Text of remote hosts was cleaned and cut when
 * it was recorded; here it is folded so that no new field can arise.
 */
#ifndef QUEUE_DSN_H
#define QUEUE_DSN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "base/strbuf.h"
#include "queue/entry.h"

/* Of the original header; what is longer is cut at a field. */
#define DSN_HEADER_MAX ((size_t)64 * 1024)
#define DSN_MAX ((size_t)4 * 1024 * 1024)

struct dsn {
	const char *host;  /* our name: Reporting-MTA, From */
	const char *id;    /* the entry that the DSN becomes */
	int64_t now;
	const struct qentry *entry;
	bool delay;        /* late, not failed */
	int64_t give_up;   /* for delay: when trying ends */
	struct slice original; /* the original message */
};

/* Write the envelope (tuple lines) and the message. env->over or msg->over
 * is set if one did not fit. */
void dsn_build(const struct dsn *d, struct strbuf *env, struct strbuf *msg);

#endif
