/* Authentication-Results: written, and the id read back. */
#include "imf/authres.h"

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
};

static const char want[] =
    "Authentication-Results: mx.example.org;\r\n"
    "\tiprev=pass (without dnssec) policy.iprev=192.0.2.7;\r\n"
    "\tdkim=pass (2048 bit rsa, with dnssec) header.d=example.net header.s=k1\r\n"
    "\theader.a=rsa-sha256 header.b=\"AbC+/=\";\r\n"
    "\tdkim=none;\r\n"
    "\tspf=fail (\\(x\\)) reason=\"say \\\"no\\\"\" "
    "smtp.mailfrom=\"ann@example.net\";\r\n"
    "\tdmarc=pass header.from=b\xc3\xbc" "cher.example "
    "(xn--bcher-kva.example);\r\n"
    "\tauth=pass smtp.mailfrom=\"a b@example.org\"\r\n";

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
	const struct authres_prop auth = { "smtp.mailfrom",
		S("a b@example.org") };
	const struct authres_result r[] = {
		{ "auth", S("pass"), SLICE_NONE, SLICE_NONE, &auth, 1 },
		{ "dmarc", S("pass"), SLICE_NONE, SLICE_NONE, &from, 1 },
		{ "spf", S("fail"), S("(x)"), S("say \"no\"\r\n"), &spf, 1 },
		{ "dkim", S("pass"), S("2048 bit rsa, with dnssec"),
		    SLICE_NONE, dkim, COUNTOF(dkim) },
		{ "dkim", S("none"), S("dropped"), SLICE_NONE, NULL, 0 },
		{ "iprev", S("pass"), S("without dnssec"), SLICE_NONE, &ip,
		    1 },
	};
	struct strbuf sb = STRBUF_INIT(65536);

	authres_write(&sb, S("mx.example.org"), r, COUNTOF(r));
	/* A line end in a value is left out; what needed quotes has them. */
	is(sb_slice(&sb), want, "all methods");
	sb_reset(&sb);
	authres_write(&sb, S("mx.example.org"), NULL, 0);
	is(sb_slice(&sb), "Authentication-Results: mx.example.org; none\r\n",
	    "none");
	sb_free(&sb);
}

int
main(void)
{
	struct arena ar = { 0 };
	struct slice id;

	plan(0);
	write_all_methods();
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
