/* Check conf/ and compile it. */
#include "conf/build.h"

#include <cdb.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "addr/addr.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/rid.h"
#include "conf/build_dkim.h"
#include "conf/conf.h"
#include "conf/setting.h"

/* What conf/ consists of. */
static const struct kind {
	const char *name;
	bool many;           /* a directory with a file for each */
	bool stored;         /* goes into conf.cdb */
	const char *records; /* types it may have; the first names the file */
} kinds[] = {
	{ "host", false, true, "host" },
	{ "listen", false, true, "listen" },
	{ "pipeline", true, false, "stage entry" },
	{ "domain", true, true, "domain dkim" },
	{ "account", true, true, "account address catch-all" },
	{ "alias", true, true, "alias member" },
};

/* A file of conf/ and its records, in compiled form. */
struct file {
	const struct kind *kind;
	struct slice name; /* canonical; empty for host and listen */
	const char *path;  /* below conf/, for messages */
	struct tuple *rec;
	size_t count;
	bool broken;       /* a record of it could not be read */
};

/* An address, who has it and where that is written. */
struct entry {
	struct slice key; /* LOCAL@DOMAIN or @DOMAIN */
	const struct file *file;
	const struct tuple *rec;
};

struct build {
	int root;
	struct arena ar;
	struct strbuf *report;
	bool bad, failed; /* mistakes in conf/; an error of the system */
	int error;
	struct file *files;
	size_t count, room;
	struct entry *entries; /* sorted by key */
	size_t entry_count;
};

__attribute__((format(printf, 5, 6))) static void
mistake(struct build *b, const char *path, unsigned line, struct slice attr,
    const char *fmt, ...)
{
	va_list ap;

	b->bad = true;
	sb_printf(b->report, "conf/%s:%u: ", path, line);
	sb_put(b->report, attr);
	sb_puts(b->report, attr.n != 0 ? ": " : "");
	va_start(ap, fmt);
	sb_vprintf(b->report, fmt, ap);
	va_end(ap);
	sb_putc(b->report, '\n');
}

static void
trouble(struct build *b)
{
	b->failed = true;
	b->error = errno;
}

static bool
word_in(struct slice word, const char *list)
{
	struct slice l = slice_str(list), w;

	while (slice_word(&l, &w))
		if (slice_eq(w, word))
			return true;
	return false;
}

static struct slice
first_word(const char *list)
{
	struct slice l = slice_str(list), w = SLICE_NONE;

	slice_word(&l, &w);
	return w;
}

/* Checking one record against the table. */

static void
check_attr(struct build *b, const struct file *f, const struct tuple *t,
    size_t i)
{
	struct attr *a = &t->attr[i];
	const struct setting *s = setting_find(t->type, a->name);
	const char *error;

	if (s == NULL) {
		mistake(b, f->path, t->line, a->name, "no such attribute");
		return;
	}
	for (size_t k = 0; k < i; k++)
		if (!(s->flags & SET_REPEAT) &&
		    slice_eq(t->attr[k].name, a->name))
			mistake(b, f->path, t->line, a->name, "given twice");
	error = setting_normal(s, a->value, &b->ar, &a->value);
	if (error != NULL)
		mistake(b, f->path, t->line, a->name, "%s", error);
}

static void
check_record(struct build *b, const struct file *f, const struct tuple *t)
{
	struct slice v;

	for (size_t i = 0; i < t->count; i++)
		check_attr(b, f, t, i);
	for (size_t i = 0; i < settings_count; i++)
		if (settings[i].flags & SET_REQUIRED &&
		    tuple_is(t, settings[i].record) &&
		    !tuple_get(t, settings[i].attr, &v))
			mistake(b, f->path, t->line, slice_str(settings[i].attr),
			    "missing");
}

/* Reading. */

