#include "dkim/taglist.h"

static bool
is_fws(unsigned char c)
{
	return ascii_isblank(c) || c == '\r' || c == '\n';
}

static bool
is_tagname(struct slice s)
{
	if (s.n == 0 || !ascii_isalpha(s.p[0]))
		return false;
	for (size_t i = 1; i < s.n; i++)
		if (!ascii_isalnum(s.p[i]) && s.p[i] != '_')
			return false;
	return true;
}

/* VALCHAR with FWS between, and since RFC 8616 also UTF-8. */
static bool
is_tagvalue(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!is_fws(s.p[i]) && (s.p[i] <= ' ' || s.p[i] == 0x7f))
			return false;
	return slice_is_utf8(s);
}

int
taglist_next(struct slice *in, struct slice *tag, struct slice *val)
{
	struct slice spec;

	slice_cut(in, ';', &spec);
	spec = slice_trim(spec);
	if (spec.n == 0)
		/* Only the last ';' may dangle. */
		return slice_trim(*in).n == 0 ? 0 : -1;
	if (!slice_cut(&spec, '=', tag))
		return -1;
	*tag = slice_trim(*tag);
	*val = slice_trim(spec);
	return is_tagname(*tag) && is_tagvalue(*val) ? 1 : -1;
}

bool
taglist_item(struct slice *val, unsigned char sep, struct slice *item)
{
	if (val->p == NULL)
		return false;
	if (!slice_cut(val, sep, item))
		*val = SLICE_NONE;
	*item = slice_trim(*item);
	return true;
}

int
taglist_base64(struct slice val, struct strbuf *out)
{
	struct strbuf text = STRBUF_INIT(val.n + 1);
	int r;

	for (size_t i = 0; i < val.n; i++)
		if (!is_fws(val.p[i]))
			sb_putc(&text, val.p[i]);
	r = sb_unbase64(out, sb_slice(&text));
	if (out->over)
		r = -1;
	sb_free(&text);
	return r;
}
