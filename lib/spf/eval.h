/*
 * eval.h - the state of one check, for spf.c, term.c and trace.c only
 */
#ifndef SPF_EVAL_H
#define SPF_EVAL_H

#include "spf/record.h"
#include "spf/spf.h"

/* What a term did. */
#define NO_MATCH 0
#define MATCH 1
#define ENDED (-1) /* s->ended says with which result */

#define NOTE_MAX ((size_t)1024) /* of what a term was compared with */

/* A record's domain while it is evaluated. */
struct frame {
	struct slice domain, text;
	struct spf_record record;
	struct slice term; /* under way, as written */
	unsigned depth;    /* of includes and redirects */
};

/* One check, through all its includes and redirects. */
struct state {
	const struct spf_ask *ask;
	struct spf_answer *answer; /* what ended it, counters */
	bool asked, authentic;     /* any answer; all answers */
	enum spf_result ended;
	/* Names of the client that lead back to it; found at most once. */
	const struct dns_answer *ptr; /* NULL: not asked for yet */
	struct slice reverse;         /* the name asked for */
	struct slice names[SPF_HOSTS_MAX];
	size_t names_n;
	bool term_void; /* the term under way has been counted as void */
	const struct frame *frame; /* whose macros are expanded */
	/* With a trace only. */
	struct strbuf note, costs, void_names;
};

/* End with that result and why, because of "text: what". ENDED. */
int eval_end(struct state *s, const struct frame *f, enum spf_result result,
    enum spf_why why, const char *text, struct slice what);
enum spf_result eval_host(struct state *s, struct slice domain, unsigned depth,
    struct frame *last);

/* term.c */
const struct dns_answer *eval_query(struct state *s, struct slice name,
    enum dns_type type);
/* The answer says nothing now, though it may later. */
bool eval_unknown(const struct dns_answer *a);
int eval_trouble(struct state *s, const struct frame *f,
    const struct dns_answer *a, struct slice name);
/* One more term that asks the DNS (section 4.6.4). */
int eval_count(struct state *s, const struct frame *f);
/* As spf_expand(). */
int eval_expand(struct state *s, const struct frame *f, struct slice spec,
    unsigned flags, struct strbuf *out);
/* The name a domain-spec gives: MATCH, NO_MATCH if there is none, ENDED. */
int eval_target(struct state *s, const struct frame *f, struct slice spec,
    struct slice *name);
int eval_term(struct state *s, const struct frame *f, const struct spf_term *t);

/* trace.c; all of it does nothing without a trace. */
void trace_start(struct state *s);
void trace_dns(struct state *s, struct slice name, enum dns_type type,
    const struct dns_answer *a);
void trace_record(struct state *s, const struct frame *f);
void trace_term(struct state *s, const struct frame *f, int match);
void trace_redirect(struct state *s, const struct frame *f, struct slice to);
/* What the term under way looked at, one after the other. */
void trace_note(struct state *s, const char *before, struct slice what);
void trace_addresses(struct state *s, const struct dns_answer *a,
    struct slice name);
/* One more of a list: "what (domain)". */
void trace_list(struct strbuf *list, struct slice what, struct slice domain);

#endif
