#include "dmarc/report.h"

#include <string.h>

#include "base/tuple.h"
#include "dmarc/walk.h"

const char *
dmarc_consent_name(enum dmarc_consent c)
{
	static const char *const names[] = { [DMARC_CONSENT_OWN] = "unneeded",
		[DMARC_CONSENT_YES] = "yes", [DMARC_CONSENT_NO] = "no",
		[DMARC_CONSENT_UNKNOWN] = "unknown",
		[DMARC_CONSENT_BAD] = "unusable" };

	return names[c];
}

/* %XX decoded (RFC 3986 section 2.1): false if an escape is broken. */
static bool
unescape(struct strbuf *sb, struct slice s)
{
	for (size_t i = 0; i < s.n; i++) {
		int high, low;

		if (s.p[i] != '%') {
			sb_putc(sb, s.p[i]);
			continue;
		}
		if (i + 2 >= s.n || (high = ascii_hex(s.p[i + 1])) == -1 ||
		    (low = ascii_hex(s.p[i + 2])) == -1)
			return false;
		sb_putc(sb, (unsigned char)(high << 4 | low));
		i += 2;
	}
	return !sb->over;
}

/*
 * mailto:ADDRESS, one of them (RFC 6068). What stands behind "?", header
 * fields for the letter, is nothing that a stranger may set, and dropped.
 */
static bool
mailto(struct slice uri, struct arena *ar, struct dmarc_target *t)
{
	struct strbuf sb = STRBUF_INIT(ADDR_TEXT_MAX);
	struct slice to;
	struct addr a;
	bool good;

	if (!slice_istarts(uri, S("mailto:")))
		return false;
	uri = slice_skip(uri, strlen("mailto:"));
	slice_cut(&uri, '?', &to);
	good = unescape(&sb, to) &&
	    addr_parse(sb_slice(&sb), ADDR_UTF8, ar, &a) == 0 && !a.literal;
	if (good) {
		sb_reset(&sb);
		addr_format(&sb, &a);
		t->address = arena_copy(ar, sb_slice(&sb));
		t->host = a.domain;
	}
	sb_free(&sb);
	return good;
}

/* Every address of the list is at the host, and it has one. */
static bool
stays_at(struct slice list, struct slice host, struct arena *ar)
{
	struct dmarc_target t;
	struct slice uri;
	bool any = false;

	while (dmarc_uri_next(&list, &uri)) {
		if (!mailto(uri, ar, &t) || !slice_eq(t.host, host))
			return false;
		any = true;
	}
	return any;
}

static void
set(struct dmarc_target *t, enum dmarc_consent c, const char *reason)
{
	t->consent = c;
	t->reason = reason;
}

static void
judge(const struct dmarc_ask *ask, const char *tag,
    const struct dns_answer *a, struct dmarc_target *t)
{
	struct dmarc_record r, one = { 0 };
	struct slice list;
	size_t records = 0;

	for (size_t i = 0; i < a->count; i++)
		if (dmarc_record_parse(a->rr[i].text, &r) == 1) {
			one = r;
			records++;
		}
	if (records == 0) {
		set(t, DMARC_CONSENT_NO, "its host has published no consent");
		return;
	}
	set(t, DMARC_CONSENT_YES, NULL);
	list = strcmp(tag, "rua") == 0 ? one.rua : one.ruf;
	/* Several records consent, but none of them can say where to. */
	if (records > 1 || list.n == 0)
		return;
	if (stays_at(list, t->host, ask->arena))
		t->instead = list;
	else
		set(t, DMARC_CONSENT_NO, "the consent names an address at "
		    "another host");
}

static void
trace(const struct dmarc_ask *ask, const struct dns_answer *a,
    const struct dmarc_target *t)
{
	if (ask->trace == NULL)
		return;
	tuple_begin(ask->trace, "step");
	tuple_puts(ask->trace, "check", "dmarc-report");
	tuple_put(ask->trace, "name", t->name);
	tuple_puts(ask->trace, "status", dns_status_name(a->status));
	for (size_t i = 0; i < a->count; i++)
		tuple_put(ask->trace, "record", a->rr[i].text);
	tuple_puts(ask->trace, "note", t->reason != NULL ? t->reason :
	    "its host consents to have these reports");
	tuple_end(ask->trace);
}

static void
ask_host(const struct dmarc_ask *ask, struct slice policy_domain,
    const char *tag, struct dmarc_target *t)
{
	struct strbuf sb = STRBUF_INIT(1024);
	const struct dns_answer *a;

	sb_put(&sb, policy_domain);
	sb_puts(&sb, "._report._dmarc.");
	sb_put(&sb, t->host);
	t->name = arena_copy(ask->arena, sb_slice(&sb));
	sb_free(&sb);
	a = dns_query(ask->dns, ask->budget, t->name, DNS_TXT, ask->arena);
	if (dmarc_unknown(a))
		set(t, DMARC_CONSENT_UNKNOWN, a->reason);
	else if (a->status == DNS_BADNAME)
		set(t, DMARC_CONSENT_NO, "the name of its consent would be "
		    "too long");
	else
		judge(ask, tag, a, t);
	trace(ask, a, t);
}

void
dmarc_target(const struct dmarc_ask *ask, const struct dmarc_found *f,
    const char *tag, struct slice uri, struct dmarc_target *t)
{
	struct dmarc_ask quiet = *ask;
	struct slice own, org;
	const char *reason;

	*t = (struct dmarc_target){ 0 };
	quiet.trace = NULL;
	if (!mailto(uri, ask->arena, t))
		set(t, DMARC_CONSENT_BAD, "not a mailto: URI of one address");
	else if (slice_eq(t->host, f->policy_domain))
		t->consent = DMARC_CONSENT_OWN;
	else if (dmarc_org(&quiet, f->policy_domain, &own, &reason) == -1 ||
	    dmarc_org(&quiet, t->host, &org, &reason) == -1)
		set(t, DMARC_CONSENT_UNKNOWN, reason);
	else if (slice_eq(own, org))
		t->consent = DMARC_CONSENT_OWN;
	else
		ask_host(ask, f->policy_domain, tag, t);
}
