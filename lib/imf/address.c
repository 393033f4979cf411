#include "imf/address.h"

#include "addr/addr.h"
#include "imf/lex.h"
#include "imf/word.h"

#define NAME_MAX_BYTES 1000 /* of a display name, as given */

/*
 * The words of one list entry are collected until a delimiter says what they
 * are. Each goes to `phrase' with a blank where there was white space, and to
 * `text' without, and the parts around the last "@" are kept.
 */
struct parser {
	struct slice in;
	struct arena *ar;
	struct address_list *out;
	struct strbuf phrase; /* words as a display name */
	struct strbuf local, domain; /* words before and after "@" */
	struct slice comment; /* the last one: a name in old style */
	unsigned words, ats;
	bool space;  /* white space before the next word */
	bool quoted; /* the local part has a quoted string, perhaps empty */
	bool in_group, in_angle;
	bool closed; /* ">" was in this entry */
	bool bad_spec; /* the words are no addr-spec */
	bool after_dot;
};

static void
entry_reset(struct parser *p)
{
	sb_reset(&p->phrase);
	sb_reset(&p->local);
	sb_reset(&p->domain);
	p->words = p->ats = 0;
	p->space = p->quoted = p->bad_spec = p->after_dot = false;
}

static struct address *
entry_new(struct parser *p, enum address_kind kind)
{
	struct address_list *l = p->out;
	struct address *a;

	if (l->count == ADDRESS_LIST_MAX) {
		l->cut = true;
		return NULL;
	}
	if ((l->count & (l->count - 1)) == 0) /* a power of two: full */
		l->list = arena_grow(p->ar, l->list,
		    l->count * sizeof(l->list[0]),
		    (l->count != 0 ? l->count * 2 : 1) * sizeof(l->list[0]));
	a = &l->list[l->count++];
	*a = (struct address){ .kind = kind };
	if (kind == ADDRESS_ONE)
		l->addresses++;
	return a;
}

static struct slice
decoded(struct parser *p, struct slice phrase)
{
	struct strbuf sb = STRBUF_INIT(NAME_MAX_BYTES * 4);
	struct slice s;

	if (slice_is_ascii(phrase) && !word_maybe(phrase))
		return phrase;
	word_decode(&sb, phrase);
	s = arena_copy(p->ar, sb_slice(&sb));
	sb_free(&sb);
	return s;
}

static void
set_name(struct parser *p, struct address *a, struct slice phrase)
{
	a->phrase = arena_copy(p->ar, slice_sub(slice_trim(phrase), 0,
	    NAME_MAX_BYTES));
	a->name = decoded(p, a->phrase);
}

/* The canonical address, if the words make one. */
static void
set_addr(struct parser *p, struct address *a)
{
	struct strbuf sb = STRBUF_INIT(ADDR_TEXT_MAX);
	struct addr spec = { .local = a->local };
	struct addr parsed;

	addr_format(&sb, &spec); /* quotes the local part where needed */
	sb_putc(&sb, '@');
	sb_put(&sb, a->domain);
	if (!sb.over && addr_parse(sb_slice(&sb), ADDR_UTF8, p->ar, &parsed) ==
	    0) {
		sb_reset(&sb);
		addr_format(&sb, &parsed);
		a->addr = arena_copy(p->ar, sb_slice(&sb));
		a->addr_domain = parsed.domain;
	}
	sb_free(&sb);
}

/* The words are an addr-spec. */
static void
entry_spec(struct parser *p, struct address *a)
{
	if (p->ats != 1 || p->after_dot || p->local.over || p->domain.over ||
	    (p->local.n == 0 && !p->quoted) || p->domain.n == 0)
		p->bad_spec = true;
	a->local = arena_copy(p->ar, sb_slice(&p->local));
	a->domain = arena_copy(p->ar, sb_slice(&p->domain));
	if (!p->bad_spec)
		set_addr(p, a);
	if (p->bad_spec)
		p->out->bad = true;
}

