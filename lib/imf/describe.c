#include "imf/describe.h"

#include <stdlib.h>

#include "imf/address.h"
#include "imf/date.h"
#include "imf/field.h"
#include "imf/lex.h"
#include "imf/word.h"

/* Addresses stop here, so that the ENVELOPE's other fields fit. */
#define LISTS_MAX ((size_t)80 * 1024)
/* The same of an ENVELOPE inside a BODYSTRUCTURE. */
#define INNER_LISTS_MAX ((size_t)4 * 1024)

struct form {
	struct strbuf *out;
	struct arena *ar;
	size_t start;     /* of this description in out */
	size_t lists_max;
	bool utf8;
	bool lean; /* no parameters, no inner ENVELOPE */
};

/* A quoted string; control bytes have no place in it. Empty: NIL. */
static void
put_quoted(struct strbuf *out, struct slice s)
{
	sb_putc(out, '"');
	while (s.n != 0) {
		size_t i = 0;

		while (i < s.n && s.p[i] >= ' ' && s.p[i] != 0x7f &&
		    s.p[i] != '"' && s.p[i] != '\\')
			i++;
		sb_put(out, slice_sub(s, 0, i));
		s = slice_skip(s, i);
		if (s.n == 0)
			break;
		if (s.p[0] == '"' || s.p[0] == '\\') {
			sb_putc(out, '\\');
			sb_putc(out, s.p[0]);
		} else if (s.p[0] == '\t')
			sb_putc(out, ' ');
		s = slice_skip(s, 1);
	}
	sb_putc(out, '"');
}

static void
put_nstring(struct strbuf *out, struct slice s)
{
	if (s.n == 0)
		sb_puts(out, "NIL");
	else
		put_quoted(out, s);
}

/* UTF-8 text of which the session may want ASCII. */
static void
put_text(struct form *f, struct slice s)
{
	struct strbuf ascii = STRBUF_INIT(4 * DESCRIBE_STRING_MAX);

	if (f->utf8 || slice_is_ascii(s)) {
		put_nstring(f->out, s);
		return;
	}
	word_encode(&ascii, s);
	put_nstring(f->out, sb_slice(&ascii));
	sb_free(&ascii);
}

/* Unstructured: as it stands if ASCII, else decoded. */
static void
put_unstructured(struct form *f, struct slice value)
{
	struct strbuf sb = STRBUF_INIT(4 * DESCRIBE_STRING_MAX);

	value = slice_sub(slice_trim(value), 0, DESCRIBE_STRING_MAX);
	if (slice_is_ascii(value))
		field_unfold(&sb, value);
	else
		word_decode(&sb, value);
	put_text(f, sb_slice(&sb));
	sb_free(&sb);
}

static void
put_date(struct form *f, struct slice value)
{
	int64_t t;
	int zone;

	if (value.n == 0 || date_parse(value, &t, &zone) == -1) {
		sb_puts(f->out, "NIL");
		return;
	}
	sb_putc(f->out, '"');
	date_write(f->out, t, zone);
	sb_putc(f->out, '"');
}

static void
put_address(struct form *f, const struct address *a)
{
	struct slice phrase =
	    slice_is_ascii(a->phrase) ? a->phrase : a->name;

	switch (a->kind) {
	case ADDRESS_GROUP:
		sb_puts(f->out, "(NIL NIL ");
		if (phrase.n != 0)
			put_text(f, phrase);
		else
			sb_puts(f->out, "\"\""); /* NIL would end a group */
		sb_puts(f->out, " NIL)");
		break;
	case ADDRESS_GROUP_END:
		sb_puts(f->out, "(NIL NIL NIL NIL)");
		break;
	case ADDRESS_ONE:
		sb_putc(f->out, '(');
		put_text(f, phrase);
		sb_puts(f->out, " NIL ");
		/* NIL for one of them would start or end a group. */
		if (a->local.n != 0)
			put_text(f, a->local);
		else
			sb_puts(f->out, "\"\"");
		sb_putc(f->out, ' ');
		if (a->domain.n == 0)
			sb_puts(f->out, "\"\"");
		else if (slice_is_ascii(a->domain) || f->utf8)
			put_quoted(f->out, a->domain);
		else if (a->addr_domain.n != 0)
			put_quoted(f->out, a->addr_domain);
		else
			put_text(f, a->domain);
		sb_putc(f->out, ')');
		break;
	}
}

/* Invalid UTF-8 must not get out; names are decoded already. */
static struct slice
clean(struct slice s, struct arena *ar)
{
	struct strbuf sb = STRBUF_INIT(4 * DESCRIBE_STRING_MAX);

	s = slice_sub(s, 0, DESCRIBE_STRING_MAX);
	if (slice_is_utf8(s))
		return s;
	word_decode(&sb, s);
	s = arena_copy(ar, sb_slice(&sb));
	sb_free(&sb);
	return s;
}

