/* Authentication-Results: written, the id read back, forged ones found. */
#include "imf/authres.h"
#include "imf/strip.h"

#include "base/alloc.h"
#include "tap.h"

static const struct {
	const char *in, *id; /* NULL: none */
} ids[] = {
	{ " mx.example.org; spf=pass", "mx.example.org" },
	{ "MX.Example.org; none", "mx.example.org" },
	{ " (a (b) c)\r\n\tmx.example.org (x) 1 (y);\r\n spf=pass",
	    "mx.example.org" },
	{ " \"mx.example.org\"; none", "mx.example.org" },
	{ " \"mx.\\example.org\" ; none", "mx.example.org" },
	{ " mx.example.org.; none", "mx.example.org" },
	{ " b\xc3\xbc" "cher.example; none", "xn--bcher-kva.example" },
	{ " xn--BCHER-kva.example; none", "xn--bcher-kva.example" },
	{ " host_1 2; none", "host_1" },
	{ " a--; none", "a--" },
	{ " mx.example.org", "mx.example.org" },
	{ " ; none", NULL },
	{ "", NULL },
	{ " (open mx.example.org; none", NULL },
	{ " \"open", NULL },
	{ " \"open\\", NULL },
	{ " \"\"; none", NULL },
	{ " mx.example.org 1", "mx.example.org" },
	{ " mx.example.org (x) 1(y)", "mx.example.org" },
	{ " \"mx.example.org\"\t1 ;", "mx.example.org" },
	/* What a reader who drops comments, quotes or bytes joins. */
	{ " mx(x).example.org; none", NULL },
	{ " other mx.example.org; none", NULL },
	{ " \"other\" \"mx.example.org\"; none", NULL },
	{ " mx.example.org/1; none", NULL },
	{ " mx.example.org1 2 3; none", NULL },
	{ " mx.example.org 1 (open; none", NULL },
	{ " other@mx.example.org; none", NULL },
	{ " mx\x01.example.org; none", NULL },
	{ " mx.example.org\xa0; none", NULL },
	{ " mx.example.org\xc2\xa0; none", NULL },
	{ " \"mx.example.org;\"; none", NULL },
	{ " \"other mx.example.org\"; none", NULL },
	{ " xn--mx-.example.org; none", NULL },
	{ " spf=pass smtp.mailfrom=mx.example.org", NULL },
};

static const char want[] =
    "Authentication-Results: mx.example.org;\r\n"
    "\tiprev=pass (without dnssec) policy.iprev=192.0.2.7;\r\n"
    "\tdkim=pass (2048 bit rsa, with dnssec) header.d=example.net header.s=k1\r\n"
    "\theader.a=rsa-sha256 header.b=\"AbC+/=\";\r\n"
    "\tdkim=none;\r\n"
    "\tspf=fail (\\(x\\)) reason=\"say, \\\"no\\\"\";\r\n"
    "\tdmarc=pass header.from=b\xc3\xbc" "cher.example "
    "(xn--bcher-kva.example);\r\n"
    "\tauth=pass smtp.auth=\"a b\"@example.org\r\n"
    "\tsmtp.mailfrom=ann=x/y@example.org\r\n";

