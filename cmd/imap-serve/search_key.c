#include "base/alloc.h"
#include "search.h"

struct parser {
	struct session *s;
	unsigned keys, texts;
	bool modseq;
};

static const struct {
	const char *name;
	enum key_kind kind;
	unsigned flag;
	bool negate;
} plain[] = {
	{ "ALL", K_ALL, 0, false },
	{ "ANSWERED", K_FLAG, FLAG_ANSWERED, false },
	{ "DELETED", K_FLAG, FLAG_DELETED, false },
	{ "DRAFT", K_FLAG, FLAG_DRAFT, false },
	{ "FLAGGED", K_FLAG, FLAG_FLAGGED, false },
	{ "SEEN", K_FLAG, FLAG_SEEN, false },
	{ "UNANSWERED", K_FLAG, FLAG_ANSWERED, true },
	{ "UNDELETED", K_FLAG, FLAG_DELETED, true },
	{ "UNDRAFT", K_FLAG, FLAG_DRAFT, true },
	{ "UNFLAGGED", K_FLAG, FLAG_FLAGGED, true },
	{ "UNSEEN", K_FLAG, FLAG_SEEN, true },
	{ "NEW", K_NONE, 0, false }, /* \Recent does not exist */
	{ "RECENT", K_NONE, 0, false },
	{ "OLD", K_ALL, 0, false },
	{ "SAVEDATESUPPORTED", K_ALL, 0, false },
};

static const struct {
	const char *name;
	enum key_kind kind;
} dated[] = {
	{ "BEFORE", K_BEFORE }, { "ON", K_ON }, { "SINCE", K_SINCE },
	{ "SENTBEFORE", K_SENTBEFORE }, { "SENTON", K_SENTON },
	{ "SENTSINCE", K_SENTSINCE }, { "SAVEDBEFORE", K_SAVEDBEFORE },
	{ "SAVEDON", K_SAVEDON }, { "SAVEDSINCE", K_SAVEDSINCE },
}, numbered[] = {
	{ "LARGER", K_LARGER }, { "SMALLER", K_SMALLER },
	{ "OLDER", K_OLDER }, { "YOUNGER", K_YOUNGER },
}, texts[] = {
	{ "BCC", K_HEADER }, { "CC", K_HEADER }, { "FROM", K_HEADER },
	{ "SUBJECT", K_HEADER }, { "TO", K_HEADER },
	{ "BODY", K_BODY }, { "TEXT", K_TEXT },
};

static const struct {
	const char *name;
	unsigned flag;
} keyword_flags[] = {
	{ "$Forwarded", FLAG_FORWARDED }, { "$Junk", FLAG_JUNK },
	{ "$NotJunk", FLAG_NOTJUNK }, { "$Phishing", FLAG_PHISHING },
	{ "$MDNSent", FLAG_MDNSENT },
};

static struct key *parse_key(struct parser *p, struct slice *in, int depth);

static struct key *
new_key(struct parser *p, enum key_kind kind)
{
	struct key *k = arena_alloc(&p->s->ar, sizeof(*k));

	k->kind = kind;
	p->keys++;
	return k;
}

static struct key *
negated(struct parser *p, struct key *child)
{
	struct key *k = new_key(p, K_NOT);

	k->child = child;
	return k;
}

/* Keys one after the other, all must hold. */
static struct key *
parse_and(struct parser *p, struct slice *in, int depth)
{
	struct key *and = new_key(p, K_AND), **tail = &and->child;

	do {
		*tail = parse_key(p, in, depth);
		if (*tail == NULL)
			return NULL;
		tail = &(*tail)->next;
	} while (imap_sp(in));
	return and;
}

static struct key *
parse_or(struct parser *p, struct slice *in, int depth)
{
	struct key *or = new_key(p, K_OR);

	if (!imap_sp(in) || (or->child = parse_key(p, in, depth)) == NULL ||
	    !imap_sp(in) ||
	    (or->child->next = parse_key(p, in, depth)) == NULL)
		return NULL;
	return or;
}

static struct key *
parse_keyword(struct parser *p, struct slice *in, bool negate)
{
	struct key *k = new_key(p, K_KEYWORD);

	if (!imap_sp(in) || !imap_flag(in, &k->name))
		return NULL;
	for (size_t i = 0; i < COUNTOF(keyword_flags); i++)
		if (slice_ieqs(k->name, keyword_flags[i].name)) {
			k->kind = K_FLAG;
			k->flag = keyword_flags[i].flag;
		}
	return negate ? negated(p, k) : k;
}

static struct key *
parse_text(struct parser *p, struct slice *in, enum key_kind kind,
    struct slice name)
{
	struct key *k = new_key(p, kind);
	struct slice text;

