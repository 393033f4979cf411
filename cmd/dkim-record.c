/*
 * dkim-record - the DNS record of a DKIM key (RFC 6376 section 3.6)
 * usage   dkim-record [-s selector -d domain]
 *         dkim-record -q [-C root] [-r server] selector domain
 *         dkim-txt [-s selector -d domain]
 *         dkim-lookup [-C root] [-r server] selector domain
 * fd 0    a private key in PEM; with -q or as dkim-lookup, not used
 * fd 1    a TXT record for a zone file; with -q a dns line and a key line for
 *         each record that is there
 * exit    0 done; with -q 1 there is none or it cannot be used; 100 usage or
 *         bad key; 111 temporary
 * rights  once started, no files; network: none, with -q the resolver
 */
#include <string.h>
#include <unistd.h>

#include "addr/addr.h"
#include "base/arena.h"
#include "base/confine.h"
#include "base/die.h"
#include "base/file.h"
#include "base/tuple.h"
#include "dkim/key.h"
#include "resolver.h"

#define KEY_FILE_MAX ((size_t)64 * 1024)
/* Characters in one string of the record; DNS allows 255. */
#define PIECE 100

static void
put_zone_line(struct strbuf *out, struct slice name, struct slice text)
{
	bool many = text.n > PIECE;

	sb_put(out, name);
	sb_puts(out, many ? "\tIN\tTXT\t(\n" : "\tIN\tTXT\t");
	while (text.n != 0) {
		struct slice piece = slice_sub(text, 0, PIECE);

		sb_printf(out, "%s\"%.*s\"%s", many ? "\t" : "",
		    SLICE_ARG(piece), many ? "\n" : "");
		text = slice_skip(text, piece.n);
	}
	sb_puts(out, many ? ")\n" : "\n");
}

static int
from_key(struct slice name)
{
	struct strbuf pem = STRBUF_INIT(KEY_FILE_MAX);
	struct strbuf text = STRBUF_INIT(DKIM_RECORD_MAX);
	struct strbuf out = STRBUF_INIT(2 * DKIM_RECORD_MAX);
	EVP_PKEY *key;

	if (fd_slurp(STDIN_FILENO, &pem) == -1)
		die_sys(EXIT_TEMP, "unable to read the key");
	if ((key = dkim_key_read(sb_slice(&pem))) == NULL ||
	    dkim_key_record(key, &text) == -1)
		die(EXIT_PERM, "not a private key for DKIM: PEM of Ed25519, or "
		    "RSA of at least %u bits, without passphrase", DKIM_RSA_MIN);
	if (pem.p != NULL)
		explicit_bzero(pem.p, pem.n);
	put_zone_line(&out, name, sb_slice(&text));
	if (write_all(STDOUT_FILENO, sb_slice(&out)) == -1)
		die_sys(EXIT_TEMP, "unable to write");
	EVP_PKEY_free(key);
	return EXIT_DONE;
}

/* What a verifier would hold against a key that can be read; NULL: nothing. */
static const char *
objection(const struct dkim_key *k)
{
	if (k->public == NULL)
		return "revoked: p= is empty";
	if (!k->sha256)
		return "h= does not allow sha256, the only hash in use";
	if (!k->email)
		return "s= does not allow email";
	return NULL;
}

/* One TXT record: is it a key that can be used? */
static bool
put_record(struct strbuf *out, struct slice text)
{
	const char *error = NULL;
	struct dkim_key k;
	int r = dkim_key_parse(text, &k, &error);

	if (r == 1)
		error = objection(&k);
	tuple_begin(out, "key");
	tuple_puts(out, "result", error == NULL ? "ok" : "bad");
	if (k.bits != 0) {
		tuple_puts(out, "type", k.ed25519 ? "ed25519" : "rsa");
		tuple_putu(out, "bits", k.bits);
	}
	if (r == 1) {
		tuple_puts(out, "testing", k.testing ? "yes" : "no");
		tuple_puts(out, "strict", k.strict ? "yes" : "no");
	}
	tuple_opt(out, "v", k.v);
	tuple_opt(out, "k", k.k);
	tuple_opt(out, "h", k.h);
	tuple_opt(out, "s", k.s);
	tuple_opt(out, "t", k.t);
	tuple_opt(out, "n", k.n);
	if (error != NULL)
		tuple_puts(out, "reason", error);
	tuple_put(out, "text", text);
	tuple_end(out);
	dkim_key_free(&k);
	return error == NULL;
}

