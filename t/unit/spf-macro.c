/* SPF macros: RFC 7208 section 7.4, and syntax. */
#include <stdio.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "spf/record.h"
#include "tap.h"

static struct slice
names(void *ctx)
{
	(void)ctx;
	return S("mx.example.org");
}

static const struct {
	const char *in, *out;
	bool v6;
} cases[] = {
	{ "%{s}", "strong-bad@email.example.com", false },
	{ "%{o}", "email.example.com", false },
	{ "%{d}", "email.example.com", false },
	{ "%{d4}", "email.example.com", false },
	{ "%{d3}", "email.example.com", false },
	{ "%{d2}", "example.com", false },
	{ "%{d1}", "com", false },
	{ "%{dr}", "com.example.email", false },
	{ "%{d2r}", "example.email", false },
	{ "%{l}", "strong-bad", false },
	{ "%{l-}", "strong.bad", false },
	{ "%{lr}", "strong-bad", false },
	{ "%{lr-}", "bad.strong", false },
	{ "%{l1r-}", "strong", false },
	{ "%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com", false },
	{ "%{lr-}.lp._spf.%{d2}", "bad.strong.lp._spf.example.com", false },
	{ "%{lr-}.lp.%{ir}.%{v}._spf.%{d2}",
	    "bad.strong.lp.3.2.0.192.in-addr._spf.example.com", false },
	{ "%{ir}.%{v}.%{l1r-}.lp._spf.%{d2}",
	    "3.2.0.192.in-addr.strong.lp._spf.example.com", false },
	{ "%{d2}.trusted-domains.example.net",
	    "example.com.trusted-domains.example.net", false },
	{ "%{ir}.%{v}._spf.%{d2}",
	    "1.0.B.C.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.B.D.0.1.0.0.2"
	    ".ip6._spf.example.com", true },
	{ "%{S}%%%_%-%{P}.x.org", "strong-bad%40email.example.com% %20"
	    "mx.example.org.x.org", false },
	{ "%{d999999999999}", "email.example.com", false },
};

static const struct {
	const char *in;
	unsigned flags;
	int result;
} syntax[] = {
	{ "example.org", 0, 0 }, { "example.org.", 0, 0 }, { "org", 0, -1 },
	{ "org.", 0, -1 }, { "example.123", 0, -1 }, { "example.1a", 0, 0 },
	{ "example.-a", 0, -1 }, { "example.a-", 0, -1 },
	{ "example.xn--a", 0, 0 }, { "%{d}", 0, 0 }, { "%{d}x", 0, -1 },
	{ "%{d}.org", 0, 0 }, { "a%%", 0, 0 }, { "%", 0, -1 }, { "%{", 0, -1 },
	{ "%{d", 0, -1 }, { "%{}", 0, -1 }, { "%{x}", 0, -1 },
	{ "%{d0}", 0, -1 }, { "%{d2rr}", 0, -1 }, { "%{dr2}", 0, -1 },
	{ "%{d-/_=+,.}", 0, 0 }, { "%{d:}", 0, -1 }, { "%(d)", 0, -1 },
	{ "%{c}", 0, -1 }, { "%{c} %{r} %{t}", SPF_EXPLAIN, 0 },
	{ "a b.org", 0, -1 }, { "a\001b.org", 0, -1 }, { "\303\251.org", 0, -1 },
	{ "", 0, -1 }, { "", SPF_EXPLAIN, 0 }, { "a/b:c.org", 0, 0 },
};

