/*
 * record.h - SPF records and macros (RFC 7208 sections 4.5, 5, 6, 7, 12)
 *
 * Parsing and expanding; no DNS.
 */
#ifndef SPF_RECORD_H
#define SPF_RECORD_H

#include <stdbool.h>
#include <stddef.h>

#include "addr/addr.h"
#include "base/arena.h"
#include "base/slice.h"
#include "base/strbuf.h"

enum spf_kind {
	SPF_ALL, SPF_INCLUDE, SPF_A, SPF_MX, SPF_PTR, SPF_IP4, SPF_IP6,
	SPF_EXISTS,
};

struct spf_term {
	enum spf_kind kind;
	char qualifier;     /* + - ? ~ */
	struct slice spec;  /* domain-spec before expansion; empty if none */
	struct ip ip;       /* ip4, ip6 */
	unsigned bits4, bits6; /* prefix lengths; 32 and 128 if not given */
	struct slice text;  /* the term as written */
};

struct spf_record {
	struct spf_term *term; /* in order */
	size_t count;
	struct slice redirect, exp; /* domain-specs; empty if absent */
};

/* The text is an SPF record: v=spf1 and then a space or the end. */
bool spf_is_record(struct slice text);

/*
 * Parse the whole record (section 4.6: a syntax error anywhere counts). The
 * slices are borrowed from the text, the array is arena memory. 0, or -1 and
 * *error, a constant, with *where the term in question.
 */
int spf_record_parse(struct slice text, struct arena *ar,
    struct spf_record *r, const char **error, struct slice *where)
    __attribute__((warn_unused_result));

/* What macro letters stand for (section 7.2). All text, as it is. */
struct spf_macros {
	struct slice local, sender_domain, domain, helo, receiver;
	struct ip ip;
	int64_t time;
	/* %{p}: asked for only if the letter occurs. */
	struct slice (*validated)(void *ctx);
	void *ctx;
};

#define SPF_NAME_MAX 253 /* section 7.3: longer names lose left labels */
#define SPF_TEXT_MAX 2048 /* of an expansion before it is cut; well above what
                             a domain name or an explanation can use */

enum spf_expand_flags {
	SPF_EXPLAIN = 1, /* explanation text: c r t allowed, no domain-end */
};

/*
 * Check the syntax of a macro-string, and of domain-end if it is a
 * domain-spec (flags 0). 0 or -1.
 */
int spf_macro_check(struct slice text, unsigned flags)
    __attribute__((warn_unused_result));
/*
 * Append the expansion of a checked string. 1; 0 if it uses a local part with
 * non-ASCII bytes, which matches nothing (RFC 8616 section 4); -1 on a syntax
 * error or an expansion over SPF_TEXT_MAX.
 */
int spf_expand(struct slice text, unsigned flags, const struct spf_macros *m,
    struct strbuf *out) __attribute__((warn_unused_result));
/* Drop the last dot, and left labels until SPF_NAME_MAX fits. */
struct slice spf_name_fit(struct slice name);

#endif
