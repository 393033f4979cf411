#include "imf/param.h"

#include "base/strbuf.h"
#include "imf/charset.h"
#include "imf/lex.h"
#include "imf/word.h"

#define FILENAME_MAX_BYTES 255 /* what file systems take */

/* One "name*1*=value" as it stands. */
struct segment {
	struct slice name; /* lower case, without the stars */
	int section;       /* -1: none */
	bool extended;     /* percent-encoded */
	struct slice value; /* without quotes */
};

struct segments {
	struct segment s[PARAM_SEGMENTS_MAX];
	size_t count;
};

/* "filename*1*" into its pieces; a bad section makes it a plain name. */
static void
split_name(struct segment *s, struct slice name)
{
	struct slice base = name, number;
	uint64_t section;

	s->name = name;
	s->section = -1;
	s->extended = false;
	if (name.n > 1 && name.p[name.n - 1] == '*') {
		s->extended = true;
		base.n--;
	}
	number = base;
	if (slice_cut(&number, '*', &base)) {
		if (slice_u64(number, PARAM_SEGMENTS_MAX, &section) == -1) {
			s->extended = false;
			return;
		}
		s->section = (int)section;
	}
	s->name = base;
}

/*
 * A value without quotes: up to a blank or ';'. Leniency: a file name goes on
 * up to the ';' or line end, and what RFC 2045 wants quoted need not be.
 */
static struct slice
take_bare(struct slice *in, bool filename)
{
	struct slice s = *in;
	size_t i = 0;

	while (i < s.n && s.p[i] != ';' && s.p[i] != '\r' &&
	    s.p[i] != '\n' && (filename || !ascii_isblank(s.p[i])))
		i++;
	*in = slice_skip(s, i);
	return slice_rtrim(slice_sub(s, 0, i));
}

static struct slice
take_value(struct slice *in, bool filename, struct arena *ar)
{
	struct slice raw;

	if (in->n == 0 || in->p[0] != '"')
		return take_bare(in, filename);
	/* Not closed: what is there. */
	(void)lex_quoted(in, &raw);
	return lex_unquote(raw, ar);
}

static void
skip(struct slice *in)
{
	(void)lex_cfws(in, NULL);
}

static void
take_segments(struct slice in, struct arena *ar, struct segments *out)
{
	out->count = 0;
	while (in.n != 0 && out->count < PARAM_SEGMENTS_MAX) {
		struct segment *s = &out->s[out->count];
		struct slice name;

		skip(&in);
		while (in.n != 0 && in.p[0] == ';') {
			in = slice_skip(in, 1);
			skip(&in);
		}
		name = lex_token(&in);
		skip(&in);
		if (!slice_is_print(name) || name.n == 0 || in.n == 0 ||
		    in.p[0] != '=') {
			if (name.n == 0)
				in = slice_skip(in, 1);
			continue;
		}
		in = slice_skip(in, 1);
		skip(&in);
		split_name(s, lex_lower(name, ar));
		s->value = take_value(&in, s->section == -1 && !s->extended &&
		    (slice_eqs(s->name, "name") ||
		    slice_eqs(s->name, "filename")), ar);
		out->count++;
	}
}

/* Percent-decoding of RFC 2231 section 4. */
static void
put_percent(struct strbuf *out, struct slice s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '%' && i + 2 < s.n &&
		    ascii_hex(s.p[i + 1]) != -1 &&
		    ascii_hex(s.p[i + 2]) != -1) {
			sb_putc(out, (unsigned char)(ascii_hex(s.p[i + 1]) <<
			    4 | ascii_hex(s.p[i + 2])));
			i += 2;
		} else
			sb_putc(out, s.p[i]);
	}
}

static const struct segment *
find_section(const struct segments *all, struct slice name, int section,
    bool extended)
{
	for (size_t i = 0; i < all->count; i++) {
		const struct segment *s = &all->s[i];

		if (s->section == section && slice_eq(s->name, name) &&
		    (section != -1 || s->extended == extended))
			return s;
	}
	return NULL;
}

/* charset'language'text: the text, and the charset. */
static struct slice
cut_charset(struct slice value, struct slice *charset)
{
	struct slice rest = value, language;

	if (!slice_cut(&rest, '\'', charset) ||
	    !slice_cut(&rest, '\'', &language)) {
		*charset = SLICE_NONE;
		return value;
	}
	return rest;
}

/* The value of RFC 2231 in pieces or in one; false if there is none. */
static bool
join_extended(const struct segments *all, struct slice name,
    struct strbuf *bytes, struct slice *charset)
{
	const struct segment *s = find_section(all, name, 0, false);
	int section = s != NULL ? 0 : -1;

	if (s == NULL)
		s = find_section(all, name, -1, true);
	*charset = SLICE_NONE;
	for (; s != NULL && bytes->n < PARAM_VALUE_MAX; section++,
	    s = find_section(all, name, section, false)) {
		struct slice value = s->value;

		if (section <= 0 && s->extended)
			value = cut_charset(value, charset);
		value = slice_sub(value, 0, PARAM_VALUE_MAX - bytes->n);
		if (s->extended)
			put_percent(bytes, value);
		else
			sb_put(bytes, value);
		if (section == -1)
			return true;
	}
	return section > 0;
}

