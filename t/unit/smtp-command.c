/* SMTP command lines and replies. */
#include "tap.h"

#include "base/alloc.h"
#include "smtp/command.h"
#include "smtp/reply.h"

/* exact(), freed at the end. */
static struct slice copies[256];
static size_t copied;

static struct slice
kept(const char *s)
{
	return copies[copied++] = exact(s);
}

static const struct {
	const char *line;
	enum smtp_verb verb;
	const char *arg;
} verbs[] = {
	{ "EHLO mx.example.net", SMTP_EHLO, "mx.example.net" },
	{ "ehlo  x ", SMTP_EHLO, " x" },
	{ "QUIT", SMTP_QUIT, "" },
	{ "QUIT \t", SMTP_QUIT, "" },
	{ "quit\t", SMTP_QUIT, "" },
	{ "Mail FROM:<>", SMTP_MAIL, "FROM:<>" },
	{ "MAILFROM:<>", SMTP_UNKNOWN, "" },
	{ "GET / HTTP/1.1", SMTP_UNKNOWN, "/ HTTP/1.1" },
	{ "", SMTP_UNKNOWN, "" },
	{ " QUIT", SMTP_UNKNOWN, "QUIT" },
};

static const struct {
	const char *in, *mailbox, *rest; /* mailbox NULL: malformed */
} paths[] = {
	{ "TO:<bob@example.org>", "bob@example.org", "" },
	{ "to: <bob@example.org> X=1", "bob@example.org", " X=1" },
	{ "TO:<>", "", "" },
	{ "TO:<@a.example,@b.example:u@d.example>", "u@d.example", "" },
	{ "TO:<@a.example:>", NULL, "" },
	{ "TO:<@a.example>", NULL, "" },
	{ "TO:<@a.example,:u@d>", NULL, "" },
	{ "TO:<a.example:u@d>", "a.example:u@d", "" },
	{ "TO:<\"a>b\"@x>", "\"a>b\"@x", "" },
	{ "TO:<\"a\\\">b\"@x>", "\"a\\\">b\"@x", "" },
	{ "TO:<\"a b\"@x>", "\"a b\"@x", "" },
	{ "TO:<\"a@x>", NULL, "" },
	{ "TO:<a b@x>", NULL, "" },
	{ "TO:<<a@x>>", NULL, "" },
	{ "TO:<a@x>>", NULL, "" },
	{ "TO:<a@x>X=1", NULL, "" },
	{ "TO:a@x", NULL, "" },
	{ "TO <a@x>", NULL, "" },
	{ "TO:<a@x", NULL, "" },
	{ "TO:<\"a\\", NULL, "" },
	{ "FROM:<a@x>", NULL, "" },
	{ "TO:", NULL, "" },
	{ "", NULL, "" },
};

static const struct {
	const char *in, *out; /* "KEY|value;..."; NULL: malformed */
} params[] = {
	{ "", "" },
	{ "  ", "" },
	{ " SIZE=10 BODY=8BITMIME SMTPUTF8", "SIZE|10;BODY|8BITMIME;SMTPUTF8;" },
	{ "  A=1  B ", "A|1;B;" },
	{ " SIZE=", NULL },
	{ " =", NULL },
	{ " =1", NULL },
	{ " -A=1", NULL },
	{ " A=1=2", NULL },
	{ " A_B=1", NULL },
	{ " A=1\tB=2", NULL },
	{ " A=\xc3\xa9", "A|\xc3\xa9;" },
};

static const struct {
	const char *in, *out;
} xtexts[] = {
	{ "abc", "abc" },
	{ "a+2Bb", "a+b" },
	{ "a+3Db", "a=b" },
	{ "+", NULL },
	{ "+2", NULL },
	{ "+2b", NULL },
	{ "+00", NULL },
	{ "+0A", NULL },
	{ "a=b", NULL },
	{ "a b", NULL },
	{ "a\x80", NULL },
};

static const struct {
	const char *in;
	bool domain, any;
} hellos[] = {
	{ "mx.example.net", true, true },
	{ "localhost", true, true },
	{ "my_host.example", true, true },
	{ "a.example.", true, true },
	{ "[192.0.2.1]", false, true },
	{ "[IPv6:2001:db8::1]", false, true },
	{ "[]", false, false },
	{ "[192.0.2.1", false, false },
	{ "[192.0.2.1] x", false, false },
	{ "a..b", false, false },
	{ ".a", false, false },
	{ "a b", false, false },
	{ "a;b", false, false },
	{ "\xc3\xa9.example", false, false },
	{ "", false, false },
};

