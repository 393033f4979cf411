/* DKIM: canonical forms at every split, tag lists, key records, signatures. */
#include "dkim/verify.h"

#include "base/alloc.h"
#include "dkim/sign.h"
#include "dkim/taglist.h"
#include "tap.h"

static void
to_strbuf(void *ctx, const void *p, size_t n)
{
	sb_put(ctx, slice_of(p, n));
}

/* RFC 6376 sections 3.4.3 to 3.4.5, and what they imply. */
static const struct {
	const char *name, *in, *simple, *relaxed;
} bodies[] = {
	{ "RFC 6376 3.4.5", " C \r\nD \t E\r\n\r\n\r\n", " C \r\nD \t E\r\n",
	    " C\r\nD E\r\n" },
	{ "empty", "", "\r\n", "" },
	{ "only line ends", "\r\n\r\n", "\r\n", "" },
	{ "only blanks", " \t\r\n", " \t\r\n", "" },
	{ "no final line end", "a", "a\r\n", "a\r\n" },
	{ "blank at the end", "a ", "a \r\n", "a\r\n" },
	{ "empty lines first", "\r\n\r\na\r\n", "\r\n\r\na\r\n",
	    "\r\n\r\na\r\n" },
	{ "empty lines inside", "a\r\n\r\n\r\nb", "a\r\n\r\n\r\nb\r\n",
	    "a\r\n\r\n\r\nb\r\n" },
	{ "LF is a line end", "a\n\nb \n\n", "a\r\n\r\nb \r\n",
	    "a\r\n\r\nb\r\n" },
	{ "CR alone is a byte", "a\rb\r\r\nc\r", "a\rb\r\r\nc\r\r\n",
	    "a\rb\r\r\nc\r\r\n" },
	{ "blank lines that are empty", "a\r\n \r\n\t\r\n",
	    "a\r\n \r\n\t\r\n", "a\r\n" },
	{ "blank first", "  a", "  a\r\n", " a\r\n" },
};

static void
canon_whole(enum canon how, struct slice in, struct strbuf *out)
{
	struct canon_body c;

	sb_reset(out);
	canon_body_init(&c, how, to_strbuf, out);
	canon_body_feed(&c, in);
	canon_body_end(&c);
}

static bool
canon_splits(enum canon how, struct slice in, struct slice want)
{
	struct strbuf out = STRBUF_INIT(1 << 20);
	struct canon_body c;
	bool same = true;

	for (size_t i = 0; i <= in.n && same; i++) {
		sb_reset(&out);
		canon_body_init(&c, how, to_strbuf, &out);
		canon_body_feed(&c, slice_sub(in, 0, i));
		canon_body_feed(&c, slice_skip(in, i));
		canon_body_end(&c);
		same = slice_eq(sb_slice(&out), want);
	}
	sb_reset(&out);
	canon_body_init(&c, how, to_strbuf, &out);
	for (size_t i = 0; i < in.n; i++)
		canon_body_feed(&c, slice_sub(in, i, 1));
	canon_body_end(&c);
	same = same && slice_eq(sb_slice(&out), want);
	sb_free(&out);
	return same;
}

/* Bytes that matter, in every order, longer than the buffer. */
static void
random_bodies(void)
{
	static const char bytes[] = "\r\n \tab\r\n";
	struct strbuf in = STRBUF_INIT(1 << 20), out = STRBUF_INIT(1 << 20);
	unsigned x = 12345;
	bool same = true;

	for (int round = 0; round < 40; round++) {
		sb_reset(&in);
		for (int i = 0; i < 100 + round * 3; i++) {
			x = x * 1103515245u + 12345u;
			sb_putc(&in, (unsigned char)bytes[x >> 16 & 7]);
		}
		for (int how = CANON_SIMPLE; how <= CANON_RELAXED; how++) {
			canon_whole(how, sb_slice(&in), &out);
			same = same && canon_splits(how, sb_slice(&in),
			    sb_slice(&out));
		}
	}
	ok(same, "random bodies: any split is the same");
	sb_reset(&in);
	for (int i = 0; i < 5000; i++)
		sb_puts(&in, i % 7 == 0 ? "word  \r\n" : "word ");
	canon_whole(CANON_RELAXED, sb_slice(&in), &out);
	ok(canon_splits(CANON_RELAXED, slice_sub(sb_slice(&in), 0, 3000),
	    (canon_whole(CANON_RELAXED, slice_sub(sb_slice(&in), 0, 3000),
	    &out), sb_slice(&out))), "longer than the buffer");
	sb_free(&in);
	sb_free(&out);
}

