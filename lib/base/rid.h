/*
 * rid.h - random ids for jobs, connections and files
 *
 * 80 random bits as 16 characters of lower-case base32 (RFC 4648 section 6):
 * unguessable, fit for file names, never starts with a digit or a dash.
 */
#ifndef BASE_RID_H
#define BASE_RID_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

#define RID_LEN 16

/* Fill id with RID_LEN characters and a NUL. */
void rid_new(char id[RID_LEN + 1]);
/* Another id that is the same for the same id and number; it begins with half
 * of the first, so that both are found together. */
void rid_derive(char to[RID_LEN + 1], struct slice id, uint64_t n);
/* What rid_new() could have made; ids from outside are checked with this. */
bool rid_ok(struct slice s);

/* n random bytes from the kernel; ends the process if there are none. */
void random_bytes(void *p, size_t n);

#endif
