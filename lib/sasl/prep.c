#include "sasl/prep.h"

#include <errno.h>
#include <stdlib.h>
#include <strings.h>
#include <unictype.h>
#include <uninorm.h>
#include <unistr.h>

#include "base/alloc.h"

enum property { PVALID, DISALLOWED, CONTEXT };

/* RFC 8264 section 9.6, the exceptions whose property is fixed. */
static const struct {
	ucs4_t from, to;
	enum property property;
} exceptions[] = {
	{ 0x00b7, 0x00b7, CONTEXT },
	{ 0x00df, 0x00df, PVALID },
	{ 0x0375, 0x0375, CONTEXT },
	{ 0x03c2, 0x03c2, PVALID },
	{ 0x05f3, 0x05f4, CONTEXT },
	{ 0x0640, 0x0640, DISALLOWED },
	{ 0x0660, 0x0669, CONTEXT },
	{ 0x06f0, 0x06f9, CONTEXT },
	{ 0x06fd, 0x06fe, PVALID },
	{ 0x07fa, 0x07fa, DISALLOWED },
	{ 0x0f0b, 0x0f0b, PVALID },
	{ 0x200c, 0x200d, CONTEXT }, /* join controls */
	{ 0x3007, 0x3007, PVALID },
	{ 0x302e, 0x302f, DISALLOWED },
	{ 0x3031, 0x3035, DISALLOWED },
	{ 0x303b, 0x303b, DISALLOWED },
	{ 0x30fb, 0x30fb, CONTEXT },
	/* Old Hangul Jamo: Hangul_Syllable_Type L, V or T. */
	{ 0x1100, 0x11ff, DISALLOWED },
	{ 0xa960, 0xa97c, DISALLOWED },
	{ 0xd7b0, 0xd7c6, DISALLOWED },
	{ 0xd7cb, 0xd7fb, DISALLOWED },
};

/*
 * RFC 8264 section 8 for the FreeformClass, where ID_DIS and FREE_PVAL
 * characters are as good as PVALID, so has-compat needs no test.
 */
static enum property
derived_property(ucs4_t c)
{
	if (c >= 0x20 && c <= 0x7e)
		return PVALID;
	for (size_t i = 0; i < COUNTOF(exceptions); i++)
		if (c >= exceptions[i].from && c <= exceptions[i].to)
			return exceptions[i].property;
	if (uc_is_property(c, UC_PROPERTY_DEFAULT_IGNORABLE_CODE_POINT) ||
	    uc_is_property(c, UC_PROPERTY_NOT_A_CHARACTER))
		return DISALLOWED;
	return uc_is_general_category_withtable(c,
	    UC_CATEGORY_MASK_L | UC_CATEGORY_MASK_M | UC_CATEGORY_MASK_N |
	    UC_CATEGORY_MASK_P | UC_CATEGORY_MASK_S | UC_CATEGORY_MASK_Zs) ?
	    PVALID : DISALLOWED;
}

static bool
is_script(ucs4_t c, const char *name)
{
	const uc_script_t *s = uc_script(c);

	return s != NULL && strcasecmp(s->name, name) == 0;
}

/* RFC 5892 appendix A.1: ZERO WIDTH NON-JOINER between joining letters. */
static bool
joins(const ucs4_t *s, size_t n, size_t at)
{
	size_t i = at;
	int type;

	do {
		if (i == 0)
			return false;
		type = uc_joining_type(s[--i]);
	} while (type == UC_JOINING_TYPE_T);
	if (type != UC_JOINING_TYPE_L && type != UC_JOINING_TYPE_D)
		return false;
	for (i = at + 1; i < n; i++)
		if ((type = uc_joining_type(s[i])) != UC_JOINING_TYPE_T)
			return type == UC_JOINING_TYPE_R ||
			    type == UC_JOINING_TYPE_D;
	return false;
}

