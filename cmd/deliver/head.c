/* The fields that deliver puts in front, and those it takes out. */
#include "deliver.h"

#include "base/alloc.h"
#include "imf/authres.h"
#include "imf/date.h"
#include "spf/received.h"

#define PROPS_MAX 5
#define RESULTS_MAX 64
/* Signatures that the field tells of, so that one sender's many signatures
 * leave room for the rest; dkim-verify looks at fewer. */
#define SIGNATURES_MAX 20

/* ---- taking out ---- */

struct taker {
	struct conf *conf;
	struct arena *arena;
	struct slice rcpt;
	unsigned received;
};

static bool
in_our_name(void *ctx, const struct field *f)
{
	struct taker *t = ctx;

	t->received += slice_ieqs(f->name, "Received");
	if (slice_istarts(f->name, S("X-Pneu-")) ||
	    slice_ieqs(f->name, "Return-Path"))
		return true;
	if (slice_ieqs(f->name, "Delivered-To"))
		return t->rcpt.n == 0 ||
		    slice_ieq(slice_trim(f->value), t->rcpt);
	return authres_is_ours(f, conf_is_hostname, t->conf,
	    t->arena);
}

void
head_ranges(struct conf *c, const struct job *j, struct slice rcpt,
    struct ranges *out)
{
	struct taker t = { .conf = c, .arena = j->arena, .rcpt = rcpt };

	strip_fields(j->msg, STRIP_MAX, in_our_name, &t, &out->strip);
	out->received = t.received;
}

/* ---- writing ---- */

/* Only what cannot end a field or hide in it. */
static void
put_clean(struct strbuf *sb, struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] >= 0x20 && s.p[i] != 0x7f)
			sb_putc(sb, s.p[i]);
}

/* The same inside a comment or a host name: no parentheses or blanks. */
static void
put_word(struct strbuf *sb, struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] > 0x20 && s.p[i] != 0x7f &&
		    strchr("()<>;,\\\"", s.p[i]) == NULL)
			sb_putc(sb, s.p[i]);
}

static void
put_literal(struct strbuf *sb, struct slice ip)
{
	sb_puts(sb, slice_chr(ip, ':') != -1 ? "[IPv6:" : "[");
	put_word(sb, ip);
	sb_putc(sb, ']');
}

static void
put_from(struct strbuf *sb, const struct job *j)
{
	struct slice helo = job_get(j, "client", "helo");
	struct slice ip = job_get(j, "client", "ip");
	struct slice name = job_get(j, "iprev", "name");

	if (ip.n == 0)
		return;
	sb_puts(sb, "from ");
	if (helo.n != 0)
		put_word(sb, helo);
	else
		put_literal(sb, ip);
	sb_puts(sb, " (");
	if (name.n != 0 && !slice_ieq(name, helo)) {
		put_word(sb, name);
		sb_putc(sb, ' ');
	}
	put_literal(sb, ip);
	sb_puts(sb, ")\r\n\t");
}

static void
put_received(struct strbuf *sb, const struct job *j, struct slice host,
    struct slice rcpt)
{
	struct slice local = job_get(j, "client", "local-ip");
	struct slice proto = job_get(j, "client", "proto");
	struct slice tls = job_get(j, "client", "tls");

	sb_puts(sb, "Received: ");
	put_from(sb, j);
	sb_puts(sb, "by ");
	put_word(sb, host);
	if (local.n != 0) {
		sb_puts(sb, " (");
		put_literal(sb, local);
		sb_putc(sb, ')');
	}
	if (proto.n != 0) {
		sb_puts(sb, " via tcp with ");
		put_word(sb, proto);
	}
	sb_printf(sb, " id %s", j->id);
	if (tls.n != 0) {
		sb_puts(sb, "\r\n\t(");
		put_word(sb, tls);
		sb_putc(sb, ' ');
		put_word(sb, job_get(j, "client", "cipher"));
		sb_putc(sb, ')');
	}
	sb_puts(sb, "\r\n\tfor <");
	put_clean(sb, rcpt);
	sb_puts(sb, ">; ");
	date_write(sb, j->time, 0);
	sb_puts(sb, "\r\n");
}

struct results {
	struct authres_result r[RESULTS_MAX];
	struct authres_prop p[RESULTS_MAX][PROPS_MAX];
	size_t count;
};

static struct authres_result *
result_add(struct results *rs, const struct tuple *t, const char *method)
{
	struct authres_result *r;

	if (rs->count == RESULTS_MAX)
		return NULL;
	r = &rs->r[rs->count];
	*r = (struct authres_result){
		.method = method,
		.result = tuple_value(t, "result"),
		.reason = tuple_value(t, "reason"),
		.props = rs->p[rs->count],
	};
	if (tuple_value(t, "dnssec").n != 0)
		r->comment = tuple_has(t, "dnssec", "yes") ?
		    S("with dnssec") : S("without dnssec");
	rs->count++;
	return r;
}

/* A property if the record has it; only while the result is being made. */
static void
prop_add(struct results *rs, struct authres_result *r, const char *name,
    struct slice value)
{
	if (r == NULL || value.n == 0 || r->count == PROPS_MAX)
		return;
	rs->p[r - rs->r][r->count++] = (struct authres_prop){ name, value };
}

