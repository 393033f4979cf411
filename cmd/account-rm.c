/*
 * account-rm - remove an account, its addresses, password and mail
 * usage   account-rm [-k] [-C root] account
 * fd 2    diagnostics
 * exit    0 removed; 100 no such account, or the configuration would be wrong
 *         (it is the postmaster, or a member of an alias: nothing is changed);
 *         111 try again; what is left is removed by running it again
 * rights  writes conf/, cdb/, secret/auth/, mail/
 */
#include <ftw.h>
#include <stdio.h>

#include "base/rid.h"
#include "edit.h"
#include "sasl/passwd.h"

/* Deep enough for any Maildir++; more would only cost descriptors. */
#define WALK_FDS 16

static int
remove_entry(const char *path, const struct stat *st, int type, struct FTW *f)
{
	(void)st;
	(void)type;
	(void)f;
	return remove(path);
}

/* Out of the way by one rename first, so that no half account is served. */
static void
remove_mail(const char *root, const char *account)
{
	char id[RID_LEN + 1];
	char *from = xprintf("%s/mail/%s", root, account), *to;

	rid_new(id);
	to = xprintf("%s/mail/.removed-%s", root, id);
	if (rename(from, to) == 0) {
		if (nftw(to, remove_entry, WALK_FDS, FTW_DEPTH | FTW_PHYS) != 0)
			die_sys(EXIT_TEMP, "unable to remove %s", to);
	} else if (errno != ENOENT) {
		die_sys(EXIT_TEMP, "unable to remove %s", from);
	}
	free(from);
	free(to);
}

static void
cage(const char *root)
{
	static const char *const dirs[] = { "conf", "cdb", "secret/auth",
		"mail" };
	char *paths[COUNTOF(dirs) + 1] = { NULL };
	struct confine c = { .write = (const char *const *)paths };

	for (size_t i = 0; i < COUNTOF(dirs); i++)
		paths[i] = xprintf("%s/%s", root, dirs[i]);
	make_dirs(root, "secret/auth");
	make_dirs(root, "mail");
	if (confine(&c) == -1)
		die_sys(EXIT_TEMP, "unable to confine itself to %s", root);
	for (size_t i = 0; i < COUNTOF(dirs); i++)
		free(paths[i]);
}

int
main(int argc, char **argv)
{
	const char *root = NULL;
	struct slice account, text;
	struct conf_edit e;
	bool keep = false;
	int ch, had, got;

	prog_start(argc, argv, "[-k] [-C root] account",
	    "remove an account, its addresses, password and mail",
	    "writes conf/, cdb/, secret/auth/, mail/; network: none");
	while ((ch = getopt(argc, argv, "C:k")) != -1)
		switch (ch) {
		case 'C': root = optarg; break;
		case 'k': keep = true; break;
		default: usage();
		}
	if (optind != argc - 1)
		usage();
	account = slice_str(argv[optind]);
	account_name(account);
	root = conf_root(root);
	cage(root);
	if (conf_edit_open(&e, root) == -1)
		return report_failure(&e.report, root);
	had = conf_edit_read(&e, "account", account, &text);
	if (had == -1)
		die_sys(EXIT_TEMP, "unable to read conf/account/%s",
		    argv[optind]);
	if (had == 1) {
		conf_edit_remove(&e, "account", account);
		edit_commit(&e);
	}
	got = passwd_remove(root, account);
	if (got == -1)
		die_sys(EXIT_TEMP, "unable to remove the password");
	if (!keep)
		remove_mail(root, argv[optind]);
	conf_edit_close(&e);
	if (had == 0 && got == 0)
		die(EXIT_PERM, "no account %s", argv[optind]);
	return EXIT_DONE;
}