static void
canon_bodies(void)
{
	struct strbuf out = STRBUF_INIT(4096);

	for (size_t i = 0; i < COUNTOF(bodies); i++) {
		struct slice in = exact(bodies[i].in);

		canon_whole(CANON_SIMPLE, in, &out);
		is(sb_slice(&out), bodies[i].simple, bodies[i].name);
		canon_whole(CANON_RELAXED, in, &out);
		is(sb_slice(&out), bodies[i].relaxed, bodies[i].name);
		ok(canon_splits(CANON_SIMPLE, in, slice_str(bodies[i].simple)) &&
		    canon_splits(CANON_RELAXED, in,
		    slice_str(bodies[i].relaxed)), "at every split");
		free((void *)(uintptr_t)in.p);
	}
	sb_free(&out);
}

static void
canon_fields(void)
{
	static const struct {
		const char *name, *in, *simple, *relaxed;
	} t[] = {
		{ "RFC 6376 3.4.5", "A: X\r\n", "A: X\r\n", "a:X\r\n" },
		{ "folded", "B : Y\t\r\n\tZ  \r\n", "B : Y\t\r\n\tZ  \r\n",
		    "b:Y Z\r\n" },
		{ "empty", "Subject:\r\n", "Subject:\r\n", "subject:\r\n" },
		{ "LF", "A: x\n y\n", "A: x\r\n y\r\n", "a:x y\r\n" },
		{ "no line end", "A: x", "A: x\r\n", "a:x\r\n" },
	}, sig[] = {
		{ "b= in the middle", "D: a=1; b=abc\r\n\tdef ; c=2\r\n",
		    "D: a=1; b=; c=2", "d:a=1; b=; c=2" },
		{ "b= last", "D: bh=1; b= abc=\r\n", "D: bh=1; b=",
		    "d:bh=1; b=" },
		{ "blank before =", "D: b \r\n = x;\r\n", "D: b \r\n =;",
		    "d:b =;" },
		{ "no b=", "D: a=1\r\n", "D: a=1", "d:a=1" },
	};
	struct strbuf out = STRBUF_INIT(4096);

	for (size_t i = 0; i < COUNTOF(t); i++) {
		struct slice in = exact(t[i].in);

		sb_reset(&out);
		canon_field(CANON_SIMPLE, in, true, to_strbuf, &out);
		is(sb_slice(&out), t[i].simple, t[i].name);
		sb_reset(&out);
		canon_field(CANON_RELAXED, in, true, to_strbuf, &out);
		is(sb_slice(&out), t[i].relaxed, t[i].name);
		free((void *)(uintptr_t)in.p);
	}
	for (size_t i = 0; i < COUNTOF(sig); i++) {
		struct slice in = exact(sig[i].in);

		sb_reset(&out);
		canon_signature(CANON_SIMPLE, in, to_strbuf, &out);
		is(sb_slice(&out), sig[i].simple, sig[i].name);
		sb_reset(&out);
		canon_signature(CANON_RELAXED, in, to_strbuf, &out);
		is(sb_slice(&out), sig[i].relaxed, sig[i].name);
		free((void *)(uintptr_t)in.p);
	}
	sb_free(&out);
}

static void
taglists(void)
{
	static const struct {
		const char *name, *in;
		int tags, end;
	} t[] = {
		{ "final semicolon", "v=1; a=rsa-sha256;", 2, 0 },
		{ "final semicolon and blanks", "v=1; \r\n ", 1, 0 },
		{ "empty value", "v=; p=", 2, 0 },
		{ "folding", " v = 1 ;\r\n\tb=a\r\n b", 2, 0 },
		{ "= in a value", "b=abc==", 1, 0 },
		{ "hole in the middle", "v=1;;a=x", 1, -1 },
		{ "no equals sign", "v", 0, -1 },
		{ "digit first", "1a=x", 0, -1 },
		{ "control byte", "a=x\001", 0, -1 },
		{ "UTF-8", "n=\xc3\xa9", 1, 0 },
		{ "not UTF-8", "n=\xc3", 0, -1 },
		{ "empty", "", 0, 0 },
	};

	for (size_t i = 0; i < COUNTOF(t); i++) {
		struct slice all = exact(t[i].in), in = all, tag, val;
		int n = 0, r;

		while ((r = taglist_next(&in, &tag, &val)) == 1)
			n++;
		ok(n == t[i].tags && r == t[i].end, "tags: %s", t[i].name);
		free((void *)(uintptr_t)all.p);
	}
}

