/*
 * IMAP commands: the reader in pieces whose size the first byte gives, then
 * every scanner function over each command.
 */
#include <assert.h>

#include "imap/out.h"
#include "imap/reader.h"
#include "imap/scan.h"
#include "imap/utf7.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void
scan(struct slice text, struct arena *ar)
{
	struct slice s, *flags, in;
	struct numset set;
	size_t count;
	int64_t t;
	bool nil;

	for (size_t at = 0; at < text.n && at < 64; at++) {
		in = slice_skip(text, at);
		if (imap_astring(&in, ar, &s) && imap_name(s, ar, false, &s)) {
			struct strbuf w = STRBUF_INIT(utf7_max(s.n));
			struct strbuf u = STRBUF_INIT(utf7_max(s.n));

			utf7_encode(&w, s);
			assert(utf7_decode(&u, sb_slice(&w)) == 0);
			assert(slice_eq(sb_slice(&u), s));
			sb_free(&w);
			sb_free(&u);
		}
		in = slice_skip(text, at);
		if (imap_flags(&in, ar, &flags, &count))
			assert(count <= IMAP_FLAGS_MAX);
		in = slice_skip(text, at);
		if (numset_take(&in, ar, &set)) {
			numset_resolve(&set, 7);
			for (size_t i = 1; i < set.n; i++)
				assert(set.r[i - 1].hi < set.r[i].lo);
		}
		in = slice_skip(text, at);
		(void)imap_datetime(&in, &t);
		in = slice_skip(text, at);
		(void)imap_date(&in, &t);
		in = slice_skip(text, at);
		(void)imap_nstring(&in, ar, &s, &nil);
		in = slice_skip(text, at);
		(void)imap_pattern(&in, ar, &s);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const struct imap_limits limits = { 4096, 1024, 4096, 10 };
	struct imap_reader r;
	struct arena ar = { 0 };
	struct slice in, piece, d;
	size_t step;

	if (n == 0)
		return 0;
	step = data[0] + 1u;
	in = slice_of(data + 1, n - 1);
	imap_reader_init(&r, &limits);
	for (; in.n != 0; in = slice_skip(in, step)) {
		enum imap_event ev;

		piece = slice_sub(in, 0, step);
		while ((ev = imap_read(&r, &piece, &d)) != IMAP_MORE) {
			if (ev == IMAP_COMMAND)
				scan(sb_slice(&r.text), &ar);
			else if (ev == IMAP_LITERAL &&
			    imap_literal_fits(&r) && r.literal.size % 5 != 0)
				imap_literal_keep(&r);
			else if (ev == IMAP_LITERAL && r.literal.size < 2000)
				imap_literal_stream(&r);
			else if (ev == IMAP_LITERAL)
				imap_literal_refuse(&r);
			arena_reset(&ar);
		}
	}
	imap_reader_free(&r);
	arena_free(&ar);
	return 0;
}
