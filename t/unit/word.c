/* Encoded words, charsets, parameters, transfer encodings. */
#include "imf/word.h"

#include "imf/charset.h"
#include "imf/decode.h"
#include "imf/param.h"
#include "tap.h"

static const struct {
	const char *in, *want;
} words[] = {
	{ "plain", "plain" },
	{ " a\r\n b ", "a b" },
	{ "=?utf-8?q?gr=C3=BC=C3=9F?=", "gr\xc3\xbc\xc3\x9f" },
	{ "=?UTF-8*en?B?Z3LDvMOf?= x", "gr\xc3\xbc\xc3\x9f x" },
	{ "=?iso-8859-1?q?a_b?= =?iso-8859-1?q?c?=", "a bc" },
	{ "=?iso-8859-1?q?a?=\r\n =?iso-8859-1?q?b?= c", "ab c" },
	{ "=?utf-8?b?w7w=?= =?utf-8?b?w7w?=", "\xc3\xbc\xc3\xbc" },
	/* A character split between two words. */
	{ "=?utf-8?q?=C3?= =?utf-8?q?=BC?=", "\xc3\xbc" },
	{ "=?iso-8859-1?q?this is some text?=", "this is some text" },
	{ "=?koi8-r?b?8NLJ18XU?=",
	    "\xd0\x9f\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82" },
	{ "=?x-none?q?a=FFb?=", "a\xef\xbf\xbd" "b" },
	{ "=?utf-8?q?=FF?=", "\xef\xbf\xbd" },
	{ "=?utf-8?x?a?=", "=?utf-8?x?a?=" },
	{ "=?utf-8?q?a", "=?utf-8?q?a" },
	{ "=?", "=?" },
	{ "=??q?a?=", "=??q?a?=" },
	{ "a=?utf-8?q?b?=c", "abc" },
	{ "caf\xe9", "caf\xc3\xa9" },
	{ "caf\xc3\xa9", "caf\xc3\xa9" },
	{ "=?iso-2022-jp?B?GyRCRnxLXBsoQg==?=",
	    "\xe6\x97\xa5\xe6\x9c\xac" },
	{ "=?gb2312?B?1tDOxA==?=", "\xe4\xb8\xad\xe6\x96\x87" },
};

static void
check_words(void)
{
	struct strbuf sb = STRBUF_INIT(4096), back = STRBUF_INIT(4096);
	const char *long_text = "\xc3\xa4\xc3\xb6\xc3\xbc\xc3\xa4\xc3\xb6"
	    "\xc3\xbc x\xc3\xa4\xc3\xb6\xc3\xbc\xc3\xa4\xc3\xb6\xc3\xbc"
	    "\xc3\xa4\xc3\xb6\xc3\xbc\xc3\xa4\xc3\xb6\xc3\xbc\xc3\xa4";

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		struct slice in = exact(words[i].in);

		sb_reset(&sb);
		word_decode(&sb, in);
		is(sb_slice(&sb), words[i].want, "words");
		free((void *)(uintptr_t)in.p);
	}
	sb_reset(&sb);
	word_encode(&sb, slice_str(long_text));
	ok(slice_is_print(sb_slice(&sb)) &&
	    slice_chr(sb_slice(&sb), ' ') <= 75, "encoded in ASCII words");
	word_decode(&back, sb_slice(&sb));
	is(sb_slice(&back), long_text, "encode and decode");
	sb_free(&sb);
	sb_free(&back);
}

static const struct {
	const char *in, *name, *want;
} params[] = {
	{ "text/plain; charset=utf-8", "charset", "utf-8" },
	{ "text/plain; charset =us-ascii (Plain text)", "charset",
	    "us-ascii" },
	{ "text/plain;charset=\"us-ascii\"; x=y", "x", "y" },
	{ "multipart/mixed; boundary=----=_Part_1/x?y", "boundary",
	    "----=_Part_1/x?y" },
	{ "multipart/mixed; boundary=\"a\\\"b c\"", "boundary", "a\"b c" },
	{ "application/x; name*=us-ascii'en-us'This%20is%20%2A%2A%2Afun", "name",
	    "This is ***fun" },
	{ "application/x; url*0=\"ftp://\"; url*1=\"cs.utk.edu/pub\"", "url",
	    "ftp://cs.utk.edu/pub" },
	{ "application/x; t*1*=%2A; t*0*=us-ascii'en'a%20; t*2=\"b!\"", "t",
	    "a *b!" },
	{ "application/x; t*0=a; t*2=c", "t", "a" },
	{ "application/x; name=plain; name*=utf-8''ext", "name", "ext" },
	{ "application/x; name=one; name=two", "name", "one" },
	{ "application/x; name==?utf-8?q?gr=C3=BC?=", "name", "gr\xc3\xbc" },
	{ "application/x; name=my file.txt; x=y", "name", "my file.txt" },
	{ "application/x; name=\"open", "name", "open" },
	{ "application/x; name=\"open\\", "name", "open\\" },
	{ "application/x;;; ; x=y;", "x", "y" },
	{ "application/x; \xff; x=y", "x", "y" },
	{ "application/x; x", "x", "" },
};

