#include "imf/field.h"

/* Line with its line end off *in; *end is its length without the line end. */
static struct slice
take_line(struct slice *in, size_t *end)
{
	ptrdiff_t i = slice_chr(*in, '\n');
	struct slice line = i == -1 ? *in : slice_sub(*in, 0, (size_t)i + 1);

	*end = line.n;
	if (i != -1) {
		(*end)--;
		if (*end > 0 && line.p[*end - 1] == '\r')
			(*end)--;
	}
	*in = slice_skip(*in, line.n);
	return line;
}

/* ftext of RFC 5322 section 3.6.8. */
static bool
is_name(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] >= 0x7f)
			return false;
	return s.n != 0;
}

int
field_next(struct slice *in, struct field *f)
{
	struct slice start = *in;
	size_t end, n;

	*f = (struct field){ 0 };
	if (in->n == 0)
		return 0;
	n = take_line(in, &end).n;
	if (end == 0)
		return 0;
	while (in->n != 0 && ascii_isblank(in->p[0])) {
		size_t line_end, line_n = take_line(in, &line_end).n;

		end = n + line_end;
		n += line_n;
	}
	f->raw = slice_sub(start, 0, n);
	f->value = slice_sub(start, 0, end);
	f->bad = !slice_cut(&f->value, ':', &f->name);
	f->name = slice_rtrim(f->name);
	if (f->bad || !is_name(f->name)) {
		f->bad = true;
		f->name = SLICE_NONE;
		f->value = slice_sub(start, 0, end);
	}
	return 1;
}

struct slice
header_of(struct slice msg, struct slice *body)
{
	struct slice rest = msg;
	size_t end = 1;

	while (rest.n != 0 && end != 0)
		take_line(&rest, &end);
	*body = rest;
	return slice_sub(msg, 0, msg.n - rest.n);
}

void
field_unfold(struct strbuf *sb, struct slice value)
{
	struct slice line;

	value = slice_trim(value);
	while (slice_line(&value, &line))
		sb_put(sb, line);
}
