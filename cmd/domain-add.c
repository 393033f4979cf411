/*
 * domain-add - take mail for a domain
 * usage   domain-add [-de] [-C root] domain [account [localpart]]
 * fd 1    the DNS records to publish, as lines of a zone file
 * exit    0 done; 100 it exists, or the configuration would be wrong: nothing
 *         is changed; 111 try again
 * rights  writes conf/, cdb/, secret/dkim/
 */
#include <sys/stat.h>
#include <time.h>

#include "addr/addr.h"
#include "base/clock.h"
#include "dkim/key.h"
#include "edit.h"

#define PEM_MOST 65536
/* A character-string of a TXT record: RFC 1035 section 3.3. */
#define TXT_MOST ((size_t)255)

/* One signs; the other is published before it is needed, so that a change to
 * it need not wait for the DNS. With -e a third signs too, for verifiers that
 * know Ed25519 (RFC 8463). */
struct key {
	bool ed25519;
	const char *alg, *sign;
	char selector[16];
	char *path; /* of the private key, once it is written */
	struct strbuf record; /* what to publish */
};

static struct key keys[] = {
	{ false, "rsa-sha256", NULL, "", NULL, STRBUF_INIT(PEM_MOST) },
	{ false, "rsa-sha256", "no", "", NULL, STRBUF_INIT(PEM_MOST) },
	{ true, "ed25519-sha256", NULL, "", NULL, STRBUF_INIT(PEM_MOST) },
};
static size_t key_count = COUNTOF(keys) - 1;

static bool
is_file(const char *path)
{
	return access(path, F_OK) == 0;
}

/*
 * YEARa, YEARb, ...: the first that no key of the domain has or had. A name
 * used before may still be in caches with its old key.
 */
static void
choose_selector(const char *root, struct slice domain, struct key *k)
{
	time_t now = (time_t)clock_unix();
	struct tm tm;
	char *old;

	gmtime_r(&now, &tm);
	for (int c = 'a'; c <= 'z'; c++) {
		snprintf(k->selector, sizeof(k->selector), "%d%c",
		    tm.tm_year + 1900, c);
		k->path = xprintf("%s/secret/dkim/%.*s.%s", root,
		    SLICE_ARG(domain), k->selector);
		old = xprintf("%s/secret/dkim/old/%.*s.%s", root,
		    SLICE_ARG(domain), k->selector);
		if (!is_file(k->path) && !is_file(old)) {
			free(old);
			return;
		}
		free(old);
		free(k->path);
		k->path = NULL;
	}
	die(EXIT_PERM, "26 keys of %.*s this year: move some out of %s/secret/"
	    "dkim and its old/", SLICE_ARG(domain), root);
}

/* A new key in secret/dkim/DOMAIN.SELECTOR; the directory's group may read
 * it. */
static void
make_key(const char *root, struct slice domain, struct key *k)
{
	struct strbuf pem = STRBUF_INIT(PEM_MOST);
	EVP_PKEY *key = dkim_key_new(k->ed25519, DKIM_RSA_NEW);
	char *tmp;

	if (key == NULL || dkim_key_write(key, &pem) == -1 ||
	    dkim_key_record(key, &k->record) == -1)
		die(EXIT_TEMP, "unable to make a DKIM key");
	choose_selector(root, domain, k);
	tmp = xprintf("%s.new", k->path);
	umask(S_IRWXO | S_IWGRP);
	if (file_commit(AT_FDCWD, tmp, k->path, sb_slice(&pem), 0640) == -1)
		die_sys(EXIT_TEMP, "unable to write %s", k->path);
	explicit_bzero(pem.p, pem.n);
	sb_free(&pem);
	EVP_PKEY_free(key);
	free(tmp);
}

static void
remove_keys(void)
{
	for (size_t i = 0; i < key_count; i++)
		if (keys[i].path != NULL)
			unlink(keys[i].path);
}

static void
put_domain(struct conf_edit *e, struct slice name, bool disabled)
{
	struct strbuf sb = STRBUF_INIT(4096);

	tuple_begin(&sb, "domain");
	tuple_put(&sb, "name", name);
	tuple_puts(&sb, "separator", "+");
	if (disabled)
		tuple_puts(&sb, "disabled", "yes");
	tuple_end(&sb);
	for (size_t i = 0; i < key_count; i++) {
		tuple_begin(&sb, "dkim");
		tuple_puts(&sb, "selector", keys[i].selector);
		tuple_put(&sb, "key",
		    slice_str(strrchr(keys[i].path, '/') + 1));
		tuple_puts(&sb, "alg", keys[i].alg);
		if (keys[i].sign != NULL)
			tuple_puts(&sb, "sign", keys[i].sign);
		tuple_end(&sb);
	}
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

static void
print_key(struct strbuf *sb, struct slice domain, const struct key *k)
{
	struct slice text = sb_slice(&k->record);

	sb_printf(sb, "%s._domainkey.%.*s. TXT", k->selector,
	    SLICE_ARG(domain));
	for (; text.n != 0; text = slice_skip(text, TXT_MOST)) {
		struct slice part = slice_sub(text, 0, TXT_MOST);

		sb_printf(sb, " \"%.*s\"", SLICE_ARG(part));
	}
	sb_putc(sb, '\n');
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
	for (size_t i = 0; i < key_count; i++)
		print_key(&sb, name, &keys[i]);
	if (write_all(STDOUT_FILENO, sb_slice(&sb)) == -1)
		die_sys(EXIT_TEMP, "unable to print the DNS records");
	sb_free(&sb);
}

/* What would be wrong is found before keys are made. */
static void
check_new(struct conf_edit *e, struct slice name)
{
	struct slice text;

	if (conf_get(e->conf, "domain", name, &text) == 1)
		die(EXIT_PERM, "domain %.*s exists", SLICE_ARG(name));
}

static void
commit(struct conf_edit *e)
{
	int code;

	if (conf_edit_commit(e) == 0)
		return;
	code = report_failure(&e->report, e->root);
	remove_keys();
	exit(code);
}

int
main(int argc, char **argv)
{
	const char *root = NULL;
	bool disabled = false;
	struct conf_edit e;
	struct slice name;
	int ch;

	prog_start(argc, argv, "[-de] [-C root] domain [account [localpart]]",
	    "take mail for a domain",
	    "writes conf/, cdb/, secret/dkim/; network: none");
	while ((ch = getopt(argc, argv, "C:de")) != -1)
		switch (ch) {
		case 'C': root = optarg; break;
		case 'd': disabled = true; break;
		case 'e': key_count = COUNTOF(keys); break;
		default: usage();
		}
	argc -= optind;
	argv += optind;
	if (argc < 1 || argc > 3)
		usage();
	edit_begin(&e, conf_root(root), "secret/dkim");
	if (domain_ascii(slice_str(argv[0]), &e.ar, &name) == -1 || name.n == 0)
		die(EXIT_PERM, "not a domain name: %s", argv[0]);
	if (argc > 1)
		account_name(slice_str(argv[1]));
	check_new(&e, name);
	if (argc > 1)
		put_account(&e, name, argv[1], argc > 2 ? argv[2] : NULL);
	for (size_t i = 0; i < key_count; i++)
		make_key(e.root, name, &keys[i]);
	put_domain(&e, name, disabled);
	commit(&e);
	print_records(&e, name);
	conf_edit_close(&e);
	for (size_t i = 0; i < key_count; i++) {
		free(keys[i].path);
		sb_free(&keys[i].record);
	}
	return EXIT_DONE;
}
