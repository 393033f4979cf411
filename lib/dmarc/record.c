#include "dmarc/record.h"

#include "base/alloc.h"

/* Tags by number, to see a second one. */
enum tag { T_P, T_SP, T_NP, T_ADKIM, T_ASPF, T_PSD, T_TEST, T_RUA, T_RUF, T_FO,
	TAGS };

static const char *const tag_names[TAGS] = {
	"p", "sp", "np", "adkim", "aspf", "psd", "t", "rua", "ruf", "fo",
};

const char *
dmarc_policy_name(enum dmarc_policy p)
{
	static const char *const names[] = {
		[DMARC_UNSET] = "none", [DMARC_NONE] = "none",
		[DMARC_QUARANTINE] = "quarantine", [DMARC_REJECT] = "reject",
	};

	return names[p];
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
	    !slice_is_print(s) || slice_chr(s, ' ') != -1)
		return false;
	for (ptrdiff_t i = 0; i < colon; i++)
		if (!ascii_isalnum(s.p[i]) &&
		    slice_chr(S("+-."), s.p[i]) == -1)
			return false;
	return true;
}

static bool
has_uri(struct slice list)
{
	struct slice one;

	while (list.n > 0) {
		slice_cut(&list, ',', &one);
		if (is_uri(slice_trim(one)))
			return true;
	}
	return false;
}

static void
take_tag(struct dmarc_record *r, enum tag tag, struct slice value)
{
	switch (tag) {
	case T_P: r->p = policy(value); break;
	case T_SP:
		r->sp = policy(value);
		r->bad_policy = r->bad_policy || r->sp == DMARC_UNSET;
		break;
	case T_NP:
		r->np = policy(value);
		r->bad_policy = r->bad_policy || r->np == DMARC_UNSET;
		break;
	case T_ADKIM: r->strict_dkim = slice_ieqs(value, "s"); break;
	case T_ASPF: r->strict_spf = slice_ieqs(value, "s"); break;
	case T_PSD:
		if (slice_ieqs(value, "y") || slice_ieqs(value, "n"))
			r->psd = (char)ascii_lower(value.p[0]);
		break;
	case T_TEST: r->test = slice_ieqs(value, "y"); break;
	case T_RUA:
		r->rua = value;
		r->reports = has_uri(value);
		break;
	case T_RUF: r->ruf = value; break;
	case T_FO: r->fo = value; break;
	case TAGS: break;
	}
}

static enum tag
tag_of(struct slice name)
{
	for (size_t i = 0; i < TAGS; i++)
		if (slice_ieqs(name, tag_names[i]))
			return (enum tag)i;
	return TAGS;
}

int
dmarc_record_parse(struct slice text, struct dmarc_record *r)
{
	struct slice part, name, value;
	unsigned seen = 0;

	*r = (struct dmarc_record){ .psd = 'u' };
	slice_cut(&text, ';', &part);
	value = part;
	if (!slice_cut(&value, '=', &name) ||
	    !slice_ieqs(slice_rtrim(name), "v") ||
	    !slice_eqs(slice_trim(value), "DMARC1"))
		return 0;
	while (text.n > 0) {
		enum tag tag;

		slice_cut(&text, ';', &part);
		value = part;
		if (!slice_cut(&value, '=', &name))
			continue;
		tag = tag_of(slice_trim(name));
		if (tag == TAGS || (seen >> tag & 1) != 0)
			continue;
		seen |= 1u << tag;
		take_tag(r, tag, slice_trim(value));
	}
	r->bad_policy = r->bad_policy || r->p == DMARC_UNSET;
	return 1;
}
