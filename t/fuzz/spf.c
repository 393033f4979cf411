/*
 * An SPF record: parsed, every domain-spec and text expanded with what a
 * stranger can put into macros. And a whole check: lines of the input are the
 * local part, the HELO name, and the records of d0.t, d1.t, ... in the DNS.
 */
#include <netinet/in.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "base/tuple.h"
#include "spf/received.h"
#include "spf/record.h"
#include "spf/spf.h"

#define DOMAINS 8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct slice
names(void *ctx)
{
	(void)ctx;
	return S("mx.example.org");
}

static void
expand(struct slice spec, unsigned flags, struct slice hostile)
{
	struct strbuf sb = STRBUF_INIT(SPF_EXPAND_MAX);
	struct spf_macros m = {
		.local = hostile, .sender_domain = S("email.example.com"),
		.domain = S("email.example.com"), .helo = hostile,
		.ip = { AF_INET6, { 0x20, 1, 0xd, 0xb8 } }, .validated = names,
	};
	struct slice name;

	if (spf_macro_check(spec, flags) == 0 &&
	    spf_expand(spec, flags, &m, &sb) == 1) {
		name = spf_name_fit(sb_slice(&sb));
		if (name.n > SPF_NAME_MAX && slice_chr(name, '.') != -1)
			abort();
	}
	sb_free(&sb);
}

static void
parse(struct slice text, struct slice hostile, struct arena *ar)
{
	struct spf_record r;
	const char *error;
	struct slice where;

	expand(text, SPF_EXPLAIN, hostile);
	expand(text, SPF_EXPLAIN, S("strong-bad+x"));
	if (!spf_is_record(text))
		return;
	if (spf_record_parse(text, ar, &r, &error, &where) == -1) {
		/* The place is in the record. */
		if (where.p < text.p || where.p + where.n > text.p + text.n)
			abort();
		return;
	}
	for (size_t i = 0; i < r.count; i++)
		if (r.term[i].spec.n > 0)
			expand(r.term[i].spec, 0, hostile);
	expand(r.redirect, 0, hostile);
	expand(r.exp, 0, hostile);
}

static void
answer(struct strbuf *sb, const char *type, const char *name, struct slice rr)
{
	tuple_begin(sb, "dns");
	tuple_puts(sb, "by", "spf-check");
	tuple_puts(sb, "type", type);
	tuple_puts(sb, "name", name);
	tuple_puts(sb, "status", "ok");
	tuple_puts(sb, "ad", "no");
	tuple_putu(sb, "ttl", 300);
	tuple_put(sb, "rr", rr);
	tuple_end(sb);
}

/* What is known of d0.t ...: a record each, an address, one MX, and names of
 * the client. */
static void
zone(struct strbuf *sb, struct slice in)
{
	struct slice record;
	char *name, *value;

	for (unsigned i = 0; i < DOMAINS; i++) {
		slice_cut(&in, '\n', &record);
		name = xprintf("d%u.t", i);
		answer(sb, "TXT", name, record);
		value = xprintf("192.0.2.%u", i);
		answer(sb, "A", name, slice_str(value));
		free(value);
		value = xprintf("10 d%u.t", (i + 1) % DOMAINS);
		answer(sb, "MX", name, slice_str(value));
		free(value);
		free(name);
	}
	answer(sb, "PTR", "7.2.0.192.in-addr.arpa", S("d7.t"));
}

/* One field, whatever stands in it. */
static void
field(const struct spf_ask *ask, const struct spf_answer *a)
{
	struct strbuf sb = STRBUF_INIT(65536);
	struct spf_received r = {
		.result = slice_str(spf_result_name(a->result)),
		.identity = S("mailfrom"), .domain = ask->local, .mech = a->mech,
		.reason = a->reason, .ip = ask->helo, .helo = ask->helo,
		.from = ask->local, .receiver = ask->local,
	};

	spf_received(&sb, &r, "\n");
	for (size_t i = 0; i < sb.n; i++)
		if (sb.p[i] == '\n' ? i + 1 < sb.n && sb.p[i + 1] != '\t' :
		    sb.p[i] != '\t' && (sb.p[i] < ' ' || sb.p[i] == 0x7f))
			abort();
	if (sb.over || !slice_is_utf8(sb_slice(&sb)))
		abort();
	sb_free(&sb);
}

static void
check(struct slice in, struct arena *ar)
{
	struct strbuf lines = STRBUF_INIT((size_t)1 << 20);
	struct strbuf text = STRBUF_INIT((size_t)1 << 20);
	struct dns *d = dns_replay_open();
	struct dns_budget budget;
	struct spf_ask ask = { .dns = d, .budget = &budget, .arena = ar,
		.identity = "mailfrom", .domain = S("d0.t"),
		.ip = { AF_INET, { 192, 0, 2, 7 } }, .trace = &text };
	struct tuple rec[DOMAINS * 3 + 1];
	const struct tuple *bad;
	struct tuple_reader reader;
	struct spf_answer a;
	size_t n = 0;

	slice_cut(&in, '\n', &ask.local);
	slice_cut(&in, '\n', &ask.helo);
	zone(&lines, in);
	tuple_reader_init(&reader, sb_slice(&lines));
	while (n < COUNTOF(rec) && tuple_next(&reader, ar, &rec[n]) == 1)
		n++;
	dns_budget_init(&budget, 64, 1000);
	if (n != COUNTOF(rec) ||
	    dns_replay_load(d, "spf-check", rec, n, ar, &bad) == -1)
		abort();
	spf_check(&ask, &a);
	if (a.lookups > SPF_TERMS_MAX + 1 || a.voids > SPF_VOIDS_MAX + 1 ||
	    !slice_is_print(a.explanation) || a.at > a.record.n)
		abort();
	spf_because(&ask, &a, &text);
	field(&ask, &a);
	dns_forget(d);
	dns_close(d);
	sb_free(&lines);
	sb_free(&text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = slice_of(data, size), hostile;
	struct arena ar = { 0 };

	parse(text, S("strong-bad+x"), &ar);
	slice_cut(&text, '\n', &hostile);
	if (text.n > 0) {
		parse(text, hostile, &ar);
		check(slice_of(data, size), &ar);
	}
	arena_free(&ar);
	return 0;
}
