#include "addr/psl.h"

#include <cdb.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "addr/psl_private.h"
#include "base/alloc.h"
#include "base/tuple.h"

struct psl {
	struct cdb cdb;
};

static int
lookup(struct psl *p, struct slice key, struct slice *value)
{
	int r = cdb_find(&p->cdb, key.n > 0 ? (const void *)key.p : "",
	    (unsigned)key.n);
	const void *data = r > 0 ? cdb_getdata(&p->cdb) : NULL;

	if (r < 0 || (r > 0 && data == NULL)) {
		errno = EPROTO;
		return -1;
	}
	*value = r > 0 ? slice_of(data, cdb_datalen(&p->cdb)) : SLICE_NONE;
	return r > 0;
}

struct psl *
psl_open_fd(int fd)
{
	struct psl *p = xcalloc(1, sizeof(*p));
	struct slice version;

	if (cdb_init(&p->cdb, fd) != 0) {
		int e = errno;

		close(fd);
		free(p);
		errno = e;
		return NULL;
	}
	if (lookup(p, SLICE_NONE, &version) == 1 &&
	    slice_starts(version, S(PSL_VERSION)))
		return p;
	psl_close(p);
	errno = EPROTO;
	return NULL;
}

struct psl *
psl_open(const char *root)
{
	char *path = xprintf("%s/cdb/psl.cdb", root);
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	free(path);
	return fd == -1 ? NULL : psl_open_fd(fd);
}

void
psl_close(struct psl *p)
{
	int fd;

	if (p == NULL)
		return;
	fd = cdb_fileno(&p->cdb);
	cdb_free(&p->cdb);
	close(fd);
	free(p);
}

int
psl_about(struct psl *p, uint64_t *rules, struct psl_source *src)
{
	struct arena ar = { 0 };
	struct tuple_reader rd;
	struct slice text;
	struct tuple t;
	uint64_t mtime = 0;
	int r = -1;

	if (lookup(p, SLICE_NONE, &text) != 1)
		return -1;
	tuple_reader_init(&rd, slice_skip(text, strlen(PSL_VERSION)));
	if (tuple_next(&rd, &ar, &t) == 1 && tuple_is(&t, "psl") &&
	    tuple_u64(&t, "rules", UINT64_MAX, rules) == 0 &&
	    tuple_u64(&t, "mtime", INT64_MAX, &mtime) == 0 &&
	    tuple_u64(&t, "size", UINT64_MAX, &src->size) == 0)
		r = 0;
	src->mtime = (int64_t)mtime;
	arena_free(&ar);
	if (r == -1)
		errno = EPROTO;
	return r;
}

const char *
psl_section_name(enum psl_section s)
{
	static const char *const names[] = { [PSL_UNLISTED] = "unlisted",
		[PSL_ICANN] = "icann", [PSL_PRIVATE] = "private" };

	return names[s];
}

/* What a search has found so far. */
struct best {
	struct slice suffix, base; /* base: the key of the rule */
	const char *mark;          /* what stands before it in the list */
	enum psl_section section;
};

/* The section that has the rule: 0 for none. */
static enum psl_section
section_of(unsigned bits, unsigned kind, bool private_too)
{
	if ((bits & kind) != 0)
		return PSL_ICANN;
	return private_too && (bits & kind << PSL_BITS) != 0 ? PSL_PRIVATE :
	    PSL_UNLISTED;
}

/*
 * The rules at one name on the way up. `below' is the name one label longer,
 * empty at the start. True: nothing can beat what was found.
 */
static bool
look_at(unsigned bits, struct slice name, struct slice below, bool private_too,
    struct best *b)
{
	enum psl_section s;
	struct slice label, up = name;

	if ((s = section_of(bits, PSL_EXCEPT, private_too)) != 0) {
		slice_cut(&up, '.', &label);
		*b = (struct best){ up, name, "!", s };
		return true;
	}
	/* The first hit on the way up has the most labels. */
	if (b->suffix.n > 0)
		return false;
	if (below.n > 0 && (s = section_of(bits, PSL_WILD, private_too)) != 0)
		*b = (struct best){ below, name, "*.", s };
	else if ((s = section_of(bits, PSL_PLAIN, private_too)) != 0)
		*b = (struct best){ name, name, "", s };
	return false;
}

static int
search(struct psl *p, struct slice domain, bool private_too, struct best *b)
{
	struct slice name = domain, below = SLICE_NONE, value, label;

	*b = (struct best){ .mark = "*" };
	while (name.n > 0) {
		int r = lookup(p, name, &value);

		if (r == -1)
			return -1;
		if (value.n > 0 && look_at(value.p[0], name, below,
		    private_too, b))
			break;
		below = name;
		slice_cut(&name, '.', &label);
	}
	if (b->suffix.n == 0)
		b->suffix = below; /* no rule: as if it were "*" */
	return 1;
}

/* The name one label longer than its end `top'; empty if it is `top'. */
static struct slice
one_more(struct slice domain, struct slice top)
{
	struct slice up = domain, label, last = SLICE_NONE;

	while (up.n > top.n) {
		last = up;
		slice_cut(&up, '.', &label);
	}
	return last;
}

int
psl_find(struct psl *p, struct slice domain, bool private_too,
    struct arena *ar, struct psl_found *f)
{
	struct strbuf rule = STRBUF_INIT(512);
	struct best b;
	int r;

	*f = (struct psl_found){ 0 };
	if (p == NULL || domain.n == 0)
		return 0;
	if ((r = search(p, domain, private_too, &b)) != 1)
		return r;
	f->suffix = b.suffix;
	f->org = one_more(domain, b.suffix);
	f->section = b.section;
	sb_puts(&rule, b.mark);
	sb_put(&rule, b.base);
	f->rule = arena_copy(ar, sb_slice(&rule));
	sb_free(&rule);
	return 1;
}

bool
psl_is_suffix(struct psl *p, struct slice domain)
{
	struct best b;

	if (slice_chr(domain, '.') == -1)
		return true;
	return p != NULL && search(p, domain, false, &b) == 1 &&
	    b.suffix.n == domain.n;
}

struct slice
psl_org(struct psl *p, struct slice domain)
{
	struct slice org;
	struct best b;

	if (p == NULL || domain.n == 0 || search(p, domain, false, &b) != 1)
		return SLICE_NONE;
	org = one_more(domain, b.suffix);
	return org.n > 0 ? org : domain;
}