static const struct {
	const char *in, *want;
} names[] = {
	{ "attachment; filename=a.txt", "a.txt" },
	{ "attachment; filename=\"../../etc/passwd\"", "passwd" },
	{ "attachment; filename=\"C:\\\\dir\\\\x.exe\"", "x.exe" },
	{ "attachment; filename=\"a\xe2\x80\xaetxt.exe\"", "atxt.exe" },
	{ "attachment; filename*0=a.; filename*1=exe", "a.exe" },
	{ "attachment; filename*=utf-8''%2e%2e%2fx%00y", "xy" },
	{ "attachment; filename=\"..\"", "" },
	{ "attachment", "" },
};

static void
check_params(void)
{
	struct arena ar = { 0 };
	struct content_type ct = { 0 };
	struct disposition d;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct slice in = exact(names[i].in);

		ok(disposition_parse(in, &ar, &d) == 0, "disposition");
		is(param_filename(&d, &ct, &ar), names[i].want, "file name");
		free((void *)(uintptr_t)in.p);
	}
	for (size_t i = 0; i < sizeof(params) / sizeof(params[0]); i++) {
		struct slice in = exact(params[i].in);

		ok(content_type_parse(in, &ar, &ct) == 0, "content type");
		is(params_get(&ct.params, params[i].name), params[i].want,
		    "parameter");
		free((void *)(uintptr_t)in.p);
	}
	ok(content_type_parse(S("inline"), &ar, &ct) == -1, "no subtype");
	ok(content_type_parse(S("a/"), &ar, &ct) == -1, "empty subtype");
	ok(content_type_parse(S(""), &ar, &ct) == -1, "empty");
	ok(content_type_parse(S(" Message / RFC822 "), &ar, &ct) == 0 &&
	    slice_eqs(ct.type, "message") && slice_eqs(ct.subtype, "rfc822"),
	    "blanks and case");
	arena_free(&ar);
}

static const struct {
	enum encoding encoding;
	const char *in, *want;
} coded[] = {
	{ ENC_QP, "a=3Db =\r\nc", "a=b c" },
	{ ENC_QP, "a \t\r\nb =\n c= \r\nd", "a\r\nb  cd" },
	{ ENC_QP, "=c3=BC=", "\xc3\xbc" },
	{ ENC_QP, "a=zb=1", "a=zb=1" },
	{ ENC_QP, "a==41=\r\r\n", "a=A=\r\r\n" },
	{ ENC_QP, "a  ", "a" },
	{ ENC_QP, "a\rb \r c", "a\rb \r c" },
	{ ENC_QP, "=4\n", "=4\n" },
	{ ENC_BASE64, "aGVs\r\nbG8=", "hello" },
	{ ENC_BASE64, "aGVsbG8", "hello" },
	{ ENC_BASE64, "aGV*sbG8=aGVsbG8=", "hellohello" },
	{ ENC_BASE64, "====", "" },
	{ ENC_IDENTITY, "a\r\n", "a\r\n" },
};

/* The whole input at once, then byte by byte. */
static void
check_decode(void)
{
	struct strbuf all = STRBUF_INIT(4096), one = STRBUF_INIT(4096);
	struct decode d;

	for (size_t i = 0; i < sizeof(coded) / sizeof(coded[0]); i++) {
		struct slice in = slice_str(coded[i].in);

		sb_reset(&all);
		sb_reset(&one);
		decode_init(&d, coded[i].encoding);
		decode_feed(&d, in, &all);
		decode_end(&d, &all);
		is(sb_slice(&all), coded[i].want, "decode");
		decode_init(&d, coded[i].encoding);
		for (; in.n != 0; in = slice_skip(in, 1))
			decode_feed(&d, slice_sub(in, 0, 1), &one);
		decode_end(&d, &one);
		ok(slice_eq(sb_slice(&all), sb_slice(&one)), "byte by byte");
	}
	ok(encoding_of(S(" Base64 ")) == ENC_BASE64 &&
	    encoding_of(S("")) == ENC_IDENTITY &&
	    encoding_of(S("x-uuencode")) == ENC_UNKNOWN, "names");
	sb_free(&all);
	sb_free(&one);
}

int
main(void)
{
	plan(0);
	check_words();
	check_params();
	check_decode();
	ok(charset_known(S("UTF-8")) && charset_known(S("x-unknown")) &&
	    charset_known(S("ansi_x3.4-1968")) && !charset_known(S("foo")),
	    "charset names");
	return done();
}
