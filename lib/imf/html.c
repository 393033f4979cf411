#include "imf/preview.h"

#include "base/alloc.h"

#define TEXT_MAX ((size_t)4096)
#define ENTITY_MAX 32 /* characters of an entity's name or number */
#define QUOTE_DEPTH 20 /* blockquotes counted */

/* Elements whose content nobody reads; ended by their own end tag. */
static const char *const skipped[] = { "dialog", "head", "map", "math",
	"script", "style", "svg", "template", "title", "noscript" };

/* Elements that begin a new line. */
static const char *const blocks[] = { "address", "article", "blockquote",
	"br", "dd", "div", "dl", "dt", "fieldset", "footer", "form", "h1",
	"h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "main", "nav",
	"ol", "p", "pre", "section", "table", "td", "th", "tr", "ul" };

static const struct {
	const char *name, *text;
} entities[] = {
	{ "amp", "&" }, { "apos", "'" }, { "bull", "\xe2\x80\xa2" },
	{ "copy", "\xc2\xa9" }, { "euro", "\xe2\x82\xac" }, { "gt", ">" },
	{ "hellip", "\xe2\x80\xa6" }, { "laquo", "\xc2\xab" },
	{ "ldquo", "\xe2\x80\x9c" }, { "lsquo", "\xe2\x80\x98" },
	{ "lt", "<" }, { "mdash", "\xe2\x80\x94" }, { "nbsp", " " },
	{ "ndash", "\xe2\x80\x93" }, { "quot", "\"" },
	{ "raquo", "\xc2\xbb" }, { "rdquo", "\xe2\x80\x9d" },
	{ "rsquo", "\xe2\x80\x99" }, { "auml", "\xc3\xa4" },
	{ "ouml", "\xc3\xb6" }, { "uuml", "\xc3\xbc" },
	{ "Auml", "\xc3\x84" }, { "Ouml", "\xc3\x96" },
	{ "Uuml", "\xc3\x9c" }, { "szlig", "\xc3\x9f" },
	{ "eacute", "\xc3\xa9" }, { "egrave", "\xc3\xa8" },
	{ "agrave", "\xc3\xa0" }, { "ccedil", "\xc3\xa7" },
	{ "shy", "" }, { "zwnj", "" }, { "zwj", "" },
};

struct html {
	struct slice in;
	struct strbuf *out;
	size_t start; /* in out */
	unsigned quotes; /* open blockquotes */
	bool space, line; /* to be written before the next character */
};

static bool
is_one_of(const char *const *list, size_t n, struct slice name)
{
	for (size_t i = 0; i < n; i++)
		if (slice_ieqs(name, list[i]))
			return true;
	return false;
}

static void
put_text(struct html *h, struct slice s)
{
	bool begins = h->out->n == h->start;

	if (s.n == 0)
		return;
	if (begins || h->line) {
		if (!begins)
			sb_putc(h->out, '\n');
		if (h->quotes != 0)
			sb_puts(h->out, "> ");
	} else if (h->space)
		sb_putc(h->out, ' ');
	h->line = h->space = false;
	sb_put(h->out, s);
}

static void
put_char(struct html *h, uint32_t c)
{
	unsigned char u[4];
	size_t n = 0;

	if (c == 0xa0)
		c = ' ';
	if (c <= ' ') {
		h->space = true;
		return;
	}
	/* Soft hyphen, zero-width and direction marks say nothing. */
	if (c == 0xad || (c >= 0x200b && c <= 0x200f) || c == 0xfeff ||
	    c == 0x34f || (c >= 0xd800 && c < 0xe000) || c > 0x10ffff)
		return;
	if (c < 0x80)
		u[n++] = (unsigned char)c;
	else if (c < 0x800)
		u[n++] = (unsigned char)(0xc0 | c >> 6);
	else if (c < 0x10000)
		u[n++] = (unsigned char)(0xe0 | c >> 12);
	else {
		u[n++] = (unsigned char)(0xf0 | c >> 18);
		u[n++] = (unsigned char)(0x80 | (c >> 12 & 0x3f));
	}
	if (c >= 0x800)
		u[n++] = (unsigned char)(0x80 | (c >> 6 & 0x3f));
	if (c >= 0x80)
		u[n++] = (unsigned char)(0x80 | (c & 0x3f));
	put_text(h, slice_of(u, n));
}

