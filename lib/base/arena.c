#include "base/arena.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

#define BLOCK_MIN ((size_t)4096)
/* Blocks double up to this size, and what arena_reset() keeps is no larger:
 * many jobs fit into one, and a process that idles holds little. */
#define BLOCK_KEEP ((size_t)64 * 1024)

struct arena_block {
	struct arena_block *next;
	size_t used, cap;
	_Alignas(max_align_t) unsigned char data[];
};

void *
arena_alloc(struct arena *a, size_t n)
{
	const size_t align = _Alignof(max_align_t);
	struct arena_block *b = a->head;
	void *p;

	n = size_mul(size_add(n != 0 ? n : 1, align - 1) / align, align);
	if (b == NULL || b->cap - b->used < n) {
		size_t cap = b == NULL ? BLOCK_MIN :
		    b->cap < BLOCK_KEEP / 2 ? 2 * b->cap : BLOCK_KEEP;

		if (cap < n)
			cap = n;
		b = xmalloc(size_add(sizeof(*b), cap));
		*b = (struct arena_block){ .next = a->head, .cap = cap };
		a->head = b;
	}
	p = b->data + b->used;
	b->used += n;
	return memset(p, 0, n);
}

void *
arena_grow(struct arena *a, const void *old, size_t old_n, size_t n)
{
	void *p = arena_alloc(a, n);

	if (old_n != 0)
		memcpy(p, old, old_n);
	return p;
}

struct slice
arena_copy(struct arena *a, struct slice s)
{
	void *p;

	if (s.n == 0)
		return SLICE_NONE;
	p = arena_alloc(a, s.n);
	memcpy(p, s.p, s.n);
	return slice_of(p, s.n);
}

char *
arena_cstr(struct arena *a, struct slice s)
{
	char *p = arena_alloc(a, size_add(s.n, 1));

	if (s.n != 0)
		memcpy(p, s.p, s.n);
	return p;
}

void
arena_reset(struct arena *a)
{
	struct arena_block *b = a->head, *keep = NULL, *next;

	for (; b != NULL; b = next) {
		next = b->next;
		if (b->cap > BLOCK_KEEP ||
		    (keep != NULL && b->cap <= keep->cap)) {
			free(b);
			continue;
		}
		free(keep);
		keep = b;
	}
	if (keep != NULL) {
		keep->next = NULL;
		keep->used = 0;
	}
	a->head = keep;
}

void
arena_free(struct arena *a)
{
	struct arena_block *b;

	while ((b = a->head) != NULL) {
		a->head = b->next;
		free(b);
	}
}
