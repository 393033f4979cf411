#include "imap/out.h"

#include "imap/scan.h"
#include "imap/utf7.h"

static bool
fits_quoted(struct slice s, bool utf8)
{
	if (s.n > IMAP_QUOTED_MAX)
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == '\r' || s.p[i] == '\n' || s.p[i] == '\0')
			return false;
	return slice_is_ascii(s) || (utf8 && slice_is_utf8(s));
}

static void
put_literal(struct strbuf *sb, struct slice s)
{
	size_t nuls = 0;

	for (size_t i = 0; i < s.n; i++)
		nuls += s.p[i] == '\0';
	sb_printf(sb, "{%zu}\r\n", s.n - nuls);
	if (nuls == 0)
		sb_put(sb, s);
	else
		for (size_t i = 0; i < s.n; i++)
			if (s.p[i] != '\0')
				sb_putc(sb, s.p[i]);
}

void
imap_put_string(struct strbuf *sb, struct slice s, bool utf8)
{
	if (!fits_quoted(s, utf8)) {
		put_literal(sb, s);
		return;
	}
	sb_putc(sb, '"');
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '"' || s.p[i] == '\\')
			sb_putc(sb, '\\');
		sb_putc(sb, s.p[i]);
	}
	sb_putc(sb, '"');
}

void
imap_put_astring(struct strbuf *sb, struct slice s, bool utf8)
{
	bool atom = s.n != 0 && !slice_ieqs(s, "NIL");

	for (size_t i = 0; atom && i < s.n; i++)
		atom = imap_is_atom_char(s.p[i]);
	if (atom)
		sb_put(sb, s);
	else
		imap_put_string(sb, s, utf8);
}

void
imap_put_mailbox(struct strbuf *sb, struct slice name, bool utf8)
{
	struct strbuf coded = STRBUF_INIT(utf7_max(name.n));

	if (utf8) {
		imap_put_astring(sb, name, true);
		return;
	}
	utf7_encode(&coded, name);
	imap_put_astring(sb, sb_slice(&coded), false);
	sb_free(&coded);
}

void
imap_put_datetime(struct strbuf *sb, int64_t unix_time)
{
	static const char *const month[] = {
		"Jan", "Feb", "Mar", "Apr", "May", "Jun",
		"Jul", "Aug", "Sep", "Oct", "Nov", "Dec"
	};
	time_t t = (time_t)unix_time;
	struct tm tm;

	if (gmtime_r(&t, &tm) == NULL || tm.tm_year < -1900 ||
	    tm.tm_year > 9999 - 1900) {
		t = 0;
		gmtime_r(&t, &tm);
	}
	sb_printf(sb, "\"%2d-%s-%04d %02d:%02d:%02d +0000\"", tm.tm_mday,
	    month[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min,
	    tm.tm_sec);
}
