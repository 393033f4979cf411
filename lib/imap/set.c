#include "imap/set.h"

static bool
take_number(struct slice *in, uint32_t *n)
{
	struct slice digits = *in;
	uint64_t v;

	digits.n = 0;
	if (in->n != 0 && in->p[0] == '*') {
		*in = slice_skip(*in, 1);
		*n = 0;
		return true;
	}
	while (digits.n < in->n && ascii_isdigit(in->p[digits.n]))
		digits.n++;
	if (slice_u64(digits, UINT32_MAX, &v) == -1 || v == 0)
		return false;
	*in = slice_skip(*in, digits.n);
	*n = (uint32_t)v;
	return true;
}

static void
append(struct numset *set, struct arena *ar, struct range r)
{
	if (set->n == set->cap) {
		size_t grown = set->cap != 0 ? set->cap * 2 : 16;

		set->r = arena_grow(ar, set->r, set->cap * sizeof(*set->r),
		    grown * sizeof(*set->r));
		set->cap = grown;
	}
	set->r[set->n++] = r;
}

bool
numset_take(struct slice *in, struct arena *ar, struct numset *set)
{
	struct range r;

	*set = (struct numset){ 0 };
	if (in->n != 0 && in->p[0] == '$') {
		*in = slice_skip(*in, 1);
		set->saved = true;
		return true;
	}
	for (;;) {
		if (!take_number(in, &r.lo))
			return false;
		r.hi = r.lo;
		if (in->n != 0 && in->p[0] == ':') {
			*in = slice_skip(*in, 1);
			if (!take_number(in, &r.hi))
				return false;
		}
		append(set, ar, r);
		if (in->n == 0 || in->p[0] != ',')
			return true;
		*in = slice_skip(*in, 1);
	}
}

static int
range_cmp(const void *a, const void *b)
{
	const struct range *x = a, *y = b;

	return x->lo < y->lo ? -1 : x->lo > y->lo;
}

void
numset_resolve(struct numset *set, uint32_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < set->n; i++) {
		struct range r = set->r[i];

		if (r.lo == 0)
			r.lo = max;
		if (r.hi == 0)
			r.hi = max;
		if (r.lo == 0 || r.hi == 0)
			continue;
		if (r.lo > r.hi)
			r = (struct range){ r.hi, r.lo };
		set->r[n++] = r;
	}
	set->n = n;
	if (n == 0)
		return;
	qsort(set->r, n, sizeof(*set->r), range_cmp);
	n = 1;
	for (size_t i = 1; i < set->n; i++) {
		struct range *last = &set->r[n - 1];

		if (set->r[i].lo > last->hi && set->r[i].lo - last->hi > 1)
			set->r[n++] = set->r[i];
		else if (set->r[i].hi > last->hi)
			last->hi = set->r[i].hi;
	}
	set->n = n;
}

void
numset_add(struct numset *set, struct arena *ar, uint32_t lo, uint32_t hi)
{
	if (set->n != 0 && set->r[set->n - 1].hi + 1 == lo)
		set->r[set->n - 1].hi = hi;
	else
		append(set, ar, (struct range){ lo, hi });
}

bool
numset_has(const struct numset *set, uint32_t n)
{
	size_t lo = 0, hi = set->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (n < set->r[mid].lo)
			hi = mid;
		else if (n > set->r[mid].hi)
			lo = mid + 1;
		else
			return true;
	}
	return false;
}

uint64_t
numset_count(const struct numset *set)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < set->n; i++)
		sum += (uint64_t)set->r[i].hi - set->r[i].lo + 1;
	return sum;
}

void
numset_intersect(struct numset *set, const struct numset *b, struct arena *ar)
{
	struct numset out = { 0 };

	for (size_t i = 0, j = 0; i < set->n && j < b->n;) {
		struct range x = set->r[i], y = b->r[j];
		struct range both = {
			x.lo > y.lo ? x.lo : y.lo,
			x.hi < y.hi ? x.hi : y.hi,
		};

		if (both.lo <= both.hi)
			append(&out, ar, both);
		if (x.hi < y.hi)
			i++;
		else
			j++;
	}
	*set = out;
}

void
numset_put(struct strbuf *sb, const struct numset *set)
{
	for (size_t i = 0; i < set->n; i++) {
		if (i != 0)
			sb_putc(sb, ',');
		sb_printf(sb, "%u", set->r[i].lo);
		if (set->r[i].hi != set->r[i].lo)
			sb_printf(sb, ":%u", set->r[i].hi);
	}
}
