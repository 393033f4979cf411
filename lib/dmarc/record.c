#include "dmarc/record.h"

#include "base/alloc.h"

const char *
dmarc_tag_name(enum dmarc_tag t)
{
	static const char *const names[DMARC_TAGS] = {
		[DMARC_T_P] = "p", [DMARC_T_SP] = "sp", [DMARC_T_NP] = "np",
		[DMARC_T_ADKIM] = "adkim", [DMARC_T_ASPF] = "aspf",
		[DMARC_T_PSD] = "psd", [DMARC_T_TEST] = "t",
		[DMARC_T_RUA] = "rua", [DMARC_T_RUF] = "ruf",
		[DMARC_T_FO] = "fo",
	};

	return names[t];
}

const char *
dmarc_policy_name(enum dmarc_policy p)
{
	static const char *const names[] = {
		[DMARC_UNSET] = "none", [DMARC_NONE] = "none",
		[DMARC_QUARANTINE] = "quarantine", [DMARC_REJECT] = "reject",
	};

	return names[p];
}

/* Only *WSP may stand around a separator: no CR or LF. */
static struct slice
trim_wsp(struct slice s)
{
	while (s.n > 0 && ascii_isblank(s.p[0]))
		s = slice_skip(s, 1);
	while (s.n > 0 && ascii_isblank(s.p[s.n - 1]))
		s.n--;
	return s;
}

static enum dmarc_policy
policy(struct slice value)
{
	if (slice_ieqs(value, "none"))
		return DMARC_NONE;
	if (slice_ieqs(value, "quarantine"))
		return DMARC_QUARANTINE;
	return slice_ieqs(value, "reject") ? DMARC_REJECT : DMARC_UNSET;
}

/* scheme ":" something (RFC 3986 section 3.1). */
static bool
is_uri(struct slice s)
{
	ptrdiff_t colon = slice_chr(s, ':');

	if (colon <= 0 || (size_t)colon + 1 == s.n || !ascii_isalpha(s.p[0]) ||
	    !slice_is_print(s) || slice_chr(s, ' ') != -1 ||
	    slice_chr(s, '!') != -1)
		return false;
	for (ptrdiff_t i = 0; i < colon; i++)
		if (!ascii_isalnum(s.p[i]) &&
		    slice_chr(S("+-."), s.p[i]) == -1)
			return false;
	return true;
}

/* obs-dmarc-report-size: "!" 1*DIGIT [ "k" / "m" / "g" / "t" ] */
static struct slice
without_size(struct slice s)
{
	ptrdiff_t mark = slice_rchr(s, '!');
	size_t at, digits = 0;

	if (mark == -1)
		return s;
	for (at = (size_t)mark + 1; at < s.n && ascii_isdigit(s.p[at]); at++)
		digits++;
	if (at < s.n && slice_chr(S("kmgt"), ascii_lower(s.p[at])) != -1)
		at++;
	return digits > 0 && at == s.n ? slice_sub(s, 0, (size_t)mark) : s;
}

bool
dmarc_uri_next(struct slice *list, struct slice *uri)
{
	if (list->n == 0)
		return false;
	slice_cut(list, ',', uri);
	*uri = without_size(trim_wsp(*uri));
	if (!is_uri(*uri))
		*uri = SLICE_NONE;
	return true;
}

/* At least one URI; *all: nothing else. */
static bool
has_uri(struct slice list, bool *all)
{
	struct slice one;
	bool any = false;

	*all = true;
	while (dmarc_uri_next(&list, &one)) {
		any = any || one.n > 0;
		*all = *all && one.n > 0;
	}
	*all = *all && any;
	return any;
}

/* dmarc-fo: 0 or 1, d, s, each once, in any order. */
static bool
is_fo(struct slice value)
{
	struct slice one;
	unsigned seen = 0;
	bool more;

	do {
		ptrdiff_t at;

		more = slice_cut(&value, ':', &one);
		at = one.n == 1 ? slice_chr(S("01ds"),
		    ascii_lower(one.p[0])) : -1;
		if (at == -1 || (seen & 1u << at) != 0)
			return false;
		seen |= 1u << at;
	} while (more);
	return (seen & 3) != 3;
}

