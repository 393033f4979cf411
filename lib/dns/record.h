/*
 * record.h - `dns' records: a question and its answer as lines (job(5))
 *
 *	dns by=spf-check type=MX name=example.org status=ok ad=yes ttl=300
 *		rr="10 mx.example.org" rr-ttl=600 rr="20 b.example.org"
 *
 * They hold all that struct dns_answer does, so that reading them gives the
 * same struct again: canonical= unless it is the name, cnames= unless 0, ede=
 * unless -1, reason= if there is one; rr-ttl= where the TTL of the records that
 * follow is not that of the one before (first: the answer's). An rr= is the
 * text of a TXT record, an address, a name, "preference name", "priority weight
 * port name", "usage selector matching hex"; the root is ".". An answer with
 * many records goes on in lines that have by=, type= and name= and no status=.
 * rest=yes: this question was refused, and every later one.
 */
#ifndef DNS_RECORD_H
#define DNS_RECORD_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/strbuf.h"
#include "base/tuple.h"
#include "dns/dns.h"
#include "dns/wire.h"

struct dns_note {
	struct dns_question q;
	struct dns_answer *a;
	size_t cap; /* records that a->rr has room for, when it is read */
};

/* The questions of one message, for dns.c. */
struct dns_notes {
	const char *by;
	struct arena *ar; /* NULL: none are noted */
	struct dns_note *note;
	size_t count, cap;
	const struct dns_answer *rest; /* to all that is not noted */
	struct strbuf text; /* the lines */
};

void dns_notes_reset(struct dns_notes *n);
/* The answer to that question, else the one to all later ones, else NULL. */
const struct dns_answer *dns_notes_find(const struct dns_notes *n,
    const struct dns_question *q);
/*
 * Add a question, its answer and their lines: the bytes of these. If they are
 * more than `most', nothing is added.
 */
size_t dns_notes_add(struct dns_notes *n, const struct dns_question *q,
    struct dns_answer *a, bool rest, size_t most);
/* Add what a line says: 0, or -1 if it is not as dns_notes_add() writes. */
int dns_notes_read(struct dns_notes *n, const struct tuple *t)
    __attribute__((warn_unused_result));

#endif
