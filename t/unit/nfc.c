/* NFC against Unicode's NormalizationTest.txt. */
#include "addr/addr.h"

#include <unictype.h>
#include <unistr.h>

#include "vectors.h"

/* "0044 0323" to UTF-8; false if the library's Unicode lacks one of them. */
static bool
column(struct strbuf *sb, struct slice in)
{
	struct slice word;
	bool known = true;

	sb_reset(sb);
	while (slice_word(&in, &word)) {
		ucs4_t c = (ucs4_t)strtoul((const char *)word.p, NULL, 16);
		uint8_t u[6];
		int n = u8_uctomb(u, c, sizeof(u));

		if (n > 0)
			sb_put(sb, slice_of(u, (size_t)n));
		known &= !uc_is_general_category(c, UC_UNASSIGNED);
	}
	return known;
}

static bool
normal(const struct strbuf *in, const struct strbuf *want, struct arena *ar)
{
	struct slice out;

	return nfc(sb_slice(in), ar, &out) == 0 &&
	    slice_eq(out, sb_slice(want));
}

static bool
line_holds(struct strbuf c[5], struct arena *ar)
{
	return normal(&c[0], &c[1], ar) && normal(&c[1], &c[1], ar) &&
	    normal(&c[2], &c[1], ar) && normal(&c[3], &c[3], ar) &&
	    normal(&c[4], &c[3], ar);
}

int
main(void)
{
	struct strbuf file, c[5];
	struct arena ar = { 0 };
	struct slice in, line, head, out;
	int lines = 0, wrong = 0, unknown = 0;

	vectors_load("unicode/NormalizationTest.txt", &file);
	plan(3);
	for (int i = 0; i < 5; i++)
		sb_init(&c[i], 4096);
	in = sb_slice(&file);
	while (slice_line(&in, &line)) {
		bool known = true;

		if (line.n == 0 || line.p[0] == '#' || line.p[0] == '@')
			continue;
		for (int i = 0; i < 5; i++) {
			slice_cut(&line, ';', &head);
			known &= column(&c[i], head);
		}
		lines++;
		if (!known)
			unknown++;
		else if (!line_holds(c, &ar))
			wrong++;
		arena_reset(&ar);
	}
	ok(lines > 18000 && unknown < lines / 100 && wrong == 0,
	    "%d lines, %d wrong, %d newer than the library", lines, wrong,
	    unknown);
	ok(nfc(S("\xc3"), &ar, &out) == -1, "not UTF-8");
	ok(nfc(S("abc"), &ar, &out) == 0 && slice_eqs(out, "abc"), "ASCII");
	arena_free(&ar);
	for (int i = 0; i < 5; i++)
		sb_free(&c[i]);
	sb_free(&file);
	return done();
}
