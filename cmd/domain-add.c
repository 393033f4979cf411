/*
 * domain-add - take mail for a domain
 * usage   domain-add [-d] [-C root] domain [account [localpart]]
 * fd 1    the DNS records to publish, as lines of a zone file
 * exit    0 done; 100 it exists, or the configuration would be wrong: nothing
 *         is changed; 111 try again
 * rights  writes conf/, cdb/
 */
#include "addr/addr.h"
#include "edit.h"

static void
put_domain(struct conf_edit *e, struct slice name, bool disabled)
{
	struct strbuf sb = STRBUF_INIT(4096);
	struct slice text;

	if (conf_get(e->conf, "domain", name, &text) == 1)
		die(EXIT_PERM, "domain %.*s exists", SLICE_ARG(name));
	tuple_begin(&sb, "domain");
	tuple_put(&sb, "name", name);
	tuple_puts(&sb, "separator", "+");
	if (disabled)
		tuple_puts(&sb, "disabled", "yes");
	tuple_end(&sb);
	conf_edit_put(e, "domain", name, sb_slice(&sb));
	sb_free(&sb);
}

/* A new account with local@domain, or postmaster@domain for one we have. */
static void
put_account(struct conf_edit *e, struct slice domain, const char *account,
    const char *local)
{
	struct strbuf sb = STRBUF_INIT(CONF_FILE_MAX);
	struct strbuf record = STRBUF_INIT(4096), addr = STRBUF_INIT(1024);
	struct slice text;
	int got = conf_edit_read(e, "account", slice_str(account), &text);

	if (got == -1)
		die_sys(EXIT_TEMP, "unable to read conf/account/%s", account);
	if (got == 0 && local == NULL)
		die(EXIT_PERM, "no account %s; name a local part to make it",
		    account);
	if (got == 1 && local != NULL)
		die(EXIT_PERM, "account %s exists; leave out the local part",
		    account);
	if (got == 1) {
		sb_put(&sb, text);
	} else {
		tuple_begin(&sb, "account");
		tuple_puts(&sb, "name", account);
		tuple_end(&sb);
	}
	sb_printf(&addr, "%s@", local != NULL ? local : "postmaster");
	sb_put(&addr, domain);
	tuple_begin(&record, "address");
	tuple_put(&record, "addr", sb_slice(&addr));
	tuple_end(&record);
	conf_edit_append(&sb, sb_slice(&record));
	conf_edit_put(e, "account", slice_str(account), sb_slice(&sb));
	sb_free(&sb);
	sb_free(&addr);
	sb_free(&record);
}

/* SPF: this host and no other; DMARC: reports wait until they are read. */
static void
print_records(struct conf_edit *e, struct slice name)
{
	struct strbuf sb = STRBUF_INIT(8192);
	struct slice host = conf_host(e->conf, "name");

	sb_printf(&sb, "%.*s. MX 10 %.*s.\n", SLICE_ARG(name), SLICE_ARG(host));
	sb_printf(&sb, "%.*s. TXT \"v=spf1 mx -all\"\n", SLICE_ARG(name));
	sb_printf(&sb, "_dmarc.%.*s. TXT \"v=DMARC1; p=quarantine\"\n",
	    SLICE_ARG(name));
	if (write_all(STDOUT_FILENO, sb_slice(&sb)) == -1)
		die_sys(EXIT_TEMP, "unable to print the DNS records");
	sb_free(&sb);
}

int
main(int argc, char **argv)
{
	const char *root = NULL;
	bool disabled = false;
	struct conf_edit e;
	struct slice name;
	int ch;

	prog_start(argc, argv, "[-d] [-C root] domain [account [localpart]]",
	    "take mail for a domain",
	    "writes conf/, cdb/; network: none");
	while ((ch = getopt(argc, argv, "C:d")) != -1)
		switch (ch) {
		case 'C': root = optarg; break;
		case 'd': disabled = true; break;
		default: usage();
		}
	argc -= optind;
	argv += optind;
	if (argc < 1 || argc > 3)
		usage();
	edit_begin(&e, conf_root(root), NULL);
	if (domain_ascii(slice_str(argv[0]), &e.ar, &name) == -1 || name.n == 0)
		die(EXIT_PERM, "not a domain name: %s", argv[0]);
	if (argc > 1)
		account_name(slice_str(argv[1]));
	put_domain(&e, name, disabled);
	if (argc > 1)
		put_account(&e, name, argv[1], argc > 2 ? argv[2] : NULL);
	edit_commit(&e);
	print_records(&e, name);
	conf_edit_close(&e);
	return EXIT_DONE;
}