static void
add_record(struct build *b, struct file *f, const struct tuple *t)
{
	if ((f->count & (f->count + 1)) == 0) /* full: 0, 1, 3, 7 ... */
		f->rec = arena_grow(&b->ar, f->rec, f->count * sizeof(*t),
		    (2 * f->count + 1) * sizeof(*t));
	f->rec[f->count++] = *t;
}

static void
read_records(struct build *b, struct file *f, struct slice text)
{
	struct tuple_reader r;
	struct tuple t;
	int got;

	tuple_reader_init(&r, text);
	while ((got = tuple_next(&r, &b->ar, &t)) != 0) {
		if (got == -1) {
			mistake(b, f->path, r.error_line, SLICE_NONE, "%s",
			    r.error);
			f->broken = true;
		} else if (!word_in(t.type, f->kind->records)) {
			mistake(b, f->path, t.line, t.type,
			    "no such record here");
		} else {
			check_record(b, f, &t);
			add_record(b, f, &t);
		}
	}
}

static struct file *
new_file(struct build *b, const struct kind *kind, struct slice name)
{
	struct strbuf path = STRBUF_INIT(512);
	struct file *f;

	if (b->count == b->room) {
		b->room = b->room == 0 ? 64 : 2 * b->room;
		b->files = xrealloc(b->files,
		    size_mul(b->room, sizeof(*b->files)));
	}
	f = &b->files[b->count++];
	sb_puts(&path, kind->name);
	sb_puts(&path, kind->many ? "/" : "");
	sb_put(&path, name);
	*f = (struct file){ .kind = kind, .name = arena_copy(&b->ar, name),
		.path = arena_cstr(&b->ar, sb_slice(&path)) };
	sb_free(&path);
	return f;
}

static void
read_file(struct build *b, int conf, const struct kind *kind,
    struct slice name)
{
	struct file *f = new_file(b, kind, name);
	struct strbuf sb = STRBUF_INIT(CONF_FILE_MAX);
	struct stat st;
	int r;

	/* A FIFO, say, would hold up whoever opens it. */
	if (fstatat(conf, f->path, &st, 0) == 0 && !S_ISREG(st.st_mode)) {
		mistake(b, f->path, 1, SLICE_NONE, "not a file");
		sb_free(&sb);
		return;
	}
	r = file_slurp(conf, f->path, &sb);
	if (r == -1 && errno == EMSGSIZE)
		mistake(b, f->path, 1, SLICE_NONE, "larger than 16 MiB");
	else if (r == -1 && errno != ENOENT) {
		mistake(b, f->path, 0, SLICE_NONE, "cannot be read");
		trouble(b);
	}
	if (r == 0)
		read_records(b, f, arena_copy(&b->ar, sb_slice(&sb)));
	sb_free(&sb);
}

/* Files that editors and file_commit() leave behind are not settings. */
static bool
is_leftover(const char *name)
{
	size_t n = strlen(name);

	return name[0] == '.' || name[0] == '#' || name[n - 1] == '~';
}

static int
by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int
no_leftover(const struct dirent *e)
{
	return !is_leftover(e->d_name);
}

static void
read_dir(struct build *b, int conf, const struct kind *kind)
{
	struct dirent **names;
	struct slice name;
	int n = scandirat(conf, kind->name, &names, no_leftover, by_name);

	if (n == -1) {
		if (errno != ENOENT)
			trouble(b);
		return;
	}
	for (int i = 0; i < n; i++) {
		name = slice_str(names[i]->d_name);
		if (setting_name_ok(name))
			read_file(b, conf, kind, name);
		else
			mistake(b, kind->name, 0, SLICE_NONE,
			    "a file has a name that is not allowed");
		free(names[i]);
	}
	free(names);
}

/* Checking files against each other. */

static const struct file *
find_file(const struct build *b, const char *kind, struct slice name)
{
	for (size_t i = 0; i < b->count; i++)
		if (strcmp(b->files[i].kind->name, kind) == 0 &&
		    slice_eq(b->files[i].name, name))
			return &b->files[i];
	return NULL;
}

