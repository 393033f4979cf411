#include "tls/certs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"

/* Pairs of a host with many domains; a directory with more is a mistake. */
#define CERTS_MAX 1024
#define CERT_FILE_MAX ((size_t)256 * 1024)
#define CHAIN_MAX 10
#define CHECK_EVERY_MS 1000

struct cert {
	X509 *x509;
	EVP_PKEY *key;
	STACK_OF(X509) *chain;
	GENERAL_NAMES *names; /* NULL: the certificate has none */
};

struct set {
	struct cert *cert;
	size_t count;
	size_t host; /* index of the pair for peers that name nothing */
};

struct certs {
	char *dir, *host;
	struct set set;
	uint64_t stamp; /* of the files as they were read */
	int64_t checked;
};

static void
cert_free(struct cert *c)
{
	X509_free(c->x509);
	EVP_PKEY_free(c->key);
	sk_X509_pop_free(c->chain, X509_free);
	GENERAL_NAMES_free(c->names);
}

static void
set_free(struct set *s)
{
	for (size_t i = 0; i < s->count; i++)
		cert_free(&s->cert[i]);
	free(s->cert);
	*s = (struct set){ 0 };
}

/* FNV-1a over names, inodes, sizes and times of the directory's files. */
static void
mix(uint64_t *h, const void *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		*h = (*h ^ ((const unsigned char *)p)[i]) * 0x100000001b3u;
}

static int
ends_in_crt(const struct dirent *d)
{
	return d->d_name[0] != '.' &&
	    slice_ends(slice_str(d->d_name), S(".crt"));
}

static void
mix_file(uint64_t *h, int dir, const char *name)
{
	struct stat st = { 0 };

	if (fstatat(dir, name, &st, 0) == -1)
		return;
	mix(h, name, strlen(name));
	mix(h, &st.st_ino, sizeof(st.st_ino));
	mix(h, &st.st_size, sizeof(st.st_size));
	mix(h, &st.st_mtim, sizeof(st.st_mtim));
}

static char *
key_name(const char *crt)
{
	return xprintf("%.*s.key", (int)strlen(crt) - 4, crt);
}

static uint64_t
stamp_of(int dir, struct dirent **list, int n)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (int i = 0; i < n; i++) {
		char *key = key_name(list[i]->d_name);

		mix_file(&h, dir, list[i]->d_name);
		mix_file(&h, dir, key);
		free(key);
	}
	return h;
}

/* PEM read from a file of the directory, or NULL. */
static BIO *
open_pem(int dir, const char *name)
{
	struct strbuf sb = STRBUF_INIT(CERT_FILE_MAX);
	BIO *bio = NULL;

	if (file_slurp(dir, name, &sb) == 0 &&
	    (bio = BIO_new(BIO_s_secmem())) != NULL)
		BIO_write(bio, sb.p, (int)sb.n);
	if (sb.p != NULL)
		explicit_bzero(sb.p, sb.n);
	sb_free(&sb);
	return bio;
}

/* A key with a passphrase cannot be used by a service: never ask for one. */
static int
no_passphrase(char *buf, int size, int rw, void *arg)
{
	(void)buf, (void)size, (void)rw, (void)arg;
	return 0;
}

static const char *
read_pair(int dir, const char *crt, struct cert *c)
{
	char *key = key_name(crt);
	BIO *bio = open_pem(dir, crt);
	bool found;
	X509 *x;

	*c = (struct cert){ .chain = sk_X509_new_null() };
	c->x509 = bio != NULL ?
	    PEM_read_bio_X509(bio, NULL, no_passphrase, NULL) : NULL;
	while (c->x509 != NULL && sk_X509_num(c->chain) < CHAIN_MAX &&
	    (x = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL)) != NULL)
		sk_X509_push(c->chain, x);
	BIO_free(bio);
	bio = open_pem(dir, key);
	free(key);
	found = bio != NULL;
	if (found)
		c->key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
	BIO_free(bio);
	ERR_clear_error();
	if (c->x509 == NULL)
		return "no certificate";
	if (c->key == NULL)
		return found ? "its .key file holds no usable private key" :
		    "its .key file cannot be read";
	if (X509_check_private_key(c->x509, c->key) != 1) {
		ERR_clear_error();
		return "the key is not the certificate's";
	}
	c->names = X509_get_ext_d2i(c->x509, NID_subject_alt_name, NULL, NULL);
	return NULL;
}

static void
say(struct strbuf *error, const char *dir, const char *name, const char *why)
{
	sb_printf(error, "%s%s/%s: %s", error->n != 0 ? "; " : "", dir, name,
	    why);
}

