/*
 * index-rebuild - make the index of an account anew from its files
 * usage   index-rebuild [-t] [-C root] [-a account]
 * fd 1    a `rebuilt' line for each account
 * exit    0 done; 100 usage; 111 not done, the files are as they were
 * rights  user pneu-mail; writes mail/; network: none
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/confine.h"
#include "base/die.h"
#include "base/file.h"
#include "base/tuple.h"
#include "conf/conf.h"
#include "imf/charset.h"
#include "store/store.h"

static void
rebuild(const char *mail, const char *name, bool texts)
{
	struct strbuf sb = STRBUF_INIT(4096);
	char *path = xprintf("%s/%s", mail, name);

	if (account_rebuild(AT_FDCWD, path, texts) == -1)
		die_sys(EXIT_TEMP, "unable to rebuild the index of account %s",
		    name);
	tuple_begin(&sb, "rebuilt");
	tuple_puts(&sb, "account", name);
	tuple_end(&sb);
	if (write_all(STDOUT_FILENO, sb_slice(&sb)) == -1)
		die_sys(EXIT_TEMP, "unable to write");
	sb_free(&sb);
	free(path);
}

static void
rebuild_all(const char *mail, bool texts)
{
	struct dirent *e;
	DIR *d = opendir(mail);

	if (d == NULL)
		die_sys(EXIT_TEMP, "unable to read %s", mail);
	while ((e = readdir(d)) != NULL)
		if (account_name_ok(slice_str(e->d_name)))
			rebuild(mail, e->d_name, texts);
	closedir(d);
}

int
main(int argc, char **argv)
{
	const char *root = NULL, *account = NULL;
	const char *write[2] = { NULL };
	struct confine cage = { .write = write };
	bool texts = false;
	int ch;

	prog_start(argc, argv, "[-t] [-C root] [-a account]",
	    "make the index of an account anew from its files",
	    "files: writes mail/; network: none");
	while ((ch = getopt(argc, argv, "tC:a:")) != -1)
		switch (ch) {
		case 't': texts = true; break;
		case 'C': root = optarg; break;
		case 'a': account = optarg; break;
		default: usage();
		}
	if (optind != argc)
		usage();
	if (account != NULL && !account_name_ok(slice_str(account)))
		die(EXIT_PERM, "bad account name: %s", account);
	charset_preload();
	write[0] = xprintf("%s/mail", conf_root(root));
	if (confine(&cage) == -1)
		die_sys(EXIT_TEMP, "unable to confine to %s", write[0]);
	if (account != NULL)
		rebuild(write[0], account, texts);
	else
		rebuild_all(write[0], texts);
	return EXIT_DONE;
}
