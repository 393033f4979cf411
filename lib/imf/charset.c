#include "imf/charset.h"

#include <errno.h>
#include <iconv.h>

#include "base/alloc.h"

/* The charsets by their glibc names. */
enum set {
	UTF8, W1252, /* converted here */
	UTF7, UTF16, UTF16BE, UTF16LE, UTF32, L2, L3, L4, L5, L6, L7, L8, L10,
	L13, L14, L15, L16, W1250, W1251, W1253, W1254, W1255, W1256, W1257,
	W1258, W874, KOI8R, KOI8U, CP866, CP437, CP850, CP852, MAC, GB18030,
	BIG5, SJIS, EUCJP, JIS, EUCKR, KR2022, SETS
};

static const char *const iconv_name[SETS] = {
	[UTF7] = "UTF-7", [UTF16] = "UTF-16", [UTF16BE] = "UTF-16BE",
	[UTF16LE] = "UTF-16LE", [UTF32] = "UTF-32", [L2] = "ISO-8859-2",
	[L3] = "ISO-8859-3", [L4] = "ISO-8859-4", [L5] = "ISO-8859-5",
	[L6] = "ISO-8859-6", [L7] = "ISO-8859-7", [L8] = "ISO-8859-8",
	[L10] = "ISO-8859-10", [L13] = "ISO-8859-13", [L14] = "ISO-8859-14",
	[L15] = "ISO-8859-15", [L16] = "ISO-8859-16", [W1250] = "CP1250",
	[W1251] = "CP1251", [W1253] = "CP1253", [W1254] = "CP1254",
	[W1255] = "CP1255", [W1256] = "CP1256", [W1257] = "CP1257",
	[W1258] = "CP1258", [W874] = "CP874", [KOI8R] = "KOI8-R",
	[KOI8U] = "KOI8-U", [CP866] = "CP866", [CP437] = "CP437",
	[CP850] = "CP850", [CP852] = "CP852", [MAC] = "MACINTOSH",
	[GB18030] = "GB18030", [BIG5] = "BIG5-HKSCS", [SJIS] = "CP932",
	[EUCJP] = "EUC-JP", [JIS] = "ISO-2022-JP-2", [EUCKR] = "CP949",
	[KR2022] = "ISO-2022-KR",
};

