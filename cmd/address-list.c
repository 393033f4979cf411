/*
 * address-list - print addresses
 * usage   address-list [-a account] [-C root]
 * fd 1    address and catch-all records with their account, as address-add -
 *         takes them
 * exit    0 printed; 1 no such account; 111 try again
 * rights  reads cdb/
 */
#include "address.h"

#define LIST_MAX ((size_t)64 << 20)

static void
print_address(const struct tuple *t, struct slice account, struct strbuf *out)
{
	char name[64];

	tuple_begin(out, tuple_is(t, "address") ? "address" : "catch-all");
	tuple_put(out, "account", account);
	for (size_t i = 0; i < t->count; i++)
		if (slice_cstr(t->attr[i].name, name, sizeof(name)) == 0)
			tuple_put(out, name, t->attr[i].value);
	tuple_end(out);
}

/* 1, 0 no such account, -1 damaged. */
static int
print_account(struct conf *c, struct slice account, struct strbuf *out)
{
	struct tuple_reader r;
	struct arena ar = { 0 };
	struct slice text;
	struct tuple t;
	int got = conf_get(c, "account", account, &text);

	if (got != 1)
		return got;
	tuple_reader_init(&r, text);
	while ((got = tuple_next(&r, &ar, &t)) == 1)
		if (is_address(&t))
			print_address(&t, account, out);
	arena_free(&ar);
	return got == 0 ? 1 : -1;
}

static int
print_all(struct conf *c, struct strbuf *out)
{
	struct tuple_reader r;
	struct arena ar = { 0 };
	struct slice names;
	struct tuple t;
	int got = conf_get(c, "account", SLICE_NONE, &names);

	if (got != 1)
		return -1;
	tuple_reader_init(&r, names);
	while ((got = tuple_next(&r, &ar, &t)) == 1)
		if (print_account(c, tuple_value(&t, "name"), out) != 1)
			return -1;
	arena_free(&ar);
	return got == 0 ? 1 : -1;
}

int
main(int argc, char **argv)
{
	struct strbuf out = STRBUF_INIT(LIST_MAX);
	const char *root = NULL, *account = NULL;
	struct conf *c;
	int ch, got;

	prog_start(argc, argv, "[-a account] [-C root]",
	    "print addresses", "reads cdb/; network: none");
	while ((ch = getopt(argc, argv, "C:a:")) != -1)
		switch (ch) {
		case 'C': root = optarg; break;
		case 'a': account = optarg; break;
		default: usage();
		}
	if (optind != argc)
		usage();
	c = list_begin(conf_root(root));
	if (account != NULL && account[0] != '\0')
		got = print_account(c, slice_str(account), &out);
	else
		got = account != NULL ? 0 : print_all(c, &out);
	if (got == -1)
		die_sys(EXIT_TEMP, "conf.cdb is damaged; run conf-build");
	if (got == 0)
		warn("no account %s", account);
	list_end(c, &out);
	sb_free(&out);
	return got == 1 ? EXIT_DONE : EXIT_NO;
}
