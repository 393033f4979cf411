#include "conf/conf.h"

#include <cdb.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "conf/setting.h"

#define ROOT_DEFAULT "/var/lib/pneu"
/* A key is a kind, a NUL and a name; the longest name is an address. */
#define KEY_MAX 512

/* One opened file. */
struct table {
	struct cdb cdb;
	struct stat st;
	struct arena ar; /* the host record, defaults */
	struct tuple host;
	struct slice *initial; /* of settings[i], once it was asked for */
};

struct conf {
	int dir; /* ROOT/cdb */
	struct table *t;
};

const char *
conf_root(const char *option)
{
	const char *env = getenv("PNEU_ROOT");

	if (option != NULL)
		return option;
	return env != NULL && env[0] != '\0' ? env : ROOT_DEFAULT;
}

static int
lookup(struct table *t, const char *kind, struct slice key, struct slice *text)
{
	struct strbuf sb = STRBUF_INIT(KEY_MAX);
	const void *p;
	int r;

	sb_puts(&sb, kind);
	sb_putc(&sb, '\0');
	sb_put(&sb, key);
	r = sb.over ? 0 : cdb_find(&t->cdb, sb.p, (unsigned)sb.n);
	sb_free(&sb);
	*text = SLICE_NONE;
	if (r > 0) {
		p = cdb_getdata(&t->cdb);
		*text = slice_of(p, cdb_datalen(&t->cdb));
		if (p == NULL && text->n != 0)
			r = -1;
	}
	if (r < 0)
		errno = EPROTO;
	return r > 0 ? 1 : r;
}

static void
table_free(struct table *t)
{
	int fd;

	if (t == NULL)
		return;
	fd = cdb_fileno(&t->cdb);
	cdb_free(&t->cdb);
	close(fd);
	arena_free(&t->ar);
	free(t);
}

static int
read_host(struct table *t)
{
	struct tuple_reader r;
	struct slice text;

	if (lookup(t, "version", SLICE_NONE, &text) != 1 ||
	    !slice_eqs(text, CONF_VERSION) ||
	    lookup(t, "host", SLICE_NONE, &text) != 1)
		return -1;
	t->initial = arena_alloc(&t->ar,
	    size_mul(settings_count, sizeof(*t->initial)));
	tuple_reader_init(&r, text);
	return tuple_next(&r, &t->ar, &t->host) == 1 ? 0 : -1;
}

static struct table *
table_open(int dir)
{
	int e, fd = openat(dir, "conf.cdb", O_RDONLY | O_CLOEXEC);
	struct table *t;

	if (fd == -1)
		return NULL;
	t = xcalloc(1, sizeof(*t));
	if (fstat(fd, &t->st) == -1 || cdb_init(&t->cdb, fd) != 0) {
		e = errno;
		close(fd);
		free(t);
		errno = e;
		return NULL;
	}
	if (read_host(t) == -1) {
		table_free(t);
		errno = EPROTO;
		return NULL;
	}
	return t;
}

struct conf *
conf_open(const char *root)
{
	char *path = xprintf("%s/cdb", root);
	int e, dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct table *t = NULL;
	struct conf *c;

	free(path);
	if (dir != -1)
		t = table_open(dir);
	if (t == NULL) {
		e = errno;
		if (dir != -1)
			close(dir);
		errno = e;
		return NULL;
	}
	c = xmalloc(sizeof(*c));
	*c = (struct conf){ dir, t };
	return c;
}

int
conf_refresh(struct conf *c)
{
	const struct stat *old = &c->t->st;
	struct table *t;
	struct stat st;

	if (fstatat(c->dir, "conf.cdb", &st, 0) == -1)
		return -1;
	if (st.st_ino == old->st_ino && st.st_dev == old->st_dev &&
	    st.st_mtim.tv_sec == old->st_mtim.tv_sec &&
	    st.st_mtim.tv_nsec == old->st_mtim.tv_nsec)
		return 0;
	if ((t = table_open(c->dir)) == NULL)
		return -1;
	table_free(c->t);
	c->t = t;
	return 1;
}

uint64_t
conf_quota(struct conf *c, struct slice account)
{
	uint64_t quota = conf_host_u64(c, "quota");
	struct arena a = { 0 };
	struct tuple_reader r;
	struct slice text;
	struct tuple t;

	if (conf_get(c, "account", account, &text) == 1) {
		tuple_reader_init(&r, text);
		while (tuple_next(&r, &a, &t) == 1)
			if (tuple_is(&t, "account"))
				(void)!tuple_u64(&t, "quota", UINT64_MAX,
				    &quota);
	}
	arena_free(&a);
	return quota;
}

void
conf_close(struct conf *c)
{
	if (c == NULL)
		return;
	table_free(c->t);
	close(c->dir);
	free(c);
}

int
conf_get(struct conf *c, const char *kind, struct slice key, struct slice *text)
{
	return lookup(c->t, kind, key, text);
}

bool
conf_is_hostname(void *conf, struct slice host)
{
	struct slice text;

	return conf_get(conf, "hostname", host, &text) != 0;
}

struct slice
conf_value(const struct tuple *t, const char *attr, struct arena *ar)
{
	const struct setting *s;
	struct slice v;

	if (tuple_get(t, attr, &v))
		return v;
	s = setting_find(t->type, slice_str(attr));
	return s == NULL ? SLICE_NONE : setting_default(s, ar);
}

struct slice
conf_host(struct conf *c, const char *attr)
{
	const struct setting *s;
	struct slice v, *initial;

	if (tuple_get(&c->t->host, attr, &v))
		return v;
	s = setting_find(S("host"), slice_str(attr));
	if (s == NULL)
		return SLICE_NONE;
	initial = &c->t->initial[s - settings];
	if (initial->p == NULL)
		*initial = setting_default(s, &c->t->ar);
	return *initial;
}

uint64_t
conf_host_u64(struct conf *c, const char *attr)
{
	uint64_t n;

	return slice_u64(conf_host(c, attr), UINT64_MAX, &n) == 0 ? n : 0;
}

bool
conf_host_bool(struct conf *c, const char *attr)
{
	return slice_eqs(conf_host(c, attr), "yes");
}

size_t
conf_host_all(struct conf *c, const char *attr, struct slice *out, size_t most)
{
	const struct tuple *h = &c->t->host;
	size_t n = 0;

	for (size_t i = 0; i < h->count && n < most; i++)
		if (slice_eqs(h->attr[i].name, attr))
			out[n++] = h->attr[i].value;
	return n;
}
