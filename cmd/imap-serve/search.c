/*
 * search.c - SEARCH, UID SEARCH (RFC 9051 section 6.4.4; ESEARCH: RFC 4731;
 * SAVE: RFC 5182)
 */
#include "search.h"

#include "base/alloc.h"
#include "base/clock.h"

#define NUMBERS_A_LINE 100 /* of "* SEARCH", for clients with short lines */

enum give {
	G_MIN = 1, G_MAX = 2, G_ALL = 4, G_COUNT = 8, G_SAVE = 16
};

struct search {
	bool extended;   /* RETURN was given */
	unsigned give;
	bool modseq;     /* the MODSEQ key was used */
	uint32_t *uid;
	size_t count;
	uint64_t top;    /* greatest modseq found */
};

static bool
take_return(struct slice *in, struct search *q)
{
	q->extended = true;
	if (!imap_sp(in) || !imap_take(in, '('))
		return false;
	if (imap_take(in, ')')) {
		q->give = G_ALL;
		return imap_sp(in);
	}
	do {
		if (imap_word(in, "MIN"))
			q->give |= G_MIN;
		else if (imap_word(in, "MAX"))
			q->give |= G_MAX;
		else if (imap_word(in, "ALL"))
			q->give |= G_ALL;
		else if (imap_word(in, "COUNT"))
			q->give |= G_COUNT;
		else if (imap_word(in, "SAVE"))
			q->give |= G_SAVE;
		else
			return false;
	} while (imap_sp(in));
	return imap_take(in, ')') && imap_sp(in);
}

/* 1, 0 unknown charset, -1 syntax. */
static int
take_charset(struct session *s, struct slice *in)
{
	struct slice name;

	if (!imap_sp(in) || !imap_astring(in, &s->ar, &name) || !imap_sp(in))
		return -1;
	return slice_ieqs(name, "UTF-8") || slice_ieqs(name, "US-ASCII");
}

static int
run(struct session *s, const struct key *k, struct search *q)
{
	const struct selected *v = &s->view;
	struct arena list_ar = { 0 }, ar = { 0 };
	struct message *m;
	size_t count = BATCH;
	uint32_t first = 1;
	int r = 0;

	q->uid = arena_alloc(&s->ar, size_mul(v->count + 1, sizeof(*q->uid)));
	while (r == 0 && count == BATCH && first != 0 && v->count != 0) {
		r = message_list(s->store, v->box, first,
		    v->uid[v->count - 1], BATCH, &list_ar, &m, &count);
		for (size_t i = 0; r == 0 && i < count; i++) {
			first = m[i].uid + 1;
			arena_reset(&ar);
			if (view_seq(v, m[i].uid) == 0 ||
			    !search_match(s, k, &m[i], &ar))
				continue;
			q->uid[q->count++] = m[i].uid;
			if (m[i].modseq > q->top)
				q->top = m[i].modseq;
		}
		arena_reset(&list_ar);
	}
	arena_free(&list_ar);
	arena_free(&ar);
	return r;
}

static void
save(struct session *s, const struct search *q)
{
	unsigned ends = q->give & (G_MIN | G_MAX);
	bool only_ends = ends != 0 && (q->give & (G_ALL | G_COUNT)) == 0;

	s->saved = (struct numset){ 0 };
	arena_reset(&s->saved_ar);
	/* MIN and MAX alone save just these: RFC 5182 section 2.1. */
	for (size_t i = 0; i < q->count; i++)
		if (!only_ends || (i == 0 && (ends & G_MIN) != 0) ||
		    (i == q->count - 1 && (ends & G_MAX) != 0))
			numset_add(&s->saved, &s->saved_ar, q->uid[i],
			    q->uid[i]);
}

static uint32_t
number(struct session *s, uint32_t uid)
{
	return s->uid_cmd ? uid : view_seq(&s->view, uid);
}

static void
tell_list(struct session *s, const struct search *q)
{
	size_t i = 0;

	do {
		sb_puts(&s->o, "* SEARCH");
		for (size_t n = 0; n < NUMBERS_A_LINE && i < q->count; n++)
			sb_printf(&s->o, " %u", number(s, q->uid[i++]));
		if (q->modseq && q->count != 0 && i == q->count)
			sb_printf(&s->o, " (MODSEQ %llu)",
			    (unsigned long long)q->top);
		sb_puts(&s->o, "\r\n");
		flush_some(s);
	} while (i < q->count);
}

static void
tell_extended(struct session *s, const struct search *q)
{
	unsigned give = q->extended ? q->give : G_ALL;
	struct numset set;

	if ((give & ~(unsigned)G_SAVE) == 0)
		return;
	sb_puts(&s->o, "* ESEARCH (TAG ");
	imap_put_string(&s->o, s->tag, false);
	sb_puts(&s->o, s->uid_cmd ? ") UID" : ")");
	if ((give & G_MIN) != 0 && q->count != 0)
		sb_printf(&s->o, " MIN %u", number(s, q->uid[0]));
	if ((give & G_MAX) != 0 && q->count != 0)
		sb_printf(&s->o, " MAX %u", number(s, q->uid[q->count - 1]));
	if ((give & G_COUNT) != 0)
		sb_printf(&s->o, " COUNT %zu", q->count);
	if ((give & G_ALL) != 0 && q->count != 0) {
		set_of_uids(s, q->uid, q->count, &set);
		sb_puts(&s->o, " ALL ");
		numset_put(&s->o, &set);
	}
	if (q->modseq && q->count != 0)
		sb_printf(&s->o, " MODSEQ %llu", (unsigned long long)q->top);
	sb_puts(&s->o, "\r\n");
}

enum result
cmd_search(struct session *s, struct slice args)
{
	struct search q = { 0 };
	struct key *k;

	if (!imap_sp(&args))
		return bad(s, "keys expected");
	if (imap_word(&args, "RETURN") && !take_return(&args, &q))
		return bad(s, "bad result options");
	if (imap_word(&args, "CHARSET"))
		switch (take_charset(s, &args)) {
		case -1:
			return bad(s, "charset expected");
		case 0:
			return no(s, "[BADCHARSET] UTF-8 or US-ASCII only");
		}
	/* What was delivered this moment is found. */
	if (s->uid_cmd)
		view_sync(s);
	else
		view_grow(s);
	k = search_parse(s, &args, &q.modseq);
	if (k == NULL)
		return bad(s, "bad search keys");
	if (q.modseq)
		cond_enable(s);
	if (s->view.box != 0 && run(s, k, &q) == -1) {
		if ((q.give & G_SAVE) != 0)
			s->saved = (struct numset){ 0 };
		return no_errno(s, "search");
	}
	if ((q.give & G_SAVE) != 0)
		save(s, &q);
	if (q.extended || (s->enabled & EN_REV2) != 0)
		tell_extended(s, &q);
	else
		tell_list(s, &q);
	return ok(s, "done");
}
