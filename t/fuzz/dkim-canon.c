/* Canonical forms: a body split anywhere gives the same bytes. */
#include "dkim/canon.h"

#include "base/strbuf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
to_strbuf(void *ctx, const void *p, size_t n)
{
	sb_put(ctx, slice_of(p, n));
}

static void
split(enum canon how, struct slice in, size_t at, struct strbuf *out)
{
	struct canon_body c;

	sb_reset(out);
	canon_body_init(&c, how, to_strbuf, out);
	canon_body_feed(&c, slice_sub(in, 0, at));
	canon_body_feed(&c, slice_skip(in, at));
	canon_body_end(&c);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct strbuf a = STRBUF_INIT(1 << 20), b = STRBUF_INIT(1 << 20);
	struct slice in = slice_of(data, size);

	for (int how = CANON_SIMPLE; how <= CANON_RELAXED; how++) {
		split(how, in, size, &a);
		split(how, in, size != 0 ? data[0] % size : 0, &b);
		if (!slice_eq(sb_slice(&a), sb_slice(&b)))
			abort();
		sb_reset(&a);
		canon_field(how, in, true, to_strbuf, &a);
		sb_reset(&a);
		canon_signature(how, in, to_strbuf, &a);
	}
	sb_free(&a);
	sb_free(&b);
	return 0;
}
