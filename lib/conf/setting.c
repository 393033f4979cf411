#include "conf/setting.h"

#include <inttypes.h>
#include <limits.h>

#include "addr/addr.h"
#include "base/alloc.h"
#include "dns/dnsxl.h"

/* A limit that only keeps nonsense out. */
#define MANY 1000000
#define DAY 86400
#define TEXT_MOST 1000
/* A directory entry of Linux has 255 bytes; leave room for suffixes. */
#define NAME_MOST 100
/* Bytes of a list of senders; a record has at most 256 KiB. */
#define SENDERS_MAX ((size_t)64 * 1024)
#define SERVICES "smtp|submission|submissions|imap|imaps"

const struct setting settings[] = {
	/* host: the instance */
	{ "host", "name", SET_DOMAIN, SET_REQUIRED, NULL, 0, 0, NULL,
	    "name of this host: greeting, Received, Authentication-Results" },
	{ "host", "postmaster", SET_NAME, 0, NULL, 0, 0, NULL,
	    "account that gets mail to postmaster" },
	{ "host", "resolver", SET_SERVER, SET_REPEAT, NULL, 0, 0, NULL,
	    "DNS resolver; those of resolv.conf if absent" },
	{ "host", "trust-ad", SET_BOOL, 0, "no", 0, 0, NULL,
	    "believe the resolver's AD bit although it is not on loopback" },
	{ "host", "max-message-size", SET_SIZE, 0, "100m", 1024,
	    (uint64_t)4 << 30, NULL, "largest message in either direction" },
	{ "host", "max-recipients", SET_NUMBER, 0, "1000", 1, MANY, NULL,
	    "recipients of one SMTP transaction" },
	{ "host", "max-connections-per-ip", SET_NUMBER, 0, "30", 1, MANY, NULL,
	    "open connections from one IPv4 address or IPv6 /64; thrice that "
	    "from its /26 or /48, nine times from its /21 or /32" },
	{ "host", "connection-rate", SET_NUMBER, 0, "300", 1, MANY, NULL,
	    "new connections a minute from one address, with the same factors" },
	{ "host", "smtp-processes", SET_NUMBER, 0, "500", 1, 10000, NULL,
	    "most smtp-serve processes" },
	{ "host", "imap-processes", SET_NUMBER, 0, "500", 1, 10000, NULL,
	    "most imap-login processes" },
	{ "host", "banner-delay", SET_TIME, 0, "0", 0, 60, NULL,
	    "wait before the SMTP greeting on port 25" },
	{ "host", "queue-retry", SET_TIME, 0, "5m", 1, DAY, NULL,
	    "wait after the first failed attempt; doubled after each" },
	{ "host", "queue-retry-most", SET_TIME, 0, "4h", 1, 7 * DAY, NULL,
	    "longest wait between attempts" },
	{ "host", "queue-lifetime", SET_TIME, 0, "5d", 1, 30 * DAY, NULL,
	    "give up and tell the sender after this time" },
	{ "host", "queue-warn", SET_TIME, 0, "4h", 0, 30 * DAY, NULL,
	    "tell the sender of a delay after this time; 0: never" },
	{ "host", "queue-processes", SET_NUMBER, 0, "50", 1, 1000, NULL,
	    "most deliveries to other hosts at a time" },
	{ "host", "queue-per-domain", SET_NUMBER, 0, "20", 1, 1000, NULL,
	    "most of them to one domain" },
	{ "host", "mx-port", SET_NUMBER, 0, "25", 1, 65535, NULL,
	    "port of other mail hosts; another only for tests" },
	{ "host", "quota", SET_SIZE, 0, "0", 0, UINT64_MAX >> 1, NULL,
	    "bytes of mail an account may keep; 0: no limit" },
	{ "host", "dmarc-temperror", SET_CHOICE, 0, "defer", 0, 0,
	    "defer|accept", "mail whose From cannot be judged because the DNS "
	    "does not answer" },
	{ "host", "dkim-subject", SET_CHOICE, 0, "required", 0, 0,
	    "required|optional", "whether a DKIM signature that leaves the "
	    "Subject unsigned may pass" },
	{ "host", "dmarc-org", SET_CHOICE, 0, "tree", 0, 0, "tree|psl",
	    "find organisations by the DNS tree walk or the public suffix "
	    "list" },
	{ "host", "received-spf", SET_BOOL, 0, "no", 0, 0, NULL,
	    "put Received-SPF fields in front of mail that is delivered" },
	{ "host", "dnsbl", SET_LIST, SET_REPEAT, NULL, 0, 0, NULL,
	    "list of bad addresses in the DNS that dnsbl-check asks" },
	{ "host", "dnswl", SET_LIST, SET_REPEAT, NULL, 0, 0, NULL,
	    "list of good addresses" },
	{ "host", "case-days", SET_NUMBER, 0, "14", 0, 3650, NULL,
	    "days for which the envelopes of judged messages are kept" },
	{ "host", "case-size", SET_SIZE, 0, "1g", 1024 * 1024, UINT64_MAX >> 1,
	    NULL, "bytes of them in all; the oldest hours go first" },
	/* listen: one for each service and address */
	{ "listen", "service", SET_CHOICE, SET_REQUIRED, NULL, 0, 0, SERVICES,
	    "what is spoken there" },
	{ "listen", "ip", SET_IP, SET_REQUIRED | SET_REPEAT, NULL, 0, 0, NULL,
	    "address; 0.0.0.0 and :: are all of a family" },
	{ "listen", "port", SET_NUMBER, 0, NULL, 1, 65535, NULL,
	    "port; the service's own if absent" },
	{ "listen", "name", SET_DOMAIN, 0, NULL, 0, 0, NULL,
	    "host name used there; that of host if absent" },
	{ "listen", "tls-tickets", SET_BOOL, 0, NULL, 0, 0, NULL,
	    "TLS session tickets; no for smtp, else yes, if absent" },
	{ "listen", "require-tls", SET_BOOL, 0, NULL, 0, 0, NULL,
	    "no mail or login without TLS; no for smtp, else yes, if absent" },
	{ "listen", "client-cert", SET_BOOL, 0, "no", 0, 0, NULL,
	    "ask for a client certificate in TLS; who has none goes on "
	    "without" },
	/* stage: a line of conf/pipeline/NAME, read by stages(8) itself */
	{ "stage", "name", SET_NAME, SET_REQUIRED, NULL, 0, 0, NULL,
	    "name for logs" },
	{ "stage", "command", SET_TEXT, SET_REQUIRED, NULL, 1, TEXT_MOST, NULL,
	    "program and arguments, by blanks" },
	{ "stage", "types", SET_TEXT, SET_REQUIRED, NULL, 1, TEXT_MOST, NULL,
	    "record types it may add, by commas" },
	{ "stage", "append", SET_NAME, 0, NULL, 0, 0, NULL,
	    "one of these types, to be kept in report/" },
	{ "stage", "kind", SET_CHOICE, 0, "worker", 0, 0, "worker|filter",
	    "resident worker, or a filter run for each message" },
	{ "stage", "max", SET_NUMBER, 0, "20", 1, 256, NULL,
	    "most processes" },
	{ "stage", "min", SET_NUMBER, 0, "0", 0, 256, NULL,
	    "processes kept when idle" },
	{ "stage", "idle", SET_NUMBER, 0, "30", 1, DAY, NULL,
	    "seconds after which a worker without work ends" },
	{ "stage", "time", SET_NUMBER, 0, "60", 1, 250, NULL,
	    "seconds for one message" },
	{ "stage", "memory", SET_NUMBER, 0, "0", 0, MANY, NULL,
	    "MiB of address space of a process; 0: no limit" },
	{ "stage", "fail", SET_CHOICE, 0, "temp", 0, 0, "temp|neutral",
	    "outcome when its time is used up" },
	{ "stage", "shadow", SET_BOOL, 0, "no", 0, 0, NULL,
	    "record its lines, do not use them" },
	{ "entry", "types", SET_TEXT, SET_REQUIRED, NULL, 1, TEXT_MOST, NULL,
	    "record types that a client may bring" },
	/* conf/domain/NAME */
	{ "domain", "name", SET_DOMAIN, SET_REQUIRED, NULL, 0, 0, NULL,
	    "the domain; also the file's name" },
	{ "domain", "separator", SET_TEXT, SET_REPEAT, NULL, 1, 8, NULL,
	    "what follows this in a local part is ignored" },
	{ "domain", "case-sensitive", SET_BOOL, 0, "no", 0, 0, NULL,
	    "local parts that differ in case are different" },
	{ "domain", "disabled", SET_BOOL, 0, "no", 0, 0, NULL,
	    "no mail in or out for now" },
	{ "domain", "description", SET_TEXT, 0, NULL, 0, TEXT_MOST, NULL,
	    "for people" },
	{ "dkim", "selector", SET_DOMAIN, SET_REQUIRED, NULL, 0, 0, NULL,
	    "DKIM selector" },
	{ "dkim", "key", SET_NAME, SET_REQUIRED, NULL, 0, 0, NULL,
	    "file in secret/dkim/ with the private key" },
	{ "dkim", "alg", SET_CHOICE, SET_REQUIRED, NULL, 0, 0,
	    "rsa-sha256|ed25519-sha256", "signature algorithm" },
	{ "dkim", "sign", SET_BOOL, 0, "yes", 0, 0, NULL,
	    "sign with it; no: only published" },
	{ "dkim", "canon", SET_CHOICE, 0, "relaxed/relaxed", 0, 0,
	    "relaxed/relaxed|relaxed/simple|simple/relaxed|simple/simple",
	    "canonical forms of header and body" },
	{ "dkim", "headers", SET_FIELDS, 0, "From,Sender,Reply-To,To,Cc,Bcc,"
	    "Subject,Date,Message-ID,In-Reply-To,References,MIME-Version,"
	    "Content-Type,Content-Transfer-Encoding,Content-Disposition,"
	    "Resent-Date,Resent-From,Resent-Sender,Resent-To,Resent-Cc,"
	    "Resent-Message-ID,List-Id,List-Help,List-Unsubscribe,"
	    "List-Unsubscribe-Post,List-Subscribe,List-Post,List-Owner,"
	    "List-Archive", 0, 0, NULL, "fields that are signed" },
	{ "dkim", "oversign", SET_FIELDS, 0, "yes", 0, 0, "yes|no",
	    "fields that no one may add; yes: all of headers but Sender, List-* "
	    "and Resent-*" },
	{ "dkim", "expire", SET_TIME, 0, "0", 0, 366 * DAY, NULL,
	    "lifetime of a signature; 0: it does not expire" },
	{ "dkim", "from", SET_SENDERS, 0, NULL, 0, 0, NULL,
	    "sign only mail from these; @*.domain: from domains below that have "
	    "no key of their own" },
	/* conf/account/NAME */
	{ "account", "name", SET_NAME, SET_REQUIRED, NULL, 0, 0, NULL,
	    "the account; also the file's name" },
	{ "account", "login", SET_TEXT, 0, NULL, 0, 256, NULL,
	    "if set, no login: the text that is shown instead" },
	{ "account", "quota", SET_SIZE, 0, NULL, 0, UINT64_MAX >> 1, NULL,
	    "bytes of mail; 0: no limit; that of host if absent" },
	{ "account", "uid", SET_NUMBER, 0, NULL, 1, UINT32_MAX - 1, NULL,
	    "system user whose local programs may submit as the account" },
	{ "account", "description", SET_TEXT, 0, NULL, 0, TEXT_MOST, NULL,
	    "for people" },
	{ "address", "addr", SET_ADDRESS, SET_REQUIRED, NULL, 0, 0, NULL,
	    "an address of the account" },
	{ "address", "mailbox", SET_MAILBOX, 0, "INBOX", 1, 255, NULL,
	    "mailbox that gets its mail" },
	{ "address", "error", SET_REFUSAL, 0, NULL, 0, 256, NULL,
	    "refuse mail to it: 550 or 421 and a text" },
	{ "catch-all", "addr", SET_CATCHALL, SET_REQUIRED, NULL, 0, 0, NULL,
	    "@domain: all its addresses that no one else has" },
	{ "catch-all", "mailbox", SET_MAILBOX, 0, "INBOX", 1, 255, NULL,
	    "mailbox that gets its mail" },
	/* conf/alias/NAME */
	{ "alias", "addr", SET_ADDRESS, SET_REQUIRED, NULL, 0, 0, NULL,
	    "address of the list" },
	{ "alias", "allow-from", SET_BOOL, 0, "no", 0, 0, NULL,
	    "members may write as the alias" },
	{ "member", "addr", SET_ADDRESS, SET_REQUIRED, NULL, 0, 0, NULL,
	    "address of an account here" },
};
const size_t settings_count = COUNTOF(settings);

