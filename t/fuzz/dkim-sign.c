/* What dkim_sign() signs, dkim_judge() passes, whatever the message. */
#include "dkim/sign.h"

#include <stdlib.h>

#include "addr/addr.h"
#include "base/alloc.h"
#include "conf/setting.h"
#include "dkim/verify.h"

#define NOW 1793257200
#define IDENTITY_BYTES 8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct {
	EVP_PKEY *key[2];
	struct strbuf record[2]; /* dns lines with the keys */
	struct slice headers;
	struct dns *dns;
	struct arena ar;
} all;

static void
setup(void)
{
	const struct setting *s = setting_find(S("dkim"), S("headers"));

	all.dns = dns_replay_open();
	all.headers = setting_default(s, &all.ar);
	for (int ed = 0; ed < 2; ed++) {
		struct strbuf text = STRBUF_INIT(DKIM_RECORD_MAX);

		sb_init(&all.record[ed], DKIM_RECORD_MAX);
		all.key[ed] = dkim_key_new(ed, DKIM_RSA_MIN);
		if (all.key[ed] == NULL ||
		    dkim_key_record(all.key[ed], &text) == -1)
			abort();
		sb_puts(&all.record[ed], "dns by=x type=TXT "
		    "name=k._domainkey.example.org status=ok ad=no ttl=60");
		tuple_put(&all.record[ed], "rr", sb_slice(&text));
		tuple_end(&all.record[ed]);
		sb_free(&text);
	}
}

/* As on the wire. */
static void
put_wire(struct strbuf *sb, struct slice in)
{
	for (size_t i = 0; i < in.n; i++) {
		if (in.p[i] == '\n' && (i == 0 || in.p[i - 1] != '\r'))
			sb_putc(sb, '\r');
		sb_putc(sb, in.p[i]);
	}
}

static void
check(struct slice msg, bool ed, struct arena *ar)
{
	struct dkim_result result[DKIM_SIGNATURES_MAX + 1];
	struct dkim_gathered g;
	struct tuple_reader r;
	struct dns_budget budget;
	struct tuple t;
	const struct tuple *bad;
	struct dkim_judge j = { .now = NOW, .dns = all.dns, .budget = &budget,
		.ar = ar };

	tuple_reader_init(&r, sb_slice(&all.record[ed]));
	if (tuple_next(&r, ar, &t) != 1 ||
	    dns_replay_load(all.dns, "x", &t, 1, ar, &bad) == -1)
		abort();
	dns_budget_init(&budget, 40, 1000);
	dkim_gather(msg, NULL, ar, &g);
	if (dkim_judge(&j, &g, result) == 0 || result[0].status != DKIM_PASS)
		abort();
	dns_forget(all.dns);
}

/* The local part, from the input. */
static struct slice
identity(struct slice in, struct strbuf *sb)
{
	struct addr a = { .local = slice_is_utf8(in) ? in : S("a"),
		.domain = S("example.org") };

	addr_format(sb, &a);
	return sb_slice(sb);
}

static void
sign(struct slice head, struct slice in)
{
	struct strbuf msg = STRBUF_INIT(1 << 20), whole = STRBUF_INIT(1 << 20);
	struct strbuf id = STRBUF_INIT(256);
	unsigned how = head.p[0];
	bool ed = how % 8 != 0; /* RSA is slow */
	struct dkim_signer s = { .domain = S("example.org"), .selector = S("k"),
		.key = all.key[ed], .headers = all.headers,
		.header = how & 8 ? CANON_RELAXED : CANON_SIMPLE,
		.body = how & 16 ? CANON_RELAXED : CANON_SIMPLE,
		.oversign = how & 32 ? S("yes") : how & 64 ? S("Subject,List-Id") :
		S("no"), .expire = how & 128 ? 60 : 0 };
	struct arena ar = { 0 };
	struct dkim_message m;
	struct dkim_signed what;
	const char *error;

	put_wire(&msg, in);
	if (dkim_message_read(SLICE_NONE, sb_slice(&msg), &ar, &m, &error) == 0 &&
	    dkim_sign(&s, &m, identity(slice_skip(head, 1), &id), NOW, &ar,
	    &whole, &what, &error) == 0) {
		sb_puts(&whole, "\r\n");
		sb_put(&whole, sb_slice(&msg));
		check(sb_slice(&whole), ed, &ar);
	} else if (error == NULL)
		abort();
	arena_free(&ar);
	sb_free(&msg);
	sb_free(&whole);
	sb_free(&id);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = slice_of(data, size);

	if (all.dns == NULL)
		setup();
	if (size > IDENTITY_BYTES)
		sign(slice_sub(in, 0, 1 + IDENTITY_BYTES),
		    slice_skip(in, 1 + IDENTITY_BYTES));
	return 0;
}