static void
write_all_methods(void)
{
	const struct authres_prop ip = { "policy.iprev", S("192.0.2.7") };
	const struct authres_prop dkim[] = {
		{ "header.d", S("example.net") }, { "header.s", S("k1") },
		{ "header.a", S("rsa-sha256") }, { "header.b", S("AbC+/=") },
	};
	const struct authres_prop spf = { "smtp.mailfrom",
		S("ann@exam\r\nple.net") };
	const struct authres_prop from = { "header.from",
		S("b\xc3\xbc" "cher.example") };
	const struct authres_prop auth[] = {
		{ "smtp.auth", S("a b@example.org") },
		{ "smtp.mailfrom", S("ann=x/y@example.org") },
	};
	const struct authres_result r[] = {
		{ "auth", S("pass"), SLICE_NONE, SLICE_NONE, auth, 2 },
		{ "dmarc", S("pass"), SLICE_NONE, SLICE_NONE, &from, 1 },
		{ "spf", S("fail"), S("(x)"), S("say; \"no\"\r\n"), &spf, 1 },
		{ "dkim", S("pass"), S("2048 bit rsa, with dnssec"),
		    SLICE_NONE, dkim, COUNTOF(dkim) },
		{ "dkim", S("none"), S("dropped"), SLICE_NONE, NULL, 0 },
		{ "iprev", S("pass"), S("without dnssec"), SLICE_NONE, &ip,
		    1 },
	};
	struct strbuf sb = STRBUF_INIT(65536);

	authres_write(&sb, S("mx.example.org"), r, COUNTOF(r));
	/* No value with a line end; quotes where they are needed. */
	is(sb_slice(&sb), want, "all methods");
	sb_reset(&sb);
	authres_write(&sb, S("mx.example.org"), NULL, 0);
	is(sb_slice(&sb), "Authentication-Results: mx.example.org; none\r\n",
	    "none");
	sb_free(&sb);
}

/* A value that cannot be shown as it is, is not shown as another one. */
static const struct {
	const char *value, *shown; /* NULL: left out */
} values[] = {
	{ "example.net", "example.net" },
	{ "", NULL },
	{ "exam\x01ple.net", NULL },
	{ "example.net\r\n", NULL },
	{ "example.net\x7f", NULL },
	{ "\xff.example.net", NULL },
	{ "\xc3.example.net", NULL },
	{ "a;b=pass", NULL },
	{ "\"a; dmarc=pass\"@example.net", NULL },
	{ "a=b", "\"a=b\"" },
	{ "x dmarc=pass", "\"x dmarc=pass\"" },
	{ "a\"b\\c", "\"a\\\"b\\\\c\"" },
	{ "(x)", "\"(x)\"" },
	{ "@example.net", "@example.net" },
	{ "a\"b@example.net", "\"a\\\"b\"@example.net" },
	{ "a@b@example.net", "\"a@b\"@example.net" },
	{ "ann@[192.0.2.1]", "\"ann@[192.0.2.1]\"" },
	{ "2001:db8::1", "\"2001:db8::1\"" },
};

static void
values_as_shown(void)
{
	struct strbuf sb = STRBUF_INIT(65536), want_sb = STRBUF_INIT(65536);

	for (size_t i = 0; i < COUNTOF(values); i++) {
		struct slice in = exact(values[i].value);
		const struct authres_prop p = { "header.d", in };
		const struct authres_result r = { .method = "dkim",
			.result = S("pass"), .props = &p, .count = 1 };

		authres_write(&sb, S("mx"), &r, 1);
		sb_puts(&want_sb,
		    "Authentication-Results: mx;\r\n\tdkim=pass");
		if (values[i].shown != NULL)
			sb_printf(&want_sb, " header.d=%s", values[i].shown);
		sb_puts(&want_sb, "\r\n");
		is(sb_slice(&sb), sb_cstr(&want_sb), "a value");
		sb_reset(&sb);
		sb_reset(&want_sb);
		free((void *)(uintptr_t)in.p);
	}
	sb_free(&sb);
	sb_free(&want_sb);
}