/* The file's own record comes once and has the file's name. */
static void
check_names(struct build *b, struct file *f)
{
	struct slice type = first_word(f->kind->records), name, want;
	size_t seen = 0;

	if (slice_eqs(type, "listen") || slice_eqs(type, "stage"))
		return;
	for (size_t i = 0; i < f->count; i++) {
		const struct tuple *t = &f->rec[i];

		if (!slice_eq(t->type, type))
			continue;
		if (++seen == 2)
			mistake(b, f->path, t->line, type, "second such record");
		want = f->name;
		if (tuple_is(t, "domain") &&
		    domain_ascii(f->name, &b->ar, &want) == -1)
			mistake(b, f->path, t->line, S("name"),
			    "the file's name is not a domain");
		if (f->kind->many && tuple_get(t, "name", &name) &&
		    !slice_eq(name, want))
			mistake(b, f->path, t->line, S("name"),
			    "is not the file's name");
		if (tuple_is(t, "domain"))
			f->name = want;
	}
	/* It may be the one that could not be read. */
	if (seen == 0 && !f->broken)
		mistake(b, f->path, 1, type, "this record is missing");
}

static void
check_host(struct build *b)
{
	const struct file *f = find_file(b, "host", SLICE_NONE);
	struct slice account;

	if (f->count != 0 && tuple_get(&f->rec[0], "postmaster", &account) &&
	    find_file(b, "account", account) == NULL)
		mistake(b, f->path, f->rec[0].line, S("postmaster"),
		    "no such account");
}

static void
check_dkim(struct build *b, const struct file *f)
{
	struct strbuf why = STRBUF_INIT(1024);

	for (size_t i = 0; i < f->count; i++) {
		const struct tuple *t = &f->rec[i];
		const char *attr;

		if (!tuple_is(t, "dkim"))
			continue;
		sb_reset(&why);
		if (dkim_mistake(b->root, f->name, t, &b->ar, &attr, &why))
			mistake(b, f->path, t->line, slice_str(attr), "%s",
			    sb_cstr(&why));
		for (size_t k = 0; k < i; k++)
			if (tuple_is(&f->rec[k], "dkim") &&
			    slice_eq(tuple_value(&f->rec[k], "selector"),
			    tuple_value(t, "selector")))
				mistake(b, f->path, t->line, S("selector"),
				    "also in line %u", f->rec[k].line);
	}
	sb_free(&why);
}

/* Addresses. */

static const struct tuple *
own_record(const struct file *f)
{
	for (size_t i = 0; i < f->count; i++)
		if (slice_eq(f->rec[i].type, first_word(f->kind->records)))
			return &f->rec[i];
	return NULL;
}

static struct slice
address_join(struct build *b, struct slice local, struct slice domain)
{
	struct strbuf sb = STRBUF_INIT(1024);
	struct slice s;

	sb_put(&sb, local);
	sb_putc(&sb, '@');
	sb_put(&sb, domain);
	s = arena_copy(&b->ar, sb_slice(&sb));
	sb_free(&sb);
	return s;
}

/* An address that lookups, which cut at the separator, could never find. */
static bool
check_local(struct build *b, const struct file *f, const struct tuple *t,
    const struct tuple *domain, struct slice local)
{
	for (size_t i = 0; i < domain->count; i++)
		if (slice_eqs(domain->attr[i].name, "separator") &&
		    slice_find(local, domain->attr[i].value) > 0) {
			mistake(b, f->path, t->line, S("addr"),
			    "has the domain's separator");
			return false;
		}
	return true;
}

