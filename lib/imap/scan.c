#include "imap/scan.h"

#include "imap/utf7.h"

bool
imap_is_atom_char(unsigned char c)
{
	return c > 0x20 && c < 0x7f && strchr("(){%*\"\\]", c) == NULL;
}

bool
imap_next(struct slice in, unsigned char c)
{
	return in.n != 0 && in.p[0] == c;
}

bool
imap_take(struct slice *in, unsigned char c)
{
	if (!imap_next(*in, c))
		return false;
	*in = slice_skip(*in, 1);
	return true;
}

bool
imap_sp(struct slice *in)
{
	if (!imap_take(in, ' '))
		return false;
	while (imap_take(in, ' '))
		;
	return true;
}

/* The longest run of bytes that `accepts', at least one. */
static bool
take_run(struct slice *in, bool (*accepts)(unsigned char), struct slice *run)
{
	*run = *in;
	run->n = 0;
	while (run->n < in->n && accepts(in->p[run->n]))
		run->n++;
	*in = slice_skip(*in, run->n);
	return run->n != 0;
}

static bool
is_tag_char(unsigned char c)
{
	return c != '+' && (imap_is_atom_char(c) || c == ']');
}

static bool
is_astring_char(unsigned char c)
{
	return imap_is_atom_char(c) || c == ']';
}

static bool
is_list_char(unsigned char c)
{
	return is_astring_char(c) || c == '%' || c == '*';
}

bool
imap_tag(struct slice *in, struct slice *tag)
{
	return take_run(in, is_tag_char, tag);
}

bool
imap_atom(struct slice *in, struct slice *atom)
{
	return take_run(in, imap_is_atom_char, atom);
}

bool
imap_word(struct slice *in, const char *word)
{
	struct slice rest = *in, atom;

	if (!imap_atom(&rest, &atom) || !slice_ieqs(atom, word))
		return false;
	*in = rest;
	return true;
}

static bool
is_digit(unsigned char c)
{
	return ascii_isdigit(c);
}

bool
imap_number(struct slice *in, uint64_t max, uint64_t *n)
{
	struct slice digits;

	return take_run(in, is_digit, &digits) &&
	    slice_u64(digits, max, n) == 0;
}

static bool
take_quoted(struct slice *in, struct arena *ar, struct slice *s)
{
	unsigned char *out = NULL;
	size_t i, n = 0;

	*in = slice_skip(*in, 1);
	for (i = 0; i < in->n && in->p[i] != '"'; i++) {
		unsigned char c = in->p[i];

		if (c == '\0' || c == '\r' || c == '\n')
			return false;
		if (c == '\\') {
			if (out == NULL) {
				out = arena_alloc(ar, in->n);
				memcpy(out, in->p, i);
			}
			if (++i == in->n ||
			    (in->p[i] != '"' && in->p[i] != '\\'))
				return false;
			c = in->p[i];
		}
		if (out != NULL)
			out[n] = c;
		n++;
	}
	if (i == in->n)
		return false;
	*s = slice_of(out != NULL ? out : in->p, n);
	*in = slice_skip(*in, i + 1);
	return true;
}

static bool
take_literal(struct slice *in, struct slice *s)
{
	uint64_t n;

	*in = slice_skip(*in, 1);
	if (!imap_number(in, SIZE_MAX, &n))
		return false;
	imap_take(in, '+');
	if (!imap_take(in, '}') || !imap_take(in, '\r') ||
	    !imap_take(in, '\n') || n > in->n)
		return false;
	*s = slice_sub(*in, 0, (size_t)n);
	*in = slice_skip(*in, (size_t)n);
	return true;
}

bool
imap_string(struct slice *in, struct arena *ar, struct slice *s)
{
	if (imap_next(*in, '"'))
		return take_quoted(in, ar, s);
	imap_take(in, '~');
	return imap_next(*in, '{') && take_literal(in, s);
}

static bool
starts_string(struct slice in)
{
	return imap_next(in, '"') || imap_next(in, '{') ||
	    slice_starts(in, S("~{"));
}

bool
imap_astring(struct slice *in, struct arena *ar, struct slice *s)
{
	return starts_string(*in) ? imap_string(in, ar, s) :
	    take_run(in, is_astring_char, s);
}

bool
imap_nstring(struct slice *in, struct arena *ar, struct slice *s, bool *nil)
{
	*s = SLICE_NONE;
	*nil = imap_word(in, "NIL");
	return *nil || imap_string(in, ar, s);
}

bool
imap_pattern(struct slice *in, struct arena *ar, struct slice *s)
{
	return starts_string(*in) ? imap_string(in, ar, s) :
	    take_run(in, is_list_char, s);
}