/* Whatever is given: lines of at most 998 bytes, and no line of blanks. */
static void
bounded(void)
{
	static unsigned char big[65536];
	struct strbuf sb = STRBUF_INIT(1 << 20);
	struct slice all = slice_of(big, sizeof(big)), line, rest;
	const struct authres_prop p[] = { { "header.d", all },
		{ "header.s", slice_sub(all, 0, 320) } };
	const struct authres_result r[] = {
		{ "dkim", S("fail"), all, all, p, 2 },
		{ "spf", S("x y"), SLICE_NONE, SLICE_NONE, NULL, 0 },
		{ "spf", all, SLICE_NONE, SLICE_NONE, NULL, 0 },
		{ "spf", S("pass; dkim=pass"), SLICE_NONE, SLICE_NONE, NULL,
		    0 },
	};
	static const char fills[] = "\\\" (a\t\xc3";
	size_t longest = 0, empty = 0;

	for (const char *c = fills; *c != '\0'; c++) {
		memset(big, *c, sizeof(big));
		sb_reset(&sb);
		authres_write(&sb, S("mx"), r, COUNTOF(r));
		for (rest = sb_slice(&sb); slice_line(&rest, &line) == 1;) {
			longest = line.n > longest ? line.n : longest;
			empty += slice_trim(line).n == 0;
		}
		ok(slice_find(sb_slice(&sb), S("spf=")) == -1 && sb.n < 4096,
		    "%02x: bounded, and no result that is no word",
		    (unsigned char)*c);
	}
	ok(longest <= 998, "the longest line has %zu bytes", longest);
	ok(empty == 0, "no line of blanks");
	/* Cut between characters; a run of blanks is one. */
	memset(big, 'a', sizeof(big));
	memcpy(big + 319, "\xc3\xbc", 2);
	memcpy(big + 10, "  \t ", 4);
	sb_reset(&sb);
	authres_write(&sb, S("mx"), &(struct authres_result){ .method = "spf",
		.result = S("fail"), .reason = all }, 1);
	ok(slice_is_utf8(sb_slice(&sb)) && slice_ends(sb_slice(&sb),
	    S("a...\"\r\n")) &&
	    slice_find(sb_slice(&sb), S("aaaaaaaaaa aaaa")) == -1 &&
	    slice_find(sb_slice(&sb), S("=\"aaaaaaaaaa\r\n\taaaa")) != -1,
	    "cut between characters");
	sb_free(&sb);
}

static bool
is_mx(void *ctx, struct slice host)
{
	(void)ctx;
	return slice_eqs(host, "mx.example.org") ||
	    slice_eqs(host, "xn--bcher-kva.example");
}

static const struct {
	const char *field;
	bool ours;
} claims[] = {
	{ "Authentication-Results: mx.example.org; none\r\n", true },
	{ "AUTHENTICATION-RESULTS : MX.example.ORG; none\r\n", true },
	{ "Authentication-Results:\r\n (\\)()) mx.example.org\r\n", true },
	{ "Authentication-Results: B\xc3\x9c" "cher.Example 1; none\n", true },
	{ "Authentication-Results: bu\xcc\x88" "cher.example; none\n", true },
	{ "Authentication-Results: mx.example.org/1; none\r\n", true },
	{ "Authentication-Results: other.example; none\r\n", false },
	{ "Authentication-Results: mx.example.org.evil.example; none\r\n",
	    false },
	{ "Authentication-Results: x (mx.example.org); none\r\n", false },
	{ "Authentication-Results:\r\n", true },
	{ "Authentication-Results: =mx.example.org; none\r\n", true },
	{ "ARC-Authentication-Results: i=1; mx.example.org; none\r\n",
	    false },
	{ "X-Authentication-Results: mx.example.org; none\r\n", false },
	{ "Received-SPF: pass (x) client-ip=192.0.2.1; "
	    "receiver=MX.example.org; helo=x\r\n", true },
	{ "Received-SPF: pass receiver = \"mx.ex\\ample.org\"\r\n", true },
	{ "received-spf:\r\n\tpass Receiver=mx.example.org.;\r\n", true },
	{ "Received-SPF: pass (\\() receiver=b\xc3\xbc" "cher.example\r\n",
	    true },
	{ "Received-SPF: pass receiver=other.example\r\n", false },
	{ "Received-SPF: pass receiver=other.example;"
	    " receiver=mx.example.org\r\n", true },
	{ "Received-SPF: pass problem=\"x; receiver=mx.example.org\";"
	    " receiver=other.example\r\n", false },
	{ "Received-SPF: pass (receiver=other.example) helo=x\r\n", true },
	{ "Received-SPF: pass\r\n", true },
	{ "Received-SPF:\r\n", true },
	{ "Received-SPF: pass receiver=other.example helo=x\r\n", true },
	{ "Received-SPF: pass (open receiver=other.example\r\n", true },
	{ "Received-SPF: pass receiver=\"other.example\r\n", true },
	{ "Received-SPF: pass receiver=\"\"\r\n", true },
	{ "Received-SPF: pass receiver=\"mx.example.org;\"\r\n", true },
	{ "Received-SPF: pass receiver=mx.example.org\xc2\xa0\r\n", true },
	{ "Subject: mx.example.org; none\r\n", false },
};

