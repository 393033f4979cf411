/*
 * dkim-sign - sign a message (RFC 6376, 8463)
 * usage   dkim-sign [-mvw] [-C root]
 * fd 0    a job or a bare message; with -w, a SOCK_SEQPACKET socket of jobs
 * fd 1    the job with a sign line for each signature; of a bare message the
 *         DKIM-Signature fields, with -m the message after them
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
#include "dkim/taglist.h"
#include "imf/address.h"
#include "stage/stage.h"

/* Keys kept parsed; a busy host of many domains reads a few more. */
#define KEYS_KEPT 32
#define KEY_FILE_MAX ((size_t)64 * 1024)
#define SIGNATURE_MAX ((size_t)64 * 1024)
#define TRACE_MAX ((size_t)256 * 1024)

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
	bool whole; /* -m */
};

/* A message, what is asked of it and what becomes of it. */
struct work {
	struct signing *sg;
	struct job *job;
	struct dkim_message m;
	struct address from;
	struct strbuf *out;
	struct strbuf trace; /* -v */
	bool done; /* there is a sign record */
};

static const char *
alg_of(const EVP_PKEY *key)
{
	return dkim_alg_name(dkim_key_is_ed25519(key) ? DKIM_ED25519_SHA256 :
	    DKIM_RSA_SHA256);
}

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