#define ED "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="

static void
keys(void)
{
	static const struct {
		const char *name, *in;
		int result;
		bool usable;
	} t[] = {
		{ "ed25519", "v=DKIM1; k=ed25519; p=" ED, 1, true },
		{ "without v=", "k=ed25519; p=" ED, 1, true },
		{ "folded key", "k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7h cvPapi"
		    "MlrwIaaPcHURo=", 1, true },
		{ "key not padded", "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7h"
		    "cvPapiMlrwIaaPcHURo", 1, true },
		{ "half padded", "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7h"
		    "cvPapiMlrwIaaPcHUR=", -1, false },
		{ "one digit too many", "v=DKIM1; k=ed25519; p=" ED "A", -1, false },
		{ "revoked", "v=DKIM1; p=", 1, false },
		{ "of another version", "v=DKIM2; k=ed25519; p=" ED, 0, false },
		{ "v= not first", "k=ed25519; v=DKIM1; p=" ED, 0, false },
		{ "another record", "v=spf1 -all", 0, false },
		{ "text", "hello", 0, false },
		{ "no p=", "v=DKIM1; k=rsa", -1, false },
		{ "p= twice", "v=DKIM1; p=; p=", -1, false },
		{ "hole", "v=DKIM1;; p=", -1, false },
		{ "unknown type", "v=DKIM1; k=dsa; p=" ED, -1, false },
		{ "short key", "v=DKIM1; k=ed25519; p=AAAA", -1, false },
		{ "not a key", "v=DKIM1; k=rsa; p=" ED, -1, false },
		{ "not base64", "v=DKIM1; k=ed25519; p=!", -1, false },
		/* 512 bits */
		{ "weak RSA", "v=DKIM1; p=MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAKj3"
		    "4GkxFhD90vcNLYLInFEX6Ppy1tPf9Cnzj4p4WGeKLs1Pt8QuKUpRKfFL"
		    "RYC9AIKjbJTWit+CqvjWYzvQwECAwEAAQ==", -1, false },
	};
	struct strbuf text = STRBUF_INIT(DKIM_RECORD_MAX);
	struct strbuf pem = STRBUF_INIT(65536);

	for (size_t i = 0; i < COUNTOF(t); i++) {
		struct slice in = exact(t[i].in);
		const char *error = NULL;
		struct dkim_key k;
		int r = dkim_key_parse(in, &k, &error);

		ok(r == t[i].result && (r != 1 ||
		    (k.public != NULL) == t[i].usable) &&
		    (r != -1 || error != NULL), "key record: %s", t[i].name);
		dkim_key_free(&k);
		free((void *)(uintptr_t)in.p);
	}
	for (int ed = 0; ed < 2; ed++) {
		EVP_PKEY *a = dkim_key_new(ed, DKIM_RSA_MIN), *b = NULL;
		const char *error;
		struct dkim_key k;

		sb_reset(&pem);
		sb_reset(&text);
		ok(dkim_key_write(a, &pem) == 0 &&
		    (b = dkim_key_read(sb_slice(&pem))) != NULL &&
		    EVP_PKEY_eq(a, b) == 1, "PKCS#8 there and back");
		ok(dkim_key_record(b, &text) == 0 &&
		    dkim_key_parse(sb_slice(&text), &k, &error) == 1 &&
		    EVP_PKEY_eq(a, k.public->pkey) == 1 && k.sha256 && k.email,
		    "record there and back");
		dkim_key_free(&k);
		EVP_PKEY_free(a);
		EVP_PKEY_free(b);
	}
	ok(dkim_key_new(false, 512) == NULL, "no weak key is made");
	sb_free(&text);
	sb_free(&pem);
}

