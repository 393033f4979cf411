#include "store/codec.h"

void
put_num(struct strbuf *sb, uint64_t n, unsigned bytes)
{
	unsigned char b[8];

	for (unsigned i = 0; i < bytes; i++)
		b[i] = (unsigned char)(n >> 8 * (bytes - 1 - i));
	sb_put(sb, slice_of(b, bytes));
}

void
put_bytes(struct strbuf *sb, struct slice s, unsigned bytes)
{
	put_num(sb, s.n, bytes);
	sb_put(sb, s);
}

uint64_t
take_num(struct taker *t, unsigned bytes)
{
	uint64_t n = 0;

	if (t->in.n < bytes) {
		t->bad = true;
		t->in = SLICE_NONE;
		return 0;
	}
	for (unsigned i = 0; i < bytes; i++)
		n = n << 8 | t->in.p[i];
	t->in = slice_skip(t->in, bytes);
	return n;
}

struct slice
take_bytes(struct taker *t, unsigned bytes)
{
	uint64_t n = take_num(t, bytes);
	struct slice s;

	if (t->bad || n > t->in.n) {
		t->bad = true;
		return SLICE_NONE;
	}
	s = slice_sub(t->in, 0, (size_t)n);
	t->in = slice_skip(t->in, (size_t)n);
	return s;
}
