#include "dns/names.h"

#include <sys/socket.h>

#include "base/alloc.h"

void
dns_reverse(struct strbuf *sb, const struct ip *ip)
{
	static const char hex[] = "0123456789abcdef";

	if (ip->family == AF_INET) {
		sb_printf(sb, "%u.%u.%u.%u.in-addr.arpa", ip->b[3], ip->b[2],
		    ip->b[1], ip->b[0]);
		return;
	}
	for (int i = 15; i >= 0; i--) {
		sb_putc(sb, (unsigned char)hex[ip->b[i] & 15]);
		sb_putc(sb, '.');
		sb_putc(sb, (unsigned char)hex[ip->b[i] >> 4]);
		sb_putc(sb, '.');
	}
	sb_puts(sb, "ip6.arpa");
}

static const struct {
	enum dns_type type;
	const char *name;
} types[] = {
	{ DNS_A, "A" }, { DNS_NS, "NS" }, { DNS_CNAME, "CNAME" },
	{ DNS_PTR, "PTR" }, { DNS_MX, "MX" }, { DNS_TXT, "TXT" },
	{ DNS_AAAA, "AAAA" }, { DNS_SRV, "SRV" }, { DNS_TLSA, "TLSA" },
};

static const char *const statuses[] = {
	[DNS_OK] = "ok", [DNS_NXDOMAIN] = "nxdomain", [DNS_NODATA] = "nodata",
	[DNS_TEMP] = "temporary", [DNS_BOGUS] = "bogus", [DNS_LIMIT] = "limit",
	[DNS_LARGE] = "too-large", [DNS_BADNAME] = "bad-name",
};

const char *
dns_type_name(enum dns_type t)
{
	for (size_t i = 0; i < COUNTOF(types); i++)
		if (types[i].type == t)
			return types[i].name;
	return "unknown";
}

const char *
dns_status_name(enum dns_status s)
{
	return (size_t)s < COUNTOF(statuses) ? statuses[s] : "unknown";
}

int
dns_type_of(struct slice name, enum dns_type *t)
{
	for (size_t i = 0; i < COUNTOF(types); i++)
		if (slice_eqs(name, types[i].name)) {
			*t = types[i].type;
			return 0;
		}
	return -1;
}

int
dns_status_of(struct slice name, enum dns_status *s)
{
	for (size_t i = 0; i < COUNTOF(statuses); i++)
		if (slice_eqs(name, statuses[i])) {
			*s = (enum dns_status)i;
			return 0;
		}
	return -1;
}
