/* Public suffixes: our own list, then the tests of publicsuffix.org. */
#include "addr/addr.h"
#include "addr/psl.h"

#include <errno.h>
#include <unistd.h>

#include "vectors.h"

static const char list[] =
    "// a comment\n\n"
    "// ===BEGIN ICANN DOMAINS===\n"
    "test and what stands behind a blank\n"
    "co.test\n"
    "*.wild.test\n"
    "!free.wild.test\n"
    "*.deep.wild.test\r\n"
    "\xe5\x85\xac\xe5\x8f\xb8.test\n"
    "both.test\n"
    "// ===END ICANN DOMAINS===\n"
    "// ===BEGIN PRIVATE DOMAINS===\n"
    "firm.test\n"
    "*.both.test\n"
    "!free.co.test\n"
    "// ===END PRIVATE DOMAINS===";

/* suffix, rule: of the ICANN section, then with the private one. */
static const struct {
	const char *domain, *suffix, *rule, *suffix_all, *rule_all;
} cases[] = {
	{ "test", "test", "test", "test", "test" },
	{ "a.test", "test", "test", "test", "test" },
	{ "co.test", "co.test", "co.test", "co.test", "co.test" },
	{ "x.a.co.test", "co.test", "co.test", "co.test", "co.test" },
	{ "wild.test", "test", "test", "test", "test" },
	{ "a.wild.test", "a.wild.test", "*.wild.test", "a.wild.test",
	    "*.wild.test" },
	{ "b.a.wild.test", "a.wild.test", "*.wild.test", "a.wild.test",
	    "*.wild.test" },
	{ "free.wild.test", "wild.test", "!free.wild.test", "wild.test",
	    "!free.wild.test" },
	{ "b.a.free.wild.test", "wild.test", "!free.wild.test", "wild.test",
	    "!free.wild.test" },
	{ "deep.wild.test", "deep.wild.test", "*.wild.test", "deep.wild.test",
	    "*.wild.test" },
	{ "x.a.deep.wild.test", "a.deep.wild.test", "*.deep.wild.test",
	    "a.deep.wild.test", "*.deep.wild.test" },
	{ "a.xn--55qx5d.test", "xn--55qx5d.test", "xn--55qx5d.test",
	    "xn--55qx5d.test", "xn--55qx5d.test" },
	{ "a.firm.test", "test", "test", "firm.test", "firm.test" },
	{ "a.both.test", "both.test", "both.test", "a.both.test",
	    "*.both.test" },
	{ "free.co.test", "co.test", "co.test", "co.test", "!free.co.test" },
	{ "example", "example", "*", "example", "*" },
	{ "a.b.example", "example", "*", "example", "*" },
};

static struct psl *
compiled(struct slice text, long *rules)
{
	struct strbuf report = STRBUF_INIT(1024);
	struct psl_source src = { .mtime = 5, .size = 7 };
	int fd = memfd_new("psl");

	if (fd == -1)
		abort();
	*rules = psl_compile(text, &src, fd, &report);
	if (*rules == -1)
		diag("%s", sb_cstr(&report));
	sb_free(&report);
	if (*rules != -1)
		return psl_open_fd(fd);
	close(fd);
	return NULL;
}

static void
one(struct psl *p, struct slice d, bool all, const char *suffix,
    const char *rule)
{
	struct arena ar = { 0 };
	struct psl_found f;
	size_t n = strlen(suffix);
	bool good = psl_find(p, d, all, &ar, &f) == 1 &&
	    slice_eqs(f.suffix, suffix) && slice_eqs(f.rule, rule);

	if (good && d.n == n)
		good = f.org.n == 0;
	else if (good)
		good = slice_ends(f.org, slice_str(suffix)) &&
		    slice_chr(slice_sub(f.org, 0, f.org.n - n - 1),
		    '.') == -1;
	ok(good, "%.*s%s", SLICE_ARG(d), all ? ", all" : "");
	if (!good)
		diag("suffix %.*s rule %.*s org %.*s", SLICE_ARG(f.suffix),
		    SLICE_ARG(f.rule), SLICE_ARG(f.org));
	arena_free(&ar);
}

static void
section(struct psl *p, struct slice d, enum psl_section want)
{
	struct arena ar = { 0 };
	struct psl_found f;

	ok(psl_find(p, d, true, &ar, &f) == 1 && f.section == want,
	    "%.*s: section %s", SLICE_ARG(d), psl_section_name(want));
	arena_free(&ar);
}

static void
refused(const char *text, const char *name)
{
	long rules;
	struct psl *p = compiled(slice_str(text), &rules);

	ok(p == NULL && rules == -1 && errno == EINVAL, "%s", name);
	psl_close(p);
}

#define ICANN "// ===BEGIN ICANN DOMAINS===\n"