/* The key under which an address is found: empty after a mistake. */
static struct slice
address_key(struct build *b, const struct file *f, const struct tuple *t)
{
	struct slice text = tuple_value(t, "addr"), local;
	const struct tuple *domain = NULL;
	const struct file *df;
	struct addr a = { 0 };

	if (text.n != 0 && text.p[0] == '@')
		a.domain = slice_skip(text, 1);
	else if (addr_parse(text, ADDR_UTF8, &b->ar, &a) == -1)
		return SLICE_NONE; /* reported by check_attr() */
	else if (a.local.n == 0) {
		mistake(b, f->path, t->line, S("addr"), "empty local part");
		return SLICE_NONE;
	}
	df = find_file(b, "domain", a.domain);
	if (df != NULL)
		domain = own_record(df);
	if (domain == NULL) {
		mistake(b, f->path, t->line, S("addr"), "no such domain here");
		return SLICE_NONE;
	}
	if (!check_local(b, f, t, domain, a.local))
		return SLICE_NONE;
	local = conf_local(domain, a.local, &b->ar);
	return address_join(b, local, a.domain);
}

static bool
is_address_record(const struct tuple *t)
{
	return tuple_is(t, "address") || tuple_is(t, "catch-all") ||
	    tuple_is(t, "alias");
}

static int
by_key(const void *a, const void *b)
{
	return slice_cmp(((const struct entry *)a)->key,
	    ((const struct entry *)b)->key);
}

static void
collect_addresses(struct build *b)
{
	size_t room = 0;

	for (size_t i = 0; i < b->count; i++)
		room += b->files[i].count;
	b->entries = xcalloc(room + 1, sizeof(*b->entries));
	for (size_t i = 0; i < b->count; i++) {
		const struct file *f = &b->files[i];

		for (size_t k = 0; k < f->count; k++) {
			struct entry e = { .file = f, .rec = &f->rec[k] };

			if (!is_address_record(e.rec))
				continue;
			e.key = address_key(b, f, e.rec);
			if (e.key.n != 0)
				b->entries[b->entry_count++] = e;
		}
	}
	qsort(b->entries, b->entry_count, sizeof(*b->entries), by_key);
	for (size_t i = 1; i < b->entry_count; i++) {
		const struct entry *e = &b->entries[i], *d = e - 1;

		if (slice_eq(e->key, d->key))
			mistake(b, e->file->path, e->rec->line, S("addr"),
			    "also in conf/%s:%u", d->file->path, d->rec->line);
	}
}

static void
check_address(struct build *b, const struct entry *e)
{
	struct slice v;

	if (tuple_is(e->rec, "address") && tuple_get(e->rec, "error", &v) &&
	    tuple_get(e->rec, "mailbox", &v))
		mistake(b, e->file->path, e->rec->line, S("mailbox"),
		    "not together with error");
}

/* The account address behind a member of an alias. */
static const struct entry *
find_member(struct build *b, const struct file *f, const struct tuple *t)
{
	struct entry want = { .key = address_key(b, f, t) }, *e;

	if (want.key.n == 0)
		return NULL;
	e = bsearch(&want, b->entries, b->entry_count, sizeof(want), by_key);
	if (e != NULL && tuple_is(e->rec, "address"))
		return e;
	mistake(b, f->path, t->line, S("addr"), "not an address of an account");
	return NULL;
}

static void
check_all(struct build *b)
{
	check_host(b);
	collect_addresses(b);
	for (size_t i = 0; i < b->entry_count; i++)
		check_address(b, &b->entries[i]);
	for (size_t i = 0; i < b->count; i++) {
		const struct file *f = &b->files[i];

		check_dkim(b, f);
		for (size_t k = 0; k < f->count; k++)
			if (tuple_is(&f->rec[k], "member"))
				find_member(b, f, &f->rec[k]);
	}
}

/* Writing. */

struct output {
	struct cdb_make mk;
	struct strbuf key, text;
	bool failed;
};

static void
put(struct output *o, const char *kind, struct slice name, struct slice text)
{
	sb_reset(&o->key);
	sb_puts(&o->key, kind);
	sb_putc(&o->key, '\0');
	sb_put(&o->key, name);
	if (cdb_make_put(&o->mk, o->key.p, (unsigned)o->key.n, text.p,
	    (unsigned)text.n, CDB_PUT_INSERT) < 0)
		o->failed = true;
}

