#include "imf/authres.h"

#include <errno.h>

#include "addr/addr.h"
#include "base/alloc.h"
#include "imf/lex.h"

#define LINE_MAX_COLUMNS 78 /* RFC 5322 section 2.1.1 */
/*
 * Bytes of a comment or reason, and of a property: with every byte escaped
 * still less than the 998 of a line (RFC 5322 section 2.1.1). The longest name
 * is 255, the longest local part 64 (RFC 5321 section 4.5.3.1).
 */
#define TEXT_MAX 320
#define VALUE_MAX 320

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

static bool
is_control(unsigned char c)
{
	return c < ' ' || c == 0x7f;
}

/*
 * What can be shown as it is: else it could be read as another name, or, as
 * there are readers who cut the field at every ";", as another result.
 */
static bool
is_shown(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (is_control(s.p[i]) || s.p[i] == ';')
			return false;
	return s.n != 0 && s.n <= VALUE_MAX && slice_is_utf8(s);
}

static void
put_escaped(struct strbuf *sb, struct slice s, const char *escape)
{
	for (size_t i = 0; i < s.n; i++) {
		if (strchr(escape, s.p[i]) != NULL)
			sb_putc(sb, '\\');
		sb_putc(sb, s.p[i]);
	}
}

static void
put_quoted(struct strbuf *sb, struct slice s)
{
	sb_putc(sb, '"');
	put_escaped(sb, s, "\"\\");
	sb_putc(sb, '"');
}

static bool
is_token(struct slice s)
{
	struct slice rest = s;

	return lex_token(&rest).n == s.n && s.n != 0;
}

static bool
is_atom(struct slice s)
{
	struct slice rest = s;

	return lex_atom(&rest).n == s.n;
}

/* value / [ [ local-part ] "@" ] domain-name (RFC 8601 section 2.2) */
static void
put_value(struct strbuf *sb, struct slice s)
{
	ptrdiff_t at = slice_rchr(s, '@');
	struct slice local = slice_sub(s, 0, at == -1 ? 0 : (size_t)at);

	if (is_token(s) ||
	    (at != -1 && is_atom(local) && is_token(slice_skip(s, local.n + 1))))
		sb_put(sb, s);
	else if (at > 0 && is_token(slice_skip(s, local.n + 1))) {
		put_quoted(sb, local);
		sb_put(sb, slice_skip(s, local.n));
	} else
		put_quoted(sb, s);
}

/* At most TEXT_MAX bytes, ending between characters. */
static struct slice
shorten(struct slice s)
{
	size_t n = TEXT_MAX;

	if (s.n <= TEXT_MAX)
		return s;
	while (n > 0 && (s.p[n] & 0xc0) == 0x80)
		n--;
	return slice_sub(s, 0, n);
}

/*
 * A comment or quoted string, by words, each of which may go to a new line.
 * Runs of blanks become one, so that no line has nothing but blanks; and ";"
 * a comma: see is_shown().
 */
static void
put_text(struct folder *f, const char *open, struct slice text,
    const char *escape, char close)
{
	struct strbuf clean = STRBUF_INIT(2 * TEXT_MAX);
	bool utf8 = slice_is_utf8(text);
	struct slice in, word;
	bool first = true;

	in = shorten(text);
	for (size_t i = 0; i < in.n; i++)
		if (strchr("\t\r\n", in.p[i]) != NULL && in.p[i] != '\0')
			sb_putc(&clean, ' ');
		else if (in.p[i] == ';')
			sb_putc(&clean, ',');
		else
			sb_putc(&clean, is_control(in.p[i]) ||
			    (in.p[i] >= 0x80 && !utf8) ? '?' : in.p[i]);
	if (in.n < text.n)
		sb_puts(&clean, "...");
	sb_puts(&f->word, open);
	for (in = sb_slice(&clean); slice_word(&in, &word); first = false) {
		if (!first)
			put_word(f);
		put_escaped(&f->word, word, escape);
	}
	sb_putc(&f->word, close);
	put_word(f);
	sb_free(&clean);
}

