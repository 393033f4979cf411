/*
 * dkim-sign - sign a message (RFC 6376, 8463)
 * usage   dkim-sign [-w] [-C root]
 * fd 0    a job or a bare message; with -w, a SOCK_SEQPACKET socket of jobs
 * fd 1    the job with a sign line for each signature, or those lines alone
 * exit    0 signed; for a bare message 1 not signed; 100 usage, 111 temporary
 * rights  user pneu-key; reads cdb/ and secret/dkim/; network: none
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "addr/addr.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/confine.h"
#include "base/die.h"
#include "base/file.h"
#include "base/log.h"
#include "conf/conf.h"
#include "dkim/sign.h"
#include "imf/address.h"
#include "stage/stage.h"

/* Keys kept parsed; a busy host of many domains reads a few more. */
#define KEYS_KEPT 32
#define KEY_FILE_MAX ((size_t)64 * 1024)
#define SIGNATURE_MAX ((size_t)64 * 1024)

struct kept {
	char *file;
	struct stat st;
	EVP_PKEY *key;
};

struct signing {
	struct conf *conf;
	int dir; /* secret/dkim, -1 if there is none */
	struct kept kept[KEYS_KEPT];
	size_t next; /* the one to replace */
};

static EVP_PKEY *
read_key(struct signing *sg, const char *file)
{
	struct strbuf pem = STRBUF_INIT(KEY_FILE_MAX);
	EVP_PKEY *key = NULL;

	if (file_slurp(sg->dir, file, &pem) == 0)
		key = dkim_key_read(sb_slice(&pem));
	if (pem.p != NULL)
		explicit_bzero(pem.p, pem.n);
	sb_free(&pem);
	return key;
}

/* The key in a file of secret/dkim, or NULL. It stays ours. */
static EVP_PKEY *
find_key(struct signing *sg, const char *file)
{
	struct kept *k = NULL;
	struct stat st;

	if (sg->dir == -1 || strchr(file, '/') != NULL ||
	    fstatat(sg->dir, file, &st, 0) == -1)
		return NULL;
	for (size_t i = 0; i < KEYS_KEPT && k == NULL; i++)
		if (sg->kept[i].file != NULL &&
		    strcmp(sg->kept[i].file, file) == 0)
			k = &sg->kept[i];
	if (k != NULL && k->st.st_ino == st.st_ino &&
	    k->st.st_size == st.st_size &&
	    k->st.st_mtim.tv_sec == st.st_mtim.tv_sec &&
	    k->st.st_mtim.tv_nsec == st.st_mtim.tv_nsec)
		return k->key;
	if (k == NULL) {
		k = &sg->kept[sg->next];
		sg->next = (sg->next + 1) % KEYS_KEPT;
	}
	free(k->file);
	EVP_PKEY_free(k->key);
	k->file = xstrdup(file);
	k->st = st;
	k->key = read_key(sg, file);
	return k->key;
}

/* What a sign record says when there is no signature. */
static void
unsigned_because(struct job *j, struct strbuf *out, struct slice domain,
    const char *reason)
{
	tuple_begin(out, "sign");
	tuple_opt(out, "domain", domain);
	tuple_puts(out, "reason", reason);
	tuple_end(out);
	j->unfavourable = true;
}

/* Fields that stages before this one put in front, each with its line end. */
static void
prepended(const struct job *j, struct strbuf *sb)
{
	const struct tuple *t = NULL;

	while ((t = job_next(j, "prepend", t)) != NULL) {
		struct slice text = tuple_value(t, "text"), line;

		while (slice_line(&text, &line) == 1) {
			sb_put(sb, line);
			sb_puts(sb, "\r\n");
		}
	}
}

/* The one From address: NULL, or why the message is not signed. */
static const char *
from_of(const struct dkim_message *m, struct arena *ar, struct address *from)
{
	struct address_list list = { 0 };
	size_t found = 0;

	if (m->from_fields != 1)
		return m->from_fields == 0 ? "no From field" : "two From fields";
	for (size_t i = 0; i < m->fields.count; i++)
		if (slice_ieqs(m->fields.f[i].name, "from"))
			address_list_parse(m->fields.f[i].value, ar, &list);
	for (size_t i = 0; i < list.count; i++)
		if (list.list[i].kind == ADDRESS_ONE && found++ == 0)
			*from = list.list[i];
	if (list.bad || found != 1 || from->addr.n == 0)
		return "From is not one address";
	return NULL;
}

/*
 * The domain that signs: that of From. For this host's own notices, whose
 * domain is the host name, the nearest configured domain above it.
 */
static bool
domain_for(struct signing *sg, struct slice from, struct slice *domain,
    struct slice *text)
{
	bool own = slice_ieq(from, conf_host(sg->conf, "name"));
	struct slice label;

	*domain = from;
	do
		if (conf_get(sg->conf, "domain", *domain, text) == 1)
			return true;
	while (own && slice_cut(domain, '.', &label) &&
	    slice_chr(*domain, '.') != -1);
	return false;
}

/* i=: the address where it needs no quoting in a tag, otherwise "@domain". */
static struct slice
identity_of(const struct address *from, struct arena *ar)
{
	ptrdiff_t at = slice_rchr(from->addr, '@');
	struct slice local = slice_sub(from->addr, 0, (size_t)at);

	for (size_t i = 0; i < local.n; i++)
		if (!ascii_isalnum(local.p[i]) &&
		    strchr("!#$%&'*+-/?^_`{|}~.", local.p[i]) == NULL)
			return arena_copy(ar, slice_skip(from->addr, (size_t)at));
	return from->addr;
}

