/*
 * filter.h - which entries a queue command is about
 *
 * The options are the same for all queue commands:
 *	-ids ID,ID..  -n MAX  -account A  -from X  -to X  -submitted WHEN
 *	-nextattempt WHEN; operands are ids too.
 * X is a part of the address, ignoring case; "@example.com" is a domain.
 * WHEN is <DUR or >DUR (before or after now + DUR; DUR: a number with s, m, h,
 * d or w, also negative) or `now' (due).
 */
#ifndef QUEUE_FILTER_H
#define QUEUE_FILTER_H

#include <getopt.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "queue/entry.h"

#define QFILTER_IDS_MAX 10000

struct qwhen {
	char op;       /* '<', '>', or 0: any time */
	int64_t delta; /* seconds from now */
};

struct qfilter {
	struct slice *ids; /* borrowed from the arguments */
	size_t count;
	uint64_t most;     /* 0 = all */
	const char *account, *from, *to;
	struct qwhen submitted, next;
	bool any;          /* some filter was given */
};

/* For getopt_long_only(); the value of each is a QF_ letter. */
extern const struct option qfilter_options[];
#define QFILTER_OPTS "n:"

/* 1: taken; 0: not a filter option; -1: a bad operand. */
int qfilter_set(struct qfilter *f, int letter, char *arg)
    __attribute__((warn_unused_result));
/* An operand: one id. 0, or -1 if it is none. */
int qfilter_id(struct qfilter *f, const char *id)
    __attribute__((warn_unused_result));
bool qfilter_match(const struct qfilter *f, const struct qentry *e,
    int64_t now);
void qfilter_free(struct qfilter *f);

/* "90", "-5m", "2h30m", "4d": 0 and seconds, or -1. */
int qduration(struct slice text, int64_t *seconds)
    __attribute__((warn_unused_result));

#endif
