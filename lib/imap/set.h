/*
 * set.h - sets of message numbers and UIDs (RFC 9051 section 9, sequence-set)
 */
#ifndef IMAP_SET_H
#define IMAP_SET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/slice.h"
#include "base/strbuf.h"

struct range {
	uint32_t lo, hi; /* 0 stands for `*' until the set is resolved */
};

struct numset {
	struct range *r; /* arena memory */
	size_t n, cap;
	bool saved;      /* `$', the saved search result (RFC 5182) */
};

/* Take a sequence-set off *in: false if there is none. */
bool numset_take(struct slice *in, struct arena *ar, struct numset *set);
/*
 * Put `max' for `*' (0: no message; ranges with `*' are then dropped), turn
 * ranges around that stand the wrong way, sort, join what touches.
 */
void numset_resolve(struct numset *set, uint32_t max);
/* Append a number that is greater than all in the set, or a range above. */
void numset_add(struct numset *set, struct arena *ar, uint32_t lo,
    uint32_t hi);
/* Of a resolved set. */
bool numset_has(const struct numset *set, uint32_t n);
uint64_t numset_count(const struct numset *set);
/* Keep what is also in b; both resolved. */
void numset_intersect(struct numset *set, const struct numset *b,
    struct arena *ar);
/* "1:3,5"; nothing for the empty set. */
void numset_put(struct strbuf *sb, const struct numset *set);

#endif