static void
test_params(void)
{
	for (size_t i = 0; i < COUNTOF(params); i++) {
		struct slice in = kept(params[i].in);
		struct strbuf out = STRBUF_INIT(1000);
		struct smtp_param p;
		int r;

		while ((r = smtp_param(&in, &p)) == 1) {
			sb_put(&out, p.key);
			if (p.has_value)
				sb_putc(&out, '|');
			sb_put(&out, p.value);
			sb_putc(&out, ';');
		}
		if (params[i].out == NULL)
			ok(r == -1, "malformed:%s", params[i].in);
		else if (ok(r == 0, "params:%s", params[i].in))
			is(sb_slice(&out), params[i].out, params[i].in);
		sb_free(&out);
	}
}

static void
test_replies(void)
{
	struct strbuf out = STRBUF_INIT(65536);
	char text[1200];
	struct slice in, line;
	bool good = true;
	size_t n = 0;

	smtp_reply(&out, 250, "2.1.0", S("ok"));
	is(sb_slice(&out), "250 2.1.0 ok\r\n", "one line");
	sb_reset(&out);
	smtp_reply(&out, 250, NULL, S("mx.example\nPIPELINING\nSIZE 10"));
	is(sb_slice(&out), "250-mx.example\r\n250-PIPELINING\r\n250 SIZE 10\r\n",
	    "lines without a code");
	sb_reset(&out);
	smtp_reply(&out, 550, "5.1.1", S("a\nb\r\x80"));
	is(sb_slice(&out), "550-5.1.1 a\r\n550 5.1.1 b??\r\n", "made printable");
	sb_reset(&out);
	smtp_reply(&out, 250, "", SLICE_NONE);
	is(sb_slice(&out), "250 \r\n", "empty");
	for (int sp = 0; sp < 2; sp++) {
		size_t seen = 0;

		memset(text, 'x', sizeof(text));
		for (size_t i = 0; sp && i < sizeof(text); i += 10)
			text[i] = ' ';
		sb_reset(&out);
		smtp_reply(&out, 550, "5.1.1", slice_of(text, sizeof(text)));
		for (in = sb_slice(&out), n = 0; slice_line(&in, &line) == 1;
		    n++) {
			good &= line.n + 2 <= SMTP_REPLY_LINE_MAX &&
			    slice_starts(line, S("550")) &&
			    line.p[3] == (in.n != 0 ? '-' : ' ');
			seen += line.n - 10;
		}
		ok(good && n == 3, "long text in three lines");
		/* A space at which a line is split is not repeated. */
		isnum((long long)seen, sp ? 1198 : 1200, "nothing is lost");
	}
	sb_free(&out);
}

int
main(void)
{
	struct strbuf out = STRBUF_INIT(1000);

	plan(0);
	for (size_t i = 0; i < COUNTOF(verbs); i++) {
		struct smtp_command c;

		smtp_command(kept(verbs[i].line), &c);
		ok(c.verb == verbs[i].verb, "verb of '%s'", verbs[i].line);
		is(c.arg, verbs[i].arg, "argument");
	}
	for (size_t i = 0; i < COUNTOF(paths); i++) {
		struct slice in = kept(paths[i].in), mailbox = SLICE_NONE;
		int r = smtp_path(&in, "TO:", &mailbox);

		if (paths[i].mailbox == NULL)
			ok(r == -1, "malformed %s", paths[i].in);
		else if (ok(r == 0, "path %s", paths[i].in)) {
			is(mailbox, paths[i].mailbox, "mailbox");
			is(in, paths[i].rest, "rest");
		}
	}
	test_params();
	for (size_t i = 0; i < COUNTOF(xtexts); i++) {
		int r;

		sb_reset(&out);
		r = smtp_xtext(kept(xtexts[i].in), &out);
		ok(xtexts[i].out == NULL ? r == -1 : r == 0 &&
		    slice_eqs(sb_slice(&out), xtexts[i].out), "xtext %s",
		    xtexts[i].in);
	}
	for (size_t i = 0; i < COUNTOF(hellos); i++) {
		struct slice in = kept(hellos[i].in);

		ok(smtp_hello_ok(in, false) == hellos[i].domain &&
		    smtp_hello_ok(in, true) == hellos[i].any, "hello '%s'",
		    hellos[i].in);
	}
	ok(smtp_line_ok(S("a\tb\xc3\xa9")), "line with HTAB and UTF-8");
	ok(!smtp_line_ok(S("a\0b")), "line with NUL");
	ok(!smtp_line_ok(S("a\rb")), "line with CR");
	ok(!smtp_line_ok(S("a\x80")), "line with broken UTF-8");
	ok(!smtp_line_ok(S("a\x1b[m")), "line with ESC");
	test_replies();
	sb_free(&out);
	while (copied != 0)
		free((void *)(uintptr_t)copies[--copied].p);
	return done();
}