/* The words before "<" are the display name. */
static void
open_angle(struct parser *p)
{
	struct address *a;

	if (p->in_angle)
		p->out->bad = true;
	if ((a = entry_new(p, ADDRESS_ONE)) != NULL)
		set_name(p, a, sb_slice(&p->phrase));
	entry_reset(p);
	p->comment = SLICE_NONE;
	p->in_angle = true;
	p->closed = false;
}

static struct address *
last_entry(struct parser *p)
{
	return p->out->cut ? NULL : &p->out->list[p->out->count - 1];
}

static void
close_angle(struct parser *p)
{
	struct address *a;

	if (!p->in_angle) {
		p->out->bad = true;
		return;
	}
	if ((a = last_entry(p)) != NULL) {
		entry_spec(p, a);
		if (a->name.n == 0 && p->comment.n != 0)
			set_name(p, a, lex_unquote(p->comment, p->ar));
	}
	p->in_angle = false;
	p->closed = true;
	entry_reset(p);
}

/* "," or ";" or the end: what was collected is a bare addr-spec. */
static void
end_entry(struct parser *p)
{
	struct address_list *l = p->out;
	struct address *a;

	if (p->in_angle) {
		l->bad = true;
		close_angle(p);
	}
	if (p->words != 0 && p->ats == 0 && p->closed) {
		/* "<a@b.org> Ann": no second address. */
		l->bad = true;
		if ((a = last_entry(p)) != NULL && a->name.n == 0)
			set_name(p, a, sb_slice(&p->phrase));
	} else if (p->words != 0) {
		a = entry_new(p, ADDRESS_ONE);
		if (a != NULL && p->ats == 0) {
			/* No address at all: keep the words to show. */
			l->bad = true;
			a->local = arena_copy(p->ar, slice_sub(
			    sb_slice(&p->phrase), 0, NAME_MAX_BYTES));
		} else if (a != NULL)
			entry_spec(p, a);
		if (a != NULL && p->comment.n != 0)
			set_name(p, a, lex_unquote(p->comment, p->ar));
	} else if (p->comment.n != 0 && l->count != 0 && !l->cut &&
	    last_entry(p)->kind == ADDRESS_ONE && last_entry(p)->name.n == 0)
		set_name(p, last_entry(p), lex_unquote(p->comment, p->ar));
	p->comment = SLICE_NONE;
	p->closed = false;
	entry_reset(p);
}

static void
open_group(struct parser *p)
{
	struct address *a;

	if (p->in_group || p->words == 0)
		p->out->bad = true;
	if (p->in_group)
		(void)entry_new(p, ADDRESS_GROUP_END);
	if ((a = entry_new(p, ADDRESS_GROUP)) != NULL)
		set_name(p, a, sb_slice(&p->phrase));
	p->in_group = true;
	p->closed = false;
	p->comment = SLICE_NONE;
	entry_reset(p);
}

static void
close_group(struct parser *p)
{
	end_entry(p);
	if (p->in_group)
		(void)entry_new(p, ADDRESS_GROUP_END);
	else
		p->out->bad = true;
	p->in_group = false;
}

/* ":" after a source route in angle brackets ends the route. */
static void
colon(struct parser *p)
{
	if (!p->in_angle) {
		open_group(p);
		return;
	}
	if (p->ats == 0 || p->local.n != 0)
		p->out->bad = true;
	entry_reset(p);
}

static void
add_phrase(struct parser *p, struct slice word)
{
	if (p->space && p->phrase.n != 0)
		sb_putc(&p->phrase, ' ');
	sb_put(&p->phrase, word);
}

/*
 * A word of a local part or domain: "a b@c" and "a b" are no addr-spec, but
 * dots may have blanks around them (obs-local-part).
 */
