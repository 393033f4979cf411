#include "imf/strip.h"

void
strip_fields(struct slice msg, size_t most,
    bool (*drop)(void *ctx, const struct field *f), void *ctx,
    struct strip *out)
{
	struct slice in = msg, from = msg;
	struct field f;
	bool first = true;

	out->count = 0;
	out->full = false;
	for (; field_next(&in, &f) == 1; first = false) {
		bool loose = first && ascii_isblank(f.raw.p[0]);

		if (!drop(ctx, &f) && !loose)
			continue;
		out->full = out->count == most - 1;
		if (out->full)
			break;
		if (f.raw.p != from.p)
			out->part[out->count++] = slice_of(from.p,
			    (size_t)(f.raw.p - from.p));
		from = slice_skip(msg,
		    (size_t)(f.raw.p - msg.p) + f.raw.n);
	}
	if (from.n != 0)
		out->part[out->count++] = from;
}
