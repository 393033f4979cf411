/*
 * explain.h - how a result came about, for people
 *
 * `step' lines say what was found: the signature, each field that h= names and
 * which instance of it was hashed, the question for the key and its record,
 * the hashes. One `because' line says the cause in a sentence or two; when a
 * hash differs, changes are looked for that explain it (hunt.h).
 */
#ifndef DKIM_EXPLAIN_H
#define DKIM_EXPLAIN_H

#include "dkim/verify.h"

struct dkim_explain {
	const struct dkim_judge *judge;
	struct dkim_gathered *g; /* bodies may be hashed for it */
	struct strbuf *out;      /* tuple lines */
	bool detail;             /* the canonical header too */
};

/* number: of the signature, from 1. */
void dkim_explain(const struct dkim_explain *x, const struct dkim_result *r,
    size_t number);

#endif