static void
add_dkim(struct results *rs, const struct tuple *t, struct arena *ar)
{
	struct authres_result *r = result_add(rs, t, "dkim");
	struct slice bits = tuple_value(t, "bits");
	struct strbuf sb = STRBUF_INIT(200);

	if (r == NULL)
		return;
	if (bits.n != 0 && slice_starts(tuple_value(t, "alg"), S("rsa"))) {
		sb_printf(&sb, "%.*s bit rsa", SLICE_ARG(bits));
		if (r->comment.n != 0)
			sb_puts(&sb, ", ");
		sb_put(&sb, r->comment);
		r->comment = arena_copy(ar, sb_slice(&sb));
		sb_free(&sb);
	}
	prop_add(rs, r, "header.d", tuple_value(t, "domain"));
	prop_add(rs, r, "header.s", tuple_value(t, "selector"));
	prop_add(rs, r, "header.a", tuple_value(t, "alg"));
	prop_add(rs, r, "header.b", slice_sub(tuple_value(t, "b"), 0, 12));
	prop_add(rs, r, "header.i", tuple_value(t, "identity"));
}

static void
add_dmarc(struct results *rs, const struct tuple *t)
{
	struct authres_result *r = result_add(rs, t, "dmarc");

	prop_add(rs, r, "header.from", tuple_value(t, "domain"));
	prop_add(rs, r, "policy.dmarc", tuple_value(t, "disposition"));
}

/* A list of good senders (RFC 8904). */
static void
add_dnswl(struct results *rs, const struct tuple *t)
{
	static const struct {
		const char *ours;
		struct slice theirs;
	} words[] = {
		{ "listed", S("pass") }, { "clear", S("none") },
		{ "error", S("temperror") }, { "unhealthy", S("permerror") },
	};
	struct authres_result *r;
	size_t i = 0;

	while (i < COUNTOF(words) && !tuple_has(t, "result", words[i].ours))
		i++;
	if (i == COUNTOF(words) ||
	    (r = result_add(rs, t, "dnswl")) == NULL)
		return;
	r->result = words[i].theirs;
	r->comment = r->reason = SLICE_NONE;
	prop_add(rs, r, "dns.zone", tuple_value(t, "zone"));
	prop_add(rs, r, "policy.ip", tuple_value(t, "code"));
	if (tuple_has(t, "result", "listed"))
		prop_add(rs, r, "policy.txt", tuple_value(t, "reason"));
	prop_add(rs, r, "dns.sec", tuple_value(t, "dnssec"));
}

/* A mail of our own: who logged in to send it. */
static void
add_auth(struct results *rs, const struct tuple *t, const struct job *j)
{
	struct authres_result *r = result_add(rs, t, "auth");

	if (r == NULL)
		return;
	r->result = S("pass");
	prop_add(rs, r, "smtp.auth", tuple_value(t, "login"));
	prop_add(rs, r, "smtp.mailfrom", job_get(j, "from", "addr"));
}

static void
put_authres(struct strbuf *sb, const struct job *j, struct slice host)
{
	struct results *rs = arena_alloc(j->arena, sizeof(*rs));
	const struct tuple *t = NULL;
	unsigned n = 0;

	if ((t = job_find(j, "auth")) != NULL)
		add_auth(rs, t, j);
	if ((t = job_find(j, "iprev")) != NULL)
		prop_add(rs, result_add(rs, t, "iprev"), "policy.iprev",
		    tuple_value(t, "ip"));
	for (t = NULL; (t = job_next(j, "spf", t)) != NULL;)
		prop_add(rs, result_add(rs, t, "spf"),
		    tuple_has(t, "identity", "helo") ? "smtp.helo" :
		    "smtp.mailfrom", tuple_value(t, "domain"));
	if ((t = job_find(j, "dmarc")) != NULL)
		add_dmarc(rs, t);
	for (t = NULL; n < SIGNATURES_MAX &&
	    (t = job_next(j, "dkim", t)) != NULL; n++)
		add_dkim(rs, t, j->arena);
	for (t = NULL; (t = job_next(j, "dnsbl", t)) != NULL;)
		if (tuple_has(t, "kind", "allow"))
			add_dnswl(rs, t);
	authres_write(sb, host, rs->r, rs->count);
}

/* A field for each spf record, the latest on top (RFC 7208 section 9.1). */
static void
put_received_spf(struct strbuf *sb, const struct job *j, struct slice host)
{
	for (size_t i = j->count; i-- > 0;) {
		const struct tuple *t = &j->rec[i];
		const struct spf_received r = {
			.result = tuple_value(t, "result"),
			.identity = tuple_value(t, "identity"),
			.domain = tuple_value(t, "domain"),
			.mech = tuple_value(t, "mech"),
			.reason = tuple_value(t, "reason"),
			.ip = job_get(j, "client", "ip"),
			.helo = job_get(j, "client", "helo"),
			.from = job_get(j, "from", "addr"), .receiver = host,
		};

		if (tuple_is(t, "spf"))
			spf_received(sb, &r, "\r\n");
	}
}

void
head_write(struct strbuf *sb, struct conf *c, const struct job *j,
    struct slice host, struct slice rcpt)
{
	sb_puts(sb, "Delivered-To: ");
	put_clean(sb, rcpt);
	sb_puts(sb, "\r\nReturn-Path: <");
	put_clean(sb, job_get(j, "from", "addr"));
	sb_puts(sb, ">\r\n");
	put_authres(sb, j, host);
	if (slice_eqs(conf_host(c, "received-spf"), "yes"))
		put_received_spf(sb, j, host);
	put_received(sb, j, host, rcpt);
}