static void
put_comment(struct folder *f, struct slice text)
{
	put_text(f, "(", text, "()\\", ')');
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
	sb_put(&f->word, r->result);
	new_line(f);
	if (r->comment.n != 0 && (r->reason.n != 0 || r->count != 0))
		put_comment(f, r->comment);
	if (r->reason.n != 0)
		put_text(f, "reason=\"", r->reason, "\"\\", '"');
	for (size_t i = 0; i < r->count; i++) {
		if (!is_shown(r->props[i].value))
			continue;
		sb_puts(&f->word, r->props[i].name);
		sb_putc(&f->word, '=');
		put_value(&f->word, r->props[i].value);
		put_word(f);
		put_alabels(f, r->props[i].value);
	}
}

/* Keyword (RFC 5321 section 4.1.2): what a result must be. */
static bool
is_keyword(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!ascii_isalnum(s.p[i]) && s.p[i] != '-')
			return false;
	return s.n != 0 && s.n <= VALUE_MAX && s.p[s.n - 1] != '-';
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
	bool none = true;

	sb_put(out, name);
	f.column = name.n;
	put_value(&f.word, authserv_id);
	put_word(&f);
	for (size_t place = 0; place <= COUNTOF(order); place++)
		for (size_t i = 0; i < count; i++)
			if (rank(results[i].method) == place &&
			    is_keyword(results[i].result)) {
				put_result(&f, &results[i]);
				none = false;
			}
	if (none)
		sb_puts(out, "; none");
	sb_puts(out, "\r\n");
	sb_free(&f.word);
}

/*
 * One spelling for each name: 0, or -1 if it is none that everybody takes for
 * the same: not a domain, and with bytes that some readers cut, drop or decode.
 */
static int
canonical(struct slice name, struct arena *ar, struct slice *out)
{
	if (domain_ascii(name, ar, out) == 0)
		return 0;
	*out = lex_lower(name, ar);
	return is_token(name) && slice_is_ascii(name) &&
	    slice_find(*out, S("xn--")) == -1 ? 0 : -1;
}

/* What may follow the authserv-id: [CFWS version] [CFWS] (";" or the end). */
static bool
ends_well(struct slice in)
{
	const size_t before = in.n;
	bool good = lex_cfws(&in, NULL), apart = in.n < before;

	while (apart && in.n != 0 && ascii_isdigit(in.p[0]))
		in = slice_skip(in, 1);
	good = lex_cfws(&in, NULL) && good;
	return good && (in.n == 0 || in.p[0] == ';');
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
	if (!good || !ends_well(in) || canonical(raw, ar, id) == -1) {
		errno = EINVAL;
		return -1;
	}
	return 0;
}

/* key [CFWS] "=" [CFWS] value, and what follows up to the next key. */
static bool
take_pair(struct slice *in, struct arena *ar, struct slice *key,
    struct slice *value)
{
	bool good = true;

	*key = lex_token(in);
	good = lex_cfws(in, NULL) && key->n != 0;
	if (in->n == 0 || in->p[0] != '=')
		return false;
	*in = slice_skip(*in, 1);
	good = lex_cfws(in, NULL) && good;
	if (in->n != 0 && in->p[0] == '"') {
		good = lex_quoted(in, value) && good;
		*value = slice_trim(lex_unquote(*value, ar));
	} else
		*value = lex_atom(in);
	good = lex_cfws(in, NULL) && good;
	if (in->n != 0) {
		good = good && in->p[0] == ';';
		*in = slice_skip(*in, 1);
	}
	return lex_cfws(in, NULL) && good;
}

/* Does a Received-SPF name one of our hosts as receiver, or none? */
static bool
spf_is_ours(struct slice in, bool (*is_ours)(void *ctx, struct slice host),
    void *ctx, struct arena *ar)
{
	struct slice key, value, host;
	bool good = lex_cfws(&in, NULL), named = false;

	good = lex_token(&in).n != 0 && good;
	good = lex_cfws(&in, NULL) && good;
	while (good && in.n != 0) {
		if (!take_pair(&in, ar, &key, &value))
			return true;
		if (!slice_ieqs(key, "receiver"))
			continue;
		if (canonical(value, ar, &host) == -1 || is_ours(ctx, host))
			return true;
		named = true;
	}
	return !good || !named;
}

bool
authres_is_ours(const struct field *f,
    bool (*is_ours)(void *ctx, struct slice host), void *ctx,
    struct arena *ar)
{
	struct slice id;

	if (slice_ieqs(f->name, "Received-SPF"))
		return spf_is_ours(f->value, is_ours, ctx, ar);
	if (!slice_ieqs(f->name, "Authentication-Results"))
		return false;
	return authres_id(f->value, ar, &id) == -1 || is_ours(ctx, id);
}