static struct slice
value_of(const struct segments *all, struct slice name, struct arena *ar)
{
	struct strbuf bytes = STRBUF_INIT(PARAM_VALUE_MAX);
	struct strbuf text = STRBUF_INIT(PARAM_VALUE_MAX * 4);
	const struct segment *s;
	struct slice charset, value = SLICE_NONE;

	if (join_extended(all, name, &bytes, &charset))
		charset_put(&text, charset, sb_slice(&bytes));
	else if ((s = find_section(all, name, -1, false)) != NULL) {
		value = slice_sub(s->value, 0, PARAM_VALUE_MAX);
		if (!slice_is_ascii(value) || word_maybe(value))
			word_decode(&text, value);
	}
	if (text.n != 0)
		value = arena_copy(ar, sb_slice(&text));
	sb_free(&bytes);
	sb_free(&text);
	return value;
}

void
params_parse(struct slice in, struct arena *ar, struct params *p)
{
	struct segments all;

	*p = (struct params){ 0 };
	take_segments(in, ar, &all);
	if (all.count == 0)
		return;
	p->list = arena_alloc(ar, all.count * sizeof(p->list[0]));
	for (size_t i = 0; i < all.count; i++) {
		size_t j = 0;

		while (j < p->count &&
		    !slice_eq(p->list[j].name, all.s[i].name))
			j++;
		if (j < p->count)
			continue;
		p->list[j].name = all.s[i].name;
		p->list[j].value = value_of(&all, all.s[i].name, ar);
		p->count++;
	}
}

struct slice
params_get(const struct params *p, const char *name)
{
	for (size_t i = 0; i < p->count; i++)
		if (slice_eqs(p->list[i].name, name))
			return p->list[i].value;
	return SLICE_NONE;
}

int
content_type_parse(struct slice value, struct arena *ar,
    struct content_type *ct)
{
	struct slice in = value, type, subtype;

	*ct = (struct content_type){ 0 };
	skip(&in);
	type = lex_token(&in);
	skip(&in);
	if (type.n == 0 || in.n == 0 || in.p[0] != '/')
		return -1;
	in = slice_skip(in, 1);
	skip(&in);
	subtype = lex_token(&in);
	if (subtype.n == 0)
		return -1;
	ct->type = lex_lower(type, ar);
	ct->subtype = lex_lower(subtype, ar);
	params_parse(in, ar, &ct->params);
	return 0;
}

int
disposition_parse(struct slice value, struct arena *ar, struct disposition *d)
{
	struct slice in = value, type;

	*d = (struct disposition){ 0 };
	skip(&in);
	type = lex_token(&in);
	if (type.n == 0)
		return -1;
	d->type = lex_lower(type, ar);
	params_parse(in, ar, &d->params);
	return 0;
}

/* Bytes of a control or direction character at s (UTF-8), or 0. */
static size_t
hidden(struct slice s)
{
	if (s.p[0] < 0x20 || s.p[0] == 0x7f)
		return 1;
	/* U+0080..9F; U+200B..F, U+2028..2E; U+2066..69; U+FEFF */
	if (s.n > 1 && s.p[0] == 0xc2 && s.p[1] < 0xa0)
		return 2;
	if (s.n > 2 && s.p[0] == 0xe2 && s.p[1] == 0x80 &&
	    ((s.p[2] >= 0x8b && s.p[2] <= 0x8f) ||
	    (s.p[2] >= 0xa8 && s.p[2] <= 0xae)))
		return 3;
	if (s.n > 2 && s.p[0] == 0xe2 && s.p[1] == 0x81 && s.p[2] >= 0xa6 &&
	    s.p[2] <= 0xa9)
		return 3;
	return slice_starts(s, S("\xef\xbb\xbf")) ? 3 : 0;
}

static struct slice
base_name(struct slice s)
{
	for (size_t i = s.n; i > 0; i--)
		if (s.p[i - 1] == '/' || s.p[i - 1] == '\\' ||
		    (i == 2 && s.p[1] == ':'))
			return slice_skip(s, i);
	return s;
}

struct slice
param_filename(const struct disposition *d, const struct content_type *ct,
    struct arena *ar)
{
	struct slice s = params_get(&d->params, "filename");
	unsigned char *to;
	size_t n = 0, skipped;

	if (s.n == 0)
		s = params_get(&ct->params, "name");
	to = arena_alloc(ar, s.n);
	while (s.n != 0) {
		if ((skipped = hidden(s)) == 0) {
			to[n++] = s.p[0];
			skipped = 1;
		}
		s = slice_skip(s, skipped);
	}
	s = slice_trim(base_name(slice_of(to, n)));
	if (slice_eqs(s, ".") || slice_eqs(s, ".."))
		return SLICE_NONE;
	if (s.n > FILENAME_MAX_BYTES) {
		s.n = FILENAME_MAX_BYTES;
		while (s.n != 0 && (s.p[s.n] & 0xc0) == 0x80)
			s.n--;
	}
	return s;
}
