/*
 * psl.h - the public suffix list, cdb/psl.cdb
 *
 * psl_build() compiles a list as publicsuffix.org publishes it (Debian package
 * publicsuffix) into ROOT/cdb/psl.cdb, beside conf.cdb, so that a program that
 * may read that directory has both. Programs open it before confine(). A
 * program works without it: what is asked of a NULL list is not known, see
 * each function.
 *
 * Rules: https://github.com/publicsuffix/list/wiki/Format. An exception beats
 * all, then the rule with the most labels; a domain that no rule matches has
 * its last label as suffix. A wildcard stands for one whole label, the first.
 */
#ifndef ADDR_PSL_H
#define ADDR_PSL_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/slice.h"
#include "base/strbuf.h"

/* Where Debian's package has the list. */
#define PSL_SOURCE "/usr/share/publicsuffix/public_suffix_list.dat"
#define PSL_SOURCE_MAX ((size_t)16 << 20) /* 50 times what it is today */

struct psl;

enum psl_section {
	PSL_UNLISTED, /* no rule: the suffix is the top-level domain */
	PSL_ICANN,    /* registries of the DNS */
	PSL_PRIVATE,  /* firms that give names below theirs to customers */
};

struct psl_found {
	struct slice suffix; /* part of the domain */
	struct slice org;    /* suffix and a label; empty: domain is a suffix */
	enum psl_section section;
	struct slice rule;   /* as in the list, A-labels: arena memory */
};

/* ROOT/cdb/psl.cdb: NULL with errno (ENOENT: psl-build has not run; EPROTO:
 * of another version). */
struct psl *psl_open(const char *root);
/* A compiled list in a file of any name, which is closed with it. */
struct psl *psl_open_fd(int fd);
void psl_close(struct psl *p); /* NULL is fine */

/*
 * The suffix of a domain (canonical, see addr.h): 1, 0 if p is NULL, -1 with
 * errno EPROTO if the file is damaged. Rules of the private section count
 * only if asked for: mail speaks of registries (RFC 7489 erratum 6729).
 */
int psl_find(struct psl *p, struct slice domain, bool private_too,
    struct arena *ar, struct psl_found *f) __attribute__((warn_unused_result));

/* Nobody's own domain: a suffix of the ICANN section. Of a list that is NULL
 * or damaged that much is known: a single label is one. */
bool psl_is_suffix(struct psl *p, struct slice domain);

/*
 * The organisational domain by the list (RFC 7489 section 3.2), part of the
 * domain; of a suffix the suffix itself. Empty if that is not known.
 */
struct slice psl_org(struct psl *p, struct slice domain);

const char *psl_section_name(enum psl_section s);

/* A line of a list. */
struct psl_rule {
	struct slice name; /* canonical, without "*." and "!" */
	bool wildcard, exception;
	enum psl_section section;
	unsigned line;
};

struct psl_reader {
	struct slice in;
	enum psl_section section; /* PSL_UNLISTED: between the sections */
	unsigned line;
};

/* The next rule: 1 and *r (arena memory); 0 at the end; -1 for a line that is
 * no rule (r->line says which), after which reading may go on. */
int psl_rule_next(struct psl_reader *rd, struct arena *ar, struct psl_rule *r)
    __attribute__((warn_unused_result));

/* Where a list came from: if it is still the same, there is nothing to do. */
struct psl_source {
	int64_t mtime; /* nanoseconds since 1970 */
	uint64_t size;
};

/*
 * Compile a list to an empty file that is open for reading and writing: the
 * number of rules, or -1 with errno: EINVAL if it is no list, or has a line
 * that is no rule; *report says what is wrong.
 */
long psl_compile(struct slice list, const struct psl_source *src, int fd,
    struct strbuf *report) __attribute__((warn_unused_result));

enum psl_build_flags {
	PSL_BUILD_ALWAYS = 1, /* even if the source has not changed */
	PSL_BUILD_SHRINK = 2, /* even if the list shrank to under half */
};

/*
 * Bring ROOT/cdb/psl.cdb up to date: 1 done, 0 nothing to do, -1 with errno,
 * as psl_compile(), and ERANGE: the list has shrunk to under half of the one
 * in place, which stays. fd: the list, open for reading.
 */
int psl_build(const char *root, int fd, unsigned flags, struct strbuf *report)
    __attribute__((warn_unused_result));
/* How many rules a compiled list has, and what it was made from: 0, or -1. */
int psl_about(struct psl *p, uint64_t *rules, struct psl_source *src)
    __attribute__((warn_unused_result));

#endif
