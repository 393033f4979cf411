/*
 * arena.h - memory freed all at once
 *
 * For what lives as long as one job or one command: error paths free
 * nothing. A zeroed struct is an empty arena. arena_reset() keeps the
 * largest block, of at most 64 KiB, for the next job. Allocations are aligned for any type and zeroed.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

#include "base/slice.h"

struct arena_block;

struct arena {
	struct arena_block *head;
};

void *arena_alloc(struct arena *a, size_t n);
/* Grow an array: a new area with the old bytes copied; the old one stays. */
void *arena_grow(struct arena *a, const void *old, size_t old_n, size_t n);
struct slice arena_copy(struct arena *a, struct slice s);
char *arena_cstr(struct arena *a, struct slice s);
void arena_reset(struct arena *a);
void arena_free(struct arena *a);

#endif