/* "#38" or "#x26". */
static bool
put_number(struct html *h, struct slice s)
{
	uint32_t c = 0;
	unsigned base = 10;

	s = slice_skip(s, 1);
	if (s.n != 0 && ascii_lower(s.p[0]) == 'x') {
		base = 16;
		s = slice_skip(s, 1);
	}
	if (s.n == 0 || s.n > 7)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		int v = ascii_hex(s.p[i]);

		if (v == -1 || (unsigned)v >= base)
			return false;
		c = c * base + (unsigned)v;
	}
	put_char(h, c);
	return true;
}

/* "&name;" that the input starts with; what is none stands for itself. */
static void
take_entity(struct html *h)
{
	struct slice rest = slice_skip(h->in, 1), name;
	struct slice near = slice_sub(rest, 0, ENTITY_MAX);

	if (slice_cut(&near, ';', &name) && name.n != 0) {
		h->in = slice_skip(rest, name.n + 1);
		if (name.p[0] == '#' && put_number(h, name))
			return;
		for (size_t i = 0; i < COUNTOF(entities); i++)
			if (slice_eqs(name, entities[i].name)) {
				if (strcmp(entities[i].text, " ") == 0)
					h->space = true;
				else
					put_text(h,
					    slice_str(entities[i].text));
				return;
			}
		h->in = rest;
	} else
		h->in = rest;
	put_text(h, S("&"));
}

/* Past "</name ...>"; past all if there is none. */
static void
skip_element(struct html *h, struct slice name)
{
	struct slice before, rest = h->in;

	while (slice_cut(&rest, '<', &before)) {
		struct slice end = slice_skip(rest, 1);

		if (rest.n == 0 || rest.p[0] != '/' ||
		    !slice_istarts(end, name))
			continue;
		h->in = rest;
		slice_cut(&h->in, '>', &before);
		return;
	}
	h->in = SLICE_NONE;
}

static struct slice
tag_name(struct slice tag)
{
	size_t i = 0;

	while (i < tag.n && ascii_isalnum(tag.p[i]))
		i++;
	return slice_sub(tag, 0, i);
}

/*
 * "<...>" that the input starts with. A ">" in an attribute's quotes ends the
 * tag too: that keeps this linear, and costs a few odd characters of text.
 */
static void
take_tag(struct html *h)
{
	struct slice tag, name;
	bool closing;

	h->in = slice_skip(h->in, 1);
	if (slice_starts(h->in, S("!--"))) {
		ptrdiff_t end = slice_find(h->in, S("-->"));

		h->in = end == -1 ? SLICE_NONE :
		    slice_skip(h->in, (size_t)end + 3);
		return;
	}
	closing = slice_starts(h->in, S("/"));
	name = tag_name(closing ? slice_skip(h->in, 1) : h->in);
	if (name.n == 0 && !closing && !slice_starts(h->in, S("!")) &&
	    !slice_starts(h->in, S("?"))) {
		put_text(h, S("<"));
		return;
	}
	slice_cut(&h->in, '>', &tag);
	if (is_one_of(blocks, COUNTOF(blocks), name))
		h->line = true;
	if (slice_ieqs(name, "blockquote")) {
		if (!closing && h->quotes < QUOTE_DEPTH)
			h->quotes++;
		else if (closing && h->quotes > 0)
			h->quotes--;
	}
	if (!closing && is_one_of(skipped, COUNTOF(skipped), name) &&
	    !slice_ends(tag, S("/")))
		skip_element(h, name);
}

/* Bytes up to the next tag, entity or white space. */
static void
take_text(struct html *h)
{
	size_t i = 0;

	while (i < h->in.n && h->in.p[i] > ' ' && h->in.p[i] != '<' &&
	    h->in.p[i] != '&')
		i++;
	if (i == 0) {
		h->space = true;
		i = 1;
	} else
		put_text(h, slice_sub(h->in, 0, i));
	h->in = slice_skip(h->in, i);
}

void
html_text(struct slice html, struct strbuf *out)
{
	struct html h = { .in = html, .out = out, .start = out->n };

	while (h.in.n != 0 && out->n - h.start < TEXT_MAX)
		if (h.in.p[0] == '<')
			take_tag(&h);
		else if (h.in.p[0] == '&')
			take_entity(&h);
		else
			take_text(&h);
}