static void
add_word(struct parser *p, struct slice word, bool is_quoted)
{
	struct strbuf *to = p->ats == 0 ? &p->local : &p->domain;
	bool first = to->n == 0 && (p->ats != 0 || p->words == 0);
	bool dot = !is_quoted && word.n != 0 && word.p[0] == '.';

	if (!first && !dot && !p->after_dot)
		p->bad_spec = true;
	if (dot && (first || p->after_dot))
		p->bad_spec = true;
	if (is_quoted && p->ats != 0)
		p->bad_spec = true;
	if (!is_quoted && slice_find(word, S("..")) != -1)
		p->bad_spec = true;
	if (is_quoted && p->ats == 0)
		p->quoted = true;
	p->after_dot = !is_quoted && word.n != 0 &&
	    word.p[word.n - 1] == '.';
	sb_put(to, word);
	p->words++;
	p->space = false;
}

static void
take_quoted(struct parser *p)
{
	struct slice raw, word;

	if (!lex_quoted(&p->in, &raw))
		p->out->bad = true;
	word = lex_unquote(raw, p->ar);
	add_phrase(p, word);
	add_word(p, word, true);
}

static void
take_literal(struct parser *p)
{
	struct slice raw;

	if (!lex_literal(&p->in, &raw))
		p->out->bad = true;
	add_phrase(p, raw);
	add_word(p, raw, false);
	/* "[ext] Ann <a@b.org>" breaks the grammar, but a name is a name;
	 * only in an address a literal stands behind the "@". */
	if (p->ats == 0)
		p->bad_spec = true;
}

static void
take_at(struct parser *p)
{
	p->in = slice_skip(p->in, 1);
	if (p->ats != 0 && (!p->in_angle || p->local.n != 0))
		p->bad_spec = true;
	if (p->after_dot)
		p->bad_spec = true;
	p->ats++;
	p->words++;
	add_phrase(p, S("@"));
	sb_reset(&p->domain);
	p->space = p->after_dot = false;
}

static void
take_special(struct parser *p)
{
	unsigned char c = p->in.p[0];

	p->in = slice_skip(p->in, 1);
	switch (c) {
	case '<': open_angle(p); break;
	case '>': close_angle(p); break;
	case ':': colon(p); break;
	case ';': close_group(p); break;
	case ',':
		/* In a source route it only separates domains. */
		if (p->in_angle && p->local.n == 0 && p->ats != 0)
			sb_reset(&p->domain);
		else
			end_entry(p);
		break;
	default: /* control bytes, stray "\" ")" "]" */
		p->out->bad = p->bad_spec = true;
		add_phrase(p, slice_of(&c, 1));
		p->words++;
		break;
	}
}

static void
take_one(struct parser *p)
{
	struct slice before = p->in, word;

	if (!lex_cfws(&p->in, &p->comment))
		p->out->bad = true;
	if (p->in.n != before.n)
		p->space = true;
	if (p->in.n == 0)
		return;
	word = lex_atom(&p->in);
	if (word.n != 0) {
		add_phrase(p, word);
		add_word(p, word, false);
	} else if (p->in.p[0] == '"')
		take_quoted(p);
	else if (p->in.p[0] == '[')
		take_literal(p);
	else if (p->in.p[0] == '@')
		take_at(p);
	else
		take_special(p);
}

void
address_list_parse(struct slice value, struct arena *ar,
    struct address_list *out)
{
	struct parser p = { .in = value, .ar = ar, .out = out };

	*out = (struct address_list){ 0 };
	/* Longer than this is neither a name nor an address. */
	sb_init(&p.phrase, NAME_MAX_BYTES);
	sb_init(&p.local, NAME_MAX_BYTES);
	sb_init(&p.domain, NAME_MAX_BYTES);
	while (p.in.n != 0 && !out->cut)
		take_one(&p);
	end_entry(&p);
	if (p.in_group) {
		out->bad = true;
		(void)entry_new(&p, ADDRESS_GROUP_END);
	}
	if (out->count == 0)
		out->bad = true;
	sb_free(&p.phrase);
	sb_free(&p.local);
	sb_free(&p.domain);
}
