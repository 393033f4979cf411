/*
 * authres.h - Authentication-Results fields (RFC 8601)
 *
 * One writer, for what our own checks found, and a reader of the name under
 * which a field speaks, so that fields a stranger wrote in our name can be
 * removed (RFC 8601 section 5).
 */
#ifndef IMF_AUTHRES_H
#define IMF_AUTHRES_H

#include <stddef.h>

#include "base/arena.h"
#include "base/slice.h"
#include "base/strbuf.h"

struct authres_prop {
	const char *name;   /* "smtp.mailfrom", "header.d" */
	struct slice value; /* any bytes; quoted where needed */
};

struct authres_result {
	const char *method;   /* "iprev", "dkim", "spf", "dmarc", "auth" */
	struct slice result;  /* "pass" */
	struct slice comment; /* "with dnssec"; may be empty */
	struct slice reason;  /* may be empty */
	const struct authres_prop *props;
	size_t count;
};

/*
 * Append the whole field, folded at 78 columns, with its last CRLF. Methods
 * come in the order iprev, dkim, spf, dmarc, others, and within one in the
 * order given; without any: "none". A result without reason and properties
 * goes without its comment. A value with U-labels gets a comment with the
 * A-labels. Bytes that have no place in a field are left out.
 */
void authres_write(struct strbuf *out, struct slice authserv_id,
    const struct authres_result *results, size_t count);

/*
 * The authserv-id of a folded field value (without the name): 0 and *id, as
 * domain_ascii() makes it (in lower case if it is no domain), or -1 if there
 * is none, which only a broken or hostile field lacks. Arena memory.
 */
int authres_id(struct slice value, struct arena *ar, struct slice *id)
    __attribute__((warn_unused_result));

#endif
