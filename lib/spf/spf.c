#include "spf/spf.h"

#include "spf/eval.h"

#define LIST_MAX ((size_t)2048) /* of the terms that cost a lookup */

const char *
spf_result_name(enum spf_result r)
{
	static const char *const names[] = {
		[SPF_NONE] = "none", [SPF_NEUTRAL] = "neutral",
		[SPF_PASS] = "pass", [SPF_FAIL] = "fail",
		[SPF_SOFTFAIL] = "softfail", [SPF_TEMPERROR] = "temperror",
		[SPF_PERMERROR] = "permerror",
	};

	return names[r];
}

/* Where the check is, for the answer. */
static void
ended_at(struct state *s, const struct frame *f)
{
	struct spf_answer *a = s->answer;

	a->domain = f->domain;
	a->record = f->text;
	a->term = f->term;
	a->at = f->term.n > 0 ? (size_t)(f->term.p - f->text.p) : 0;
}

int
eval_end(struct state *s, const struct frame *f, enum spf_result result,
    enum spf_why why, const char *text, struct slice what)
{
	struct strbuf sb = STRBUF_INIT(512);

	sb_puts(&sb, text);
	if (what.n > 0) {
		sb_puts(&sb, ": ");
		sb_put(&sb, slice_sub(what, 0, 300));
	}
	s->answer->reason = arena_copy(s->ask->arena, sb_slice(&sb));
	s->answer->why = why;
	s->ended = result;
	ended_at(s, f);
	sb_free(&sb);
	return ENDED;
}

bool
spf_is_checkable(struct slice domain)
{
	struct slice label;
	size_t labels = 0;
	bool more;

	if (domain.n > 0 && domain.p[domain.n - 1] == '.')
		domain.n--;
	/* What is not ASCII could not be made A-labels. */
	if (domain.n > SPF_NAME_MAX || slice_starts(domain, S("[")) ||
	    !slice_is_print(domain) || slice_chr(domain, ' ') != -1)
		return false;
	do {
		more = slice_cut(&domain, '.', &label);
		if (label.n == 0 || label.n > 63)
			return false;
		labels++;
	} while (more);
	return labels > 1;
}

/* Sections 4.4 and 4.5: the one record of the domain. SPF_PASS if found. */
static enum spf_result
find_record(struct state *s, struct frame *f)
{
	const struct dns_answer *a = eval_query(s, f->domain, DNS_TXT);
	size_t count = 0;

	if (eval_unknown(a)) {
		eval_trouble(s, f, a, f->domain);
		return SPF_TEMPERROR;
	}
	for (size_t i = 0; i < a->count; i++)
		if (spf_is_record(a->rr[i].text) && count++ == 0)
			f->text = a->rr[i].text;
	if (count == 0) {
		eval_end(s, f, SPF_NONE, SPF_WHY_NO_RECORD,
		    a->count > 0 ? "no SPF record" : a->reason, f->domain);
		return SPF_NONE;
	}
	if (count > 1) {
		eval_end(s, f, SPF_PERMERROR, SPF_WHY_TWO_RECORDS,
		    "more than one SPF record", f->domain);
		return SPF_PERMERROR;
	}
	return SPF_PASS;
}

static enum spf_result
redirect(struct state *s, struct frame *f)
{
	struct slice spec = f->record.redirect, name;
	unsigned depth = f->depth + 1;
	struct frame outer;
	enum spf_result r;
	int got;

	f->term = f->record.redirect_text;
	s->term_void = false;
	outer = *f;
	if (eval_count(s, f) == ENDED ||
	    (got = eval_target(s, f, spec, &name)) == ENDED)
		return s->ended;
	trace_redirect(s, f, name);
	r = got == MATCH ? eval_host(s, name, depth, f) : SPF_NONE;
	if (r == SPF_NONE) {
		eval_end(s, &outer, SPF_PERMERROR, SPF_WHY_REDIRECT,
		    "redirect without a record", name);
		return SPF_PERMERROR;
	}
	return r;
}

static enum spf_result
qualified(char qualifier)
{
	switch (qualifier) {
	case '-': return SPF_FAIL;
	case '~': return SPF_SOFTFAIL;
	case '?': return SPF_NEUTRAL;
	default: return SPF_PASS;
	}
}

