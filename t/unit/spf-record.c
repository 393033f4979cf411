/* SPF records: syntax (RFC 7208 section 12), and where an error is. */
#include "base/alloc.h"
#include "spf/record.h"
#include "spf/spf.h"
#include "tap.h"

static const struct {
	const char *text;
	size_t terms;
	const char *error; /* NULL: none */
	size_t at;         /* of the term in question */
} cases[] = {
	{ "v=spf1", 0, NULL, 0 },
	{ "v=spf1    ", 0, NULL, 0 },
	{ "v=spf1  all  ", 1, NULL, 0 },
	{ "V=SPF1 A MX Ptr Ip4:1.2.3.4 iP6:::1 eXists:a.b inClude:a.b ALL", 8,
	    NULL, 0 },
	{ "v=spf1 +a -mx ?ptr ~all", 4, NULL, 0 },
	{ "v=spf1 about=1 mx.x=2 all-x=3 a=4 all=5", 0, NULL, 0 },
	{ "v=spf1 redirect=a.b exp=%{d}", 0, NULL, 0 },
	{ "v=spf1 a/24 a//64 a/24//64 a:x.y/0//0 mx/32//128", 5, NULL, 0 },
	{ "v=spf1 a:x.y//64", 1, NULL, 0 },
	{ "v=spf1 a:x.y.", 1, NULL, 0 },
	{ "v=spf1 a:x/y.z", 1, NULL, 0 },
	{ "v=spf1 ip4:192.0.2.1/32 ip4:0.0.0.0/0", 2, NULL, 0 },
	{ "v=spf1 ip6:::ffff:192.0.2.1/96 ip6:2001:db8::/32 ip6:::/0", 3, NULL,
	    0 },
	{ "v=spf1 op=%{d}.%{c} u=", 0, NULL, 0 },
	{ "v=spf1 a/33", 0, "bad prefix length", 7 },
	{ "v=spf1 a//129", 0, "bad prefix length", 7 },
	{ "v=spf1 mx a/024", 1, "bad prefix length", 10 },
	{ "v=spf1 a:x.y/24/64", 0, "bad prefix length", 7 },
	{ "v=spf1 a:x.y/24/20", 0, "bad domain", 7 },
	{ "v=spf1 a/", 0, "bad domain", 7 },
	{ "v=spf1 a//", 0, "bad domain", 7 },
	{ "v=spf1 a:", 0, "bad domain", 7 },
	{ "v=spf1 a:museum", 0, "bad domain", 7 },
	{ "v=spf1 include", 0, "bad domain", 7 },
	{ "v=spf1 include:", 0, "bad domain", 7 },
	{ "v=spf1 exists", 0, "bad domain", 7 },
	{ "v=spf1 ptr/24", 0, "bad domain", 7 },
	{ "v=spf1 all:x.y", 0, "bad domain", 7 },
	{ "v=spf1 all.", 0, "unknown mechanism", 7 },
	{ "v=spf1 -all,", 0, "unknown mechanism", 7 },
	{ "v=spf1 - all", 0, "unknown mechanism", 7 },
	{ "v=spf1 --all", 0, "unknown mechanism", 7 },
	{ "v=spf1 foo:x.y", 0, "unknown mechanism", 7 },
	{ "v=spf1 a\tmx", 0, "unknown mechanism", 7 },
	{ "v=spf1 ip4", 0, "bad network", 7 },
	{ "v=spf1 ip4:1.2.3", 0, "bad network", 7 },
	{ "v=spf1 ip4:1.2.3.04", 0, "bad network", 7 },
	{ "v=spf1 ip4:1.2.3.4:25", 0, "bad network", 7 },
	{ "v=spf1 ip4:1.2.3.4/", 0, "bad network", 7 },
	{ "v=spf1 ip4:1.2.3.4/33", 0, "bad network", 7 },
	{ "v=spf1 ip4:1.2.3.4//32", 0, "bad network", 7 },
	{ "v=spf1 ip4:::1", 0, "bad network", 7 },
	{ "v=spf1 ip6:192.0.2.1", 0, "bad network", 7 },
	{ "v=spf1 ip6:::1%eth0", 0, "bad network", 7 },
	{ "v=spf1 ip6:::1/129", 0, "bad network", 7 },
	{ "v=spf1 ip6:1::2::3", 0, "bad network", 7 },
	{ "v=spf1 mx exists:%{", 1, "bad macro", 10 },
	{ "v=spf1 mx exists:%(d).x.y", 1, "bad macro", 10 },
	{ "v=spf1 a:\303\251.test", 0, "bad macro", 7 },
	{ "v=spf1 u=%x", 0, "bad macro", 7 },
	{ "v=spf1 exists:%{c}.x.y", 0, "bad domain", 7 },
	{ "v=spf1 redirect=", 0, "bad domain", 7 },
	{ "v=spf1 exp=", 0, "bad domain", 7 },
	{ "v=spf1 redirect=a.b mx redirect=a.b", 1, "modifier twice", 23 },
	{ "v=spf1 exp=a.b EXP=a.b", 0, "modifier twice", 15 },
	{ "v=spf1 -redirect=a.b", 0, "unknown mechanism", 7 },
	{ "v=spf1 1a=b", 0, "unknown mechanism", 7 },
	{ "v=spf1 =b", 0, "unknown mechanism", 7 },
};

static const struct {
	const char *text;
	bool is;
} versions[] = {
	{ "v=spf1", true }, { "V=SpF1 all", true }, { "v=spf1 ", true },
	{ "v=spf10", false }, { "v=spf1\tall", false }, { " v=spf1", false },
	{ "v=spf2.0/pra all", false }, { "v=spf", false }, { "", false },
	{ "v=spf1-all", false },
};

static const struct {
	const char *text;
	bool is;
} domains[] = {
	{ "example.org", true }, { "example.org.", true }, { "a_b.org", true },
	{ "org", false }, { "org.", false }, { "localhost", false },
	{ "", false }, { ".", false }, { "a..org", false }, { ".a.org", false },
	{ "[192.0.2.1]", false }, { "[IPv6:::1]", false },
	{ "\303\251.org", false }, { "a b.org", false }, { "a\001.org", false },
	{ "a.org\n", false },
	{ "A123456789012345678901234567890123456789012345678901234567890123."
	    "org", false },
};

int
main(void)
{
	struct arena ar = { 0 };

	plan(0);
	for (size_t i = 0; i < COUNTOF(cases); i++) {
		struct slice text = exact(cases[i].text), where;
		struct spf_record r;
		const char *error = NULL;
		bool good = spf_record_parse(text, &ar, &r, &error,
		    &where) == 0;

		ok(good == (cases[i].error == NULL) &&
		    r.count == cases[i].terms, "%s", cases[i].text);
		if (!good && cases[i].error != NULL)
			ok(strcmp(error, cases[i].error) == 0 &&
			    (size_t)(where.p - text.p) == cases[i].at,
			    "%s at %zu", error, (size_t)(where.p - text.p));
		free((void *)(uintptr_t)text.p);
		arena_reset(&ar);
	}
	for (size_t i = 0; i < COUNTOF(versions); i++)
		ok(spf_is_record(slice_str(versions[i].text)) ==
		    versions[i].is, "version: %s", versions[i].text);
	for (size_t i = 0; i < COUNTOF(domains); i++)
		ok(spf_is_checkable(slice_str(domains[i].text)) ==
		    domains[i].is, "domain %zu", i);
	arena_free(&ar);
	return done();
}