static void
put_attrs(struct strbuf *sb, const struct tuple *t, const char *but)
{
	char name[64];

	for (size_t i = 0; i < t->count; i++)
		if ((but == NULL || !slice_eqs(t->attr[i].name, but)) &&
		    slice_cstr(t->attr[i].name, name, sizeof(name)) == 0)
			tuple_put(sb, name, t->attr[i].value);
}

static void
put_type(struct strbuf *sb, const struct tuple *t)
{
	char type[64];

	if (slice_cstr(t->type, type, sizeof(type)) == 0)
		tuple_begin(sb, type);
}

static uint64_t
service_port(struct slice service)
{
	static const struct {
		const char *name;
		unsigned port;
	} ports[] = { { "smtp", 25 }, { "submission", 587 },
		{ "submissions", 465 }, { "imap", 143 }, { "imaps", 993 } };

	for (size_t i = 0; i < COUNTOF(ports); i++)
		if (slice_eqs(service, ports[i].name))
			return ports[i].port;
	return 0;
}

/* A listen record for each address, with nothing left to guess. */
static void
put_listen(struct strbuf *sb, const struct tuple *t, struct slice host)
{
	struct slice service = tuple_value(t, "service"), v;
	const char *unless_smtp = slice_eqs(service, "smtp") ? "no" : "yes";
	uint64_t port = service_port(service);

	if (tuple_get(t, "port", &v) && slice_u64(v, 65535, &port) == -1)
		return;
	for (size_t i = 0; i < t->count; i++) {
		if (!slice_eqs(t->attr[i].name, "ip"))
			continue;
		tuple_begin(sb, "listen");
		tuple_put(sb, "service", service);
		tuple_put(sb, "ip", t->attr[i].value);
		tuple_putu(sb, "port", port);
		tuple_put(sb, "name", tuple_get(t, "name", &v) ? v : host);
		tuple_put(sb, "tls-tickets", tuple_get(t, "tls-tickets", &v) ?
		    v : slice_str(unless_smtp));
		tuple_put(sb, "require-tls", tuple_get(t, "require-tls", &v) ?
		    v : slice_str(unless_smtp));
		tuple_put(sb, "client-cert", tuple_get(t, "client-cert", &v) ?
		    v : S("no"));
		tuple_end(sb);
	}
}

static void
put_file(struct output *o, const struct file *f, struct slice host)
{
	sb_reset(&o->text);
	for (size_t i = 0; i < f->count; i++) {
		const struct tuple *t = &f->rec[i];
		struct slice name;

		if (!tuple_is(t, "listen")) {
			put_type(&o->text, t);
			put_attrs(&o->text, t, NULL);
			tuple_end(&o->text);
			continue;
		}
		put_listen(&o->text, t, host);
		if (tuple_get(t, "name", &name))
			put(o, "hostname", name, SLICE_NONE);
	}
	put(o, f->kind->name, f->name, sb_slice(&o->text));
}

/* An account's address, or an alias and its members. */
static void
put_address(struct build *b, struct output *o, const struct entry *e)
{
	sb_reset(&o->text);
	put_type(&o->text, e->rec);
	if (!tuple_is(e->rec, "alias"))
		tuple_put(&o->text, "account", e->file->name);
	put_attrs(&o->text, e->rec, tuple_is(e->rec, "alias") ? NULL : "addr");
	tuple_end(&o->text);
	for (size_t i = 0; tuple_is(e->rec, "alias") && i < e->file->count;
	    i++) {
		const struct tuple *t = &e->file->rec[i];
		const struct entry *m;

		if (!tuple_is(t, "member") ||
		    (m = find_member(b, e->file, t)) == NULL)
			continue;
		tuple_begin(&o->text, "member");
		tuple_put(&o->text, "addr", tuple_value(m->rec, "addr"));
		tuple_put(&o->text, "account", m->file->name);
		put_attrs(&o->text, m->rec, "addr");
		tuple_end(&o->text);
	}
	if (e->key.p[0] == '@')
		put(o, "catch-all", slice_skip(e->key, 1), sb_slice(&o->text));
	else
		put(o, "address", e->key, sb_slice(&o->text));
}