static void
expansions(void)
{
	struct spf_macros m = {
		.local = S("strong-bad"), .sender_domain = S("email.example.com"),
		.domain = S("email.example.com"), .helo = S("x"),
		.validated = names,
	};
	struct strbuf sb = STRBUF_INIT(SPF_EXPAND_MAX);

	for (size_t i = 0; i < COUNTOF(cases); i++) {
		struct slice in = exact(cases[i].in);
		int got;

		if (ip_parse(cases[i].v6 ? S("2001:db8::cb01") : S("192.0.2.3"),
		    &m.ip) == -1)
			return;
		sb_reset(&sb);
		got = spf_expand(in, 0, &m, &sb);
		ok(got == 1, "%s: expands", cases[i].in);
		is(sb_slice(&sb), cases[i].out, cases[i].in);
		free((void *)(uintptr_t)in.p);
	}
	m.local = S("j\303\266rg");
	sb_reset(&sb);
	ok(spf_expand(S("%{l}.x.org"), 0, &m, &sb) == 0, "local part not ASCII");
	sb_reset(&sb);
	ok(spf_expand(S("%{d}.x.org"), 0, &m, &sb) == 1, "and not used");
	sb_free(&sb);
}

static void
fits(void)
{
	char long_name[300];

	memset(long_name, 'a', sizeof(long_name));
	for (size_t i = 9; i < sizeof(long_name); i += 10)
		long_name[i] = '.';
	/* 300 bytes end in a dot, which goes; 29 labels of 9 are 289. */
	isnum((long long)spf_name_fit(slice_of(long_name, 300)).n, 249,
	    "left labels dropped");
	is(spf_name_fit(S("a.b.")), "a.b", "last dot");
}

/* A name of any length keeps its right-hand end; work has a bound. */
static void
endless(void)
{
	char local[64], spec[40000];
	struct spf_macros m = { .local = slice_of(local, sizeof(local)),
		.sender_domain = S("example.com"), .domain = S("example.com"),
		.helo = S("h\303\251lo.example"), .validated = names };
	struct strbuf sb = STRBUF_INIT(SPF_EXPAND_MAX);
	struct slice name;
	size_t n = 0;

	for (size_t i = 0; i < sizeof(local); i++)
		local[i] = i % 8 == 7 ? '.' : 'a';
	while (n < 4000)
		n += (size_t)snprintf(spec + n, sizeof(spec) - n, "%%{l}");
	n += (size_t)snprintf(spec + n, sizeof(spec) - n, "end.example.");
	ok(spf_expand(slice_of(spec, n), 0, &m, &sb) == 1, "1000 macros");
	name = spf_name_fit(sb_slice(&sb));
	ok(name.n <= SPF_NAME_MAX && name.n > SPF_NAME_MAX - 8 &&
	    name.p[0] == 'a' && slice_ends(name, S("a.end.example")),
	    "the right-hand end, %zu bytes", name.n);
	sb_reset(&sb);
	ok(spf_expand(slice_of(spec, n), SPF_EXPLAIN, &m, &sb) == -1,
	    "an explanation of that length is none");
	for (n = 0; n < 39000;)
		n += (size_t)snprintf(spec + n, sizeof(spec) - n, "%%{l}");
	sb_reset(&sb);
	ok(spf_expand(slice_of(spec, n), 0, &m, &sb) == -1, "too much work");
	sb_reset(&sb);
	ok(spf_expand(S("%{h}.x.org"), 0, &m, &sb) == 0, "HELO not ASCII");
	sb_free(&sb);
}

static void
uses(void)
{
	ok(spf_uses(S("a.%{p}.org"), "p"), "uses p");
	ok(spf_uses(S("a.%{P2r-}.org"), "p"), "in upper case, with more");
	ok(!spf_uses(S("a.%%{p}.org"), "p"), "not behind %%%%");
	ok(!spf_uses(S("a.%{d}.p"), "p"), "not elsewhere");
}

int
main(void)
{
	plan(0);
	expansions();
	endless();
	uses();
	for (size_t i = 0; i < COUNTOF(syntax); i++) {
		struct slice in = exact(syntax[i].in);

		ok(spf_macro_check(in, syntax[i].flags) == syntax[i].result,
		    "syntax of '%s'", syntax[i].in);
		free((void *)(uintptr_t)in.p);
	}
	fits();
	return done();
}