const struct setting *
setting_find(struct slice record, struct slice attr)
{
	for (size_t i = 0; i < settings_count; i++)
		if (slice_eqs(record, settings[i].record) &&
		    slice_eqs(attr, settings[i].attr))
			return &settings[i];
	return NULL;
}

bool
setting_record(struct slice record)
{
	for (size_t i = 0; i < settings_count; i++)
		if (slice_eqs(record, settings[i].record))
			return true;
	return false;
}

const char *
setting_type_name(enum setting_type t)
{
	static const char *const names[] = {
		"text", "name", "yes|no", "number", "size", "time", "times",
		"choice", "domain", "address", "@domain", "ip", "server",
		"mailbox", "refusal", "fields", "senders", "list"
	};

	return names[t];
}

bool
setting_name_ok(struct slice name)
{
	if (name.n == 0 || name.n > NAME_MOST || name.p[0] == '.' ||
	    name.p[0] == '-' || name.p[name.n - 1] == '~')
		return false;
	for (size_t i = 0; i < name.n; i++)
		if (name.p[i] <= ' ' || name.p[i] == 0x7f || name.p[i] == '/')
			return false;
	return slice_is_utf8(name);
}

static bool
has_control(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < ' ' || s.p[i] == 0x7f)
			return true;
	return false;
}

