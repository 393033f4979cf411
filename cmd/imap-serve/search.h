/*
 * search.h - search keys as a tree (RFC 9051 section 6.4.4)
 */
#ifndef SEARCH_H
#define SEARCH_H

#include "session.h"

#define SEARCH_KEYS 10000 /* in one command */
#define SEARCH_TEXTS 100  /* BODY and TEXT: each reads whole messages */

enum key_kind {
	K_ALL, K_NONE, K_AND, K_OR, K_NOT,
	K_FLAG, K_KEYWORD, K_SEQ, K_UID, K_MODSEQ, K_LARGER, K_SMALLER,
	K_BEFORE, K_ON, K_SINCE, K_SAVEDBEFORE, K_SAVEDON, K_SAVEDSINCE,
	K_OLDER, K_YOUNGER,
	K_SENTBEFORE, K_SENTON, K_SENTSINCE, K_HEADER, /* need the header */
	K_BODY, K_TEXT                                 /* need the message */
};

struct key {
	enum key_kind kind;
	struct key *child, *next; /* of K_AND, K_OR, K_NOT */
	unsigned flag;
	uint64_t n;
	int64_t days;
	struct numset set;
	struct slice name;   /* of K_HEADER */
	struct slice needle; /* folded for comparison */
};

/* Keys up to the end of *in, all must hold. NULL: bad, or over a limit. */
struct key *search_parse(struct session *s, struct slice *in, bool *modseq);
/* Does the message match? A message that has gone matches nothing. */
bool search_match(struct session *s, const struct key *k,
    const struct message *m, struct arena *ar);

/* Append text folded so that equal means equal in any case. */
struct slice search_fold(struct arena *ar, struct slice utf8);

#endif