/* Why there is no one key to be used, when the name could be asked for. */
static void
say_wrong(const struct dns_answer *a, struct slice name, int keys)
{
	if (a->status == DNS_NXDOMAIN)
		warn("no key: %.*s does not exist", SLICE_ARG(name));
	else if (a->status == DNS_NODATA)
		warn("no key: %.*s has no TXT record", SLICE_ARG(name));
	else if (a->status != DNS_OK)
		warn("unable to look up %.*s: %s", SLICE_ARG(name),
		    a->reason != NULL ? a->reason : dns_status_name(a->status));
	else if (keys > 1)
		warn("%d keys at %.*s: a verifier cannot tell which one "
		    "counts; take the others away", keys, SLICE_ARG(name));
	else if (keys == 0)
		warn("no usable key at %.*s: see reason=", SLICE_ARG(name));
}

static int
from_dns(struct dns *d, struct slice name)
{
	struct strbuf out = STRBUF_INIT((size_t)1 << 20);
	struct arena ar = { 0 };
	const struct dns_answer *a;
	struct dns_budget b;
	int good = 0;

	dns_budget_init(&b, DNS_MESSAGE_QUERIES, DNS_MESSAGE_MS);
	a = dns_query(d, &b, name, DNS_TXT, &ar);
	tuple_begin(&out, "dns");
	tuple_put(&out, "name", name);
	tuple_puts(&out, "status", dns_status_name(a->status));
	tuple_puts(&out, "dnssec", a->authentic ? "yes" : "no");
	if (a->cnames != 0)
		tuple_opt(&out, "cname", a->canonical);
	tuple_end(&out);
	for (size_t i = 0; i < a->count; i++)
		good += put_record(&out, a->rr[i].text);
	if (write_all(STDOUT_FILENO, sb_slice(&out)) == -1)
		die_sys(EXIT_TEMP, "unable to write");
	say_wrong(a, name, good);
	if (a->status != DNS_OK && a->status != DNS_NXDOMAIN &&
	    a->status != DNS_NODATA)
		return a->status == DNS_BADNAME ? EXIT_PERM : EXIT_TEMP;
	return good == 1 ? EXIT_DONE : EXIT_NO;
}

/* selector._domainkey.domain, or of a selector alone the relative name. */
static struct slice
record_name(const char *selector, const char *domain, struct arena *ar)
{
	struct strbuf sb = STRBUF_INIT(1024);
	struct slice s, d = SLICE_NONE, name;

	if (domain_ascii(slice_str(selector), ar, &s) == -1)
		die(EXIT_PERM, "not a selector: %s", selector);
	if (domain != NULL && domain_ascii(slice_str(domain), ar, &d) == -1)
		die(EXIT_PERM, "not a domain: %s", domain);
	sb_put(&sb, s);
	sb_puts(&sb, "._domainkey");
	if (domain != NULL) {
		sb_putc(&sb, '.');
		sb_put(&sb, d);
	}
	name = arena_copy(ar, sb_slice(&sb));
	sb_free(&sb);
	return name;
}

/* The program's two other names do one of its two things each. */
static const struct face {
	const char *name, *options, *usage, *purpose, *rights;
	bool query;
} faces[] = {
	{ "dkim-lookup", "C:r:", "[-C root] [-r server] selector domain",
	    "the DKIM key of a selector in the DNS: can it be used?",
	    "files: none; network: DNS to the resolver", true },
	{ "dkim-txt", "s:d:", "[-s selector -d domain]",
	    "the TXT record of a DKIM key", "files: none; network: none",
	    false },
	{ "", "qC:r:s:d:", "[-s selector -d domain] | "
	    "-q [-C root] [-r server] selector domain",
	    "print the DNS record of a DKIM key",
	    "files: none; network: none, with -q DNS to the resolver", false },
};

int
main(int argc, char **argv)
{
	static const struct confine cage = { 0 };
	const char *selector = "selector", *domain = NULL, *root = NULL;
	const char *server = NULL;
	const struct face *f = faces;
	struct arena ar = { 0 };
	struct strbuf full = STRBUF_INIT(1024);
	bool query;
	int ch;

	prog_set(argv[0]);
	while (f->name[0] != '\0' && strcmp(f->name, prog_name()) != 0)
		f++;
	query = f->query;
	prog_start(argc, argv, f->usage, f->purpose, f->rights);
	while ((ch = getopt(argc, argv, f->options)) != -1)
		switch (ch) {
		case 'q': query = true; break;
		case 'C': root = optarg; break;
		case 'r': server = optarg; break;
		case 's': selector = optarg; break;
		case 'd': domain = optarg; break;
		default: usage();
		}
	if (argc - optind != (query ? 2 : 0))
		usage();
	if (query)
		return from_dns(resolver_begin(server, root),
		    record_name(argv[optind], argv[optind + 1], &ar));
	if (confine(&cage) == -1)
		die_sys(EXIT_TEMP, "unable to confine");
	sb_put(&full, record_name(selector, domain, &ar));
	if (domain != NULL)
		sb_putc(&full, '.');
	return from_key(sb_slice(&full));
}