static void
put_list(struct form *f, struct slice value, size_t most)
{
	struct address_list l;
	size_t start = f->out->n;
	bool in_group = false;

	address_list_parse(value, f->ar, &l);
	for (size_t i = 0; i < l.count && f->out->n < most; i++) {
		struct address *a = &l.list[i];

		if (f->out->n == start)
			sb_putc(f->out, '(');
		in_group = a->kind == ADDRESS_GROUP ||
		    (in_group && a->kind == ADDRESS_ONE);
		a->local = clean(a->local, f->ar);
		a->domain = clean(a->domain, f->ar);
		put_address(f, a);
	}
	if (f->out->n == start)
		sb_puts(f->out, "NIL");
	else
		/* A group's end is lost when the list was cut in it. */
		sb_puts(f->out, in_group ? "(NIL NIL NIL NIL))" : ")");
}

static void
put_envelope(struct form *f, const struct message *m)
{
	size_t most = f->out->n + f->lists_max;

	sb_putc(f->out, '(');
	put_date(f, m->date);
	sb_putc(f->out, ' ');
	put_unstructured(f, m->subject);
	for (size_t i = 0; i < F_LISTS; i++) {
		struct slice value = m->list[i];

		if (slice_trim(value).n == 0 &&
		    (i == F_SENDER || i == F_REPLY_TO))
			value = m->list[F_FROM];
		sb_putc(f->out, ' ');
		put_list(f, value, most);
	}
	sb_putc(f->out, ' ');
	put_unstructured(f, m->in_reply_to);
	sb_putc(f->out, ' ');
	put_unstructured(f, m->message_id);
	sb_putc(f->out, ')');
}

void
describe_envelope(const struct message *fields, bool utf8, struct arena *ar,
    struct strbuf *out)
{
	struct form f = { .out = out, .ar = ar, .utf8 = utf8,
		.lists_max = LISTS_MAX };

	put_envelope(&f, fields);
}

/* In upper case, as it was always written. */
static void
put_upper(struct strbuf *out, struct slice s)
{
	sb_putc(out, '"');
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] > ' ' && s.p[i] < 0x7f && s.p[i] != '"' &&
		    s.p[i] != '\\')
			sb_putc(out, ascii_upper(s.p[i]));
	sb_putc(out, '"');
}

/* RFC 2231 section 4: attribute-char stands for itself. */
static void
put_extended(struct strbuf *out, struct slice s)
{
	sb_puts(out, "\"utf-8''");
	for (size_t i = 0; i < s.n; i++)
		if (ascii_isalnum(s.p[i]) || (s.p[i] != '\0' &&
		    strchr("!#$&+-.^_`{|}~", s.p[i]) != NULL))
			sb_putc(out, s.p[i]);
		else
			sb_printf(out, "%%%02X", s.p[i]);
	sb_putc(out, '"');
}

static int
by_name(const void *a, const void *b)
{
	const struct param *p = a, *q = b;

	return slice_cmp(p->name, q->name);
}

static void
put_params(struct form *f, const struct params *params)
{
	struct param *sorted;
	const char *sep = "(";

	if (params->count == 0) {
		sb_puts(f->out, "NIL");
		return;
	}
	sorted = arena_grow(f->ar, params->list,
	    params->count * sizeof(*sorted), params->count * sizeof(*sorted));
	qsort(sorted, params->count, sizeof(*sorted), by_name);
	for (size_t i = 0; i < params->count; i++) {
		struct slice value =
		    slice_sub(sorted[i].value, 0, DESCRIBE_STRING_MAX);
		bool plain = slice_is_print(value);

		sb_puts(f->out, sep);
		sep = " ";
		put_upper(f->out, sorted[i].name);
		if (!plain) {
			sb_cut(f->out, f->out->n - 1);
			sb_puts(f->out, "*\"");
		}
		sb_putc(f->out, ' ');
		if (plain)
			put_quoted(f->out, value);
		else
			put_extended(f->out, value);
	}
	sb_putc(f->out, ')');
}

static void
put_disposition(struct form *f, const struct disposition *d)
{
	if (d->type.n == 0) {
		sb_puts(f->out, " NIL");
		return;
	}
	sb_puts(f->out, " (");
	put_upper(f->out, slice_sub(d->type, 0, DESCRIBE_STRING_MAX));
	sb_putc(f->out, ' ');
	put_params(f, &d->params);
	sb_putc(f->out, ')');
}