static bool
any_in(const ucs4_t *s, size_t n, ucs4_t from, ucs4_t to)
{
	for (size_t i = 0; i < n; i++)
		if (s[i] >= from && s[i] <= to)
			return true;
	return false;
}

/* The contextual rules, RFC 5892 appendix A. */
static bool
context_ok(const ucs4_t *s, size_t n, size_t at)
{
	ucs4_t c = s[at];

	switch (c) {
	case 0x00b7:
		return at > 0 && at + 1 < n && s[at - 1] == 'l' &&
		    s[at + 1] == 'l';
	case 0x0375:
		return at + 1 < n && is_script(s[at + 1], "Greek");
	case 0x05f3:
	case 0x05f4:
		return at > 0 && is_script(s[at - 1], "Hebrew");
	case 0x200c:
	case 0x200d:
		if (at > 0 && uc_combining_class(s[at - 1]) == UC_CCC_VR)
			return true;
		return c == 0x200c && joins(s, n, at);
	case 0x30fb:
		for (size_t i = 0; i < n; i++)
			if (is_script(s[i], "Hiragana") ||
			    is_script(s[i], "Katakana") ||
			    is_script(s[i], "Han"))
				return true;
		return false;
	default: /* the two sets of Arabic digits do not mix */
		return c <= 0x0669 ? !any_in(s, n, 0x06f0, 0x06f9) :
		    !any_in(s, n, 0x0660, 0x0669);
	}
}

/* Every character is allowed where it stands. */
static bool
freeform(const ucs4_t *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		enum property p = derived_property(s[i]);

		if (p == DISALLOWED || (p == CONTEXT && !context_ok(s, n, i)))
			return false;
	}
	return true;
}

static void
wipe(void *p, size_t n)
{
	if (p != NULL)
		explicit_bzero(p, n);
	free(p);
}

/* UTF-8 to NFC in UTF-32, spaces mapped first if so asked. NULL, EILSEQ. */
static ucs4_t *
normalize(struct slice in, bool spaces, size_t *n)
{
	ucs4_t *s = NULL, *norm = NULL;
	size_t raw_n = 0;

	if (slice_is_utf8(in))
		s = u8_to_u32(in.p, in.n, NULL, &raw_n);
	for (size_t i = 0; spaces && i < raw_n; i++)
		if (uc_is_general_category(s[i], UC_SPACE_SEPARATOR))
			s[i] = ' ';
	if (s != NULL)
		norm = u32_normalize(UNINORM_NFC, s, raw_n, NULL, n);
	wipe(s, raw_n * sizeof(*s));
	if (norm == NULL)
		errno = EILSEQ;
	return norm;
}

/* As UTF-8 at the end of out; s is wiped and freed. 0, or -1 with errno. */
static int
put_utf8(ucs4_t *s, size_t n, struct strbuf *out)
{
	size_t text_n = 0;
	uint8_t *text = u32_to_u8(s, n, NULL, &text_n);

	wipe(s, n * sizeof(*s));
	if (text == NULL) {
		errno = EILSEQ;
		return -1;
	}
	sb_put(out, slice_of(text, text_n));
	wipe(text, text_n);
	if (out->over)
		errno = E2BIG;
	return out->over ? -1 : 0;
}

int
password_prepare(struct slice in, struct strbuf *out, size_t *chars)
{
	ucs4_t *s;
	size_t n;

	if (in.n == 0 || in.n > PASSWORD_MAX) {
		errno = in.n == 0 ? EINVAL : E2BIG;
		return -1;
	}
	if ((s = normalize(in, true, &n)) == NULL)
		return -1;
	if (!freeform(s, n)) {
		wipe(s, n * sizeof(*s));
		errno = EINVAL;
		return -1;
	}
	if (chars != NULL)
		*chars = n;
	return put_utf8(s, n, out);
}

int
username_prepare(struct slice in, struct strbuf *out)
{
	ucs4_t *s;
	size_t n;

	if ((s = normalize(in, false, &n)) == NULL)
		return -1;
	return put_utf8(s, n, out);
}
