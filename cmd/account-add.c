/*
 * account-add - make an account
 * usage   account-add [-p] [-C root] account [address]
 *         account-add [-C root] -
 * fd 0    -p: a password on one line; -: account records as account-list
 *         prints them
 * exit    0 made; 100 it exists, or the configuration would be wrong (nothing
 *         is changed); 111 try again
 * rights  writes conf/, cdb/ and, with -p, secret/auth/
 */
#include "edit.h"
#include "password.h"

static bool
account_exists(struct conf_edit *e, struct slice name)
{
	struct slice text;
	int got;

	account_name(name);
	got = conf_edit_read(e, "account", name, &text);
	if (got == -1)
		die_sys(EXIT_TEMP, "unable to read conf/account/%.*s",
		    SLICE_ARG(name));
	return got == 1;
}

static void
add_one(struct conf_edit *e, const char *account, const char *address,
    struct slice password)
{
	struct strbuf sb = STRBUF_INIT(4096);

	tuple_begin(&sb, "account");
	tuple_puts(&sb, "name", account);
	tuple_end(&sb);
	if (address != NULL) {
		tuple_begin(&sb, address[0] == '@' ? "catch-all" : "address");
		tuple_puts(&sb, "addr", address);
		tuple_end(&sb);
	}
	conf_edit_put(e, "account", slice_str(account), sb_slice(&sb));
	/* The password first: an account that is there can be used. */
	if (password.n != 0)
		password_store(e->root, slice_str(account), password);
	if (conf_edit_commit(e) == -1) {
		int code = report_failure(&e->report, e->root);

		if (password.n != 0 &&
		    passwd_remove(e->root, slice_str(account)) == -1)
			warn_sys("unable to take back the password");
		exit(code);
	}
	sb_free(&sb);
}

/* One commit for each, so that a long list needs no memory for all. */
static void
add_records(struct conf_edit *e, struct slice in)
{
	struct tuple_reader r;
	struct arena ar = { 0 };
	struct slice name;
	struct tuple t;
	int got;

	tuple_reader_init(&r, in);
	while ((got = tuple_next(&r, &ar, &t)) == 1) {
		if (!tuple_is(&t, "account") || !tuple_get(&t, "name", &name))
			die(EXIT_PERM, "stdin:%u: not an account record",
			    t.line);
		if (account_exists(e, name))
			die(EXIT_PERM, "account %.*s exists", SLICE_ARG(name));
		e->count = 0;
		conf_edit_put(e, "account", name, t.raw);
		edit_commit(e);
	}
	if (got == -1)
		die(EXIT_PERM, "stdin:%u: %s", r.error_line, r.error);
	arena_free(&ar);
}

int
main(int argc, char **argv)
{
	struct strbuf password = STRBUF_INIT(PASSWORD_LINE_MAX);
	const char *root = NULL;
	bool ask = false;
	struct conf_edit e;
	int ch;

	prog_start(argc, argv, "[-p] [-C root] account [address] | -",
	    "make an account",
	    "writes conf/, cdb/, secret/auth/; network: none");
	while ((ch = getopt(argc, argv, "C:p")) != -1)
		switch (ch) {
		case 'C': root = optarg; break;
		case 'p': ask = true; break;
		default: usage();
		}
	argc -= optind;
	argv += optind;
	root = conf_root(root);
	if (argc == 1 && strcmp(argv[0], "-") == 0 && !ask) {
		edit_begin(&e, root, NULL);
		add_records(&e, read_records());
	} else if (argc == 1 || argc == 2) {
		if (ask)
			password_read(&password);
		edit_begin(&e, root, ask ? "secret/auth" : NULL);
		if (account_exists(&e, slice_str(argv[0])))
			die(EXIT_PERM, "account %s exists", argv[0]);
		add_one(&e, argv[0], argc == 2 ? argv[1] : NULL,
		    sb_slice(&password));
	} else {
		usage();
	}
	conf_edit_close(&e);
	sb_free(&password);
	return EXIT_DONE;
}
