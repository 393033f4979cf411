/*
 * index-check - do the files of an account and its index agree?
 * usage   index-check [-r] [-C root] [-a account]
 * fd 1    a `finding' line for each disagreement
 * exit    0 none, or all repaired; 1 some; 100 usage; 111 unable to look
 * rights  user pneu-mail; writes mail/; network: none
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/confine.h"
#include "base/die.h"
#include "base/file.h"
#include "conf/conf.h"
#include "imf/charset.h"
#include "store/store.h"

struct check {
	const char *mail, *account;
	bool repair;
	int64_t findings;
};

static void
say(void *ctx, struct slice line)
{
	const struct check *c = ctx;
	struct strbuf sb = STRBUF_INIT((size_t)256 * 1024);

	sb_put(&sb, line);
	sb_printf(&sb, " account=%s\n", c->account);
	if (write_all(STDOUT_FILENO, sb_slice(&sb)) == -1)
		die_sys(EXIT_TEMP, "unable to write");
	sb_free(&sb);
}

/* One account: its findings are added; repaired ones do not count. */
static void
check_account(struct check *c, const char *name)
{
	char *path = xprintf("%s/%s", c->mail, name);
	struct account *a = account_open(AT_FDCWD, path, 0);
	int64_t n;
	bool unusable = a == NULL && (errno == EUCLEAN || errno == EPROTO);

	c->account = name;
	if (unusable)
		say(c, S("finding kind=index text=\"the index is damaged or "
		    "of another version\""));
	if (a == NULL && !unusable)
		die_sys(EXIT_TEMP, "unable to open account %s", name);
	n = unusable ? 1 : account_check(a, CHECK_FILES, say, c);
	account_close(a);
	if (n == -1)
		die_sys(EXIT_TEMP, "unable to check account %s", name);
	if (n != 0 && c->repair) {
		if (account_rebuild(AT_FDCWD, path, false) == -1)
			die_sys(EXIT_TEMP, "unable to rebuild the index of "
			    "account %s", name);
		n = 0;
	}
	c->findings += n;
	free(path);
}

static void
check_all(struct check *c)
{
	struct dirent *e;
	DIR *d = opendir(c->mail);

	if (d == NULL)
		die_sys(EXIT_TEMP, "unable to read %s", c->mail);
	while ((e = readdir(d)) != NULL)
		if (account_name_ok(slice_str(e->d_name)))
			check_account(c, e->d_name);
	closedir(d);
}

int
main(int argc, char **argv)
{
	const char *root = NULL, *account = NULL;
	struct check c = { 0 };
	const char *write[2] = { NULL };
	struct confine cage = { .write = write };
	int ch;

	prog_start(argc, argv, "[-r] [-C root] [-a account]",
	    "do the files of an account and its index agree?",
	    "files: writes mail/; network: none");
	while ((ch = getopt(argc, argv, "rC:a:")) != -1)
		switch (ch) {
		case 'r': c.repair = true; break;
		case 'C': root = optarg; break;
		case 'a': account = optarg; break;
		default: usage();
		}
	if (optind != argc)
		usage();
	if (account != NULL && !account_name_ok(slice_str(account)))
		die(EXIT_PERM, "bad account name: %s", account);
	charset_preload();
	c.mail = write[0] = xprintf("%s/mail", conf_root(root));
	if (confine(&cage) == -1)
		die_sys(EXIT_TEMP, "unable to confine to %s", c.mail);
	if (account != NULL)
		check_account(&c, account);
	else
		check_all(&c);
	return c.findings != 0 ? EXIT_NO : EXIT_DONE;
}
