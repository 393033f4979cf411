#include <cdb.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "addr/addr.h"
#include "addr/psl.h"
#include "addr/psl_private.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/rid.h"
#include "base/tuple.h"

/* Lines that start and end a section, behind "// ". */
static void
comment(struct psl_reader *rd, struct slice line)
{
	if (slice_find(line, S("===BEGIN ICANN DOMAINS===")) != -1)
		rd->section = PSL_ICANN;
	else if (slice_find(line, S("===BEGIN PRIVATE DOMAINS===")) != -1)
		rd->section = PSL_PRIVATE;
	else if (slice_find(line, S("===END ")) != -1)
		rd->section = PSL_UNLISTED;
}

int
psl_rule_next(struct psl_reader *rd, struct arena *ar, struct psl_rule *r)
{
	struct slice line, word;

	while (slice_line(&rd->in, &line)) {
		rd->line++;
		if (slice_starts(line, S("//"))) {
			comment(rd, line);
			continue;
		}
		/* A rule ends at the first blank. */
		if (!slice_word(&line, &word))
			continue;
		*r = (struct psl_rule){ .section = rd->section,
			.line = rd->line };
		r->exception = word.p[0] == '!';
		r->wildcard = slice_starts(word, S("*."));
		word = slice_skip(word, r->wildcard ? 2 : r->exception);
		if (rd->section == PSL_UNLISTED ||
		    domain_ascii(word, ar, &r->name) == -1 ||
		    (r->exception && slice_chr(r->name, '.') == -1))
			return -1;
		return 1;
	}
	return 0;
}

static unsigned
bits_of(const struct psl_rule *r)
{
	unsigned b = r->exception ? PSL_EXCEPT : r->wildcard ? PSL_WILD :
	    PSL_PLAIN;

	return r->section == PSL_PRIVATE ? b << PSL_BITS : b;
}

static int
by_name(const void *a, const void *b)
{
	return slice_cmp(((const struct psl_rule *)a)->name,
	    ((const struct psl_rule *)b)->name);
}

/* All rules, by name: their number, or -1 and why. */
static long
read_rules(struct slice list, struct arena *ar, struct psl_rule **rules,
    struct strbuf *report)
{
	struct psl_reader rd = { .in = list };
	size_t count = 0, room = 0, icann = 0;
	struct psl_rule *all = NULL, r;
	int got;

	while ((got = psl_rule_next(&rd, ar, &r)) == 1) {
		if (count == room) {
			room = room == 0 ? 16384 : size_mul(room, 2);
			all = xrealloc(all, size_mul(room, sizeof(*all)));
		}
		icann += r.section == PSL_ICANN;
		all[count++] = r;
	}
	*rules = all;
	if (got == -1)
		sb_printf(report, "line %u is not a rule", rd.line);
	else if (icann == 0)
		sb_puts(report, "no public suffix list: it has no rule of the "
		    "ICANN section");
	if (got == -1 || icann == 0) {
		errno = EINVAL;
		return -1;
	}
	qsort(all, count, sizeof(*all), by_name);
	return (long)count;
}

static bool
put(struct cdb_make *mk, struct slice key, struct slice value)
{
	return cdb_make_add(mk, key.n > 0 ? (const void *)key.p : "",
	    (unsigned)key.n, value.p, (unsigned)value.n) == 0;
}

static bool
put_about(struct cdb_make *mk, long rules, const struct psl_source *src)
{
	struct strbuf sb = STRBUF_INIT(256);
	bool good;

	sb_puts(&sb, PSL_VERSION);
	tuple_begin(&sb, "psl");
	tuple_putu(&sb, "rules", (uint64_t)rules);
	tuple_putu(&sb, "mtime", src->mtime > 0 ? (uint64_t)src->mtime : 0);
	tuple_putu(&sb, "size", src->size);
	tuple_end(&sb);
	good = put(mk, SLICE_NONE, sb_slice(&sb));
	sb_free(&sb);
	return good;
}

long
psl_compile(struct slice list, const struct psl_source *src, int fd,
    struct strbuf *report)
{
	struct arena ar = { 0 };
	struct psl_rule *r = NULL;
	struct cdb_make mk;
	long i, count = read_rules(list, &ar, &r, report);
	bool good;

	if (count > 0 && cdb_make_start(&mk, fd) == 0) {
		good = put_about(&mk, count, src);
		for (i = 0; good && i < count; i++) {
			unsigned char bits = (unsigned char)bits_of(&r[i]);

			while (i + 1 < count &&
			    slice_eq(r[i].name, r[i + 1].name))
				bits |= (unsigned char)bits_of(&r[++i]);
			good = put(&mk, r[i].name, slice_of(&bits, 1));
		}
		if (cdb_make_finish(&mk) != 0 || !good)
			count = -1;
	} else
		count = -1;
	free(r);
	arena_free(&ar);
	return count;
}

/* Has the list become so short that something must be wrong with it? */
static bool
shrank(struct psl *old, long rules)
{
	struct psl_source src;
	uint64_t before;

	return old != NULL && psl_about(old, &before, &src) == 0 &&
	    (uint64_t)rules < before / 2;
}

static bool
same_source(struct psl *old, const struct psl_source *now)
{
	struct psl_source was;
	uint64_t rules;

	return old != NULL && psl_about(old, &rules, &was) == 0 &&
	    was.mtime == now->mtime && was.size == now->size;
}

/* As conf-build does it: a new name, the bytes, then the name. */
static int
write_file(int root, struct slice list, const struct psl_source *src,
    struct psl *old, struct strbuf *report)
{
	char id[RID_LEN + 1], tmp[sizeof("cdb/new.") + RID_LEN];
	int e, fd, r = -1;
	long rules;

	rid_new(id);
	snprintf(tmp, sizeof(tmp), "cdb/new.%s", id);
	if (dir_make(root, "cdb", 0755) == -1)
		return -1;
	fd = openat(root, tmp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd == -1)
		return -1;
	rules = psl_compile(list, src, fd, report);
	if (rules > 0 && shrank(old, rules))
		errno = ERANGE;
	else if (rules > 0 && fchmod(fd, 0644) == 0 && fsync(fd) == 0 &&
	    renameat(root, tmp, root, "cdb/psl.cdb") == 0)
		r = 0;
	e = errno;
	if (r == -1)
		unlinkat(root, tmp, 0);
	close(fd);
	errno = e;
	return r == -1 ? -1 : dir_sync(root, "cdb");
}

int
psl_build(const char *root, int fd, unsigned flags, struct strbuf *report)
{
	struct strbuf list = STRBUF_INIT(PSL_SOURCE_MAX);
	struct psl *old = psl_open(root);
	struct psl_source src;
	struct stat st;
	int e, dir = -1, r = -1;

	if (fstat(fd, &st) == -1)
		goto out;
	src.mtime = (int64_t)st.st_mtim.tv_sec * 1000000000 +
	    st.st_mtim.tv_nsec;
	src.size = (uint64_t)st.st_size;
	r = 0;
	if ((flags & PSL_BUILD_ALWAYS) == 0 && same_source(old, &src))
		goto out;
	r = -1;
	dir = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir != -1 && fd_slurp(fd, &list) == 0 &&
	    write_file(dir, sb_slice(&list), &src,
	    (flags & PSL_BUILD_SHRINK) != 0 ? NULL : old, report) == 0)
		r = 1;
out:
	e = errno;
	if (dir != -1)
		close(dir);
	psl_close(old);
	sb_free(&list);
	errno = e;
	return r;
}
