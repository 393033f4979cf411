/* Address lists. */
#include "imf/address.h"

#include "vectors.h"

static const struct {
	const char *in;
	const char *want; /* "name <addr>, {group: ...}"; "!" in front: bad */
} cases[] = {
	{ "ann@example.org", "<ann@example.org>" },
	{ "Ann Smith <ann@Example.ORG>", "Ann Smith <ann@example.org>" },
	{ "\"Joe Q. Public\" <joe@example.org>, b@x.org",
	    "Joe Q. Public <joe@example.org>, <b@x.org>" },
	{ "John Q. Public <joe@example.org>",
	    "John Q. Public <joe@example.org>" },
	{ "ann@example.org (Ann Smith)", "Ann Smith <ann@example.org>" },
	{ "<ann@example.org>", "<ann@example.org>" },
	{ "A Group:Ed Jones <c@a.test>,joe@where.test;",
	    "{A Group: Ed Jones <c@a.test>, <joe@where.test>, }" },
	{ "Undisclosed recipients:;", "{Undisclosed recipients: }" },
	{ "Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>",
	    "Pete <pete@silly.test>" },
	{ "Mary Smith <@node.test,@b.test:mary@example.net>, , j . d@x . org",
	    "Mary Smith <mary@example.net>, <j.d@x.org>" },
	{ "=?utf-8?q?gr=C3=BC?= <a@b.org>", "gr\xc3\xbc <a@b.org>" },
	{ "\"a b\"@x.org", "<\"a b\"@x.org>" },
	{ "\"\"@x.org", "<\"\"@x.org>" },
	{ "\"a\".b@x.org", "<a.b@x.org>" },
	{ "a@[192.0.2.1]", "<a@[192.0.2.1]>" },
	{ "[ext] Ann <a@b.org>", "[ext] Ann <a@b.org>" },
	{ "Ann [a@evil.org] <a@b.org>", "Ann [a@evil.org] <a@b.org>" },
	{ "[x] a@b.org", "!<>" },
	{ "[x]@b.org", "!<>" },
	{ "<[x]a@b.org>", "!<>" },
	{ "[a@b.org]", "!<>" },
	{ "[ext Ann <a@b.org>", "!<>" },
	{ "gr\xc3\xbc@b\xc3\xbc" "cher.example",
	    "<gr\xc3\xbc@xn--bcher-kva.example>" },
	{ "Ann\r\n <a@b.org>,\r\n\tb@b.org", "Ann <a@b.org>, <b@b.org>" },
	{ "a@good.org <b@evil.org>", "a@good.org <b@evil.org>" },
	/* Each "<" counts. */
	{ "A <a@b.org> B <c@d.org>", "A <a@b.org>, B <c@d.org>" },
	{ "<a@b.org> Ann", "!Ann <a@b.org>" },
	{ "<a@b.org> c@d.org", "<a@b.org>, <c@d.org>" },
	{ "<a@b.org", "!<a@b.org>" },
	{ "a@b.org>", "!<a@b.org>" },
	{ "a@b@c.org", "!<>" },
	{ "a b@c.org", "!<>" },
	{ "ann", "!<>" },
	{ "ann@", "!<>" },
	{ "<>", "!<>" },
	{ "", "!" },
	{ "(open", "!" },
	{ "\"open", "!<>" },
	{ "\"open\\", "!<>" },
	{ "A: a@b.org", "!{A: <a@b.org>, }" },
	{ ";", "!" },
};

static void
show(struct strbuf *sb, const struct address_list *l)
{
	const char *sep = "";

	sb_reset(sb);
	if (l->bad)
		sb_putc(sb, '!');
	for (size_t i = 0; i < l->count; i++) {
		const struct address *a = &l->list[i];

		sb_puts(sb, sep);
		sep = ", ";
		if (a->kind == ADDRESS_GROUP) {
			sb_printf(sb, "{%.*s: ", SLICE_ARG(a->name));
			sep = "";
		} else if (a->kind == ADDRESS_GROUP_END)
			sb_putc(sb, '}');
		else {
			sb_put(sb, a->name);
			if (a->name.n != 0)
				sb_putc(sb, ' ');
			sb_printf(sb, "<%.*s>", SLICE_ARG(a->addr));
		}
	}
}

static void
long_lists(void)
{
	struct strbuf in = STRBUF_INIT(1 << 24);
	struct arena ar = { 0 };
	struct address_list l;

	for (int i = 0; i < 100000; i++)
		sb_puts(&in, "a@b.org, ");
	address_list_parse(sb_slice(&in), &ar, &l);
	ok(l.count == ADDRESS_LIST_MAX && l.cut, "10^5 addresses");
	sb_reset(&in);
	for (int i = 0; i < 1000000; i++)
		sb_putc(&in, '(');
	address_list_parse(sb_slice(&in), &ar, &l);
	ok(l.bad && l.count == 0, "10^6 open comments");
	sb_reset(&in);
	for (int i = 0; i < 100000; i++)
		sb_puts(&in, "<a");
	address_list_parse(sb_slice(&in), &ar, &l);
	ok(l.bad && l.cut, "10^5 open angles");
	sb_free(&in);
	arena_free(&ar);
}

int
main(void)
{
	struct strbuf sb = STRBUF_INIT(4096);
	struct arena ar = { 0 };
	struct address_list l;

	plan(0);
	for (size_t i = 0; i < COUNTOF(cases); i++) {
		struct slice in = exact(cases[i].in);

		address_list_parse(in, &ar, &l);
		show(&sb, &l);
		is(sb_slice(&sb), cases[i].want, "list");
		arena_reset(&ar);
		free((void *)(uintptr_t)in.p);
	}
	long_lists();
	sb_free(&sb);
	arena_free(&ar);
	return done();
}
