/*
 * authres.h - what hosts say they found out about a message
 *
 * One writer of Authentication-Results (RFC 8601), for what our own checks
 * found, and readers of the name under which that field or a Received-SPF
 * (RFC 7208 section 9.1) speaks, so that fields a stranger wrote in our name
 * can be removed (RFC 8601 section 5).
 */
#ifndef IMF_AUTHRES_H
#define IMF_AUTHRES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/slice.h"
#include "base/strbuf.h"
#include "imf/field.h"

struct authres_prop {
	const char *name;   /* "smtp.mailfrom", "header.d": IANA's registry */
	struct slice value; /* quoted where needed */
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
 * A-labels.
 *
 * A name that is not shown as it is may be read as another one. So a property
 * that is too long for a line, not UTF-8, or has a control byte or ";" is left
 * out, and so is a result that is no keyword, with all that belongs to it. In
 * comments and reasons such bytes become "?", ";" a comma and line ends blanks;
 * what is too long is cut.
 */
void authres_write(struct strbuf *out, struct slice authserv_id,
    const struct authres_result *results, size_t count);

/*
 * The authserv-id of a folded field value (without the name): 0 and *id, as
 * domain_ascii() makes it (in lower case if it is no domain), or -1 if there
 * is none, or none that every reader takes for the same name: something else
 * than a version follows it, or it is no domain and not plain ASCII. Only a
 * broken or hostile field is like that. Arena memory.
 */
int authres_id(struct slice value, struct arena *ar, struct slice *id)
    __attribute__((warn_unused_result));

/*
 * Does an Authentication-Results or Received-SPF field speak in the name of a
 * host for which is_ours() is true, or of none that can be read? The latter
 * helps nobody, and whoever reads it more leniently may take it for ours.
 * False for all other fields. One host in a Received-SPF is enough.
 */
bool authres_is_ours(const struct field *f,
    bool (*is_ours)(void *ctx, struct slice host), void *ctx,
    struct arena *ar);

#endif
