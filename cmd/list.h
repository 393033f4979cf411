/*
 * list.h - the program that account-list and domain-list are
 */
#ifndef CMD_LIST_H
#define CMD_LIST_H

#include "edit.h"

#define LIST_MAX ((size_t)64 << 20)

/* In what the two differ. */
struct list {
	const char *type; /* of the record, and of conf.cdb's key */
	const char *synopsis, *purpose;
	/* The key of an operand, in arena memory: 0, or -1 it has none. */
	int (*key)(struct slice name, struct arena *ar, struct slice *key);
};

/* 1, 0 no such name, -1 damaged. */
static inline int
list_one(const struct list *l, struct conf *c, struct slice name,
    bool verbose, struct strbuf *out)
{
	struct tuple_reader r;
	struct arena ar = { 0 };
	struct slice key, text;
	struct tuple t;
	int got = l->key(name, &ar, &key) == -1 ? 0 :
	    conf_get(c, l->type, key, &text);

	if (got == 1) {
		tuple_reader_init(&r, text);
		while ((got = tuple_next(&r, &ar, &t)) == 1)
			if (verbose || tuple_is(&t, l->type))
				sb_put(out, t.raw);
		got = got == 0 ? 1 : -1;
	}
	arena_free(&ar);
	return got;
}

/* 0, or -1 damaged. */
static inline int
list_all(const struct list *l, struct conf *c, bool verbose,
    struct strbuf *out)
{
	struct tuple_reader r;
	struct arena ar = { 0 };
	struct slice names;
	struct tuple t;
	int got = conf_get(c, l->type, SLICE_NONE, &names);

	if (got != 1)
		return -1;
	tuple_reader_init(&r, names);
	while ((got = tuple_next(&r, &ar, &t)) == 1)
		if (list_one(l, c, tuple_value(&t, "name"), verbose, out) != 1)
			return -1;
	arena_free(&ar);
	return got;
}

static inline int
list_main(int argc, char **argv, const struct list *l)
{
	struct strbuf out = STRBUF_INIT(LIST_MAX);
	const char *root = NULL;
	bool verbose = false;
	struct conf *c;
	int ch, got, code = EXIT_DONE;

	prog_start(argc, argv, l->synopsis, l->purpose,
	    "reads cdb/; network: none");
	while ((ch = getopt(argc, argv, "C:v")) != -1)
		switch (ch) {
		case 'C': root = optarg; break;
		case 'v': verbose = true; break;
		default: usage();
		}
	c = list_begin(conf_root(root));
	got = optind == argc ? list_all(l, c, verbose, &out) : 1;
	for (int i = optind; i < argc && got != -1; i++) {
		got = list_one(l, c, slice_str(argv[i]), verbose, &out);
		if (got == 0) {
			warn("no %s %s", l->type, argv[i]);
			code = EXIT_NO;
		}
	}
	if (got == -1)
		die_sys(EXIT_TEMP, "conf.cdb is damaged; run conf-build");
	list_end(c, &out);
	sb_free(&out);
	return code;
}

#endif
