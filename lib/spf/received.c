#include "spf/received.h"

#include <string.h>

#define LINE_MAX 78 /* RFC 5322 section 2.1.1 asks for it */
/* Bytes of a value. A reverse-path has at most 254; quoted and folded on a line
 * of its own it stays well under the 998 of RFC 5322 section 2.1.1. */
#define VALUE_MAX 320
#define PROBLEM_MAX 67 /* enough for a hint; the reason stands in the case */

struct folder {
	struct strbuf *sb;
	const char *eol;
	size_t column;
};

/* The first bytes, whole characters only. Bytes that are not UTF-8: nothing. */
static struct slice
cut(struct slice s, size_t most)
{
	size_t n = s.n;

	if (!slice_is_utf8(s))
		return S("invalid");
	if (n > most)
		for (n = most; n > 0 && (s.p[n] & 0xc0) == 0x80;)
			n--;
	return slice_sub(s, 0, n);
}

/* atext of RFC 5322 section 3.2.3, without what looks like syntax here. */
static bool
is_dot_atom(struct slice s)
{
	bool dot = true;

	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = s.p[i];

		if (c == '.' ? dot : !ascii_isalnum(c) && (c == '\0' ||
		    strchr("!#$%&'*+-/?^_`{|}~", c) == NULL))
			return false;
		dot = c == '.';
	}
	return !dot;
}

/* Text with a backslash before each of these; no control byte. */
static void
put_escaped(struct strbuf *sb, struct slice s, const char *special)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < ' ' || s.p[i] == 0x7f)
			continue;
		if (strchr(special, s.p[i]) != NULL)
			sb_putc(sb, '\\');
		sb_putc(sb, s.p[i]);
	}
}

/* A word; on a new line if this one has no room left. */
static void
put_word(struct folder *f, struct slice word)
{
	if (f->column + 1 + word.n > LINE_MAX && f->column > 1) {
		sb_puts(f->sb, f->eol);
		sb_putc(f->sb, '\t');
		f->column = 8;
	} else {
		sb_putc(f->sb, ' ');
		f->column++;
	}
	sb_put(f->sb, word);
	f->column += word.n;
}

static void
put_words(struct folder *f, struct slice text)
{
	struct slice word;

	while (slice_word(&text, &word))
		put_word(f, word);
}

static void
put_pair(struct folder *f, const char *key, struct slice value, size_t most)
{
	struct strbuf sb = STRBUF_INIT((size_t)4 * VALUE_MAX);

	value = cut(value, most);
	sb_printf(&sb, "%s=", key);
	if (is_dot_atom(value))
		sb_put(&sb, value);
	else {
		sb_putc(&sb, '"');
		put_escaped(&sb, value, "\"\\");
		sb_putc(&sb, '"');
	}
	sb_putc(&sb, ';');
	put_word(f, sb_slice(&sb));
	sb_free(&sb);
}

/* What a result means, in the words that readers of this field know. */
struct meaning {
	const char *result, *between, *after;
};

static const struct meaning *
meaning_of(struct slice result)
{
	static const struct meaning words[] = {
		{ "pass", " designates ", " as permitted sender" },
		{ "fail", " does not designate ", " as permitted sender" },
		{ "softfail", " does not designate ", " as permitted sender" },
		{ "neutral", " says nothing about ", "" },
		{ "temperror", " could not be judged now for ", "" },
		{ "permerror", " has an SPF record in error for ", "" },
		{ "none", " has no SPF record that names ", "" },
	};
	size_t i = 0;

	while (i < sizeof(words) / sizeof(*words) - 1 &&
	    !slice_eqs(result, words[i].result))
		i++;
	return &words[i];
}

static void
put_comment(struct folder *f, const struct spf_received *r,
    const struct meaning *m)
{
	struct strbuf sb = STRBUF_INIT((size_t)8 * VALUE_MAX);

	sb_putc(&sb, '(');
	put_escaped(&sb, cut(r->receiver, VALUE_MAX), "()\\");
	sb_puts(&sb, r->receiver.n > 0 ? ": domain " : "domain ");
	put_escaped(&sb, cut(r->domain, VALUE_MAX), "()\\");
	if (slice_eqs(r->identity, "helo") && r->from.n == 0)
		sb_puts(&sb, " of HELO, as the sender is empty,");
	sb_puts(&sb, m->between);
	put_escaped(&sb, cut(r->ip, VALUE_MAX), "()\\");
	sb_puts(&sb, m->after);
	sb_putc(&sb, ')');
	put_words(f, sb_slice(&sb));
	sb_free(&sb);
}

void
spf_received(struct strbuf *sb, const struct spf_received *r, const char *eol)
{
	struct folder f = { .sb = sb, .eol = eol };
	const struct meaning *m = meaning_of(r->result);
	struct slice name = S("Received-SPF:");

	sb_put(sb, name);
	f.column = name.n;
	put_word(&f, slice_str(m->result));
	put_comment(&f, r, m);
	put_pair(&f, "receiver", r->receiver.n > 0 ? r->receiver : S("unknown"),
	    VALUE_MAX);
	put_pair(&f, "identity", r->identity, VALUE_MAX);
	put_pair(&f, "client-ip", r->ip, VALUE_MAX);
	put_pair(&f, "envelope-from", r->from.n > 0 ? r->from : S("<>"),
	    VALUE_MAX);
	put_pair(&f, "helo", r->helo, VALUE_MAX);
	if (r->mech.n > 0)
		put_pair(&f, "mechanism", r->mech, VALUE_MAX);
	if (r->reason.n > 0)
		put_pair(&f, "problem", r->reason, PROBLEM_MAX);
	sb_puts(sb, eol);
}
