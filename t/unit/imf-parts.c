/* What imf_parts() says: structure, IMAP texts, previews, threads. */
#include "imf/parts.h"

#include "base/alloc.h"
#include "imf/parts_read.h"
#include "imf/preview.h"
#include "imf/thread.h"
#include "tap.h"

static struct strbuf parts = STRBUF_INIT(IMF_PARTS_BYTES);
static struct arena ar;

static void
parse(const char *msg)
{
	struct strbuf summary = STRBUF_INIT(65536);
	struct slice in = exact(msg);

	sb_reset(&parts);
	imf_parts(in, &parts, &summary);
	sb_free(&summary);
	free((void *)(uintptr_t)in.p);
}

static struct slice
text_of(const char *type)
{
	struct slice text;

	arena_reset(&ar);
	if (parts_text(sb_slice(&parts), type, &ar, &text) != 1)
		return S("none");
	return text;
}

/* BODYSTRUCTURE of messages; quirks Q7, Q16, Q19. */
static const struct {
	const char *name, *msg, *body;
} bodies[] = {
	{ "no Content-Type", "From: a@b\r\n\r\nhello\r\n",
	    "(\"TEXT\" \"PLAIN\" NIL NIL NIL \"7BIT\" 7 1 NIL NIL NIL NIL)" },
	{ "empty", "",
	    "(\"TEXT\" \"PLAIN\" NIL NIL NIL \"7BIT\" 0 0 NIL NIL NIL NIL)" },
	{ "no body", "Content-Type: image/png\r\n",
	    "(\"IMAGE\" \"PNG\" NIL NIL NIL \"7BIT\" 0 NIL NIL NIL NIL)" },
	{ "bad type", "Content-Type: text\r\n\r\nx",
	    "(\"TEXT\" \"PLAIN\" NIL NIL NIL \"7BIT\" 1 1 NIL NIL NIL NIL)" },
	{ "all fields",
	    "Content-Type: text/Html; name=x; Charset=\"utf-8\"\r\n"
	    "Content-ID: <i@d>\r\nContent-Description: =?utf-8?q?d?=\r\n"
	    "Content-Transfer-Encoding: Base64\r\nContent-MD5: abc==\r\n"
	    "Content-Disposition: inline; filename*=utf-8''%C3%BC\r\n"
	    "Content-Language: en, de\r\nContent-Location: http://x/\r\n\r\n",
	    "(\"TEXT\" \"HTML\" (\"CHARSET\" \"utf-8\" \"NAME\" \"x\") "
	    "\"<i@d>\" \"=?utf-8?q?d?=\" \"BASE64\" 0 0 \"abc==\" "
	    "(\"INLINE\" (\"FILENAME*\" \"utf-8''%C3%BC\")) (\"en\" \"de\") "
	    "\"http://x/\")" },
	{ "disposition without parameters",
	    "Content-Type: a/b\r\nContent-Disposition: attachment\r\n\r\n",
	    "(\"A\" \"B\" NIL NIL NIL \"7BIT\" 0 NIL (\"ATTACHMENT\" NIL) "
	    "NIL NIL)" },
	{ "multipart",
	    "Content-Type: multipart/mixed; boundary=b\r\n\r\n"
	    "--b\r\n\r\na\r\nb\r\n--b\r\nContent-Type: a/b\r\n\r\n\r\n"
	    "--b--\r\n",
	    "((\"TEXT\" \"PLAIN\" NIL NIL NIL \"7BIT\" 4 2 NIL NIL NIL NIL)"
	    "(\"A\" \"B\" NIL NIL NIL \"7BIT\" 0 NIL NIL NIL NIL) \"MIXED\" "
	    "(\"BOUNDARY\" \"b\") NIL NIL NIL)" },
	{ "multipart without parts",
	    "Content-Type: multipart/alternative; boundary=b\r\n\r\n",
	    "((\"TEXT\" \"PLAIN\" NIL NIL NIL \"7BIT\" 0 0 NIL NIL NIL NIL) "
	    "\"ALTERNATIVE\" (\"BOUNDARY\" \"b\") NIL NIL NIL)" },
	{ "multipart without boundary",
	    "Content-Type: multipart/mixed\r\n\r\n--x\r\n",
	    "((\"TEXT\" \"PLAIN\" NIL NIL NIL \"7BIT\" 5 1 NIL NIL NIL NIL) "
	    "\"MIXED\" NIL NIL NIL NIL)" },
	{ "boundary that is a prefix of the parent's",
	    "Content-Type: multipart/mixed; boundary=ab\r\n\r\n--ab\r\n"
	    "Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n\r\n1\r\n"
	    "--ab\r\n\r\n22\r\n--ab--\r\n--a\r\n\r\n3\r\n",
	    "(((\"TEXT\" \"PLAIN\" NIL NIL NIL \"7BIT\" 1 1 NIL NIL NIL NIL) "
	    "\"MIXED\" (\"BOUNDARY\" \"a\") NIL NIL NIL)"
	    "(\"TEXT\" \"PLAIN\" NIL NIL NIL \"7BIT\" 2 1 NIL NIL NIL NIL) "
	    "\"MIXED\" (\"BOUNDARY\" \"ab\") NIL NIL NIL)" },
	{ "digest",
	    "Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\n"
	    "Subject: s\r\n\r\nx\r\n--b--\r\n",
	    "((\"MESSAGE\" \"RFC822\" NIL NIL NIL \"7BIT\" 15 (NIL \"s\" NIL "
	    "NIL NIL NIL NIL NIL NIL NIL) (\"TEXT\" \"PLAIN\" NIL NIL NIL "
	    "\"7BIT\" 1 1 NIL NIL NIL NIL) 3 NIL NIL NIL NIL) \"DIGEST\" "
	    "(\"BOUNDARY\" \"b\") NIL NIL NIL)" },
	{ "message/rfc822 in base64",
	    "Content-Type: message/rfc822\r\n"
	    "Content-Transfer-Encoding: base64\r\n\r\nRg==\r\n",
	    "(\"MESSAGE\" \"RFC822\" NIL NIL NIL \"BASE64\" 6 (NIL NIL NIL "
	    "NIL NIL NIL NIL NIL NIL NIL) (\"TEXT\" \"PLAIN\" NIL NIL NIL "
	    "\"7BIT\" 0 0 NIL NIL NIL NIL) 1 NIL NIL NIL NIL)" },
};

