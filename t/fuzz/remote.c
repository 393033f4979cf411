/* Replies of other mail hosts, whole and byte by byte. */
#include <stdlib.h>
#include <string.h>

#include "smtp/dot.h"
#include "smtp/remote.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void
all_replies(struct remote_reply *r, struct slice in)
{
	struct slice args;

	remote_reset(r);
	while (in.n != 0) {
		int got = remote_feed(r, &in);

		if (got == -1)
			return;
		if (got == 1) {
			(void)remote_has(r, "SIZE", &args);
			remote_reset(r);
		}
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct remote_reply whole, bytes;
	struct strbuf out = STRBUF_INIT((size_t)1 << 24);
	struct slice in = slice_of(p, n), rest;
	struct dot d = { 0 };

	remote_init(&whole);
	remote_init(&bytes);
	all_replies(&whole, in);
	for (rest = in; rest.n != 0; rest = slice_skip(rest, 1)) {
		struct slice one = slice_sub(rest, 0, 1);
		int got = remote_feed(&bytes, &one);

		if (got == -1)
			break;
		if (got == 1)
			remote_reset(&bytes);
	}
	if (whole.code != bytes.code || strcmp(whole.ecode, bytes.ecode) != 0 ||
	    !slice_eq(sb_slice(&whole.text), sb_slice(&bytes.text)))
		abort();
	/* What leaves ends in our dot, and nowhere before. */
	dot_feed(&d, in, &out);
	dot_end(&d, &out);
	rest = sb_slice(&out);
	if (!slice_ends(rest, S(".\r\n")) ||
	    slice_find(rest, S("\r\n.\r\n")) != (n == 0 ? -1 :
	    (ptrdiff_t)rest.n - 5))
		abort();
	sb_free(&out);
	remote_free(&whole);
	remote_free(&bytes);
	return 0;
}
