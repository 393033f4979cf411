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
	struct slice redirect_text; /* the term as written */
	bool all; /* there is an `all': redirect does not count */
};

/* A term of a record: a mechanism or a modifier. */
struct spf_item {
	struct slice text;     /* as written */
	bool modifier;
	struct spf_term term;  /* if a mechanism */
	struct slice name, value; /* if a modifier */
};

/* The text is an SPF record: v=spf1 and then a space or the end. */
bool spf_is_record(struct slice text);
/* What follows v=spf1: the terms, for spf_item_next(). */
struct slice spf_terms(struct slice text);

/*
 * Take a term off *in, which begins behind v=spf1: 1; 0 at the end; -1 if
 * i->text, the next term, is wrong in itself, with *error, a constant. After
 * -1 the next call goes on behind it.
 */
int spf_item_next(struct slice *in, struct spf_item *i, const char **error)
    __attribute__((warn_unused_result));
/*
 * Parse the whole record (section 4.6: a syntax error anywhere counts). The
 * slices are borrowed from the text, the array is arena memory. 0, or -1 and
 * *error, a constant, with *where the term in question.
 */
int spf_record_parse(struct slice text, struct arena *ar,
    struct spf_record *r, const char **error, struct slice *where)
    __attribute__((warn_unused_result));
/* The mechanism's name; it counts among the terms that ask the DNS. */
const char *spf_kind_name(enum spf_kind kind);
bool spf_kind_asks(enum spf_kind kind);

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
#define SPF_TEXT_MAX 2048 /* of a macro's value and of an explanation; well
                             above what an address or a reply can use */
#define SPF_WORK_MAX ((size_t)128 * 1024) /* bytes of text and values that one
                             expansion may touch: a record and as much again */

/* Room for an expansion: one value, escaped, may follow what is there. */
#define SPF_EXPAND_MAX ((size_t)4 * SPF_TEXT_MAX)

enum spf_expand_flags {
	SPF_EXPLAIN = 1, /* explanation text: c r t allowed, no domain-end */
};

/*
 * Check the syntax of a macro-string, and of domain-end if it is a
 * domain-spec (flags 0). 0 or -1.
 */
int spf_macro_check(struct slice text, unsigned flags)
    __attribute__((warn_unused_result));
/* One of the macro letters (lower case) occurs in a checked string. */
bool spf_uses(struct slice text, const char *letters);
/*
 * Append the expansion of a checked string; of a domain-spec perhaps only its
 * end, as far as spf_name_fit() can want it. out->max is SPF_EXPAND_MAX. 1; 0 if it uses a local part or HELO name with non-ASCII bytes,
 * which match nothing (RFC 8616 section 4); -1 on a syntax error, a value or
 * an explanation over SPF_TEXT_MAX, or too much work.
 */
int spf_expand(struct slice text, unsigned flags, const struct spf_macros *m,
    struct strbuf *out) __attribute__((warn_unused_result));
/* Drop the last dot, and left labels until SPF_NAME_MAX fits. */
struct slice spf_name_fit(struct slice name);

#endif
