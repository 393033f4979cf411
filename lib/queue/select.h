/*
 * select.h - for commands: the entries that a filter chooses
 */
#ifndef QUEUE_SELECT_H
#define QUEUE_SELECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "queue/entry.h"
#include "queue/filter.h"

enum qorder { QORDER_NEXT, QORDER_QUEUED };

struct qselection {
	struct qtable table;
	struct qentry **entry;
	size_t count;
	unsigned bad; /* files that are no queue entries */
};

/*
 * Read the whole queue as it is now and choose: 0, or -1 with errno. Ended
 * entries are left out. The caller frees with qselect_free() either way.
 */
int qselect(struct qselection *s, struct queue *q, const struct qfilter *f,
    enum qorder order, bool descending, int64_t now)
    __attribute__((warn_unused_result));
void qselect_free(struct qselection *s);

#endif
