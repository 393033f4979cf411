/* Domain names: our own table. t/prog/idna.t has those of Unicode. */
#include "addr/addr.h"

#include "base/alloc.h"
#include "tap.h"

static const struct {
	const char *in, *want, *unicode;
} cases[] = {
	{ "Example.ORG", "example.org", "example.org" },
	{ "example.org.", "example.org", "example.org" },
	{ "_dmarc.example.org", "_dmarc.example.org", "_dmarc.example.org" },
	{ "B\xc3\xbc" "cher.example", "xn--bcher-kva.example",
	    "b\xc3\xbc" "cher.example" },
	{ "XN--Bcher-KVA.example", "xn--bcher-kva.example",
	    "b\xc3\xbc" "cher.example" },
	{ "fa\xc3\x9f.de", "xn--fa-hia.de", "fa\xc3\x9f.de" },
	{ "a--b.r3---sn-x.example", "a--b.r3---sn-x.example",
	    "a--b.r3---sn-x.example" },
	{ "localhost", "localhost", "localhost" },
	{ "", NULL, NULL },
	{ ".", NULL, NULL },
	{ "a..b", NULL, NULL },
	{ "-a.example", NULL, NULL },
	{ "a-.example", NULL, NULL },
	{ "a b.example", NULL, NULL },
	{ "a\xff.example", NULL, NULL },
	{ "a/b.example", NULL, NULL },
	{ "\xe2\x84\x80.example", NULL, NULL }, /* U+2100 maps to a/c */
	{ "xn--a.example", NULL, NULL },
	{ "xn--99999999999.example", NULL, NULL },
	{ "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijkl.c",
	    NULL, NULL },
};

static void
table(void)
{
	struct arena ar = { 0 };
	struct slice out, in;

	for (size_t i = 0; i < COUNTOF(cases); i++) {
		in = exact(cases[i].in);
		if (cases[i].want == NULL)
			ok(domain_ascii(in, &ar, &out) == -1, "refuse %zu", i);
		else if (ok(domain_ascii(in, &ar, &out) == 0, "accept %zu",
		    i)) {
			is(out, cases[i].want, cases[i].want);
			is(domain_unicode(out, &ar), cases[i].unicode,
			    "for people");
		}
		free((void *)(uintptr_t)in.p);
	}
	is(domain_unicode(S("xn--a.example"), &ar), "xn--a.example",
	    "what cannot be shown stays");
	is(domain_unicode(S("xn--a.xn--bcher-kva"), &ar),
	    "xn--a.xn--bcher-kva", "and what is beside it");
	ok(domain_under(S("a.example.org"), S("example.org")), "below");
	ok(domain_under(S("example.org"), S("example.org")), "equal");
	ok(!domain_under(S("badexample.org"), S("example.org")), "only a tail");
	ok(!domain_under(S("org"), S("example.org")), "above");
	ok(!domain_under(S("example.org"), S("")), "the root is no domain");
	arena_free(&ar);
}

int
main(void)
{
	plan(0);
	table();
	return done();
}
