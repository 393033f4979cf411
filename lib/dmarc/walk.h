/*
 * walk.h - records on the way from a domain to the root; for lib/dmarc
 */
#ifndef DMARC_WALK_H
#define DMARC_WALK_H

#include "dmarc/dmarc.h"

/* The records of one tree walk, the longest name first. */
struct dmarc_walk {
	struct dmarc_step {
		struct slice domain, text;
		struct dmarc_record record;
	} at[DMARC_WALK_MAX];
	size_t count;
	bool authentic;
	const char *trouble; /* the DNS did not say: the walk ended there */
};

/* The DNS did not say. */
bool dmarc_unknown(const struct dns_answer *a);
/* The walk of section 4.10. */
void dmarc_walk(const struct dmarc_ask *ask, struct slice domain,
    struct dmarc_walk *w);
/* Section 4.10.2: the organisational domain that a walk leads to, and why. */
struct slice dmarc_walk_org(const struct dmarc_walk *w, struct slice domain,
    const char **why);
/* Ask at one name: the number of records there, the last in *s; -1 with
 * *trouble. */
int dmarc_step(const struct dmarc_ask *ask, struct slice domain,
    struct dmarc_step *s, bool *authentic, const char **trouble);

/* The step lines of -v, if they are wanted. */
void dmarc_trace_record(const struct dmarc_ask *ask, struct slice name,
    struct slice domain, const struct dns_answer *a, size_t records,
    const struct dmarc_step *s);
void dmarc_trace_found(const struct dmarc_ask *ask, struct slice domain,
    const struct dmarc_found *f);
void dmarc_trace_policy(const struct dmarc_ask *ask, struct slice domain,
    const struct dmarc_answer *a, bool exists_known);
void dmarc_trace_identity(const struct dmarc_ask *ask, struct slice domain,
    const struct dmarc_identity *id, const struct dmarc_answer *a);

#endif