/* How many of the pairs could not be read. */
static int
read_set(int dir, struct dirent **list, int n, const struct certs *c,
    struct set *set, struct strbuf *error)
{
	int bad = 0;

	set->cert = xcalloc((size_t)n + 1, sizeof(*set->cert));
	for (int i = 0; i < n && set->count < CERTS_MAX; i++) {
		struct cert *cert = &set->cert[set->count];
		const char *why = read_pair(dir, list[i]->d_name, cert);

		if (why == NULL) {
			set->count++;
			continue;
		}
		cert_free(cert);
		say(error, c->dir, list[i]->d_name, why);
		bad++;
	}
	return bad;
}

static bool
cert_is_for(const struct cert *c, struct slice name)
{
	struct slice rest = name, label;

	slice_cut(&rest, '.', &label);
	for (int i = 0; i < sk_GENERAL_NAME_num(c->names); i++) {
		const GENERAL_NAME *g = sk_GENERAL_NAME_value(c->names, i);
		struct slice have;

		if (g->type != GEN_DNS)
			continue;
		have = slice_of(ASN1_STRING_get0_data(g->d.dNSName),
		    (size_t)ASN1_STRING_length(g->d.dNSName));
		if (slice_ieq(have, name) || (rest.n != 0 && label.n != 0 &&
		    slice_starts(have, S("*.")) &&
		    slice_ieq(slice_skip(have, 2), rest)))
			return true;
	}
	return false;
}

/* 1 read, 0 the same as before, -1 with errno or *error. */
static int
load(struct certs *c, bool first, struct strbuf *error)
{
	struct set set = { 0 };
	struct dirent **list;
	uint64_t stamp;
	int n, r = 0, dir;

	dir = open(c->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir == -1)
		return -1;
	if ((n = scandirat(dir, ".", &list, ends_in_crt, alphasort)) == -1) {
		close(dir);
		return -1;
	}
	stamp = stamp_of(dir, list, n);
	if (first || stamp != c->stamp) {
		int bad = read_set(dir, list, n, c, &set, error);

		c->stamp = stamp;
		if (first || bad == 0) {
			set_free(&c->set);
			c->set = set;
			r = 1;
		} else { /* half of a change: the rest changes the stamp */
			set_free(&set);
			r = -1;
		}
		for (size_t i = c->set.count; i > 0; i--)
			if (cert_is_for(&c->set.cert[i - 1], slice_str(c->host)))
				c->set.host = i - 1;
	}
	for (int i = 0; i < n; i++)
		free(list[i]);
	free(list);
	close(dir);
	return r;
}

struct certs *
certs_open(const char *dir, struct slice host, struct strbuf *error)
{
	struct certs *c = xcalloc(1, sizeof(*c));

	c->dir = xstrdup(dir);
	c->host = slice_dup(host);
	c->checked = clock_ms();
	if (load(c, true, error) != -1)
		return c;
	certs_close(c);
	return NULL;
}

int
certs_refresh(struct certs *c, struct strbuf *error)
{
	int64_t now = clock_ms();

	if (now - c->checked < CHECK_EVERY_MS)
		return 0;
	c->checked = now;
	return load(c, false, error);
}

void
certs_close(struct certs *c)
{
	int e = errno;

	if (c == NULL)
		return;
	set_free(&c->set);
	free(c->dir);
	free(c->host);
	free(c);
	errno = e;
}

size_t
certs_count(const struct certs *c)
{
	return c->set.count;
}

bool
certs_have(const struct certs *c, struct slice name)
{
	for (size_t i = 0; i < c->set.count; i++)
		if (cert_is_for(&c->set.cert[i], name))
			return true;
	return false;
}

static int
use(const struct cert *c, SSL *ssl)
{
	int used;

	/* A second pair of one key type is no error: the first stays. */
	ERR_set_mark();
	used = SSL_use_cert_and_key(ssl, c->x509, c->key, c->chain, 0) == 1;
	ERR_pop_to_mark();
	return used;
}

int
certs_use(const struct certs *c, struct slice name, SSL *ssl)
{
	int used = 0;

	if (name.n != 0)
		for (size_t i = 0; i < c->set.count; i++)
			if (cert_is_for(&c->set.cert[i], name))
				used |= use(&c->set.cert[i], ssl);
	if (used == 0 && c->set.count != 0)
		used = use(&c->set.cert[c->set.host], ssl);
	if (used != 0)
		for (size_t i = 0; name.n == 0 && i < c->set.count; i++)
			/* The host's other key types. */
			if (i != c->set.host && cert_is_for(&c->set.cert[i],
			    slice_str(c->host)))
				(void)use(&c->set.cert[i], ssl);
	return used;
}