	k->name = name;
	if (kind != K_HEADER && ++p->texts > SEARCH_TEXTS)
		return NULL;
	if (!imap_sp(in) || !imap_astring(in, &p->s->ar, &text))
		return NULL;
	k->needle = search_fold(&p->s->ar, text);
	return k;
}

/* MODSEQ [entry-name entry-type] n: RFC 7162 section 3.1.5 */
static struct key *
parse_modseq(struct parser *p, struct slice *in)
{
	struct key *k = new_key(p, K_MODSEQ);
	struct slice entry;

	p->modseq = true;
	if (!imap_sp(in))
		return NULL;
	if (imap_next(*in, '"') && (!imap_string(in, &p->s->ar, &entry) ||
	    !imap_sp(in) || !imap_atom(in, &entry) || !imap_sp(in)))
		return NULL;
	return imap_number(in, INT64_MAX, &k->n) ? k : NULL;
}

static struct key *
parse_numbers(struct parser *p, struct slice *in, enum key_kind kind)
{
	struct key *k = new_key(p, kind);

	return numset_take(in, &p->s->ar, &k->set) ? k : NULL;
}

static struct key *
parse_named(struct parser *p, struct slice *in)
{
	for (size_t i = 0; i < COUNTOF(plain); i++)
		if (imap_word(in, plain[i].name)) {
			struct key *k = new_key(p, plain[i].kind);

			k->flag = plain[i].flag;
			return plain[i].negate ? negated(p, k) : k;
		}
	for (size_t i = 0; i < COUNTOF(dated); i++)
		if (imap_word(in, dated[i].name)) {
			struct key *k = new_key(p, dated[i].kind);

			return imap_sp(in) && imap_date(in, &k->days) ?
			    k : NULL;
		}
	for (size_t i = 0; i < COUNTOF(numbered); i++)
		if (imap_word(in, numbered[i].name)) {
			struct key *k = new_key(p, numbered[i].kind);

			return imap_sp(in) &&
			    imap_number(in, INT64_MAX, &k->n) ? k : NULL;
		}
	for (size_t i = 0; i < COUNTOF(texts); i++)
		if (imap_word(in, texts[i].name))
			return parse_text(p, in, texts[i].kind,
			    slice_str(texts[i].name));
	return NULL;
}

static struct key *
parse_key(struct parser *p, struct slice *in, int depth)
{
	struct slice name;
	struct key *k;

	if (depth == SEARCH_DEPTH || p->keys >= SEARCH_KEYS || in->n == 0)
		return NULL;
	if (imap_take(in, '(')) {
		k = parse_and(p, in, depth + 1);
		return k != NULL && imap_take(in, ')') ? k : NULL;
	}
	if (ascii_isdigit(in->p[0]) || in->p[0] == '*' || in->p[0] == '$')
		return parse_numbers(p, in, K_SEQ);
	if (imap_word(in, "NOT")) {
		k = imap_sp(in) ? parse_key(p, in, depth + 1) : NULL;
		return k != NULL ? negated(p, k) : NULL;
	}
	if (imap_word(in, "OR"))
		return parse_or(p, in, depth + 1);
	if (imap_word(in, "UID"))
		return imap_sp(in) ? parse_numbers(p, in, K_UID) : NULL;
	if (imap_word(in, "KEYWORD"))
		return parse_keyword(p, in, false);
	if (imap_word(in, "UNKEYWORD"))
		return parse_keyword(p, in, true);
	if (imap_word(in, "MODSEQ"))
		return parse_modseq(p, in);
	if (imap_word(in, "HEADER"))
		return imap_sp(in) && imap_astring(in, &p->s->ar, &name) ?
		    parse_text(p, in, K_HEADER, name) : NULL;
	return parse_named(p, in);
}

/* Give numbers their meaning in this session. */
static void
resolve(struct session *s, struct key *k)
{
	const struct selected *v = &s->view;

	for (; k != NULL; k = k->next) {
		resolve(s, k->child);
		if (k->kind != K_SEQ && k->kind != K_UID)
			continue;
		if (k->set.saved) {
			k->kind = K_UID;
			k->set = s->saved;
		} else
			numset_resolve(&k->set, k->kind == K_SEQ ?
			    (uint32_t)v->count : v->count != 0 ?
			    v->uid[v->count - 1] : 0);
	}
}

struct key *
search_parse(struct session *s, struct slice *in, bool *modseq)
{
	struct parser p = { .s = s };
	struct key *k = parse_and(&p, in, 0);

	if (k == NULL || in->n != 0)
		return NULL;
	resolve(s, k);
	*modseq = p.modseq;
	return k;
}
