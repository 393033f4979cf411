/*
 * cert-local - a certificate authority of this machine, and a certificate
 * usage   cert-local [-C root] name ...
 * fd 2    diagnostics
 * files   secret/ca.key, secret/ca.pem: made if missing; secret/tls/NAME.crt
 *         and NAME.key, NAME the first operand: made if missing or if they
 *         end within 30 days, for all names and addresses given; localhost
 *         stands for 127.0.0.1 and ::1, too
 * exit    0 all are there; 100 bad usage; 111 try again
 * rights  writes secret/
 *
 * For trying pneu and for tests. Clients that trust ca.pem see a good chain.
 */
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <unistd.h>

#include "addr/addr.h"
#include "base/alloc.h"
#include "base/confine.h"
#include "base/die.h"
#include "base/file.h"
#include "base/rid.h"
#include "conf/conf.h"

#define DAY 86400L
#define CA_DAYS 3650
#define LEAF_DAYS 365
#define RENEW_DAYS 30
#define CLOCK_SLACK 3600 /* clients' clocks may be behind ours */
#define PEM_MAX 65536

static void
die_crypto(const char *what)
{
	die(EXIT_TEMP, "unable to %s", what);
}

/* The bytes of a memory BIO put at path, durable. */
static void
save(const char *path, BIO *bio, mode_t mode)
{
	char id[RID_LEN + 1], *tmp, *p;
	long n = BIO_get_mem_data(bio, &p);

	rid_new(id);
	tmp = xprintf("%s.%s", path, id);
	if (n <= 0 || file_commit(AT_FDCWD, tmp, path,
	    slice_of(p, (size_t)n), mode) == -1)
		die_sys(EXIT_TEMP, "unable to write %s", path);
	BIO_free(bio);
	free(tmp);
}

static void
save_key(const char *path, EVP_PKEY *key)
{
	BIO *bio = BIO_new(BIO_s_mem());

	if (bio == NULL || PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0,
	    NULL, NULL) != 1)
		die_crypto("encode a key");
	save(path, bio, 0600);
}

static void
save_cert(const char *path, X509 *cert)
{
	BIO *bio = BIO_new(BIO_s_mem());

	if (bio == NULL || PEM_write_bio_X509(bio, cert) != 1)
		die_crypto("encode a certificate");
	save(path, bio, 0644);
}

/* NULL if there is no such file or it does not hold a certificate. */
static X509 *
load_cert(const char *path)
{
	BIO *bio = BIO_new_file(path, "r");
	X509 *cert = bio == NULL ? NULL :
	    PEM_read_bio_X509(bio, NULL, NULL, NULL);

	BIO_free(bio);
	return cert;
}

static EVP_PKEY *
load_key(const char *path)
{
	BIO *bio = BIO_new_file(path, "r");
	EVP_PKEY *key = bio == NULL ? NULL :
	    PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);

	BIO_free(bio);
	return key;
}

static void
add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *x;

	X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
	x = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	if (x == NULL || X509_add_ext(cert, x, -1) != 1)
		die_crypto("add an extension to a certificate");
	X509_EXTENSION_free(x);
}

/* A certificate with everything but extensions and signature. */
static X509 *
new_cert(const char *cn, EVP_PKEY *key, X509 *issuer, long days)
{
	X509 *cert = X509_new();
	unsigned char serial[16];
	BIGNUM *number;
	X509_NAME *name;

	random_bytes(serial, sizeof(serial));
	serial[0] = (serial[0] & 0x7f) | 0x40; /* positive, full length */
	number = BN_bin2bn(serial, sizeof(serial), NULL);
	if (cert == NULL || number == NULL || X509_set_version(cert, 2) != 1 ||
	    BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert)) == NULL ||
	    X509_gmtime_adj(X509_getm_notBefore(cert), -CLOCK_SLACK) == NULL ||
	    X509_gmtime_adj(X509_getm_notAfter(cert), days * DAY) == NULL ||
	    X509_set_pubkey(cert, key) != 1)
		die_crypto("make a certificate");
	BN_free(number);
	name = X509_get_subject_name(cert);
	if (X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
	    (const unsigned char *)cn, -1, -1, 0) != 1 ||
	    X509_set_issuer_name(cert, issuer == NULL ? name :
	    X509_get_subject_name(issuer)) != 1)
		die_crypto("name a certificate");
	return cert;
}

static void
sign(X509 *cert, EVP_PKEY *key)
{
	if (X509_sign(cert, key, EVP_sha256()) == 0)
		die_crypto("sign a certificate");
}

struct ca {
	X509 *cert;
	EVP_PKEY *key;
};

