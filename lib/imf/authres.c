#include "imf/authres.h"

#include <errno.h>

#include "addr/addr.h"
#include "base/alloc.h"
#include "imf/lex.h"

#define LINE_MAX_COLUMNS 78 /* RFC 5322 section 2.1.1 */
#define TEXT_MAX 1000 /* of one value, reason or comment, as given */

/* Words are put on the line, or on a new one where they do not fit. */
struct folder {
	struct strbuf *out;
	struct strbuf word;
	size_t column;
};

static void
put_word(struct folder *f)
{
	struct slice w = sb_slice(&f->word);

	if (f->column + 1 + w.n > LINE_MAX_COLUMNS) {
		sb_puts(f->out, "\r\n\t");
		f->column = 8;
	} else {
		sb_putc(f->out, ' ');
		f->column++;
	}
	sb_put(f->out, w);
	f->column += w.n;
	sb_reset(&f->word);
}

static void
new_line(struct folder *f)
{
	sb_puts(f->out, ";\r\n\t");
	f->column = 8;
	sb_put(f->out, sb_slice(&f->word));
	f->column += f->word.n;
	sb_reset(&f->word);
}

/* Text in a quoted string or comment, its delimiters escaped. */
static void
put_escaped(struct strbuf *sb, struct slice s, const char *escape)
{
	s = slice_sub(s, 0, TEXT_MAX);
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = s.p[i];

		if (c < ' ' || c == 0x7f)
			continue;
		if (strchr(escape, c) != NULL)
			sb_putc(sb, '\\');
		sb_putc(sb, c);
	}
}

/* A token, or with @ an address that needs no quotes (RFC 8601 2.2). */
static bool
is_value(struct slice s)
{
	struct slice rest = s;

	(void)lex_token(&rest);
	if (rest.n != 0 && rest.p[0] == '@') {
		rest = slice_skip(rest, 1);
		(void)lex_token(&rest);
	}
	return s.n != 0 && rest.n == 0 && s.n <= TEXT_MAX;
}

static void
put_value(struct strbuf *sb, struct slice s)
{
	if (is_value(s)) {
		sb_put(sb, s);
		return;
	}
	sb_putc(sb, '"');
	put_escaped(sb, s, "\"\\");
	sb_putc(sb, '"');
}

static void
put_comment(struct folder *f, struct slice text)
{
	sb_putc(&f->word, '(');
	put_escaped(&f->word, text, "()\\");
	sb_putc(&f->word, ')');
	put_word(f);
}

/* The A-labels of a domain or of an address' domain, if they differ. */
static void
put_alabels(struct folder *f, struct slice value)
{
	struct arena ar = { 0 };
	struct slice domain = value, ascii;
	ptrdiff_t at = slice_rchr(value, '@');

	if (at != -1)
		domain = slice_skip(value, (size_t)at + 1);
	if (!slice_is_ascii(domain) && domain_ascii(domain, &ar, &ascii) == 0)
		put_comment(f, ascii);
	arena_free(&ar);
}

static void
put_result(struct folder *f, const struct authres_result *r)
{
	sb_puts(&f->word, r->method);
	sb_putc(&f->word, '=');
	put_value(&f->word, r->result);
	new_line(f);
	if (r->comment.n != 0 && (r->reason.n != 0 || r->count != 0))
		put_comment(f, r->comment);
	if (r->reason.n != 0) {
		sb_puts(&f->word, "reason=\"");
		put_escaped(&f->word, r->reason, "\"\\");
		sb_putc(&f->word, '"');
		put_word(f);
	}
	for (size_t i = 0; i < r->count; i++) {
		sb_puts(&f->word, r->props[i].name);
		sb_putc(&f->word, '=');
		put_value(&f->word, r->props[i].value);
		put_word(f);
		put_alabels(f, r->props[i].value);
	}
}

static const char *const order[] = { "iprev", "dkim", "spf", "dmarc" };

/* Place of a method in the field; COUNTOF(order) for all others. */
static size_t
rank(const char *method)
{
	size_t i = 0;

	while (i < COUNTOF(order) && strcmp(order[i], method) != 0)
		i++;
	return i;
}

void
authres_write(struct strbuf *out, struct slice authserv_id,
    const struct authres_result *results, size_t count)
{
	struct folder f = { .out = out, .word = STRBUF_INIT(4 * TEXT_MAX) };
	const struct slice name = S("Authentication-Results:");

	sb_put(out, name);
	f.column = name.n;
	put_value(&f.word, authserv_id);
	put_word(&f);
	for (size_t place = 0; place <= COUNTOF(order); place++)
		for (size_t i = 0; i < count; i++)
			if (rank(results[i].method) == place)
				put_result(&f, &results[i]);
	if (count == 0)
		sb_puts(out, "; none");
	sb_puts(out, "\r\n");
	sb_free(&f.word);
}

int
authres_id(struct slice value, struct arena *ar, struct slice *id)
{
	struct slice in = value, raw;
	bool good = lex_cfws(&in, NULL);

	if (in.n != 0 && in.p[0] == '"') {
		good = lex_quoted(&in, &raw) && good;
		raw = slice_trim(lex_unquote(raw, ar));
	} else
		raw = lex_token(&in);
	if (!good || raw.n == 0) {
		errno = EINVAL;
		return -1;
	}
	if (domain_ascii(raw, ar, id) == -1)
		*id = lex_lower(raw, ar);
	return 0;
}
