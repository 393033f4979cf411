/*
 * counter.h - a small file of counters that other programs can read
 *
 * run/counters/PROG is an array of records {name[56], value as a 64-bit
 * integer in host order}. Processes of one program share the file and add
 * atomically. Readers map it read-only.
 */
#ifndef BASE_COUNTER_H
#define BASE_COUNTER_H

#include <stdint.h>

#include "base/strbuf.h"

struct counters;

/*
 * Open or make `path' for the given NULL-terminated names (each under 56
 * bytes; at most 64). NULL with errno on failure; the caller frees with
 * counters_close(). counter_add() with a NULL object does nothing, so a
 * program may run without counters.
 */
struct counters *counters_open(const char *path, const char *const *names);
void counter_add(struct counters *c, unsigned index, int64_t n);
void counters_close(struct counters *c);
/* "counter prog=NAME name=... value=..." for each counter of a file. */
int counters_print(const char *path, const char *prog, struct strbuf *out)
    __attribute__((warn_unused_result));

#endif