static const struct {
	const char *name, *msg, *envelope;
} envelopes[] = {
	{ "nothing", "\r\n",
	    "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)" },
	{ "all", "Date: Sat, 08 Mar 2025 10:00:00 GMT (x)\r\n"
	    "Subject: a \"q\"\\\r\n =?utf-8?q?=C3=BC?=\r\n"
	    "From: \"A. B\" <a@b.org>\r\nReply-To: r@b.org\r\n"
	    "To: g: x@y.org;\r\nCc: no address\r\nIn-Reply-To: <1@x>\r\n"
	    "Message-ID: <2@X>\r\n\r\n",
	    "(\"Sat, 8 Mar 2025 10:00:00 +0000\" \"a \\\"q\\\"\\\\ "
	    "=?utf-8?q?=C3=BC?=\" ((\"A. B\" NIL \"a\" \"b.org\")) "
	    "((\"A. B\" NIL \"a\" \"b.org\")) ((NIL NIL \"r\" \"b.org\")) "
	    "((NIL NIL \"g\" NIL)(NIL NIL \"x\" \"y.org\")(NIL NIL NIL NIL)) "
	    "((NIL NIL \"no address\" \"\")) NIL \"<1@x>\" \"<2@X>\")" },
	{ "8 bit", "Subject: \xc3\xbc\r\nFrom: \xc3\xbc@b\xc3\xbc" "cher.org\r\n"
	    "Date: never\r\n\r\n",
	    "(NIL \"=?utf-8?b?w7w=?=\" ((NIL NIL \"=?utf-8?b?w7w=?=\" "
	    "\"xn--bcher-kva.org\")) ((NIL NIL \"=?utf-8?b?w7w=?=\" "
	    "\"xn--bcher-kva.org\")) ((NIL NIL \"=?utf-8?b?w7w=?=\" "
	    "\"xn--bcher-kva.org\")) NIL NIL NIL NIL NIL)" },
};