/* Names in messages, sorted. A superset stands for its subset. */
static const struct label {
	const char *name;
	enum set set;
} labels[] = {
	{ "ansi_x3.4-1968", UTF8 }, { "ansi_x3.4-1986", UTF8 },
	{ "arabic", L6 }, { "ascii", UTF8 }, { "big5", BIG5 },
	{ "big5-hkscs", BIG5 }, { "chinese", GB18030 }, { "cp1250", W1250 },
	{ "cp1251", W1251 }, { "cp1252", W1252 }, { "cp1253", W1253 },
	{ "cp1254", W1254 }, { "cp1255", W1255 }, { "cp1256", W1256 },
	{ "cp1257", W1257 }, { "cp1258", W1258 }, { "cp437", CP437 },
	{ "cp819", W1252 }, { "cp850", CP850 }, { "cp852", CP852 },
	{ "cp866", CP866 }, { "cp874", W874 }, { "cp932", SJIS },
	{ "cp936", GB18030 }, { "cp949", EUCKR }, { "cp950", BIG5 },
	{ "csisolatin1", W1252 }, { "cyrillic", L5 }, { "euc-jp", EUCJP },
	{ "euc-kr", EUCKR }, { "gb18030", GB18030 }, { "gb2312", GB18030 },
	{ "gb_2312-80", GB18030 }, { "gbk", GB18030 }, { "greek", L7 },
	{ "hebrew", L8 }, { "ibm437", CP437 }, { "ibm850", CP850 },
	{ "ibm852", CP852 }, { "ibm866", CP866 }, { "iso-2022-jp", JIS },
	{ "iso-2022-jp-1", JIS }, { "iso-2022-jp-2", JIS },
	{ "iso-2022-kr", KR2022 }, { "iso-8859-1", W1252 },
	{ "iso-8859-10", L10 }, { "iso-8859-11", W874 },
	{ "iso-8859-13", L13 }, { "iso-8859-14", L14 },
	{ "iso-8859-15", L15 }, { "iso-8859-16", L16 }, { "iso-8859-2", L2 },
	{ "iso-8859-3", L3 }, { "iso-8859-4", L4 }, { "iso-8859-5", L5 },
	{ "iso-8859-6", L6 }, { "iso-8859-7", L7 }, { "iso-8859-8", L8 },
	{ "iso-8859-8-i", L8 }, { "iso-8859-9", W1254 },
	{ "iso8859-1", W1252 }, { "iso8859-15", L15 }, { "iso8859-2", L2 },
	{ "iso8859-5", L5 }, { "iso_8859-1", W1252 },
	{ "iso_8859-15", L15 }, { "iso_8859-2", L2 }, { "koi", KOI8R },
	{ "koi8", KOI8R }, { "koi8-r", KOI8R }, { "koi8-ru", KOI8U },
	{ "koi8-u", KOI8U }, { "koi8_r", KOI8R }, { "korean", EUCKR },
	{ "ks_c_5601-1987", EUCKR }, { "ks_c_5601-1989", EUCKR },
	{ "ksc5601", EUCKR }, { "latin1", W1252 }, { "latin2", L2 },
	{ "latin5", W1254 }, { "latin9", L15 }, { "mac", MAC },
	{ "macintosh", MAC }, { "ms_kanji", SJIS }, { "shift-jis", SJIS },
	{ "shift_jis", SJIS }, { "sjis", SJIS }, { "tis-620", W874 },
	{ "unicode-1-1-utf-7", UTF7 }, { "unicode-1-1-utf-8", UTF8 },
	{ "us-ascii", UTF8 }, { "utf-16", UTF16 }, { "utf-16be", UTF16BE },
	{ "utf-16le", UTF16LE }, { "utf-32", UTF32 }, { "utf-7", UTF7 },
	{ "utf-8", UTF8 }, { "utf7", UTF7 }, { "utf8", UTF8 },
	{ "windows-1250", W1250 }, { "windows-1251", W1251 },
	{ "windows-1252", W1252 }, { "windows-1253", W1253 },
	{ "windows-1254", W1254 }, { "windows-1255", W1255 },
	{ "windows-1256", W1256 }, { "windows-1257", W1257 },
	{ "windows-1258", W1258 }, { "windows-31j", SJIS },
	{ "windows-874", W874 }, { "windows-936", GB18030 },
	{ "windows-949", EUCKR }, { "x-cp1250", W1250 },
	{ "x-cp1251", W1251 }, { "x-cp1252", W1252 }, { "x-euc-jp", EUCJP },
	{ "x-gbk", GB18030 }, { "x-mac-roman", MAC }, { "x-sjis", SJIS },
	{ "x-unicode-2-0-utf-7", UTF7 }, { "x-unknown", UTF8 },
};

/* windows-1252 from 0x80 to 0x9f; 0 has no character. */
static const unsigned short w1252[32] = {
	0x20ac, 0, 0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021,
	0x02c6, 0x2030, 0x0160, 0x2039, 0x0152, 0, 0x017d, 0,
	0, 0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014,
	0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0, 0x017e, 0x0178,
};

static struct {
	enum { UNUSED, OPEN, FAILED } state;
	iconv_t cd;
} handle[SETS];
static bool sealed;

static const struct label *
find_label(struct slice name)
{
	size_t lo = 0, hi = COUNTOF(labels);

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int r = slice_icmp(name, slice_str(labels[mid].name));

		if (r == 0)
			return &labels[mid];
		if (r < 0)
			hi = mid;
		else
			lo = mid + 1;
	}
	return NULL;
}

bool
charset_known(struct slice charset)
{
	return find_label(charset) != NULL;
}