bool
imap_name(struct slice raw, struct arena *ar, bool utf8, struct slice *name)
{
	struct strbuf sb = STRBUF_INIT(utf7_max(raw.n));
	bool good;

	if (utf8 ? !slice_is_utf8(raw) : utf7_decode(&sb, raw) == -1) {
		sb_free(&sb);
		return false;
	}
	if (utf8)
		sb_put(&sb, raw);
	good = !sb.over;
	*name = arena_copy(ar, sb_slice(&sb));
	if (slice_istarts(*name, S("INBOX")) &&
	    (name->n == 5 || name->p[5] == '/'))
		memcpy((unsigned char *)name->p, "INBOX", 5);
	sb_free(&sb);
	return good;
}

bool
imap_mailbox(struct slice *in, struct arena *ar, bool utf8, struct slice *name)
{
	struct slice raw;

	return imap_astring(in, ar, &raw) && imap_name(raw, ar, utf8, name);
}

bool
imap_flag(struct slice *in, struct slice *flag)
{
	struct slice start = *in, atom;

	imap_take(in, '\\');
	if (!imap_atom(in, &atom))
		return false;
	*flag = slice_sub(start, 0, start.n - in->n);
	return true;
}

bool
imap_flags(struct slice *in, struct arena *ar, struct slice **flags,
    size_t *count)
{
	bool list = imap_take(in, '(');
	size_t cap = 0;

	*flags = NULL;
	*count = 0;
	if (list && imap_take(in, ')'))
		return true;
	do {
		if (*count == IMAP_FLAGS_MAX)
			return false;
		if (*count == cap) {
			size_t grown = cap != 0 ? cap * 2 : 8;

			*flags = arena_grow(ar, *flags, cap * sizeof(**flags),
			    grown * sizeof(**flags));
			cap = grown;
		}
		if (!imap_flag(in, &(*flags)[(*count)++]))
			return false;
	} while (imap_sp(in));
	return !list || imap_take(in, ')');
}

int64_t
imap_days(int year, int month, int day)
{
	/* Years from March, so that the leap day is the last one. */
	int64_t y = month <= 2 ? year - 1 : year, era = (y >= 0 ? y : y - 399) / 400;
	int64_t m = month <= 2 ? month + 9 : month - 3;
	int64_t in_era = y - era * 400;
	int64_t of_year = (153 * m + 2) / 5 + day - 1;

	return era * 146097 + in_era * 365 + in_era / 4 - in_era / 100 +
	    of_year - 719468;
}

static bool
take_digits(struct slice *in, size_t n, int *v)
{
	*v = 0;
	if (in->n < n)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!ascii_isdigit(in->p[i]))
			return false;
		*v = *v * 10 + (in->p[i] - '0');
	}
	*in = slice_skip(*in, n);
	return true;
}

/* d-Mon-yyyy with one or two digits for the day. */
static bool
take_date(struct slice *in, int64_t *days)
{
	static const char months[] = "janfebmaraprmayjunjulaugsepoctnovdec";
	static const int length[] = {
		31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31
	};
	int day, year;
	size_t m;

	if (in->n >= 2 && in->p[1] == '-' ? !take_digits(in, 1, &day) :
	    !take_digits(in, 2, &day))
		return false;
	if (!imap_take(in, '-') || in->n < 3)
		return false;
	for (m = 0; m < 12; m++)
		if (slice_ieq(slice_sub(*in, 0, 3),
		    slice_of(months + 3 * m, 3)))
			break;
	*in = slice_skip(*in, 3);
	if (m == 12 || !imap_take(in, '-') || !take_digits(in, 4, &year) ||
	    day < 1 || day > length[m])
		return false;
	if (m == 1 && day == 29 &&
	    (year % 4 != 0 || (year % 100 == 0 && year % 400 != 0)))
		return false;
	*days = imap_days(year, (int)m + 1, day);
	return true;
}

bool
imap_date(struct slice *in, int64_t *days)
{
	bool quoted = imap_take(in, '"');

	return take_date(in, days) && (!quoted || imap_take(in, '"'));
}

bool
imap_datetime(struct slice *in, int64_t *unix_time)
{
	int hour, min, sec, zone_h, zone_m, zone;
	int64_t days;
	bool minus;

	if (!imap_take(in, '"'))
		return false;
	imap_sp(in); /* date-day-fixed: SP digit */
	if (!take_date(in, &days) || !imap_sp(in) ||
	    !take_digits(in, 2, &hour) || !imap_take(in, ':') ||
	    !take_digits(in, 2, &min) || !imap_take(in, ':') ||
	    !take_digits(in, 2, &sec) || !imap_sp(in))
		return false;
	minus = imap_take(in, '-');
	if (!minus && !imap_take(in, '+'))
		return false;
	if (!take_digits(in, 2, &zone_h) || !take_digits(in, 2, &zone_m) ||
	    !imap_take(in, '"') || hour > 23 || min > 59 || sec > 60 ||
	    zone_m > 59)
		return false;
	zone = zone_h * 3600 + zone_m * 60;
	*unix_time = days * 86400 + hour * 3600 + min * 60 + sec +
	    (minus ? zone : -zone);
	return true;
}