static void
imap_texts(void)
{
	for (size_t i = 0; i < COUNTOF(bodies); i++) {
		parse(bodies[i].msg);
		is(text_of("body"), bodies[i].body, bodies[i].name);
	}
	for (size_t i = 0; i < COUNTOF(envelopes); i++) {
		parse(envelopes[i].msg);
		is(text_of("envelope"), envelopes[i].envelope,
		    envelopes[i].name);
	}
	is(text_of("envelope-utf8"),
	    "(NIL \"\xc3\xbc\" ((NIL NIL \"\xc3\xbc\" \"b\xc3\xbc" "cher.org\")) "
	    "((NIL NIL \"\xc3\xbc\" \"b\xc3\xbc" "cher.org\")) "
	    "((NIL NIL \"\xc3\xbc\" \"b\xc3\xbc" "cher.org\")) "
	    "NIL NIL NIL NIL NIL)", "the same in UTF-8");
}

static void
sections(void)
{
	static const char msg[] =
	    "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nx\r\n"
	    "--b\r\nContent-Type: message/rfc822\r\n\r\nA: 1\r\n\r\nin\r\n"
	    "--b--\r\n";
	size_t size = sizeof(msg) - 1;
	struct slice p;
	struct part part;

	parse(msg);
	p = sb_slice(&parts);
	ok(parts_find(p, size, S(""), false, &ar, &part) == 1 &&
	    slice_eqs(part.type, "multipart"), "the message");
	ok(parts_find(p, size, S("1"), false, &ar, &part) == 1 &&
	    memcmp(msg + part.body_at, "x", part.body_len) == 0 &&
	    part.body_len == 1, "1");
	ok(parts_find(p, size, S("2"), false, &ar, &part) == 1 &&
	    memcmp(msg + part.body_at, "A: 1\r\n\r\nin", part.body_len) == 0,
	    "2 is the message inside");
	ok(parts_find(p, size, S("2"), true, &ar, &part) == 1 &&
	    memcmp(msg + part.at, "A: 1\r\n\r\n", part.header_len) == 0 &&
	    part.header_len == 8, "2.HEADER");
	ok(parts_find(p, size, S("2.1"), false, &ar, &part) == 1 &&
	    memcmp(msg + part.body_at, "in", part.body_len) == 0, "2.1");
	ok(parts_find(p, size, S("3"), false, &ar, &part) == 0 &&
	    parts_find(p, size, S("2.2"), false, &ar, &part) == 0 &&
	    parts_find(p, size, S("1.1"), false, &ar, &part) == 0 &&
	    parts_find(p, size, S("1"), true, &ar, &part) == 0,
	    "there are no others");
	parse("A: 1\r\n\r\nx");
	ok(parts_find(sb_slice(&parts), 9, S("1"), false, &ar, &part) == 1 &&
	    part.body_at == 8 && part.body_len == 1, "1 of a single part");
	ok(parts_find(S("part n=1 type=a subtype=b encoding=7bit at=0 "
	    "header-len=4 body-at=4 body-len=9 lines=1\n"), 9, S("1"), false,
	    &ar, &part) == 0, "a record outside of the message");
}

/* Vectors of RFC 5256 and of the behaviour that users know. */
static const struct {
	const char *subject, *base;
	bool reply;
} subjects[] = {
	{ "Re: Hello", "hello", true },
	{ "RE[2]: hello", "hello", true },
	{ "[list] Re: hello  world", "hello world", true },
	{ "hello (fwd)", "hello", true },
	{ "[Fwd: Re: hello (fwd)]", "hello", true },
	{ "AW: hello", "aw: hello", false },
	{ "re : x", "x", true },
	{ "[only]", "[only]", false },
	{ "Re:", "", true },
	{ "fw: a", "a", true },
	{ "[a] [b] c", "c", false },
	{ "Gr\xc3\x9c\xc3\x9f" "e", "gr\xc3\xbc\xc3\x9f" "e", false },
	{ "", "", false },
};

static const struct {
	const char *value, *id; /* NULL: none */
} ids[] = {
	{ "<AbC@Example.ORG>", "abc@example.org" },
	{ "<\"abc\"@x.example>", "abc@x.example" },
	{ "<a b@c>", "a b@c" },
	{ "<x@y> (added by z)", "x@y" },
	{ "<noat>", "noat" },
	{ "<x@y>junk", NULL },
	{ "abc@example.org", NULL },
	{ "<", NULL },
	{ "<>", NULL },
	{ "", NULL },
};