/* One dkim record of the domain's configuration: 1 signed. */
static int
sign_with(struct signing *sg, struct job *j, const struct tuple *t,
    const struct dkim_message *m, const struct address *from,
    struct slice domain, struct strbuf *out)
{
	struct dkim_signer s = { .domain = domain,
		.selector = tuple_value(t, "selector") };
	struct strbuf text = STRBUF_INIT(SIGNATURE_MAX);
	char *file = slice_dup(tuple_value(t, "key"));
	const char *alg;
	int r;

	s.key = find_key(sg, file);
	free(file);
	alg = s.key == NULL ? NULL : dkim_alg_name(dkim_key_is_ed25519(s.key) ?
	    DKIM_ED25519_SHA256 : DKIM_RSA_SHA256);
	if (alg == NULL || !tuple_has(t, "alg", alg)) {
		log_error("key of selector %.*s of %.*s: %s",
		    SLICE_ARG(s.selector), SLICE_ARG(domain), alg == NULL ?
		    "absent or not usable" : "not of the type in conf");
		unsigned_because(j, out, domain, "key not usable");
		return 0;
	}
	r = dkim_sign(&s, m, identity_of(from, j->arena),
	    j->time != 0 ? j->time : clock_unix(), j->arena, &text);
	if (r == 0) {
		tuple_begin(out, "sign");
		tuple_put(out, "domain", domain);
		tuple_put(out, "selector", s.selector);
		tuple_puts(out, "alg", alg);
		tuple_put(out, "text", sb_slice(&text));
		tuple_end(out);
	} else
		unsigned_because(j, out, domain, "signing failed");
	sb_free(&text);
	return r == 0;
}

static void
sign_all(struct signing *sg, struct job *j, const struct dkim_message *m,
    struct strbuf *out)
{
	struct address from = { 0 };
	struct tuple_reader r;
	struct slice domain = SLICE_NONE, text;
	struct tuple t;
	const char *why = from_of(m, j->arena, &from);
	int keys = 0;

	if (why != NULL) {
		unsigned_because(j, out, SLICE_NONE, why);
		return;
	}
	if (!domain_for(sg, from.addr_domain, &domain, &text)) {
		unsigned_because(j, out, from.addr_domain, "not our domain");
		return;
	}
	tuple_reader_init(&r, text);
	while (tuple_next(&r, j->arena, &t) == 1)
		if (tuple_is(&t, "dkim") && !tuple_has(&t, "sign", "no")) {
			keys++;
			sign_with(sg, j, &t, m, &from, domain, out);
		}
	if (keys == 0)
		unsigned_because(j, out, domain, "domain has no key");
}

static int
run(void *ctx, struct job *j, struct strbuf *out)
{
	struct strbuf added = STRBUF_INIT(JOB_ENVELOPE_MAX);
	struct dkim_message m;
	const char *error;

	prepended(j, &added);
	if (added.over)
		unsigned_because(j, out, SLICE_NONE, "header too long");
	else if (dkim_message_read(sb_slice(&added), j->msg, j->arena, &m,
	    &error) == -1)
		unsigned_because(j, out, SLICE_NONE, error);
	else
		sign_all(ctx, j, &m, out);
	sb_free(&added);
	return EXIT_DONE;
}

static void
refresh(void *ctx)
{
	struct signing *sg = ctx;

	if (conf_refresh(sg->conf) == -1)
		log_sys("unable to open the new configuration");
}

static void
cage(struct signing *sg, const char *root)
{
	char *cdb = xprintf("%s/cdb", root);
	char *keys = xprintf("%s/secret/dkim", root);
	const char *read[] = { cdb, keys, NULL };
	struct confine c = { .read = read };

	sg->dir = open(keys, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (sg->dir == -1 && errno != ENOENT)
		die_sys(EXIT_TEMP, "unable to open %s", keys);
	if (sg->dir == -1)
		read[1] = NULL; /* no domain has a key yet */
	if (confine(&c) == -1)
		die_sys(EXIT_TEMP, "unable to confine");
	free(cdb);
	free(keys);
}

int
main(int argc, char **argv)
{
	struct signing sg = { 0 };
	struct stage s = { .name = "dkim-sign", .types = "sign", .run = run,
		.refresh = refresh, .ctx = &sg, .skip_parts = true };
	struct stage_opts o = { 0 };
	const char *root = NULL;
	int ch;

	prog_start(argc, argv, "[-w] [-C root]", "sign a message",
	    "reads cdb/ and secret/dkim/; network: none");
	while ((ch = getopt(argc, argv, "C:" STAGE_OPTS)) != -1)
		switch (ch) {
		case 'C': root = optarg; break;
		default:
			if (!stage_option(&o, ch, optarg))
				usage();
		}
	if (argc != optind || o.no_message)
		usage();
	root = conf_root(root);
	if ((sg.conf = conf_open(root)) == NULL)
		die_sys(EXIT_TEMP, "unable to open %s/cdb/conf.cdb", root);
	cage(&sg, root);
	return stage_main(&s, &o);
}
