/* Encoded words, charsets, transfer encodings: any split, valid UTF-8. */
#include "imf/charset.h"
#include "imf/decode.h"
#include "imf/preview.h"
#include "imf/thread.h"
#include "imf/word.h"
#include "fuzz/fuzz.h"

static void
words(struct slice in)
{
	struct strbuf sb = STRBUF_INIT(in.n * 4 + 16);
	struct strbuf ascii = STRBUF_INIT(in.n * 32 + 100);

	word_decode(&sb, in);
	check(!sb.over && slice_is_utf8(sb_slice(&sb)));
	word_encode(&ascii, sb_slice(&sb));
	check(!ascii.over && slice_is_print(sb_slice(&ascii)));
	sb_free(&sb);
	sb_free(&ascii);
}

static void
transfer(struct slice in, enum encoding encoding, size_t step)
{
	struct strbuf all = STRBUF_INIT(in.n + 16);
	struct strbuf some = STRBUF_INIT(in.n + 16);
	struct decode d;

	decode_init(&d, encoding);
	decode_feed(&d, in, &all);
	decode_end(&d, &all);
	decode_init(&d, encoding);
	for (; in.n != 0; in = slice_skip(in, step))
		decode_feed(&d, slice_sub(in, 0, step), &some);
	decode_end(&d, &some);
	check(slice_eq(sb_slice(&all), sb_slice(&some)));
	sb_free(&all);
	sb_free(&some);
}

static void
texts(struct slice in)
{
	struct strbuf sb = STRBUF_INIT(in.n * 4 + 65536);
	struct arena ar = { 0 };
	struct slice out, refs[THREAD_REFS_MAX];

	html_text(in, &sb);
	sb_reset(&sb);
	preview_text(in, &sb);
	(void)thread_subject(in, &ar, &out);
	(void)thread_refs(in, in, &ar, refs);
	if (thread_msgid(in, &ar, &out) == 0)
		check(out.n != 0);
	arena_free(&ar);
	sb_free(&sb);
}

/* First byte: charset and step; the rest: the text. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const sets[] = { "utf-8", "windows-1252", "utf-7",
		"iso-2022-jp", "gb18030", "big5", "shift_jis", "euc-kr",
		"utf-16", "none", "iso-2022-kr", "koi8-r" };
	struct slice in = slice_of(data, size);
	struct strbuf sb = STRBUF_INIT(size * 8 + 64);

	if (size == 0)
		return 0;
	in = slice_skip(in, 1);
	words(in);
	transfer(in, ENC_QP, data[0] % 7 + 1);
	transfer(in, ENC_BASE64, data[0] % 7 + 1);
	texts(in);
	charset_put(&sb, slice_str(sets[data[0] % 12]), in);
	check(!sb.over && slice_is_utf8(sb_slice(&sb)));
	sb_free(&sb);
	return 0;
}
