#include "dns/budget.h"

const struct dns_allowance dns_allowance[DNS_STAGES] = {
	[DNS_IPREV] = { "iprev-check", 1 + DNS_IPREV_NAMES, 10000,
		DNS_STAGE_BYTES, DNS_STAGE_BYTES },
	[DNS_SPF] = { "spf-check", 2 * (1 + 10 + 1) + 10 * 10, 20000,
		DNS_STAGE_BYTES, DNS_STAGE_BYTES },
	[DNS_DKIM] = { "dkim-verify", 8, 10000, DNS_STAGE_BYTES,
		DNS_STAGE_BYTES / 8 },
	[DNS_DMARC] = { "dmarc-eval", 8 + 1 + 3 * 8, 15000,
		DNS_STAGE_BYTES, DNS_STAGE_BYTES },
	[DNS_DNSBL] = { "dnsbl-check", 20, 10000, DNS_STAGE_BYTES,
		DNS_STAGE_BYTES },
};