/* The names of all files of a kind, under the empty key. */
static void
put_names(struct build *b, struct output *o, const struct kind *kind)
{
	sb_reset(&o->text);
	for (size_t i = 0; i < b->count; i++) {
		if (b->files[i].kind != kind)
			continue;
		tuple_begin(&o->text, "name");
		tuple_put(&o->text, "name", b->files[i].name);
		tuple_end(&o->text);
	}
	put(o, kind->name, SLICE_NONE, sb_slice(&o->text));
}

static int
write_tables(struct build *b, int fd)
{
	struct output o = { .key = STRBUF_INIT(1024),
		.text = STRBUF_INIT(2 * CONF_FILE_MAX) };
	struct slice host =
	    tuple_value(&find_file(b, "host", SLICE_NONE)->rec[0], "name");

	if (cdb_make_start(&o.mk, fd) < 0)
		return -1;
	put(&o, "version", SLICE_NONE, S(CONF_VERSION));
	put(&o, "hostname", host, SLICE_NONE);
	for (size_t i = 0; i < b->count; i++)
		if (b->files[i].kind->stored)
			put_file(&o, &b->files[i], host);
	for (size_t i = 0; i < COUNTOF(kinds); i++)
		if (kinds[i].many && kinds[i].stored)
			put_names(b, &o, &kinds[i]);
	for (size_t i = 0; i < b->entry_count; i++)
		put_address(b, &o, &b->entries[i]);
	if (o.key.over || o.text.over) {
		errno = E2BIG;
		o.failed = true;
	}
	sb_free(&o.key);
	sb_free(&o.text);
	return cdb_make_finish(&o.mk) < 0 || o.failed ? -1 : 0;
}

static int
write_cdb(struct build *b)
{
	char id[RID_LEN + 1], tmp[sizeof("cdb/new.") + RID_LEN];
	int e, fd, r;

	rid_new(id);
	snprintf(tmp, sizeof(tmp), "cdb/new.%s", id);
	if (dir_make(b->root, "cdb", 0755) == -1)
		return -1;
	/* No secrets in it: every program of the instance may read it. */
	fd = openat(b->root, tmp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd == -1)
		return -1;
	r = fchmod(fd, 0644) == -1 || write_tables(b, fd) == -1 ||
	    fsync(fd) == -1 ||
	    renameat(b->root, tmp, b->root, "cdb/conf.cdb") == -1 ? -1 : 0;
	e = errno;
	if (r == -1)
		unlinkat(b->root, tmp, 0);
	close(fd);
	errno = e;
	return r == -1 ? -1 : dir_sync(b->root, "cdb");
}

static void
read_all(struct build *b)
{
	int conf = openat(b->root, "conf",
	    O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (conf == -1) {
		trouble(b);
		return;
	}
	for (size_t i = 0; i < COUNTOF(kinds); i++) {
		if (kinds[i].many)
			read_dir(b, conf, &kinds[i]);
		else
			read_file(b, conf, &kinds[i], SLICE_NONE);
	}
	for (size_t i = 0; i < b->count; i++)
		check_names(b, &b->files[i]);
	close(conf);
}

int
conf_build(const char *root, bool write, struct strbuf *report)
{
	struct build b = { .report = report };
	int r = -1;

	b.root = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (b.root == -1)
		return -1;
	read_all(&b);
	if (!b.failed)
		check_all(&b);
	if (b.failed || b.bad)
		b.error = b.failed ? b.error : EINVAL;
	else if (write && write_cdb(&b) == -1)
		b.error = errno;
	else
		r = 0;
	free(b.files);
	free(b.entries);
	arena_free(&b.ar);
	close(b.root);
	errno = b.error;
	return r;
}