static struct slice
number_text(uint64_t n, struct arena *ar)
{
	char buf[24];
	int len = snprintf(buf, sizeof(buf), "%" PRIu64, n);

	return arena_copy(ar, slice_of(buf, (size_t)len));
}

static const char *
in_range(const struct setting *s, uint64_t n, struct arena *ar,
    struct slice *out)
{
	if (n < s->least)
		return "too small";
	if (n > s->most)
		return "too large";
	*out = number_text(n, ar);
	return NULL;
}

/* Digits off the front: false if there are none or they overflow. */
static bool
take_number(struct slice *v, uint64_t *n)
{
	size_t len = 0;

	while (len < v->n && ascii_isdigit(v->p[len]))
		len++;
	if (slice_u64(slice_sub(*v, 0, len), UINT64_MAX, n) == -1)
		return false;
	*v = slice_skip(*v, len);
	return true;
}

static const char *
size_normal(const struct setting *s, struct slice v, struct arena *ar,
    struct slice *out)
{
	static const char units[] = "kmgt";
	const char *unit;
	uint64_t n, factor = 1;

	if (!take_number(&v, &n) || v.n > 1)
		return "not a size such as 512k, 100m or 2g";
	if (v.n == 1) {
		unit = strchr(units, ascii_lower(v.p[0]));
		if (unit == NULL || *unit == '\0')
			return "unit is none of k, m, g, t";
		factor = (uint64_t)1024 << 10 * (unit - units);
	}
	if (n > UINT64_MAX / factor)
		return "too large";
	return in_range(s, n * factor, ar, out);
}