static void
table(void)
{
	struct psl_source src;
	struct psl *p;
	uint64_t n;
	long rules;

	p = compiled(slice_str(list), &rules);
	isnum(rules, 10, "rules");
	ok(psl_about(p, &n, &src) == 0 && n == 10 && src.mtime == 5 &&
	    src.size == 7, "about");
	for (size_t i = 0; i < COUNTOF(cases); i++) {
		struct slice d = exact(cases[i].domain);

		one(p, d, false, cases[i].suffix, cases[i].rule);
		one(p, d, true, cases[i].suffix_all, cases[i].rule_all);
		free((void *)(uintptr_t)d.p);
	}
	section(p, S("a.co.test"), PSL_ICANN);
	section(p, S("a.firm.test"), PSL_PRIVATE);
	section(p, S("a.example"), PSL_UNLISTED);
	is(psl_org(p, S("x.a.co.test")), "a.co.test", "organisation");
	is(psl_org(p, S("co.test")), "co.test", "of a suffix: itself");
	ok(psl_is_suffix(p, S("co.test")), "a suffix");
	ok(!psl_is_suffix(p, S("a.test")), "none");
	ok(!psl_is_suffix(p, S("firm.test")), "the private section is not");
	ok(!psl_is_suffix(p, S("badco.test")), "labels, not letters");
	psl_close(p);
	refused("", "empty");
	refused("com\n", "a rule outside the sections");
	refused(ICANN, "no rule");
	refused(ICANN "a b\nfoo..bar\n", "no domain");
	refused(ICANN "a.*.b\n", "a wildcard inside");
	refused(ICANN "!com\n", "an exception to nothing");
	refused("<html>\n", "something else");
}

static void
without(void)
{
	struct arena ar = { 0 };
	struct psl_found f;

	ok(psl_find(NULL, S("a.test"), false, &ar, &f) == 0, "no list");
	is(psl_org(NULL, S("a.test")), "", "no list: no organisation");
	ok(psl_is_suffix(NULL, S("com")), "no list: a single label");
	ok(!psl_is_suffix(NULL, S("co.uk")), "no list: the rest is unknown");
	ok(psl_open("/nonexistent") == NULL && errno == ENOENT, "no file");
	ok(psl_open_fd(memfd_new("x")) == NULL, "an empty file");
	psl_close(NULL);
}

/* checkPublicSuffix('DOMAIN' or null, 'ORG' or null); */
static bool
argument(struct slice *in, struct slice *arg, bool *null)
{
	*in = slice_ltrim(*in);
	*null = slice_starts(*in, S("null"));
	if (*null) {
		*in = slice_skip(*in, 5); /* and the comma */
		return true;
	}
	if (in->n == 0 || in->p[0] != '\'')
		return false;
	*in = slice_skip(*in, 1);
	if (!slice_cut(in, '\'', arg))
		return false;
	*in = slice_skip(*in, 1);
	return true;
}

/* The domain in lower-case A-labels; false: no domain name. */
static bool
canonical(struct slice text, bool null, struct arena *ar, struct slice *out)
{
	*out = SLICE_NONE;
	return !null && domain_ascii(text, ar, out) == 0;
}

/* The tests count the private section: they are written for browsers. */
static bool
vector(struct psl *p, struct slice line, struct arena *ar)
{
	struct slice in, want, domain;
	bool no_in, no_want, good;
	struct psl_found f = { 0 };

	if (!slice_starts(line, S("checkPublicSuffix(")))
		return false;
	in = slice_skip(line, strlen("checkPublicSuffix("));
	if (!argument(&in, &domain, &no_in) ||
	    !argument(&in, &want, &no_want)) {
		ok(false, "cannot read: %.*s", SLICE_ARG(line));
		return true;
	}
	if (canonical(domain, no_in, ar, &domain))
		good = psl_find(p, domain, true, ar, &f) == 1;
	else
		good = true; /* what is no name has no organisation */
	canonical(want, no_want, ar, &want);
	ok(good && slice_eq(f.org, want), "%.*s", SLICE_ARG(line));
	return true;
}

static void
vectors(void)
{
	struct strbuf dat, tests;
	struct arena ar = { 0 };
	struct slice in, line;
	struct psl *p;
	long rules;
	int cases_run = 0;

	vectors_load("psl/public_suffix_list.dat", &dat);
	vectors_load("psl/tests/test_psl.txt", &tests);
	p = compiled(sb_slice(&dat), &rules);
	ok(rules > 9000, "the list has %ld rules", rules);
	in = sb_slice(&tests);
	while (slice_line(&in, &line))
		cases_run += vector(p, line, &ar);
	diag("%d cases", cases_run);
	psl_close(p);
	arena_free(&ar);
	sb_free(&dat);
	sb_free(&tests);
}

int
main(void)
{
	plan(0);
	table();
	without();
	if (vectors_dir() != NULL)
		vectors();
	return done();
}
