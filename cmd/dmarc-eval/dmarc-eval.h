/*
 * dmarc-eval.h - the parts of dmarc-eval
 */
#ifndef CMD_DMARC_EVAL_H
#define CMD_DMARC_EVAL_H

#include "dmarc/dmarc.h"
#include "stage/job.h"

#define TRACE_MAX ((size_t)256 * 1024)
/* Signatures and identities that count; dkim-verify looks at fewer. */
#define IDENTITIES_MAX 64

struct identities {
	struct dmarc_identity id[IDENTITIES_MAX];
	size_t count;
};

/* What the options ask for. */
struct evaluator {
	struct dns *dns;
	struct psl *psl; /* NULL: the tree walk */
	bool chosen;     /* by option -o */
};

/*
 * The record of SPF that DMARC looks at (section 3.2.4): MAIL FROM, or for the
 * null sender HELO, which then is postmaster at that name. NULL: none.
 */
const struct tuple *spf_record(const struct job *j);

/*
 * The evaluation record, for aggregate reports (RFC 9990), if there are to be
 * any: a record with rua was found, and the DNS said all that mattered.
 */
void put_evaluation(struct strbuf *out, const struct job *j,
    struct slice domain, const struct identities *ids,
    const struct dmarc_answer *a);

/* -q and -r: what applies to a domain, and where its reports go: exit code. */
int lookup(const struct evaluator *e, const char *operand, bool reports,
    bool verbose);

#endif
