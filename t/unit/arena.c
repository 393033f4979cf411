/* What an arena keeps from one job to the next. */
#include "base/arena.h"
#include "tap.h"

static bool
is_zero(const unsigned char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] != 0)
			return false;
	return true;
}

/* A job of `count' areas of `size' bytes, each used: all were zero. */
static bool
job(struct arena *a, size_t count, size_t size)
{
	bool good = true;

	for (size_t i = 0; i < count; i++) {
		unsigned char *p = arena_alloc(a, size);

		good &= is_zero(p, size) &&
		    (uintptr_t)p % _Alignof(max_align_t) == 0;
		memset(p, 0xff, size);
	}
	return good;
}

int
main(void)
{
	struct arena a = { 0 };
	unsigned char *first, *again;
	bool good = true;

	plan(0);
	arena_reset(&a);
	ok(a.head == NULL, "an empty arena stays empty");
	for (size_t size = 1; size < 300; size += 7) {
		good &= job(&a, 500, size);
		arena_reset(&a);
	}
	ok(good, "zeroed and aligned, job after job");
	first = arena_alloc(&a, 100);
	good = job(&a, 100, 300);
	arena_reset(&a);
	again = arena_alloc(&a, 100);
	ok(good && first == again, "a job of 30 KB fits into what is kept");
	arena_reset(&a);
	good = job(&a, 3, 1000000);
	arena_reset(&a);
	ok(good && arena_alloc(&a, 100) == first, "of large ones none is kept");
	arena_free(&a);
	ok(a.head == NULL, "freed");
	return done();
}