/* 90, or numbers with d, h, m, s: false if it is neither. */
static bool
parse_time(struct slice v, uint64_t *sum)
{
	static const struct {
		unsigned char unit;
		unsigned seconds;
	} units[] = { { 'd', DAY }, { 'h', 3600 }, { 'm', 60 }, { 's', 1 } };
	size_t at = 0;
	uint64_t n;

	*sum = 0;
	if (slice_u64(v, UINT32_MAX, sum) == 0)
		return true;
	if (v.n == 0)
		return false;
	while (v.n != 0) {
		if (!take_number(&v, &n) || v.n == 0 || n > UINT32_MAX)
			return false;
		while (at < COUNTOF(units) && units[at].unit != v.p[0])
			at++;
		if (at == COUNTOF(units))
			return false;
		*sum += n * units[at++].seconds;
		v = slice_skip(v, 1);
	}
	return true;
}

static const char *
times_normal(const struct setting *s, struct slice v, struct arena *ar,
    struct slice *out)
{
	struct strbuf sb = STRBUF_INIT(4096);
	const char *error = NULL;
	struct slice one, text;
	uint64_t n;
	bool more;

	do {
		more = slice_cut(&v, ',', &one);
		if (!parse_time(one, &n))
			error = "not times such as 90 or 1h30m";
		else
			error = in_range(s, n, ar, &text);
		if (error == NULL) {
			sb_puts(&sb, sb.n != 0 ? "," : "");
			sb_put(&sb, text);
		}
	} while (error == NULL && more);
	if (error == NULL && sb.over)
		error = "too long";
	*out = arena_copy(ar, sb_slice(&sb));
	sb_free(&sb);
	return error;
}

