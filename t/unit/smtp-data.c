/* The DATA parser: results, every split, the smuggling vectors, speed. */
#include "tap.h"

#include <fcntl.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/strbuf.h"
#include "smtp/data.h"

static void
append(void *ctx, struct slice s)
{
	sb_put(ctx, s);
}

struct result {
	struct strbuf msg;
	bool end, bad, bare_lf;
	size_t left;
};

/* Feed in pieces of n bytes, the first of `first' bytes. */
static struct result
feed(struct slice in, size_t first, size_t n)
{
	struct result r = { .msg = STRBUF_INIT(1 << 20) };
	struct smtp_data d;
	size_t step = first;

	smtp_data_init(&d, append, &r.msg);
	while (in.n != 0 && !r.end) {
		/* A copy of its own, so that a sanitizer sees over-reads. */
		struct slice piece = slice_sub(in, 0, step);
		void *copy = xmemdup(piece.p, piece.n);
		struct slice at = slice_of(copy, piece.n);

		r.end = smtp_data_feed(&d, &at);
		in = slice_skip(in, piece.n - at.n);
		free(copy);
		step = n;
	}
	r.bad = d.bad;
	r.bare_lf = d.bare_lf;
	r.left = in.n;
	if (!d.bad && d.size != r.msg.n)
		ok(false, "size is what was put out");
	return r;
}

static const struct {
	const char *name, *in, *out;
	bool end, bad;
	size_t left;
} cases[] = {
	{ "empty message", ".\r\n", "", true, false, 0 },
	{ "one line", "a\r\n.\r\n", "a\r\n", true, false, 0 },
	{ "next command is left", "a\r\n.\r\nQUIT\r\n", "a\r\n", true, false,
	    6 },
	{ "stuffed dot", "..a\r\n...\r\n.\r\n", ".a\r\n..\r\n", true, false, 0 },
	{ "lone dot is removed", ".a\r\n.\r\n", "a\r\n", true, false, 0 },
	{ "no end", "a\r\n.\r", "", false, false, 0 },
	{ "dot in a line", "a.\r\nb.\r\n.\r\n", "a.\r\nb.\r\n", true, false, 0 },
	{ "lone LF becomes CRLF", "a\nb\n\nc\r\n.\r\n",
	    "a\r\nb\r\n\r\nc\r\n", true, false, 0 },
	{ "LF first", "\na\r\n.\r\n", "\r\na\r\n", true, false, 0 },
	{ "dot behind LF stays", "a\n.b\r\n.\r\n", "a\r\n.b\r\n", true, false,
	    0 },
	{ "two dots behind LF stay", "a\n..\r\n.\r\n", "a\r\n..\r\n", true,
	    false, 0 },
	{ "empty lines", "\r\n\r\n.\r\n", "\r\n\r\n", true, false, 0 },
	{ "CR in a line", "a\rb\r\n.\r\n", "", true, true, 0 },
	{ "CR CR LF", "a\r\r\n.\r\n", "", true, true, 0 },
	{ "CR at the start", "\ra\r\n.\r\n", "", true, true, 0 },
	{ "LF . LF", "a\n.\nMAIL\r\n.\r\n", "", true, true, 0 },
	{ "LF . CRLF", "a\n.\r\nMAIL\r\n.\r\n", "", true, true, 0 },
	{ "CRLF . LF", "a\r\n.\nMAIL\r\n.\r\n", "", true, true, 0 },
	{ ". LF first", ".\nMAIL\r\n.\r\n", "", true, true, 0 },
	{ "CRLF . CR", "a\r\n.\rMAIL\r\n.\r\n", "", true, true, 0 },
	{ "CRLF . CR CR LF", "a\r\n.\r\r\nM\r\n.\r\n", "", true, true, 0 },
	{ "CR . CR", "a\r.\rM\r\n.\r\n", "", true, true, 0 },
	{ "after CR, LF . CRLF is no end", "a\rb\n.\r\nM\r\n.\r\n", "", true,
	    true, 0 },
	{ "LF . CR x", "a\n.\rx\r\n.\r\n", "", true, true, 0 },
};

/* As a C string literal says: "\r\n\x00". */
static struct slice
unescape(struct slice in, unsigned char *out)
{
	size_t n = 0;

	for (size_t i = 0; i < in.n; i++) {
		if (in.p[i] != '\\') {
			out[n++] = in.p[i];
			continue;
		}
		i++;
		if (in.p[i] == 'x') {
			out[n++] = (unsigned char)(ascii_hex(in.p[i + 1]) << 4 |
			    ascii_hex(in.p[i + 2]));
			i += 2;
		} else
			out[n++] = in.p[i] == 'r' ? '\r' : '\n';
	}
	return slice_of(out, n);
}