static struct ca
open_ca(const char *root)
{
	char *pem = xprintf("%s/secret/ca.pem", root);
	char *key = xprintf("%s/secret/ca.key", root);
	struct ca ca = { load_cert(pem), load_key(key) };
	char id[RID_LEN + 1], *cn;

	if (ca.cert == NULL || ca.key == NULL) {
		X509_free(ca.cert);
		EVP_PKEY_free(ca.key);
		rid_new(id);
		/* Each its own name, or clients mix up their keys. */
		cn = xprintf("pneu local CA %s", id);
		if ((ca.key = EVP_EC_gen("P-256")) == NULL)
			die_crypto("make a key");
		ca.cert = new_cert(cn, ca.key, NULL, CA_DAYS);
		add_extension(ca.cert, ca.cert, NID_basic_constraints,
		    "critical,CA:TRUE,pathlen:0");
		add_extension(ca.cert, ca.cert, NID_key_usage,
		    "critical,keyCertSign,cRLSign");
		add_extension(ca.cert, ca.cert, NID_subject_key_identifier,
		    "hash");
		sign(ca.cert, ca.key);
		save_key(key, ca.key);
		save_cert(pem, ca.cert);
		free(cn);
	}
	free(pem);
	free(key);
	return ca;
}

static char *
alt_names(char **names, size_t count)
{
	struct strbuf sb = STRBUF_INIT(PEM_MAX);
	struct ip ip;

	for (size_t i = 0; i < count; i++) {
		bool is_ip = ip_parse(slice_str(names[i]), &ip) == 0;

		if (strpbrk(names[i], ",: \t\n") != NULL && !is_ip)
			die(EXIT_PERM, "not a host name: %s", names[i]);
		sb_printf(&sb, "%s%s:%s", i == 0 ? "" : ",",
		    is_ip ? "IP" : "DNS", names[i]);
		if (strcmp(names[i], "localhost") == 0)
			sb_puts(&sb, ",IP:127.0.0.1,IP:::1");
	}
	if (sb.over)
		die(EXIT_PERM, "too many names");
	return sb_take(&sb);
}

/* Is there a certificate of this CA with some time left, and its key? */
static bool
still_good(const char *crt, const char *key_file, const struct ca *ca)
{
	X509 *cert = load_cert(crt);
	EVP_PKEY *key = load_key(key_file);
	time_t soon = time(NULL) + RENEW_DAYS * DAY;
	bool good = cert != NULL && key != NULL &&
	    X509_verify(cert, ca->key) == 1 &&
	    X509_cmp_time(X509_get0_notAfter(cert), &soon) > 0 &&
	    X509_check_private_key(cert, key) == 1;

	X509_free(cert);
	EVP_PKEY_free(key);
	return good;
}

static void
make_leaf(const char *root, const struct ca *ca, char **names, size_t count)
{
	char *crt = xprintf("%s/secret/tls/%s.crt", root, names[0]);
	char *key_file = xprintf("%s/secret/tls/%s.key", root, names[0]);
	char *alt = alt_names(names, count);
	EVP_PKEY *key;
	X509 *cert;

	if (!still_good(crt, key_file, ca)) {
		if ((key = EVP_EC_gen("P-256")) == NULL)
			die_crypto("make a key");
		cert = new_cert(names[0], key, ca->cert, LEAF_DAYS);
		add_extension(cert, ca->cert, NID_basic_constraints,
		    "critical,CA:FALSE");
		add_extension(cert, ca->cert, NID_key_usage,
		    "critical,digitalSignature");
		add_extension(cert, ca->cert, NID_ext_key_usage, "serverAuth");
		add_extension(cert, ca->cert, NID_subject_key_identifier,
		    "hash");
		add_extension(cert, ca->cert, NID_authority_key_identifier,
		    "keyid");
		add_extension(cert, ca->cert, NID_subject_alt_name, alt);
		sign(cert, ca->key);
		save_key(key_file, key);
		save_cert(crt, cert);
		X509_free(cert);
		EVP_PKEY_free(key);
	}
	free(crt);
	free(key_file);
	free(alt);
}

static void
cage(const char *root)
{
	char *secret = xprintf("%s/secret", root);
	struct confine c = { .write = (const char *[]){ secret, NULL } };
	int dir;

	if ((dir = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC)) == -1)
		die_sys(EXIT_TEMP, "unable to open %s", root);
	/* Its own users pass through secret/ to their directories. */
	if (dir_make(dir, "secret", 0711) == -1 ||
	    dir_make(dir, "secret/tls", 0700) == -1)
		die_sys(EXIT_TEMP, "unable to make %s/secret/tls", root);
	close(dir);
	if (confine(&c) == -1)
		die_sys(EXIT_TEMP, "unable to confine itself to %s", secret);
	free(secret);
}

int
main(int argc, char **argv)
{
	const char *root = NULL;
	struct ca ca;
	int ch;

	prog_start(argc, argv, "[-C root] name ...",
	    "make a local certificate authority and a certificate",
	    "writes secret/; network: none");
	while ((ch = getopt(argc, argv, "C:")) != -1)
		switch (ch) {
		case 'C': root = optarg; break;
		default: usage();
		}
	if (optind == argc || strchr(argv[optind], '/') != NULL)
		usage();
	root = conf_root(root);
	/* OpenSSL reads its configuration and the clock's zone once. */
	if (OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) != 1)
		die_crypto("start OpenSSL");
	cage(root);
	ca = open_ca(root);
	make_leaf(root, &ca, argv + optind, (size_t)(argc - optind));
	X509_free(ca.cert);
	EVP_PKEY_free(ca.key);
	return EXIT_DONE;
}
