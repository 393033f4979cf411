/*
 * A whole message, or dkim-sig records, with one key: the judgement does not
 * change when it is made again from the records, and can be explained.
 */
#include "dkim/explain.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "dkim/record.h"

#define NOW 1795242486
#define RECORDS_MAX 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The corpus is signed with it. */
static const char key[] = "dns by=x type=TXT name=k._domainkey.example.org "
    "status=ok ad=no ttl=60 rr=\"v=DKIM1; p="
	    "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDKcXec819IFEuyUH8go2aT"
	    "9whqL1Ni3B8N9omjgzdlxjaL8scWEOwb5r62kUPsL0mheTkHFb1Q+dl4TinQ"
	    "jb8+SQCO70nAl00IVgr2yClOaE+dYOo6JKXGufNCtUYERUvUfYy52b8BUG9g"
	    "bCyuRzKvy9fGbDHRQSLPoJxWNpx4TQIDAQAB""\"\n";

static struct dns *dns;

static size_t
read_records(struct slice in, struct arena *ar, struct tuple rec[RECORDS_MAX])
{
	struct tuple_reader r;
	size_t n = 0;

	tuple_reader_init(&r, in);
	while (n < RECORDS_MAX && tuple_next(&r, ar, &rec[n]) == 1)
		n++;
	return n;
}

static size_t
judge(const struct dkim_judge *j, struct dkim_gathered *g,
    struct dkim_result *result)
{
	struct tuple t[RECORDS_MAX];
	const struct tuple *bad;
	size_t n = read_records(slice_str(key), j->ar, t);

	if (n != 1 || dns_replay_load(dns, "x", t, n, j->ar, &bad) == -1)
		abort();
	n = dkim_judge(j, g, result);
	if (n == 0 || n > DKIM_SIGNATURES_MAX + 1)
		abort();
	dns_forget(dns);
	return n;
}

static void
must_agree(const struct dkim_result *a, const struct dkim_result *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (a[i].status != b[i].status || a[i].bits != b[i].bits ||
		    (a[i].reason == NULL) != (b[i].reason == NULL) ||
		    (a[i].reason != NULL &&
		    strcmp(a[i].reason, b[i].reason) != 0) ||
		    (a[i].e != NULL && (!slice_eq(a[i].e->sig.domain,
		    b[i].e->sig.domain) || !slice_eq(a[i].e->sig.identity,
		    b[i].e->sig.identity))))
			abort();
}

static void
explain(const struct dkim_judge *j, struct dkim_gathered *g,
    const struct dkim_result *result, size_t n, bool detail)
{
	struct strbuf out = STRBUF_INIT(1 << 22);
	struct dkim_explain x = { .judge = j, .g = g, .out = &out,
		.detail = detail };
	struct tuple *rec = arena_alloc(j->ar, sizeof(*rec) * RECORDS_MAX);

	for (size_t i = 0; i < n; i++)
		dkim_explain(&x, &result[i], i + 1);
	if (read_records(sb_slice(&out), j->ar, rec) == 0)
		abort();
	sb_free(&out);
}

static void
message(const struct dkim_judge *j, struct slice msg)
{
	struct dkim_gathered g, again;
	struct dkim_result a[DKIM_SIGNATURES_MAX + 1];
	struct dkim_result b[DKIM_SIGNATURES_MAX + 1];
	struct strbuf out = STRBUF_INIT(1 << 20);
	struct tuple rec[RECORDS_MAX];
	const struct tuple *bad;
	size_t n, lines;

	dkim_gather(msg, NULL, j->ar, &g);
	n = judge(j, &g, a);
	dkim_record_put(&g, &out);
	lines = read_records(sb_slice(&out), j->ar, rec);
	if (dkim_record_get(rec, lines, j->ar, &again, &bad) != 1 ||
	    judge(j, &again, b) != n)
		abort();
	must_agree(a, b, n);
	explain(j, &again, b, n, true);
	explain(j, &g, a, n, msg.n % 2 == 0);
	sb_free(&out);
}

static void
records(const struct dkim_judge *j, struct slice in)
{
	struct dkim_result result[DKIM_SIGNATURES_MAX + 1];
	struct tuple rec[RECORDS_MAX];
	struct dkim_gathered g;
	const struct tuple *bad;
	size_t n = read_records(in, j->ar, rec);

	if (dkim_record_get(rec, n, j->ar, &g, &bad) == 1)
		explain(j, &g, result, judge(j, &g, result), true);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = slice_of(data, size);
	struct dns_budget budget;
	struct arena ar = { 0 };
	struct dkim_judge j = { .now = NOW, .budget = &budget, .ar = &ar };

	if (dns == NULL)
		dns = dns_replay_open();
	j.dns = dns;
	dns_budget_init(&budget, 40, 1000);
	if (slice_starts(in, S("dkim-sig")))
		records(&j, in);
	else
		message(&j, in);
	arena_free(&ar);
	return 0;
}
