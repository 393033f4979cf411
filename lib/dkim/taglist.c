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

/*
 * VALCHAR with FWS between, and since RFC 8616 also UTF-8: is each CR and LF
 * part of a fold? Lines of ours may end in LF alone. At the end stands what the
 * last line end left.
 */
static bool
is_spec(struct slice s)
{
	const unsigned char *p = s.p, *end = s.p + s.n;

	for (; p < end; p++) {
		if (*p > ' ' && *p != 0x7f)
			continue;
		if (!is_fws(*p))
			return false;
		if (p + 1 == end)
			break;
		if ((*p == '\r' && p[1] != '\n') ||
		    (*p == '\n' && !ascii_isblank(p[1])))
			return false;
	}
	return slice_is_utf8(s);
}

int
taglist_next(struct slice *in, struct slice *tag, struct slice *val)
{
	struct slice spec;

	slice_cut(in, ';', &spec);
	if (!is_spec(spec))
		return -1;
	spec = slice_trim(spec);
	if (spec.n == 0)
		/* Only the last ';' may dangle. */
		return slice_trim(*in).n == 0 ? 0 : -1;
	if (!slice_cut(&spec, '=', tag))
		return -1;
	*tag = slice_trim(*tag);
	*val = slice_trim(spec);
	return is_tagname(*tag) ? 1 : -1;
}

const char *
taglist_once(struct taglist_seen *seen, struct slice tag)
{
	if (seen->n == TAGLIST_MAX)
		return "more than 64 tags";
	for (size_t i = 0; i < seen->n; i++)
		if (slice_eq(seen->name[i], tag))
			return "tag given twice";
	seen->name[seen->n++] = tag;
	return NULL;
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
	struct strbuf text = STRBUF_INIT(val.n + 2);
	unsigned char *room = val.n != 0 ? sb_room(&text, val.n + 2) : NULL;
	size_t n = 0;
	int r;

	for (size_t i = 0; i < val.n && room != NULL; i++)
		if (!is_fws(val.p[i]))
			room[n++] = val.p[i];
	/* Padding may be left out (RFC 6376 section 2.10). */
	if (n % 4 > 1 && room[n - 1] != '=')
		for (; n % 4 != 0; n++)
			room[n] = '=';
	r = sb_unbase64(out, slice_of(room, n));
	sb_free(&text);
	return r;
}

int
taglist_qp(struct slice val, struct strbuf *out)
{
	for (size_t i = 0; i < val.n; i++) {
		int hi, lo;

		if (is_fws(val.p[i]))
			continue;
		if (val.p[i] != '=') {
			sb_putc(out, val.p[i]);
			continue;
		}
		if (val.n - i < 3 || (hi = ascii_hex(val.p[i + 1])) == -1 ||
		    (lo = ascii_hex(val.p[i + 2])) == -1)
			return -1;
		sb_putc(out, (unsigned char)((unsigned)hi << 4 | (unsigned)lo));
		i += 2;
	}
	return out->over ? -1 : 0;
}