static void
threads(void)
{
	struct slice out, refs[THREAD_REFS_MAX];
	struct strbuf many = STRBUF_INIT(1 << 20);

	for (size_t i = 0; i < COUNTOF(subjects); i++) {
		ok(thread_subject(slice_str(subjects[i].subject), &ar, &out) ==
		    subjects[i].reply, "reply of %s", subjects[i].subject);
		is(out, subjects[i].base, subjects[i].subject);
	}
	for (size_t i = 0; i < COUNTOF(ids); i++) {
		int r = thread_msgid(slice_str(ids[i].value), &ar, &out);

		ok(r == (ids[i].id != NULL ? 0 : -1), "id %zu", i);
		is(out, ids[i].id != NULL ? ids[i].id : "", ids[i].value);
	}
	ok(thread_refs(S("<trunc <b@x> <a\r\n @x>"), S("<c@x>"), &ar, refs) ==
	    2 && slice_eqs(refs[0], "b@x") && slice_eqs(refs[1], "a@x"),
	    "References");
	ok(thread_refs(SLICE_NONE, S("<p@x> <q@x>"), &ar, refs) == 1 &&
	    slice_eqs(refs[0], "p@x"), "In-Reply-To");
	ok(thread_refs(SLICE_NONE, S("Your message of Mon <p@x>"), &ar,
	    refs) == 0, "In-Reply-To in words");
	for (int i = 0; i < 1000; i++)
		sb_printf(&many, "<%d@x> ", i);
	ok(thread_refs(sb_slice(&many), SLICE_NONE, &ar, refs) ==
	    THREAD_REFS_MAX && slice_eqs(refs[0], "936@x") &&
	    slice_eqs(refs[THREAD_REFS_MAX - 1], "999@x"), "the last ones");
	sb_free(&many);
}

static const struct {
	const char *text, *want;
} previews[] = {
	{ "hello\n\n  world  \n", "hello\nworld\n" },
	{ "Hi\n\nOn 1 Jan, Ann wrote:\n> a\n> b\n\nyes\n",
	    "Hi\n[...]\nyes\n" },
	{ "> quoted\nanswer\n-- \nAnn\nphone\n", "[...]\nanswer\n" },
	{ "text\n--\n1\n2\n3\n4\n5\n6\n", "text\n--\n1\n2\n3\n4\n5\n6\n" },
	{ "On 1 Jan 2025\nAnn wrote:\n> x\ny\n", "[...]\ny\n" },
	{ "", "" },
};

static const struct {
	const char *html, *want;
} htmls[] = {
	{ "<p>a <b>b</b></p><p>c&amp;d &#228;&#xe4;</p>",
	    "a b\nc&d \xc3\xa4\xc3\xa4" },
	{ "<head><title>t</title></head><style>p{}</style>x", "x" },
	{ "<blockquote>q<br>r</blockquote>s", "> q\n> r\ns" },
	{ "a<!-- <p>b --> c<script>d</script", "a c" },
	{ "1 < 2 &bogus; &", "1 < 2 &bogus; &" },
	{ "<div", "" },
};

static void
texts(void)
{
	struct strbuf sb = STRBUF_INIT(65536);

	for (size_t i = 0; i < COUNTOF(previews); i++) {
		sb_reset(&sb);
		preview_text(slice_str(previews[i].text), &sb);
		is(sb_slice(&sb), previews[i].want, "preview");
	}
	for (size_t i = 0; i < COUNTOF(htmls); i++) {
		sb_reset(&sb);
		html_text(slice_str(htmls[i].html), &sb);
		is(sb_slice(&sb), htmls[i].want, "html");
	}
	parse("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
	      "Content-Disposition: attachment\r\n\r\nno\r\n--b\r\n"
	      "Content-Type: multipart/encrypted; boundary=c\r\n\r\n"
	      "--c\r\n\r\nno\r\n--c--\r\n--b\r\n"
	      "Content-Type: text/html; charset=iso-8859-1\r\n"
	      "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
	      "<b>gr=FC=DF</b>\r\n--b--\r\n");
	is(text_of("preview"), "gr\xc3\xbc\xc3\x9f\n", "first readable part");
	sb_free(&sb);
}

int
main(void)
{
	plan(0);
	imap_texts();
	sections();
	threads();
	texts();
	arena_free(&ar);
	sb_free(&parts);
	return done();
}