static bool
set_open(enum set set)
{
	if (handle[set].state == UNUSED && !sealed) {
		handle[set].cd = iconv_open("UTF-8", iconv_name[set]);
		handle[set].state =
		    handle[set].cd == (iconv_t)-1 ? FAILED : OPEN;
	}
	return handle[set].state == OPEN;
}

void
charset_preload(void)
{
	for (enum set set = UTF7; set < SETS; set++)
		(void)set_open(set);
	sealed = true;
}

static void
put_replacement(struct strbuf *out)
{
	sb_put(out, S("\xef\xbf\xbd"));
}

/* Characters up to U+FFFF. */
static void
put_char(struct strbuf *out, unsigned c)
{
	if (c >= 0x800)
		sb_putc(out, (unsigned char)(0xe0 | c >> 12));
	if (c >= 0x800)
		sb_putc(out, (unsigned char)(0x80 | (c >> 6 & 0x3f)));
	else
		sb_putc(out, (unsigned char)(0xc0 | c >> 6));
	sb_putc(out, (unsigned char)(0x80 | (c & 0x3f)));
}

static void
put_w1252(struct strbuf *out, struct slice s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned c = s.p[i];

		if (c >= 0x80 && c < 0xa0)
			c = w1252[c - 0x80];
		if (c == 0 && s.p[i] != 0)
			put_replacement(out);
		else if (c < 0x80)
			sb_putc(out, (unsigned char)c);
		else
			put_char(out, c);
	}
}

/* Length of the valid UTF-8 at the start of s. */
static size_t
valid_prefix(struct slice s)
{
	size_t i = 0;

	while (i < s.n) {
		size_t n = s.p[i] < 0x80 ? 1 : s.p[i] < 0xe0 ? 2 :
		    s.p[i] < 0xf0 ? 3 : 4;

		if (n > 1 && (n > s.n - i ||
		    !slice_is_utf8(slice_sub(s, i, n))))
			break;
		i += n;
	}
	return i;
}

static void
put_utf8(struct strbuf *out, struct slice s)
{
	for (;;) {
		size_t n = valid_prefix(s);

		sb_put(out, slice_sub(s, 0, n));
		s = slice_skip(s, n);
		if (s.n == 0)
			return;
		put_replacement(out);
		/* One mark for a sequence that is cut short. */
		do
			s = slice_skip(s, 1);
		while (s.n != 0 && (s.p[0] & 0xc0) == 0x80);
	}
}

static void
put_unknown(struct strbuf *out, struct slice s)
{
	if (slice_is_utf8(s)) {
		sb_put(out, s);
		return;
	}
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < 0x80)
			sb_putc(out, s.p[i]);
		else
			put_replacement(out);
}

static void
put_iconv(struct strbuf *out, iconv_t cd, struct slice s)
{
	/* iconv(3) takes char ** and does not write there. */
	char *in = (char *)(uintptr_t)s.p, *to;
	size_t left = s.n, room, r;
	char buf[1024];

	iconv(cd, NULL, NULL, NULL, NULL);
	while (left != 0 && !out->over) {
		to = buf;
		room = sizeof(buf);
		r = iconv(cd, &in, &left, &to, &room);
		sb_put(out, slice_of(buf, sizeof(buf) - room));
		if (r != (size_t)-1 || errno == E2BIG)
			continue;
		put_replacement(out);
		if (errno != EILSEQ)
			break; /* EINVAL: the last character is cut */
		in++;
		left--;
	}
	to = buf;
	room = sizeof(buf);
	iconv(cd, NULL, NULL, &to, &room);
	sb_put(out, slice_of(buf, sizeof(buf) - room));
}

void
charset_put(struct strbuf *out, struct slice charset, struct slice bytes)
{
	const struct label *l = find_label(charset);

	if (l == NULL)
		put_unknown(out, bytes);
	else if (l->set == UTF8)
		put_utf8(out, bytes);
	else if (l->set == W1252)
		put_w1252(out, bytes);
	else if (set_open(l->set))
		put_iconv(out, handle[l->set].cd, bytes);
	else
		put_unknown(out, bytes);
}