/* More keys than are kept, while one of them is held. */
static void
public_keys(void)
{
	enum { KEYS = 200 };
	struct strbuf text = STRBUF_INIT(DKIM_RECORD_MAX);
	unsigned char hash[DKIM_HASH_SIZE] = "over this", sig[64];
	struct dkim_key first = { 0 }, k;
	size_t n = sizeof(sig);
	EVP_PKEY *key = dkim_key_new(true, 0), *other;
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	const char *error;
	int wrong = 0;

	ok(EVP_DigestSignInit(md, NULL, NULL, NULL, key) == 1 &&
	    EVP_DigestSign(md, sig, &n, hash, sizeof(hash)) == 1 &&
	    dkim_key_record(key, &text) == 0 &&
	    dkim_key_parse(sb_slice(&text), &first, &error) == 1 &&
	    dkim_public_verifies(first.public, slice_of(sig, n), hash),
	    "a key that is held");
	for (int i = 0; i < KEYS; i++) {
		struct strbuf of = STRBUF_INIT(DKIM_RECORD_MAX);

		other = dkim_key_new(true, 0);
		wrong += dkim_key_record(other, &of) == -1 ||
		    dkim_key_parse(sb_slice(&of), &k, &error) != 1 ||
		    EVP_PKEY_eq(other, k.public->pkey) != 1 ||
		    dkim_public_verifies(k.public, slice_of(sig, n), hash);
		dkim_key_free(&k);
		EVP_PKEY_free(other);
		sb_free(&of);
	}
	ok(wrong == 0, "each key is the one given");
	ok(dkim_public_verifies(first.public, slice_of(sig, n), hash),
	    "and the one held is what it was");
	dkim_key_free(&first);
	ok(dkim_key_parse(sb_slice(&text), &k, &error) == 1 &&
	    dkim_public_verifies(k.public, slice_of(sig, n), hash),
	    "also when it is met again");
	dkim_key_free(&k);
	EVP_MD_CTX_free(md);
	EVP_PKEY_free(key);
	sb_free(&text);
}

#define GOOD "v=1; a=rsa-sha256; d=example.org; s=k; h=from:to; b=AAAA; " \
	"bh=AAAA"

static void
signatures(void)
{
	static const struct {
		const char *name, *value;
		int result;
	} t[] = {
		{ "good", GOOD, 0 },
		{ "all tags", GOOD "; c=relaxed/simple; q=dns/txt; t=1; x=2; "
		    "l=3; i=ann@mail.example.org; z=From:x", 0 },
		{ "unknown tag", GOOD "; xyz=1", 0 },
		{ "tag twice", GOOD "; d=example.org", -1 },
		{ "version", "v=2; a=rsa-sha256; d=example.org; s=k; h=from; "
		    "b=AAAA; bh=AAAA", -1 },
		{ "no From", "v=1; a=rsa-sha256; d=example.org; s=k; h=to; "
		    "b=AAAA; bh=AAAA", -1 },
		{ "no d=", "v=1; a=rsa-sha256; s=k; h=from; b=AAAA; bh=AAAA",
		    -1 },
		{ "no b=", "v=1; a=rsa-sha256; d=example.org; s=k; h=from; "
		    "bh=AAAA", -1 },
		{ "i= elsewhere", GOOD "; i=ann@example.net", -1 },
		{ "i= with the same end", GOOD "; i=ann@badexample.org", -1 },
		{ "c= unknown", GOOD "; c=nofws", -1 },
		{ "q= unknown", GOOD "; q=http", -1 },
		{ "x= before t=", GOOD "; t=5; x=5", -1 },
		{ "x= too long", GOOD "; x=1234567890123", -1 },
	};
	struct arena ar = { 0 };

	for (size_t i = 0; i < COUNTOF(t); i++) {
		struct field f = { .name = S("DKIM-Signature"),
			.value = exact(t[i].value) };
		struct dkim_sig sig;
		const char *error;
		int r = dkim_sig_parse(&f, &ar, &sig, &error);

		ok(r == t[i].result && (r == 0) == (error == NULL),
		    "signature: %s", t[i].name);
		free((void *)(uintptr_t)f.value.p);
	}
	arena_free(&ar);
}

int
main(void)
{
	plan(0);
	canon_bodies();
	random_bodies();
	canon_fields();
	taglists();
	keys();
	public_keys();
	signatures();
	return done();
}
