/*
 * budget.h - what one message may cause in the DNS, stage by stage
 *
 * All that a stranger's message, its client and the zones of both can make us
 * ask, in queries, milliseconds and bytes kept; the table is in stages(8). A
 * question that an earlier message of the last minute had answered counts, too;
 * a truncated answer is asked for once more by TCP, and a silent server up to
 * three times, which is not counted here.
 *
 *	iprev    the PTR query and ten names (RFC 8601 section 3 wants a limit;
 *	         ten as in RFC 7208 section 4.6.4), A or AAAA, all at once.
 *	spf      MAIL FROM, then HELO with what is left: two records, ten terms
 *	         each, two explanations, and a hundred hosts. RFC 7208 section
 *	         4.6.4 lets a record have ten mx terms with ten hosts each; with
 *	         less, such a sender would get a temperror whenever he tries. 20
 *	         seconds: the same section.
 *	dkim     one a signature, eight signatures; asked for at once. Each may
 *	         have an eighth of the bytes, so that the keys of a stranger do
 *	         not leave in doubt whether another signature is forged.
 *	dmarc    a tree walk has eight at most (RFC 9989 section 4.10). One for
 *	         From, one whether the domain exists, three for identities below
 *	         the same organisational domain; what walks share is asked once.
 *	dnsbl    one a list; asked for at once.
 *
 * A silent server is given up after 9.5 seconds (dns.c): a stage that asks for
 * everything at once needs no longer, one that asks twice in a row gets more.
 */
#ifndef DNS_BUDGET_H
#define DNS_BUDGET_H

#include <stddef.h>

/*
 * Bytes of `dns' lines a stage may add to the envelope. A check's answers have
 * a few KiB, the largest that TCP can carry has 64; 80 KiB times five stages
 * leaves more than half of the envelope's 1 MiB to the rest of it. An answer
 * that does not fit counts as not had (DNS_LIMIT), so that every verdict can be
 * had again from its case.
 */
#define DNS_STAGE_BYTES ((size_t)80 * 1024)

#define DNS_IPREV_NAMES 10

enum dns_stage { DNS_IPREV, DNS_SPF, DNS_DKIM, DNS_DMARC, DNS_DNSBL };
#define DNS_STAGES 5

struct dns_allowance {
	const char *by; /* the program */
	unsigned queries;
	int ms;
	size_t bytes;
	size_t most; /* of them for one question; above: DNS_LARGE */
};

extern const struct dns_allowance dns_allowance[DNS_STAGES];

#endif
