/*
 * received.h - the Received-SPF field (RFC 7208 section 9.1)
 */
#ifndef SPF_RECEIVED_H
#define SPF_RECEIVED_H

#include "base/slice.h"
#include "base/strbuf.h"

/* All text as it is; what may be a stranger's is cut, quoted and cleaned. */
struct spf_received {
	struct slice result;   /* as spf_result_name() says it; else none */
	struct slice identity; /* "helo" or "mailfrom" */
	struct slice domain;   /* of that identity */
	struct slice mech, reason;
	struct slice ip, helo, from; /* from: the reverse-path; may be empty */
	struct slice receiver; /* this host; empty = unknown */
};

/* The whole field, folded, each line with this line end ("\r\n"). */
void spf_received(struct strbuf *sb, const struct spf_received *r,
    const char *eol);

#endif
