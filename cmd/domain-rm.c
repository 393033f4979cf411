/*
 * domain-rm - remove a domain
 * usage   domain-rm [-C root] domain
 * fd 2    diagnostics
 * exit    0 removed; 100 no such domain, or addresses in it are left (named;
 *         nothing is changed); 111 try again
 * rights  writes conf/, cdb/, secret/dkim/
 */
#include <stdio.h>

#include "addr/addr.h"
#include "edit.h"

/* The file may have the name in U-labels. */
static struct slice
file_of(struct conf_edit *e, const char *given, struct slice ascii)
{
	struct slice names[] = { slice_str(given), ascii,
		domain_unicode(ascii, &e->ar) }, text;
	int got;

	for (size_t i = 0; i < COUNTOF(names); i++) {
		got = conf_edit_read(e, "domain", names[i], &text);
		if (got == -1)
			die_sys(EXIT_TEMP, "unable to read conf/domain/%s",
			    given);
		if (got == 1)
			return names[i];
	}
	die(EXIT_PERM, "no domain %s", given);
}

/* Does another domain sign with the file? */
static bool
key_in_use(struct conf_edit *e, struct slice domain, struct slice key)
{
	struct slice names, text;
	struct tuple_reader all, r;
	struct tuple name, t;

	if (conf_get(e->conf, "domain", SLICE_NONE, &names) != 1)
		return false;
	tuple_reader_init(&all, names);
	while (tuple_next(&all, &e->ar, &name) == 1) {
		struct slice other = tuple_value(&name, "name");

		if (slice_eq(other, domain) ||
		    conf_get(e->conf, "domain", other, &text) != 1)
			continue;
		tuple_reader_init(&r, text);
		while (tuple_next(&r, &e->ar, &t) == 1)
			if (tuple_is(&t, "dkim") &&
			    slice_eq(tuple_value(&t, "key"), key))
				return true;
	}
	return false;
}

/* Nothing in old/ is replaced: a number is put after the name. */
static int
move_aside(const char *from, const char *to)
{
	char *numbered;
	int r = renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE);

	for (unsigned n = 1; r == -1 && errno == EEXIST && n < 1000; n++) {
		numbered = xprintf("%s.%u", to, n);
		r = renameat2(AT_FDCWD, from, AT_FDCWD, numbered,
		    RENAME_NOREPLACE);
		free(numbered);
	}
	return r;
}

/* Keys are kept: mail signed with them is still on its way. */
static void
retire_keys(struct conf_edit *e, struct slice domain, struct slice text)
{
	struct tuple_reader r;
	struct tuple t;

	tuple_reader_init(&r, text);
	while (tuple_next(&r, &e->ar, &t) == 1) {
		struct slice key = tuple_value(&t, "key");
		char *from, *to;

		if (!tuple_is(&t, "dkim") || key_in_use(e, domain, key))
			continue;
		from = xprintf("%s/secret/dkim/%.*s", e->root, SLICE_ARG(key));
		to = xprintf("%s/secret/dkim/old/%.*s", e->root,
		    SLICE_ARG(key));
		if (move_aside(from, to) == -1 && errno != ENOENT)
			warn_sys("unable to move %s", from);
		free(from);
		free(to);
	}
}

int
main(int argc, char **argv)
{
	const char *root = NULL;
	struct slice name, text;
	struct conf_edit e;
	char *old;
	int ch;

	prog_start(argc, argv, "[-C root] domain", "remove a domain",
	    "writes conf/, cdb/, secret/dkim/; network: none");
	while ((ch = getopt(argc, argv, "C:")) != -1)
		switch (ch) {
		case 'C': root = optarg; break;
		default: usage();
		}
	if (optind != argc - 1)
		usage();
	root = conf_root(root);
	edit_begin(&e, root, "secret/dkim");
	if (domain_ascii(slice_str(argv[optind]), &e.ar, &name) == -1 ||
	    conf_get(e.conf, "domain", name, &text) != 1 || name.n == 0)
		die(EXIT_PERM, "no domain %s", argv[optind]);
	conf_edit_remove(&e, "domain", file_of(&e, argv[optind], name));
	edit_commit(&e);
	old = xprintf("%s/secret/dkim/old", root);
	if (dir_make(AT_FDCWD, old, 0700) == -1)
		warn_sys("unable to make %s", old);
	else
		retire_keys(&e, name, text);
	free(old);
	conf_edit_close(&e);
	return EXIT_DONE;
}
