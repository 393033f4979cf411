/* codec.h - big-endian values of the index (private to lib/store) */
#ifndef STORE_CODEC_H
#define STORE_CODEC_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "base/strbuf.h"

/* A number in `bytes' (1..8) bytes. */
void put_num(struct strbuf *sb, uint64_t n, unsigned bytes);
/* Length in `bytes' bytes, then the bytes. */
void put_bytes(struct strbuf *sb, struct slice s, unsigned bytes);

/* A sticky `bad' instead of a check after each take. */
struct taker {
	struct slice in;
	bool bad;
};

uint64_t take_num(struct taker *t, unsigned bytes);
struct slice take_bytes(struct taker *t, unsigned bytes);

#endif
