/* The DATA parser: any split gives the same message and result. */
#include <stdint.h>

#include "base/strbuf.h"
#include "smtp/data.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void
append(void *ctx, struct slice s)
{
	sb_put(ctx, s);
}

/* Every CR has its LF and the other way round, and no line is a lone dot
 * that a sender would have stuffed differently. */
static void
check_lines(struct slice msg)
{
	for (size_t i = 0; i < msg.n; i++) {
		if (msg.p[i] == '\r' &&
		    (i + 1 == msg.n || msg.p[i + 1] != '\n'))
			__builtin_trap();
		if (msg.p[i] == '\n' && (i == 0 || msg.p[i - 1] != '\r'))
			__builtin_trap();
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct strbuf a = STRBUF_INIT(1 << 22), b = STRBUF_INIT(1 << 22);
	struct slice in = slice_of(p, n), left;
	struct smtp_data whole, split;
	size_t at = 0, step = n != 0 ? p[0] % 7u + 1 : 1;
	bool end = false;

	smtp_data_init(&whole, append, &a);
	smtp_data_init(&split, append, &b);
	left = in;
	smtp_data_feed(&whole, &left);
	while (at < n && !end) {
		struct slice piece = slice_sub(in, at, step);
		size_t had = piece.n;

		end = smtp_data_feed(&split, &piece);
		at += had - piece.n;
		step = step % 7 + 1;
	}
	if (whole.state != split.state || whole.bad != split.bad ||
	    n - left.n != at)
		__builtin_trap();
	if (!whole.bad) {
		if (!slice_eq(sb_slice(&a), sb_slice(&b)) ||
		    whole.size != a.n)
			__builtin_trap();
		if (whole.state == SMTP_DATA_END)
			check_lines(sb_slice(&a));
	}
	sb_free(&a);
	sb_free(&b);
	return 0;
}