static const char *
choice_normal(const struct setting *s, struct slice v)
{
	struct slice all = slice_str(s->choices), one;
	bool more;

	do {
		more = slice_cut(&all, '|', &one);
		if (slice_eq(one, v))
			return NULL;
	} while (more);
	return "not one of the choices (conf-check -l)";
}

static const char *
address_normal(struct slice v, struct arena *ar, struct slice *out)
{
	struct strbuf sb = STRBUF_INIT(1024);
	struct addr a;

	if (addr_parse(v, ADDR_UTF8, ar, &a) == -1)
		return "not an address";
	if (a.literal)
		return "an address literal has no accounts";
	addr_format(&sb, &a);
	*out = arena_copy(ar, sb_slice(&sb));
	sb_free(&sb);
	return NULL;
}

static const char *
catchall_normal(struct slice v, struct arena *ar, struct slice *out)
{
	struct strbuf sb = STRBUF_INIT(1024);
	struct slice domain;

	if (v.n == 0 || v.p[0] != '@' ||
	    domain_ascii(slice_skip(v, 1), ar, &domain) == -1)
		return "not @ and a domain";
	sb_putc(&sb, '@');
	sb_put(&sb, domain);
	*out = arena_copy(ar, sb_slice(&sb));
	sb_free(&sb);
	return NULL;
}

static const char *
ip_normal(struct slice v, struct arena *ar, struct slice *out)
{
	struct strbuf sb = STRBUF_INIT(64);
	struct ip ip;

	if (ip_parse(v, &ip) == -1)
		return "not an IP address";
	ip_format(&sb, &ip);
	*out = arena_copy(ar, sb_slice(&sb));
	sb_free(&sb);
	return NULL;
}