/* The key in a file of secret/dkim; it stays ours. Or NULL, and why. */
static EVP_PKEY *
find_key(struct signing *sg, const char *file, const char **why)
{
	struct kept *k = NULL;
	struct stat st;

	*why = "no such file in secret/dkim";
	if (sg->dir == -1 || strchr(file, '/') != NULL ||
	    fstatat(sg->dir, file, &st, 0) == -1)
		return NULL;
	*why = "others may read the file: chmod o= it";
	if (st.st_mode & S_IRWXO)
		return NULL;
	*why = "no PEM of Ed25519, or of RSA with at least 1024 bits, that "
	    "can be read without a passphrase";
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

static void
put_because(struct work *w, const char *result, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static void
put_because(struct work *w, const char *result, const char *fmt, ...)
{
	struct strbuf text = STRBUF_INIT(4096);
	va_list ap;

	va_start(ap, fmt);
	sb_vprintf(&text, fmt, ap);
	va_end(ap);
	tuple_begin(&w->trace, "because");
	tuple_puts(&w->trace, "check", "sign");
	tuple_puts(&w->trace, "result", result);
	tuple_put(&w->trace, "text", sb_slice(&text));
	tuple_end(&w->trace);
	sb_free(&text);
}

/* What a sign record says when there is no signature; advice is for -v. */
static void
unsigned_because(struct work *w, struct slice domain, const char *reason,
    const char *advice)
{
	tuple_begin(w->out, "sign");
	tuple_opt(w->out, "domain", domain);
	tuple_puts(w->out, "reason", reason);
	tuple_end(w->out);
	w->done = true;
	w->job->unfavourable = true;
	put_because(w, "unsigned", "The message was not signed%s%.*s: %s. %s",
	    domain.n != 0 ? " for " : "", SLICE_ARG(domain), reason, advice);
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

/* i=: the address as tables have it, so without what follows a separator. */
static struct slice
identity_of(const struct address *from, const struct tuple *domain,
    struct arena *ar)
{
	struct strbuf sb = STRBUF_INIT(1024);
	struct slice s;
	struct addr a;

	if (addr_parse(from->addr, ADDR_UTF8, ar, &a) == -1)
		return from->addr;
	a.local = conf_local(domain, a.local, ar);
	addr_format(&sb, &a);
	s = arena_copy(ar, sb_slice(&sb));
	sb_free(&sb);
	return s;
}

/* One item of from=: local@domain, @domain or @*.domain. */
static bool
is_sender(const struct address *from, struct slice identity, struct slice item,
    const struct tuple *domain, struct arena *ar)
{
	struct address other = { .addr = item };

	if (slice_starts(item, S("@*.")))
		return !slice_eq(from->addr_domain, slice_skip(item, 3)) &&
		    domain_under(from->addr_domain, slice_skip(item, 3));
	if (item.n != 0 && item.p[0] == '@')
		return slice_eq(from->addr_domain, slice_skip(item, 1));
	return slice_eq(identity, identity_of(&other, domain, ar));
}

/* Does the key sign mail from this address? Without from=, mail from exactly
 * its domain; notices of this host are signed for the domain above. */
static bool
signs_for(const struct tuple *t, const struct tuple *domain,
    const struct address *from, struct slice identity, bool notice,
    struct arena *ar)
{
	struct slice list, item;

	if (!tuple_get(t, "from", &list))
		return notice ||
		    slice_eq(from->addr_domain, tuple_value(domain, "name"));
	while (taglist_item(&list, ',', &item))
		if (is_sender(from, identity, item, domain, ar))
			return true;
	return false;
}

/* -v */
static void
put_step(struct work *w, const struct tuple *t, const struct dkim_signer *s,
    const struct dkim_signed *what, struct slice identity)
{
	struct strbuf *sb = &w->trace;

	tuple_begin(sb, "step");
	tuple_puts(sb, "check", "sign");
	tuple_put(sb, "domain", s->domain);
	tuple_put(sb, "selector", s->selector);
	tuple_put(sb, "key", tuple_value(t, "key"));
	tuple_putu(sb, "bits", (uint64_t)EVP_PKEY_get_bits(s->key));
	tuple_put(sb, "canon", conf_value(t, "canon", w->job->arena));
	tuple_put(sb, "identity", identity);
	tuple_put(sb, "h", what->names);
	tuple_put(sb, "oversigned", what->oversigned);
	tuple_put64(sb, "header-hash", slice_of(what->header_hash,
	    DKIM_HASH_SIZE));
	tuple_put64(sb, "body-hash", slice_of(what->body_hash, DKIM_HASH_SIZE));
	tuple_puts(sb, "note", "h is what is signed; of the oversigned none "
	    "may be added");
	tuple_end(sb);
	put_because(w, "signed", "Signed for %.*s with selector %.*s, the key "
	    "in secret/dkim/%.*s; receivers look for its public half at "
	    "%.*s._domainkey.%.*s.", SLICE_ARG(s->domain),
	    SLICE_ARG(s->selector), SLICE_ARG(tuple_value(t, "key")),
	    SLICE_ARG(s->selector), SLICE_ARG(s->domain));
}

/* How the record says that its key signs: false if the key is not usable. */
static bool
read_signer(struct work *w, const struct tuple *t, struct dkim_signer *s)
{
	struct arena *ar = w->job->arena;
	struct slice canon = conf_value(t, "canon", ar);
	char *file = slice_dup(tuple_value(t, "key"));
	uint64_t expire;
	const char *why;

	s->selector = tuple_value(t, "selector");
	s->headers = conf_value(t, "headers", ar);
	s->oversign = conf_value(t, "oversign", ar);
	s->header = slice_starts(canon, S("relaxed/")) ? CANON_RELAXED :
	    CANON_SIMPLE;
	s->body = slice_find(canon, S("/relaxed")) != -1 ? CANON_RELAXED :
	    CANON_SIMPLE;
	if (slice_u64(conf_value(t, "expire", ar), INT32_MAX, &expire) == 0)
		s->expire = (int64_t)expire;
	s->key = find_key(w->sg, file, &why);
	free(file);
	if (s->key != NULL && !tuple_has(t, "alg", alg_of(s->key)))
		why = "not of the type that alg= says";
	else if (s->key != NULL)
		return true;
	log_error("key of selector %.*s of %.*s: %s", SLICE_ARG(s->selector),
	    SLICE_ARG(s->domain), why);
	unsigned_because(w, s->domain, "key not usable", why);
	return false;
}

/* Sign with one dkim record of the domain's configuration. */
static void
sign_with(struct work *w, const struct tuple *t, struct slice domain,
    struct slice identity)
{
	struct dkim_signer s = { .domain = domain };
	struct strbuf text = STRBUF_INIT(SIGNATURE_MAX);
	struct dkim_signed what;
	struct job *j = w->job;
	const char *error;

	if (!read_signer(w, t, &s))
		return;
	if (dkim_sign(&s, &w->m, identity, j->time != 0 ? j->time :
	    clock_unix(), j->arena, &text, &what, &error) == 0) {
		tuple_begin(w->out, "sign");
		tuple_put(w->out, "domain", domain);
		tuple_put(w->out, "selector", s.selector);
		tuple_puts(w->out, "alg", alg_of(s.key));
		tuple_put(w->out, "text", sb_slice(&text));
		tuple_end(w->out);
		w->done = true;
		if (j->verbose)
			put_step(w, t, &s, &what, identity);
	} else
		unsigned_because(w, domain, error, "");
	sb_free(&text);
}

/* All keys of a configured domain that sign for the address: how many dkim
 * records it has. */
static int
sign_for(struct work *w, struct slice name, struct slice text, bool notice)
{
	struct arena *ar = w->job->arena;
	struct tuple domain = { 0 }, t;
	struct tuple_reader r;
	struct slice identity = SLICE_NONE;
	int keys = 0;

	tuple_reader_init(&r, text);
	while (tuple_next(&r, ar, &t) == 1) {
		if (tuple_is(&t, "domain")) { /* stands before all others */
			domain = t;
			identity = identity_of(&w->from, &domain, ar);
			if (tuple_has(&t, "disabled", "yes")) {
				unsigned_because(w, name, "domain is disabled",
				    "Its file in conf/domain says so.");
				return 1;
			}
		}
		if (!tuple_is(&t, "dkim"))
			continue;
		keys++;
		if (!tuple_has(&t, "sign", "no") && signs_for(&t, &domain,
		    &w->from, identity, notice, ar))
			sign_with(w, &t, name, identity);
	}
	return keys;
}

/*
 * The domain of From signs. If it has no keys, the nearest domain above that
 * has one for the address; for this host's own notices, whose domain is the
 * host name, the nearest that is configured.
 */
static void
sign_all(struct work *w)
{
	struct slice from = w->from.addr_domain, domain = from, label, text;
	bool notice = slice_ieq(from, conf_host(w->sg->conf, "name"));
	bool ours = false, stop = false;

	do {
		if (conf_get(w->sg->conf, "domain", domain, &text) != 1)
			continue;
		ours |= domain.n == from.n || notice;
		stop = sign_for(w, domain, text, notice) > 0 &&
		    domain.n == from.n;
		stop |= w->done || notice;
	} while (!stop && slice_cut(&domain, '.', &label) &&
	    slice_chr(domain, '.') != -1);
	if (w->done)
		return;
	if (!ours)
		unsigned_because(w, from, "not our domain", "Only domains in "
		    "conf/domain are signed for; domain-add makes one.");
	else if (stop && !notice)
		unsigned_because(w, from, "no key for this address", "Its dkim "
		    "records say sign=no, or from= another address.");
	else
		unsigned_because(w, from, "domain has no key", "Add a dkim "
		    "record to its file in conf/domain: conf(5).");
}

static void
sign_message(struct work *w, struct slice added)
{
	const char *error;

	if (dkim_message_read(added, w->job->msg, w->job->arena, &w->m,
	    &error) == -1)
		unsigned_because(w, SLICE_NONE, error,
		    "Readers would not agree on what the fields are.");
	else if ((error = from_of(&w->m, w->job->arena, &w->from)) != NULL)
		unsigned_because(w, SLICE_NONE, error, "A message is signed "
		    "for the domain of its one From address.");
	else
		sign_all(w);
}

static int
run(void *ctx, struct job *j, struct strbuf *out)
{
	struct strbuf added = STRBUF_INIT(JOB_ENVELOPE_MAX);
	struct work w = { .sg = ctx, .job = j, .out = out,
		.trace = STRBUF_INIT(TRACE_MAX) };

	prepended(j, &added);
	if (added.over)
		unsigned_because(&w, SLICE_NONE, "header too long", "");
	else
		sign_message(&w, sb_slice(&added));
	if (j->verbose && write_all(STDERR_FILENO, sb_slice(&w.trace)) == -1)
		j->verbose = false;
	sb_free(&w.trace);
	sb_free(&added);
	return EXIT_DONE;
}

/* Line ends as in the message that was given. */
static void
put_lines(struct strbuf *sb, struct slice text, bool crlf)
{
	struct slice line;

	while (slice_line(&text, &line) == 1) {
		sb_put(sb, line);
		sb_puts(sb, crlf ? "\r\n" : "\n");
	}
}

/* For people: the fields, or the message with them in front. */
static void
show(void *ctx, struct slice given, struct slice lines)
{
	const struct signing *sg = ctx;
	struct strbuf sb = STRBUF_INIT(JOB_ENVELOPE_MAX);
	ptrdiff_t lf = slice_chr(given, '\n');
	bool crlf = lf > 0 && given.p[lf - 1] == '\r';
	struct arena ar = { 0 };
	struct tuple_reader r;
	struct slice text;
	struct tuple t;

	tuple_reader_init(&r, lines);
	while (tuple_next(&r, &ar, &t) == 1)
		if (tuple_get(&t, "text", &text))
			put_lines(&sb, text, crlf);
		else
			warn("not signed: %.*s",
			    SLICE_ARG(tuple_value(&t, "reason")));
	if (write_all(STDOUT_FILENO, sb_slice(&sb)) == -1 || (sg->whole &&
	    sb.n != 0 && write_all(STDOUT_FILENO, given) == -1))
		die_sys(EXIT_TEMP, "unable to write");
	sb_free(&sb);
	arena_free(&ar);
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
		.refresh = refresh, .ctx = &sg, .show = show,
		.skip_parts = true };
	struct stage_opts o = { 0 };
	const char *root = NULL;
	int ch;

	prog_start(argc, argv, "[-mvw] [-C root]", "sign a message",
	    "reads cdb/ and secret/dkim/; network: none");
	while ((ch = getopt(argc, argv, "C:m" STAGE_OPTS)) != -1)
		switch (ch) {
		case 'C': root = optarg; break;
		case 'm': sg.whole = true; break;
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