static bool
same(const struct result *a, const struct result *b)
{
	return a->end == b->end && a->bad == b->bad && a->left == b->left &&
	    (a->bad || (a->bare_lf == b->bare_lf &&
	    slice_eq(sb_slice(&a->msg), sb_slice(&b->msg))));
}

static bool
every_split(struct slice in, const struct result *want)
{
	bool good = true;

	for (size_t first = 1; first <= in.n; first++)
		for (size_t n = 1; n <= 4; n++) {
			struct result r = feed(in, first, n == 4 ? in.n : n);

			good &= same(&r, want);
			sb_free(&r.msg);
		}
	return good;
}

static void
test_vectors(void)
{
	static const char *const dirs[] = { NULL, "../shared/vectors",
		"../../shared/vectors" };
	struct strbuf text = STRBUF_INIT(65536);
	struct slice in, line, name;
	int found = -1;

	for (size_t i = 0; i < COUNTOF(dirs) && found == -1; i++) {
		const char *dir = i == 0 ? getenv("PNEU_VECTORS") : dirs[i];
		char *path;

		if (dir == NULL)
			continue;
		path = xprintf("%s/smtp/smuggling-end-of-data.tsv", dir);
		found = file_slurp(AT_FDCWD, path, &text);
		free(path);
	}
	if (found == -1) {
		ok(true, "smuggling vectors # SKIP not here");
		sb_free(&text);
		return;
	}
	for (in = sb_slice(&text); slice_line(&in, &line) == 1;) {
		struct strbuf wire = STRBUF_INIT(65536);
		unsigned char raw[256];
		struct result r;

		if (line.n == 0 || line.p[0] == '#' ||
		    !slice_cut(&line, '\t', &name))
			continue;
		sb_puts(&wire, "Subject: x\r\n\r\nhello");
		sb_put(&wire, unescape(line, raw));
		sb_puts(&wire, "MAIL FROM:<evil@example>\r\nDATA\r\n\r\n.\r\n");
		r = feed(sb_slice(&wire), wire.n, wire.n);
		/* Only the last CRLF . CRLF ends; NUL is data. */
		ok(r.end && r.left == 0 &&
		    r.bad == (slice_find(name, S("nul")) == -1),
		    "vector %.*s does not end the data", SLICE_ARG(name));
		ok(every_split(sb_slice(&wire), &r), "vector %.*s, every split",
		    SLICE_ARG(name));
		sb_free(&r.msg);
		sb_free(&wire);
	}
	sb_free(&text);
}

static void
count(void *ctx, struct slice s)
{
	*(size_t *)ctx += s.n;
}

static void
test_speed(void)
{
	enum { LINE = 76, LINES = 100000, CHUNK = 32768 };
	size_t total = (size_t)LINE * LINES, got = 0;
	unsigned char *big = xmalloc(total);
	struct smtp_data d;
	int64_t start, ms;

	for (size_t i = 0; i < total; i++)
		big[i] = i % LINE == LINE - 2 ? '\r' :
		    i % LINE == LINE - 1 ? '\n' : 'x';
	smtp_data_init(&d, count, &got);
	start = clock_ms();
	for (size_t i = 0; i < total; i += CHUNK) {
		struct slice in = slice_of(big + i,
		    total - i < CHUNK ? total - i : CHUNK);

		if (smtp_data_feed(&d, &in))
			break;
	}
	ms = clock_ms() - start;
	ok(got == total && !d.bad, "%zu bytes", total);
	/* 7.6 MB; a tenth of the aim, since the machine may be busy. */
	ok(ms < 150, "fast enough");
	diag("%lld ms for %zu bytes", (long long)ms, total);
	free(big);
}

int
main(void)
{
	plan(0);
	for (size_t i = 0; i < COUNTOF(cases); i++) {
		struct slice in = exact(cases[i].in);
		struct result r = feed(in, in.n, in.n);

		ok(r.end == cases[i].end && r.bad == cases[i].bad &&
		    r.left == cases[i].left, "%s", cases[i].name);
		if (r.end && !r.bad)
			is(sb_slice(&r.msg), cases[i].out, cases[i].name);
		ok(every_split(in, &r), "%s, every split", cases[i].name);
		sb_free(&r.msg);
		free((void *)(uintptr_t)in.p);
	}
	test_vectors();
	test_speed();
	return done();
}