static const char *
server_check(struct slice v)
{
	static const char *const error =
	    "not an address such as 192.0.2.1, 192.0.2.1:53, [2001:db8::1]:53";
	struct slice host = v, port = S("53");
	ptrdiff_t colon = slice_rchr(v, ':');
	struct ip ip;
	uint64_t n;

	if (ip_parse(v, &ip) == 0)
		return NULL;
	if (v.n != 0 && v.p[v.n - 1] != ']' && colon != -1) {
		host = slice_sub(v, 0, (size_t)colon);
		port = slice_skip(v, (size_t)colon + 1);
	}
	if (host.n > 2 && host.p[0] == '[' && host.p[host.n - 1] == ']')
		host = slice_sub(host, 1, host.n - 2);
	if (ip_parse(host, &ip) == -1 || slice_u64(port, 65535, &n) == -1 ||
	    n == 0)
		return error;
	return NULL;
}

static const char *
refusal_check(const struct setting *s, struct slice v)
{
	if (v.n > s->most || !slice_is_print(v))
		return "not printable ASCII of at most 256 bytes";
	if ((!slice_starts(v, S("550")) && !slice_starts(v, S("421"))) ||
	    (v.n > 3 && v.p[3] != ' '))
		return "does not start with 550 or 421";
	return NULL;
}

/* Is the name among those that a signature must not cover? What is removed or
 * added on the way, and DKIM-Signature (RFC 6376 sections 3.5 and 5.4.1). */
static bool
is_trace(struct slice name)
{
	static const char *const names[] = { "Received", "Return-Path",
		"DKIM-Signature", "Authentication-Results" };

	for (size_t i = 0; i < COUNTOF(names); i++)
		if (slice_ieqs(name, names[i]))
			return true;
	return slice_ieq(slice_sub(name, 0, 4), S("ARC-"));
}

static const char *
field_check(struct slice name)
{
	if (name.n == 0 || name.n > NAME_MOST)
		return "not names of fields by commas";
	for (size_t i = 0; i < name.n; i++)
		if (name.p[i] <= ' ' || name.p[i] >= 0x7f ||
		    name.p[i] == ':' || name.p[i] == ';')
			return "not names of fields by commas";
	return is_trace(name) ? "Received, Return-Path, DKIM-Signature, "
	    "Authentication-Results and ARC-* change on the way" : NULL;
}

static bool
fields_have(struct slice list, struct slice name)
{
	struct slice one;
	bool more;

	do {
		more = slice_cut(&list, ',', &one);
		if (slice_ieq(one, name))
			return true;
	} while (more);
	return false;
}

static const char *
fields_check(const struct setting *s, struct slice v)
{
	const char *error;
	struct slice one;
	bool more;

	if (s->choices != NULL && choice_normal(s, v) == NULL)
		return NULL;
	if (v.n > TEXT_MOST)
		return "too long";
	do {
		more = slice_cut(&v, ',', &one);
		if ((error = field_check(one)) != NULL)
			return error;
		if (more && fields_have(v, one))
			return "a name given twice";
	} while (more);
	return NULL;
}

/* @*.domain */
static const char *
below_normal(struct slice v, struct arena *ar, struct slice *out)
{
	struct strbuf sb = STRBUF_INIT(1024);
	struct slice domain;

	if (domain_ascii(slice_skip(v, 3), ar, &domain) == -1 || domain.n == 0)
		return "not @*. and a domain";
	sb_puts(&sb, "@*.");
	sb_put(&sb, domain);
	*out = arena_copy(ar, sb_slice(&sb));
	sb_free(&sb);
	return NULL;
}

