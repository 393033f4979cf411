/*
 * domain-list - print domains
 * usage   domain-list [-v] [-C root] [domain ...]
 * fd 1    a domain record for each; with -v also its dkim records
 * exit    0 printed; 1 no such domain; 111 try again
 * rights  reads cdb/
 */
#include "addr/addr.h"
#include "edit.h"

#define LIST_MAX ((size_t)64 << 20)

/* 1, 0 no such domain, -1 damaged. */
static int
print_domain(struct conf *c, struct slice name, bool verbose,
    struct strbuf *out)
{
	struct tuple_reader r;
	struct arena ar = { 0 };
	struct slice text;
	struct tuple t;
	int got = domain_ascii(name, &ar, &name) == -1 ? 0 :
	    conf_get(c, "domain", name, &text);

	if (got == 1) {
		tuple_reader_init(&r, text);
		while ((got = tuple_next(&r, &ar, &t)) == 1)
			if (verbose || tuple_is(&t, "domain"))
				sb_put(out, t.raw);
		got = got == 0 ? 1 : -1;
	}
	arena_free(&ar);
	return got;
}

static int
print_all(struct conf *c, bool verbose, struct strbuf *out)
{
	struct tuple_reader r;
	struct arena ar = { 0 };
	struct slice names;
	struct tuple t;
	int got = conf_get(c, "domain", SLICE_NONE, &names);

	if (got != 1)
		return -1;
	tuple_reader_init(&r, names);
	while ((got = tuple_next(&r, &ar, &t)) == 1)
		if (print_domain(c, tuple_value(&t, "name"), verbose, out) != 1)
			return -1;
	arena_free(&ar);
	return got;
}

int
main(int argc, char **argv)
{
	struct strbuf out = STRBUF_INIT(LIST_MAX);
	const char *root = NULL;
	bool verbose = false;
	struct conf *c;
	int ch, got, code = EXIT_DONE;

	prog_start(argc, argv, "[-v] [-C root] [domain ...]",
	    "print domains", "reads cdb/; network: none");
	while ((ch = getopt(argc, argv, "C:v")) != -1)
		switch (ch) {
		case 'C': root = optarg; break;
		case 'v': verbose = true; break;
		default: usage();
		}
	c = list_begin(conf_root(root));
	got = optind == argc ? print_all(c, verbose, &out) : 1;
	for (int i = optind; i < argc && got != -1; i++) {
		got = print_domain(c, slice_str(argv[i]), verbose, &out);
		if (got == 0) {
			warn("no domain %s", argv[i]);
			code = EXIT_NO;
		}
	}
	if (got == -1)
		die_sys(EXIT_TEMP, "conf.cdb is damaged; run conf-build");
	list_end(c, &out);
	sb_free(&out);
	return code;
}