/* One of the letters, as lower case; 0 if the value is none of them. */
static char
letter(struct slice value, const char *letters)
{
	unsigned char c;

	if (value.n != 1)
		return 0;
	c = ascii_lower(value.p[0]);
	return slice_chr(slice_str(letters), c) != -1 ? (char)c : 0;
}

/* False: the value is not one of the tag, whose default stays. */
static bool
take_tag(struct dmarc_record *r, enum dmarc_tag tag, struct slice value)
{
	bool all;
	char c;

	switch (tag) {
	case DMARC_T_P: return (r->p = policy(value)) != DMARC_UNSET;
	case DMARC_T_SP: return (r->sp = policy(value)) != DMARC_UNSET;
	case DMARC_T_NP: return (r->np = policy(value)) != DMARC_UNSET;
	case DMARC_T_ADKIM:
		r->strict_dkim = (c = letter(value, "rs")) == 's';
		return c != 0;
	case DMARC_T_ASPF:
		r->strict_spf = (c = letter(value, "rs")) == 's';
		return c != 0;
	case DMARC_T_PSD:
		if ((c = letter(value, "ynu")) != 0)
			r->psd = c;
		return c != 0;
	case DMARC_T_TEST:
		r->test = (c = letter(value, "yn")) == 'y';
		return c != 0;
	case DMARC_T_RUA:
		r->rua = value;
		r->reports = has_uri(value, &all);
		return all;
	case DMARC_T_RUF:
		r->ruf = value;
		has_uri(value, &all);
		return all;
	case DMARC_T_FO:
		r->fo = value;
		return is_fo(value);
	case DMARC_TAGS: break;
	}
	return true;
}

static enum dmarc_tag
tag_of(struct slice name)
{
	for (enum dmarc_tag i = 0; i < DMARC_TAGS; i++)
		if (slice_ieqs(name, dmarc_tag_name(i)))
			return i;
	return DMARC_TAGS;
}

/* 1*ALPHA; what is not is skipped all the same, but said with -v. */
static bool
is_name(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!ascii_isalpha(s.p[i]))
			return false;
	return s.n > 0;
}

static void
take_part(struct dmarc_record *r, struct slice part, unsigned *seen)
{
	struct slice name, value = part;
	enum dmarc_tag tag;

	if (!slice_cut(&value, '=', &name)) {
		r->garbage = r->garbage || trim_wsp(part).n > 0;
		return;
	}
	name = trim_wsp(name);
	r->garbage = r->garbage || !is_name(name);
	if ((tag = tag_of(name)) == DMARC_TAGS)
		return;
	if ((*seen >> tag & 1) != 0)
		r->repeated |= 1u << tag;
	else if (!take_tag(r, tag, trim_wsp(value)))
		r->invalid |= 1u << tag;
	*seen |= 1u << tag;
}

int
dmarc_record_parse(struct slice text, struct dmarc_record *r)
{
	const unsigned policies = 1u << DMARC_T_SP | 1u << DMARC_T_NP;
	struct slice part, name, value;
	unsigned seen = 0;

	*r = (struct dmarc_record){ .psd = 'u' };
	slice_cut(&text, ';', &part);
	value = part;
	/* Nothing stands before "v"; its value is case-sensitive. */
	if (!slice_cut(&value, '=', &name) || name.n == 0 ||
	    ascii_isblank(name.p[0]) || !slice_ieqs(trim_wsp(name), "v") ||
	    !slice_eqs(trim_wsp(value), "DMARC1"))
		return 0;
	while (text.n > 0) {
		slice_cut(&text, ';', &part);
		take_part(r, part, &seen);
	}
	r->bad_policy = r->p == DMARC_UNSET || (r->invalid & policies) != 0;
	return 1;
}