/* Content-Language: tags between commas (RFC 3282), as a list. */
static void
put_language(struct form *f, struct slice value)
{
	const char *sep = " (";
	struct slice in = slice_sub(value, 0, DESCRIBE_STRING_MAX), tag;

	while (in.n != 0) {
		slice_cut(&in, ',', &tag);
		(void)lex_cfws(&tag, NULL);
		tag = lex_token(&tag);
		if (tag.n == 0 || !slice_is_ascii(tag))
			continue;
		sb_puts(f->out, sep);
		sep = " ";
		put_quoted(f->out, tag);
	}
	sb_puts(f->out, sep[1] == '\0' ? ")" : " NIL");
}

/* disposition, language, location: the end of every body. */
static void
put_extension(struct form *f, const struct mime_part *p)
{
	put_disposition(f, &p->disposition);
	put_language(f, p->language);
	sb_putc(f->out, ' ');
	put_unstructured(f, p->location);
	sb_putc(f->out, ')');
}

static void put_body(struct form *f, const struct mime *m,
    const struct mime_part *p);

static const char no_envelope[] =
    "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)";

/* What message/rfc822 has after its size. */
static void
put_message(struct form *f, const struct mime *m, const struct mime_part *p)
{
	struct message inner;

	sb_putc(f->out, ' ');
	if (p->kind != MIME_MESSAGE)
		sb_printf(f->out, "%s (\"TEXT\" \"PLAIN\" NIL NIL NIL "
		    "\"7BIT\" 0 0 NIL NIL NIL NIL)", no_envelope);
	else {
		if (!f->lean) {
			message_fields(mime_header(m, p->child), &inner);
			put_envelope(f, &inner);
		} else
			sb_puts(f->out, no_envelope);
		sb_putc(f->out, ' ');
		put_body(f, m, p->child);
	}
	sb_putc(f->out, ' ');
	sb_putu(f->out, p->lines);
}

static void
put_single(struct form *f, const struct mime *m, const struct mime_part *p)
{
	bool lean = f->lean;

	put_params(f, lean ? &(struct params){ 0 } : &p->ct.params);
	sb_putc(f->out, ' ');
	put_unstructured(f, lean ? SLICE_NONE : p->id);
	sb_putc(f->out, ' ');
	put_unstructured(f, lean ? SLICE_NONE : p->description);
	sb_putc(f->out, ' ');
	if (p->encoding_name.n == 0 || p->encoding_name.n > 40 ||
	    !slice_is_print(p->encoding_name))
		sb_puts(f->out, "\"7BIT\"");
	else
		put_upper(f->out, p->encoding_name);
	sb_putc(f->out, ' ');
	sb_putu(f->out, p->end - p->body);
	if (slice_eqs(p->ct.type, "text")) {
		sb_putc(f->out, ' ');
		sb_putu(f->out, p->lines);
	} else if (slice_eqs(p->ct.type, "message") &&
	    (slice_eqs(p->ct.subtype, "rfc822") ||
	    slice_eqs(p->ct.subtype, "global")))
		put_message(f, m, p);
	if (lean)
		sb_puts(f->out, " NIL NIL NIL NIL)");
	else {
		sb_putc(f->out, ' ');
		put_unstructured(f, p->md5);
		put_extension(f, p);
	}
}

static void
put_body(struct form *f, const struct mime *m, const struct mime_part *p)
{
	/* Too long already: describe_body() starts again, lean. */
	if (!f->lean && f->out->n - f->start > DESCRIBE_MAX)
		return;
	sb_putc(f->out, '(');
	if (p->kind != MIME_MULTIPART) {
		put_upper(f->out, p->ct.type);
		sb_putc(f->out, ' ');
		put_upper(f->out, p->ct.subtype);
		sb_putc(f->out, ' ');
		put_single(f, m, p);
		return;
	}
	for (const struct mime_part *c = p->child; c != NULL; c = c->next)
		put_body(f, m, c);
	sb_putc(f->out, ' ');
	put_upper(f->out, p->ct.subtype);
	if (f->lean) {
		sb_puts(f->out, " NIL NIL NIL NIL)");
		return;
	}
	sb_putc(f->out, ' ');
	put_params(f, &p->ct.params);
	put_extension(f, p);
}

void
describe_body(const struct mime *m, struct arena *ar, struct strbuf *out)
{
	struct form f = { .out = out, .ar = ar, .start = out->n,
		.lists_max = INNER_LISTS_MAX };

	put_body(&f, m, m->top);
	if (out->n - f.start <= DESCRIBE_MAX && !out->over)
		return;
	sb_cut(out, f.start);
	out->over = false;
	f.lean = true;
	put_body(&f, m, m->top);
}
