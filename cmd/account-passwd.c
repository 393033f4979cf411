/*
 * account-passwd - set an account's password
 * usage   account-passwd [-g] [-C root] account
 * fd 0    the password on one line; a terminal is asked twice, without echo
 * fd 1    -g: the password that was made
 * exit    0 set, durable; 100 no such account, or the password is not
 *         acceptable; 111 try again
 * rights  reads cdb/, writes secret/auth/
 */
#include "edit.h"
#include "password.h"

static void
cage(const char *root)
{
	char *cdb = xprintf("%s/cdb", root);
	char *auth = xprintf("%s/secret/auth", root);
	struct confine c = {
		.read = (const char *[]){ cdb, NULL },
		.write = (const char *[]){ auth, NULL },
	};

	make_dirs(root, "secret/auth");
	if (confine(&c) == -1)
		die_sys(EXIT_TEMP, "unable to confine itself to %s", auth);
	free(cdb);
	free(auth);
}

int
main(int argc, char **argv)
{
	struct strbuf password = STRBUF_INIT(PASSWORD_LINE_MAX);
	const char *root = NULL;
	bool generate = false;
	struct slice account, text;
	struct conf *c;
	int ch;

	prog_start(argc, argv, "[-g] [-C root] account",
	    "set an account's password",
	    "reads cdb/, writes secret/auth/; network: none");
	while ((ch = getopt(argc, argv, "C:g")) != -1)
		switch (ch) {
		case 'C': root = optarg; break;
		case 'g': generate = true; break;
		default: usage();
		}
	if (optind != argc - 1)
		usage();
	account = slice_str(argv[optind]);
	root = conf_root(root);
	if ((c = conf_open(root)) == NULL)
		die_sys(EXIT_TEMP, "unable to open %s/cdb/conf.cdb", root);
	if (conf_get(c, "account", account, &text) != 1 || account.n == 0)
		die(EXIT_PERM, "no account %s", argv[optind]);
	if (generate)
		password_make(&password);
	else
		password_read(&password);
	cage(root);
	password_store(root, account, sb_slice(&password));
	if (generate) {
		sb_putc(&password, '\n');
		if (write_all(STDOUT_FILENO, sb_slice(&password)) == -1)
			die_sys(EXIT_TEMP, "unable to print the password");
	}
	conf_close(c);
	sb_free(&password);
	return EXIT_DONE;
}
