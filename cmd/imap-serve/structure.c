/*
 * structure.c - BODY from the text of BODYSTRUCTURE (RFC 9051 section 7.5.2)
 *
 * The text is our own, but it is walked with care: it was made from a
 * stranger's message.
 */
#include "body.h"


/* Take one element: a list, a string, a literal, a number or NIL. */
static bool
take_element(struct slice *in, struct slice *el)
{
	struct slice start = *in;
	int depth = 0;

	do {
		uint64_t n;

		if (in->n == 0)
			return false;
		if (imap_take(in, '(')) {
			depth++;
		} else if (imap_take(in, ')')) {
			depth--;
		} else if (imap_take(in, '"')) {
			while (in->n != 0 && in->p[0] != '"')
				*in = slice_skip(*in,
				    in->p[0] == '\\' ? 2 : 1);
			if (!imap_take(in, '"'))
				return false;
		} else if (imap_take(in, '{')) {
			if (!imap_number(in, in->n, &n))
				return false;
			*in = slice_skip(*in, 3 + (size_t)n); /* }CRLF */
		} else if (depth == 0 || !imap_take(in, ' ')) {
			size_t before = in->n;

			while (in->n != 0 && in->p[0] > ' ' &&
			    in->p[0] != '(' && in->p[0] != ')')
				*in = slice_skip(*in, 1);
			if (in->n == before)
				return false;
		}
	} while (depth > 0);
	*el = slice_sub(start, 0, start.n - in->n);
	return depth == 0;
}

static bool put_structure(struct strbuf *sb, struct slice text, int depth);

/* Elements of a leaf up to the first extension field. */
static bool
put_leaf(struct strbuf *sb, struct slice in, int depth)
{
	struct slice el, type = SLICE_NONE, sub = SLICE_NONE;
	size_t most = 7;

	for (size_t i = 0; i < most && in.n != 0; i++) {
		if (i != 0) {
			if (!imap_sp(&in))
				break;
			sb_putc(sb, ' ');
		}
		if (!take_element(&in, &el))
			return false;
		if (i == 0)
			type = el;
		if (i == 1)
			sub = el;
		if (i == 6 && slice_ieqs(type, "\"text\""))
			most = 8; /* lines */
		if (i == 6 && slice_ieqs(type, "\"message\"") &&
		    (slice_ieqs(sub, "\"rfc822\"") ||
		    slice_ieqs(sub, "\"global\"")) && imap_next(in, ' ') &&
		    in.n > 1 && in.p[1] == '(')
			most = 10; /* envelope, body, lines */
		if (i == 8) {
			if (!put_structure(sb, el, depth + 1))
				return false;
		} else
			sb_put(sb, el);
	}
	return true;
}

static bool
put_structure(struct strbuf *sb, struct slice text, int depth)
{
	struct slice el = SLICE_NONE;
	bool good = true;

	if (depth > STRUCTURE_DEPTH || !imap_take(&text, '(') ||
	    text.n == 0 || text.p[text.n - 1] != ')')
		return false;
	text.n--;
	sb_putc(sb, '(');
	if (!imap_next(text, '('))
		good = put_leaf(sb, text, depth);
	else {
		while (good && imap_next(text, '('))
			good = take_element(&text, &el) &&
			    put_structure(sb, el, depth + 1);
		good = good && imap_sp(&text) && take_element(&text, &el);
		sb_putc(sb, ' ');
		sb_put(sb, el);
	}
	sb_putc(sb, ')');
	return good;
}

void
put_plain_structure(struct strbuf *sb, struct slice text)
{
	size_t at = sb->n;

	if (put_structure(sb, text, 0))
		return;
	sb_cut(sb, at);
	sb_put(sb, text); /* with extension data is better than nothing */
}