static const char *
senders_normal(struct slice v, struct arena *ar, struct slice *out)
{
	struct strbuf sb = STRBUF_INIT(SENDERS_MAX);
	const char *error = NULL;
	struct slice one, text;
	bool more;

	do {
		more = slice_cut(&v, ',', &one);
		if (slice_starts(one, S("@*.")))
			error = below_normal(one, ar, &text);
		else if (one.n != 0 && one.p[0] == '@')
			error = catchall_normal(one, ar, &text);
		else
			error = address_normal(one, ar, &text);
		if (error == NULL) {
			sb_puts(&sb, sb.n != 0 ? "," : "");
			sb_put(&sb, text);
		}
	} while (error == NULL && more);
	if (error == NULL && sb.over)
		error = "too long";
	*out = arena_copy(ar, sb_slice(&sb));
	sb_free(&sb);
	return error;
}

static const char *
list_normal(struct slice v, struct arena *ar, struct slice *out)
{
	struct strbuf sb = STRBUF_INIT(1024);
	struct dnsxl list;
	const char *wrong = dnsxl_parse(v, ar, &list);

	if (wrong == NULL) {
		dnsxl_format(&sb, &list);
		*out = arena_copy(ar, sb_slice(&sb));
	}
	sb_free(&sb);
	return wrong;
}

/* What mailbox_name() of lib/store takes; a slash at the end is dropped there. */
static const char *
mailbox_check(const struct setting *s, struct slice v)
{
	struct slice rest = v, part;
	bool more;

	if (v.n < s->least || v.n > s->most)
		return v.n == 0 ? "empty" : "too long";
	if (v.p[0] == '#' || has_control(v) || !slice_is_utf8(v))
		return "not a mailbox name";
	if (rest.n > 1 && rest.p[rest.n - 1] == '/')
		rest.n--;
	do {
		more = slice_cut(&rest, '/', &part);
		if (part.n == 0 || slice_eqs(part, ".") ||
		    slice_eqs(part, ".."))
			return "not a mailbox name: an empty part, . or ..";
	} while (more);
	return NULL;
}

const char *
setting_normal(const struct setting *s, struct slice v, struct arena *ar,
    struct slice *out)
{
	uint64_t n;

	*out = v;
	switch (s->type) {
	case SET_TEXT:
		if (v.n < s->least)
			return v.n == 0 ? "empty" : "too short";
		if (v.n > s->most)
			return "too long";
		return has_control(v) ? "has control bytes" : NULL;
	case SET_NAME:
		return setting_name_ok(v) ? NULL : "not a name for a file";
	case SET_BOOL:
		return slice_eqs(v, "yes") || slice_eqs(v, "no") ? NULL :
		    "neither yes nor no";
	case SET_NUMBER:
		return slice_u64(v, UINT64_MAX, &n) == -1 ? "not a number" :
		    in_range(s, n, ar, out);
	case SET_SIZE:
		return size_normal(s, v, ar, out);
	case SET_TIME:
		return !parse_time(v, &n) ? "not a time such as 90 or 1h30m" :
		    in_range(s, n, ar, out);
	case SET_TIMES:
		return times_normal(s, v, ar, out);
	case SET_CHOICE:
		return choice_normal(s, v);
	case SET_DOMAIN:
		return domain_ascii(v, ar, out) == -1 ? "not a domain name" :
		    NULL;
	case SET_ADDRESS:
		return address_normal(v, ar, out);
	case SET_CATCHALL:
		return catchall_normal(v, ar, out);
	case SET_IP:
		return ip_normal(v, ar, out);
	case SET_SERVER:
		return server_check(v);
	case SET_LIST:
		return list_normal(v, ar, out);
	case SET_MAILBOX:
		return mailbox_check(s, v);
	case SET_REFUSAL:
		return refusal_check(s, v);
	case SET_FIELDS:
		return fields_check(s, v);
	case SET_SENDERS:
		return senders_normal(v, ar, out);
	}
	return "of no known type";
}

struct slice
setting_default(const struct setting *s, struct arena *ar)
{
	struct slice out;

	if (s->initial == NULL ||
	    setting_normal(s, slice_str(s->initial), ar, &out) != NULL)
		return SLICE_NONE;
	return out;
}