/* The terms of a record from left to right. */
static enum spf_result
eval_record(struct state *s, struct frame *f)
{
	for (size_t i = 0; i < f->record.count; i++) {
		const struct spf_term *t = &f->record.term[i];
		int got;

		f->term = t->text;
		got = eval_term(s, f, t);
		trace_term(s, f, got);
		if (got == ENDED)
			return s->ended;
		if (got == MATCH) {
			s->answer->mech = t->text;
			ended_at(s, f);
			return qualified(t->qualifier);
		}
	}
	f->term = SLICE_NONE;
	if (f->record.redirect.n > 0)
		return redirect(s, f);
	s->answer->mech = S("default");
	ended_at(s, f);
	return SPF_NEUTRAL;
}

/* Section 4. *f becomes the frame whose record decided, for exp. */
enum spf_result
eval_host(struct state *s, struct slice domain, unsigned depth,
    struct frame *f)
{
	const char *error;
	enum spf_result r;

	*f = (struct frame){ .domain = domain, .depth = depth };
	if (!spf_is_checkable(domain)) {
		eval_end(s, f, SPF_NONE, SPF_WHY_BAD_DOMAIN,
		    "not a domain that can have a record", domain);
		return SPF_NONE;
	}
	if ((r = find_record(s, f)) != SPF_PASS)
		return r;
	trace_record(s, f);
	if (spf_record_parse(f->text, s->ask->arena, &f->record, &error,
	    &f->term) == -1) {
		eval_end(s, f, SPF_PERMERROR, SPF_WHY_SYNTAX, error, f->term);
		return SPF_PERMERROR;
	}
	return eval_record(s, f);
}

/*
 * Section 6.2. Whatever goes wrong: no explanation; and as it comes after the
 * verdict, nothing that it asks counts for that.
 */
static struct slice
explanation(const struct state *ended, const struct frame *f)
{
	struct strbuf sb = STRBUF_INIT(SPF_EXPAND_MAX);
	struct slice text = SLICE_NONE;
	struct spf_answer unused = { .result = SPF_NONE };
	struct spf_ask ask = *ended->ask;
	struct state s = *ended;
	const struct dns_answer *a;

	ask.trace = NULL;
	s.ask = &ask;
	s.answer = &unused;
	if (f->record.exp.n == 0 ||
	    eval_expand(&s, f, f->record.exp, 0, &sb) != 1)
		goto out;
	a = dns_query(ask.dns, ask.budget, spf_name_fit(sb_slice(&sb)), DNS_TXT,
	    ask.arena);
	if (a->status != DNS_OK || a->count != 1)
		goto out;
	sb_reset(&sb);
	if (eval_expand(&s, f, a->rr[0].text, SPF_EXPLAIN, &sb) != 1 ||
	    !slice_is_print(sb_slice(&sb)))
		goto out;
	text = arena_copy(ask.arena, slice_sub(sb_slice(&sb), 0,
	    SPF_EXPLANATION_MAX));
out:
	sb_free(&sb);
	return text;
}

void
spf_check(const struct spf_ask *ask, struct spf_answer *a)
{
	struct state s = { .ask = ask, .answer = a, .authentic = true,
		.note = STRBUF_INIT(NOTE_MAX), .costs = STRBUF_INIT(LIST_MAX),
		.void_names = STRBUF_INIT(LIST_MAX) };
	struct frame last = { .depth = 0 };

	*a = (struct spf_answer){ .result = SPF_NONE };
	if (ask->ip.family == 0) {
		eval_end(&s, &last, SPF_NONE, SPF_WHY_NO_CLIENT,
		    "client address unknown", SLICE_NONE);
		return;
	}
	trace_start(&s);
	a->result = eval_host(&s, ask->domain, 0, &last);
	a->authentic = s.asked && s.authentic;
	if (a->result == SPF_NONE || a->result == SPF_TEMPERROR ||
	    a->result == SPF_PERMERROR) {
		a->mech = SLICE_NONE;
	} else {
		a->reason = SLICE_NONE;
		a->why = SPF_WHY_VERDICT;
	}
	if (a->result == SPF_FAIL)
		a->explanation = explanation(&s, &last);
	if (ask->trace != NULL) {
		a->costs = arena_copy(ask->arena, sb_slice(&s.costs));
		a->void_names = arena_copy(ask->arena, sb_slice(&s.void_names));
	}
	sb_free(&s.note);
	sb_free(&s.costs);
	sb_free(&s.void_names);
}