static void
read_claims(void)
{
	struct arena ar = { 0 };
	struct field f;

	for (size_t i = 0; i < COUNTOF(claims); i++) {
		struct slice whole = exact(claims[i].field), in = whole;

		ok(field_next(&in, &f) == 1 && authres_is_ours(&f, is_mx,
		    NULL, &ar) == claims[i].ours, "claim %zu", i);
		arena_reset(&ar);
		free((void *)(uintptr_t)whole.p);
	}
	arena_free(&ar);
}

static bool
is_bad(void *ctx, const struct field *f)
{
	(void)ctx;
	return slice_ieqs(f->name, "bad");
}

static const struct {
	const char *in, *out;
	bool full; /* when three parts are the most */
} strips[] = {
	{ "A: 1\r\nB: 2\r\n\r\nbad: x\r\n",
	    "A: 1\r\nB: 2\r\n\r\nbad: x\r\n", false },
	{ "bad: 1\r\n 2\r\nB: 2\r\nBAD : 3\r\n\r\nx",
	    "B: 2\r\n\r\nx", false },
	{ "bad: 1\r\n", "", false },
	{ "", "", false },
	{ "\r\nbad: 1\r\n", "\r\nbad: 1\r\n", false },
	{ " A: 1\r\n\tbad: 2\r\nB: 2\r\n\r\n", "B: 2\r\n\r\n", false },
	{ "a\r\n bad: 1\r\nB: 2", "a\r\n bad: 1\r\nB: 2", false },
	{ "A: 1\nbad:\nB: 2\nbad:\nC: 3\n\nx", "A: 1\nB: 2\nC: 3\n\nx",
	    false },
	{ "A: 1\nbad:\nB: 2\nbad:\nC: 3\nbad:\nD:\n\nx", NULL, true },
};

static void
strip(void)
{
	static struct strip left;
	struct strbuf sb = STRBUF_INIT(1024);

	for (size_t i = 0; i < COUNTOF(strips); i++) {
		struct slice in = exact(strips[i].in);

		strip_fields(in, 3, is_bad, NULL, &left);
		for (size_t k = 0; k < left.count; k++)
			sb_put(&sb, left.part[k]);
		ok(left.full == strips[i].full, "fields taken out, %zu", i);
		if (strips[i].out != NULL)
			is(sb_slice(&sb), strips[i].out, "what is left");
		sb_reset(&sb);
		free((void *)(uintptr_t)in.p);
	}
	sb_free(&sb);
}

int
main(void)
{
	struct arena ar = { 0 };
	struct slice id;

	plan(0);
	write_all_methods();
	values_as_shown();
	bounded();
	read_claims();
	strip();
	for (size_t i = 0; i < COUNTOF(ids); i++) {
		struct slice in = exact(ids[i].in);
		int r = authres_id(in, &ar, &id);

		if (ids[i].id == NULL)
			ok(r == -1, "no id in %zu", i);
		else if (ok(r == 0, "id in %zu", i))
			is(id, ids[i].id, ids[i].id);
		arena_reset(&ar);
		free((void *)(uintptr_t)in.p);
	}
	arena_free(&ar);
	return done();
}
