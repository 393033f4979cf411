#include "addr/addr.h"

#include <errno.h>
#include <idn2.h>
#include <stdlib.h>

#define LABEL_MAX 63       /* RFC 1035 section 2.3.4 */
#define DOMAIN_ASCII_MAX 253 /* 255 octets on the wire, RFC 1035 2.3.4 */
/* Bytes looked at; 253 octets of A-labels come from less than this. */
#define DOMAIN_TEXT_MAX 1024

#define IDN_FLAGS (IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL)

static int
invalid(void)
{
	errno = EINVAL;
	return -1;
}

/* Letters, digits, hyphen inside, underscore: RFC 5321 4.1.2 and SRV names. */
static bool
label_ok(struct slice label)
{
	if (label.n == 0 || label.n > LABEL_MAX || label.p[0] == '-' ||
	    label.p[label.n - 1] == '-')
		return false;
	for (size_t i = 0; i < label.n; i++)
		if (!ascii_isalnum(label.p[i]) && label.p[i] != '-' &&
		    label.p[i] != '_')
			return false;
	return true;
}

static bool
domain_ok(struct slice d)
{
	struct slice label;
	bool more;

	if (d.n == 0 || d.n > DOMAIN_ASCII_MAX)
		return false;
	do {
		more = slice_cut(&d, '.', &label);
		if (!label_ok(label))
			return false;
	} while (more);
	return true;
}

static bool
is_alabel(struct slice label)
{
	return slice_istarts(label, S("xn--"));
}

static bool
has_alabel(struct slice d)
{
	struct slice label;
	bool more;

	do {
		more = slice_cut(&d, '.', &label);
		if (is_alabel(label))
			return true;
	} while (more);
	return false;
}

static struct slice
lower(struct slice s, struct arena *ar)
{
	unsigned char *p = arena_alloc(ar, s.n);

	for (size_t i = 0; i < s.n; i++)
		p[i] = ascii_lower(s.p[i]);
	return slice_of(p, s.n);
}

/*
 * UTS #46, non-transitional, by libidn2. A-labels of characters that IDNA2008
 * does not have (yet), emoji say, are names in the DNS all the same: they are
 * taken as they stand, and never shown as U-labels.
 */
static int
idna_ascii(struct slice text, struct arena *ar, struct slice *out)
{
	uint8_t *a = NULL;
	const char *u;
	int r;

	if (slice_chr(text, '\0') != -1)
		return invalid();
	u = arena_cstr(ar, text);
	r = idn2_lookup_u8((const uint8_t *)u, &a, IDN_FLAGS);
	if ((r == IDN2_DISALLOWED || r == IDN2_UNASSIGNED) &&
	    slice_is_ascii(text)) {
		*out = lower(text, ar);
		return 0;
	}
	if (r != IDN2_OK)
		return invalid();
	*out = lower(slice_str((const char *)a), ar);
	idn2_free(a);
	return 0;
}

int
domain_ascii(struct slice text, struct arena *ar, struct slice *out)
{
	struct slice d = text;

	if (d.n > 1 && d.p[d.n - 1] == '.')
		d.n--;
	if (d.n > DOMAIN_TEXT_MAX)
		return invalid();
	if (slice_is_ascii(d) && !has_alabel(d)) {
		if (!domain_ok(d))
			return invalid();
		*out = lower(d, ar);
		return 0;
	}
	if (!slice_is_utf8(d) || idna_ascii(d, ar, &d) == -1 || !domain_ok(d))
		return invalid();
	*out = d;
	return 0;
}

/* The U-label, if it leads back to the same A-label. */
static bool
label_unicode(struct slice label, struct arena *ar, struct strbuf *sb)
{
	const char *a = arena_cstr(ar, label);
	struct slice back;
	char *u = NULL;
	bool good;

	if (idn2_to_unicode_8z8z(a, &u, IDN2_NONTRANSITIONAL) != IDN2_OK)
		return false;
	good = idna_ascii(slice_str(u), ar, &back) == 0 &&
	    slice_eq(label, back);
	if (good)
		sb_puts(sb, u);
	idn2_free(u);
	return good;
}

struct slice
domain_unicode(struct slice ascii, struct arena *ar)
{
	struct strbuf sb = STRBUF_INIT(DOMAIN_TEXT_MAX);
	struct slice rest = ascii, label, out, back;
	bool more;

	if (!has_alabel(ascii))
		return ascii;
	do {
		more = slice_cut(&rest, '.', &label);
		if (!is_alabel(label) || !label_unicode(label, ar, &sb))
			sb_put(&sb, label);
		if (more)
			sb_putc(&sb, '.');
	} while (more);
	out = arena_copy(ar, sb_slice(&sb));
	/* U-labels beside an A-label that has none might not lead back. */
	if (sb.over || domain_ascii(out, ar, &back) == -1 ||
	    !slice_eq(ascii, back))
		out = ascii;
	sb_free(&sb);
	return out;
}

bool
domain_under(struct slice a, struct slice b)
{
	if (b.n == 0 || a.n < b.n || !slice_ends(a, b))
		return false;
	return a.n == b.n || a.p[a.n - b.n - 1] == '.';
}
