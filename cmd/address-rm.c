/*
 * address-rm - take an address from its account
 * usage   address-rm [-C root] address
 * fd 2    diagnostics
 * exit    0 removed; 100 no account has it, or the configuration would be
 *         wrong (it is a member of an alias): nothing is changed; 111 try
 *         again
 * rights  writes conf/, cdb/
 */
#include "address.h"

/* The account that has exactly this address; its mail may also come by a
 * catch-all or to the postmaster, which is not meant. */
static bool
find_owner(struct conf_edit *e, struct slice key, struct slice *account)
{
	const bool all = key.p[0] == '@';
	struct tuple_reader r;
	struct slice text;
	struct tuple t;

	if (conf_get(e->conf, all ? "catch-all" : "address",
	    all ? slice_skip(key, 1) : key, &text) != 1)
		return false;
	tuple_reader_init(&r, text);
	return tuple_next(&r, &e->ar, &t) == 1 &&
	    tuple_get(&t, "account", account);
}

/* The file's text, comments and all, without the records of this address. */
static void
without(struct conf_edit *e, struct slice text, struct slice key,
    struct strbuf *out)
{
	const unsigned char *from = text.p;
	struct tuple_reader r;
	struct tuple t;

	tuple_reader_init(&r, text);
	while (tuple_next(&r, &e->ar, &t) == 1) {
		struct slice addr = tuple_value(&t, "addr");

		if (!is_address(&t) || addr.n == 0 || !slice_eq(key,
		    address_canonical(e->conf, addr, &e->ar)))
			continue;
		sb_put(out, slice_of(from, (size_t)(t.raw.p - from)));
		from = t.raw.p + t.raw.n;
	}
	sb_put(out, slice_of(from, (size_t)(text.p + text.n - from)));
}

int
main(int argc, char **argv)
{
	struct strbuf out = STRBUF_INIT(CONF_FILE_MAX);
	struct slice key, account, text;
	const char *root = NULL;
	struct conf_edit e;
	int ch;

	prog_start(argc, argv, "[-C root] address",
	    "take an address from its account",
	    "writes conf/, cdb/; network: none");
	while ((ch = getopt(argc, argv, "C:")) != -1)
		switch (ch) {
		case 'C': root = optarg; break;
		default: usage();
		}
	if (optind != argc - 1)
		usage();
	edit_begin(&e, conf_root(root), NULL);
	key = address_canonical(e.conf, slice_str(argv[optind]), &e.ar);
	if (!find_owner(&e, key, &account))
		die(EXIT_PERM, "no account has %s", argv[optind]);
	if (conf_edit_read(&e, "account", account, &text) != 1)
		die_sys(EXIT_TEMP, "unable to read conf/account/%.*s",
		    SLICE_ARG(account));
	without(&e, text, key, &out);
	conf_edit_put(&e, "account", account, sb_slice(&out));
	edit_commit(&e);
	conf_edit_close(&e);
	sb_free(&out);
	return EXIT_DONE;
}
