/* Replies of other servers, and the dots of DATA: every split of the input. */
#include "tap.h"

#include "smtp/dot.h"
#include "smtp/remote.h"

static const struct {
	const char *in;
	int r, code;
	const char *ecode, *text;
} cases[] = {
	{ "250 ok\r\n", 1, 250, "", "ok" },
	{ "250\r\n", 1, 250, "", "" },
	{ "250 ok\n", 1, 250, "", "ok" },
	{ "550-5.1.1 no such\r\n550 5.1.1 user\r\n", 1, 550, "5.1.1",
	    "no such\nuser" },
	{ "550 5.1.1\r\n", 1, 550, "5.1.1", "" },
	{ "550 4.1.1 class\r\n", 1, 550, "", "4.1.1 class" },
	{ "550 5.1.1.1 no\r\n", 1, 550, "", "5.1.1.1 no" },
	{ "250 \033[2J\001\377x\r\n", 1, 250, "", "?[2J??x" },
	{ "250-a\r\n251 b\r\n", -1, 250, "", "a" },
	{ "999 a\r\n", -1, 0, "", "" },
	{ "099 a\r\n", -1, 0, "", "" },
	{ "25", 0, 0, "", "" },
	{ "250-a\r\n", 0, 250, "", "a" },
	{ "250_a\r\n", -1, 0, "", "" },
	{ "\r\n", -1, 0, "", "" },
	{ "HTTP/1.1 200 OK\r\n", -1, 0, "", "" },
};

static void
test_replies(void)
{
	struct remote_reply r;
	int good = 0, total = 0;

	remote_init(&r);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (size_t step = 1; step < 40; step += 13, total++) {
			const struct slice copy = exact(cases[i].in);
			struct slice all = copy;
			int res = 0;

			remote_reset(&r);
			while (all.n != 0 && res == 0) {
				struct slice in = slice_sub(all, 0, step);

				all = slice_skip(all, in.n);
				res = remote_feed(&r, &in);
			}
			if (res == cases[i].r && r.code == cases[i].code &&
			    strcmp(r.ecode, cases[i].ecode) == 0 &&
			    slice_eqs(sb_slice(&r.text), cases[i].text))
				good++;
			else
				diag("case %zu step %zu: %d %d '%s' '%s'", i,
				    step, res, r.code, r.ecode,
				    sb_cstr(&r.text));
			free((void *)(uintptr_t)copy.p);
		}
	isnum(good, total, "replies in every split");
	remote_free(&r);
}

static void
test_limits(void)
{
	struct remote_reply r;
	char line[3000];
	struct slice in;
	int res = 0, n = 0;

	remote_init(&r);
	memset(line, 'x', sizeof(line));
	memcpy(line, "250 ", 4);
	in = slice_of(line, sizeof(line));
	ok(remote_feed(&r, &in) == -1, "an endless line is refused");
	remote_reset(&r);
	while (res == 0 && n++ < 1000000) {
		in = S("250-and so on, and so on, and so on, and so on\r\n");
		res = remote_feed(&r, &in);
	}
	ok(res == -1 && n <= REMOTE_LINES_MAX + 1, "endless lines are refused");
	ok(r.text.n <= REMOTE_TEXT_MAX, "text is bounded");
	remote_free(&r);
}

static void
test_ehlo(void)
{
	struct remote_reply r;
	struct slice in = S("250-SIZE.example greets\r\n250-size 100\r\n"
	    "250-PIPELINING\r\n250 8BITMIME\r\n220 next"), args;

	remote_init(&r);
	ok(remote_feed(&r, &in) == 1, "EHLO answer");
	is(in, "220 next", "the rest is left");
	ok(remote_has(&r, "SIZE", &args), "SIZE");
	is(args, "100", "its argument");
	ok(remote_has(&r, "PIPELINING", NULL) &&
	    !remote_has(&r, "SIZE.example", NULL) &&
	    !remote_has(&r, "STARTTLS", NULL), "extensions");
	remote_free(&r);
}

static const struct {
	const char *in, *out;
} dots[] = {
	{ "", ".\r\n" },
	{ "a", "a\r\n.\r\n" },
	{ "a\r\n", "a\r\n.\r\n" },
	{ ".\r\n", "..\r\n.\r\n" },
	{ "a\r\n.b\r\n..\r\n", "a\r\n..b\r\n...\r\n.\r\n" },
	{ "a\n.\nb", "a\r\n..\r\nb\r\n.\r\n" },
	{ "a\n.\r\nb", "a\r\n..\r\nb\r\n.\r\n" },
	{ "a\r.\rb", "a\r\n..\r\nb\r\n.\r\n" },
	{ "a\r.\r\nb", "a\r\n..\r\nb\r\n.\r\n" },
	{ "a\r\n.\rb", "a\r\n..\r\nb\r\n.\r\n" },
	{ "a\r\n.\r\r\nb", "a\r\n..\r\n\r\nb\r\n.\r\n" },
	{ "a\n\r\nb", "a\r\n\r\nb\r\n.\r\n" },
	{ "a\r", "a\r\n.\r\n" },
};

static void
test_dots(void)
{
	struct strbuf out = STRBUF_INIT(4096);
	int good = 0, total = 0;

	for (size_t i = 0; i < sizeof(dots) / sizeof(dots[0]); i++)
		for (size_t step = 1; step < 9; step++, total++) {
			const struct slice copy = exact(dots[i].in);
			struct slice all = copy;
			struct dot d = { 0 };

			sb_reset(&out);
			for (; all.n != 0; all = slice_skip(all, step))
				dot_feed(&d, slice_sub(all, 0, step), &out);
			dot_end(&d, &out);
			if (slice_eqs(sb_slice(&out), dots[i].out))
				good++;
			else
				diag("dots %zu step %zu", i, step);
			free((void *)(uintptr_t)copy.p);
		}
	isnum(good, total, "line ends and dots in every split");
	sb_free(&out);
}

int
main(void)
{
	plan(0);
	test_replies();
	test_limits();
	test_ehlo();
	test_dots();
	return done();
}
