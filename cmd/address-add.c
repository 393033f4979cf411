/*
 * address-add - give an account an address
 * usage   address-add [-m mailbox] [-C root] address account
 *         address-add [-C root] -
 * fd 0    -: address and catch-all records as address-list prints them
 * exit    0 done; 100 no such account, or the configuration would be wrong
 *         (the address is taken, no such domain): nothing is changed; 111 try
 *         again
 * rights  writes conf/, cdb/
 */
#include "edit.h"

/* The record with the account's name taken out. */
static void
put_record(struct strbuf *sb, const struct tuple *t)
{
	char name[64];

	tuple_begin(sb, tuple_is(t, "catch-all") ? "catch-all" : "address");
	for (size_t i = 0; i < t->count; i++) {
		if (slice_eqs(t->attr[i].name, "account"))
			continue;
		if (slice_cstr(t->attr[i].name, name, sizeof(name)) == -1)
			die(EXIT_PERM, "stdin:%u: a name is too long", t->line);
		tuple_put(sb, name, t->attr[i].value);
	}
	tuple_end(sb);
}

static void
add(struct conf_edit *e, struct slice account, struct slice record)
{
	struct strbuf sb = STRBUF_INIT(CONF_FILE_MAX);
	struct slice text;
	int got;

	account_name(account);
	e->count = 0;
	got = conf_edit_read(e, "account", account, &text);
	if (got == -1)
		die_sys(EXIT_TEMP, "unable to read conf/account/%.*s",
		    SLICE_ARG(account));
	if (got == 0)
		die(EXIT_PERM, "no account %.*s", SLICE_ARG(account));
	sb_put(&sb, text);
	conf_edit_append(&sb, record);
	if (sb.over)
		die(EXIT_PERM, "conf/account/%.*s would be too large",
		    SLICE_ARG(account));
	conf_edit_put(e, "account", account, sb_slice(&sb));
	edit_commit(e);
	sb_free(&sb);
}

static void
add_records(struct conf_edit *e, struct slice in)
{
	struct strbuf record = STRBUF_INIT(TUPLE_LINE_MAX);
	struct tuple_reader r;
	struct arena ar = { 0 };
	struct slice account;
	struct tuple t;
	int got;

	tuple_reader_init(&r, in);
	while ((got = tuple_next(&r, &ar, &t)) == 1) {
		if ((!tuple_is(&t, "address") && !tuple_is(&t, "catch-all")) ||
		    !tuple_get(&t, "account", &account))
			die(EXIT_PERM, "stdin:%u: not an address record with "
			    "an account", t.line);
		sb_reset(&record);
		put_record(&record, &t);
		add(e, account, sb_slice(&record));
	}
	if (got == -1)
		die(EXIT_PERM, "stdin:%u: %s", r.error_line, r.error);
	arena_free(&ar);
	sb_free(&record);
}

static void
add_one(struct conf_edit *e, const char *address, const char *account,
    const char *mailbox)
{
	struct strbuf record = STRBUF_INIT(4096);

	tuple_begin(&record, address[0] == '@' ? "catch-all" : "address");
	tuple_puts(&record, "addr", address);
	if (mailbox != NULL)
		tuple_puts(&record, "mailbox", mailbox);
	tuple_end(&record);
	add(e, slice_str(account), sb_slice(&record));
	sb_free(&record);
}

int
main(int argc, char **argv)
{
	const char *root = NULL, *mailbox = NULL;
	struct conf_edit e;
	int ch;

	prog_start(argc, argv, "[-m mailbox] [-C root] address account | -",
	    "give an account an address",
	    "writes conf/, cdb/; network: none");
	while ((ch = getopt(argc, argv, "C:m:")) != -1)
		switch (ch) {
		case 'C': root = optarg; break;
		case 'm': mailbox = optarg; break;
		default: usage();
		}
	argc -= optind;
	argv += optind;
	if (argc == 1 && strcmp(argv[0], "-") == 0 && mailbox == NULL) {
		edit_begin(&e, conf_root(root), NULL);
		add_records(&e, read_records());
	} else if (argc == 2) {
		edit_begin(&e, conf_root(root), NULL);
		add_one(&e, argv[0], argv[1], mailbox);
	} else {
		usage();
	}
	conf_edit_close(&e);
	return EXIT_DONE;
}
