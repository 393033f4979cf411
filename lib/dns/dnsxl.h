/*
 * dnsxl.h - lists of addresses in the DNS (RFC 5782, 8904)
 *
 * What to ask a list for an address, and what its answer means. Asking is the
 * caller's.
 */
#ifndef DNS_DNSXL_H
#define DNS_DNSXL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr/addr.h"
#include "base/arena.h"
#include "base/slice.h"
#include "base/strbuf.h"
#include "dns/dns.h"

/* Lists that are asked for one message: a query each, one more for the text of
 * those that list the address (lib/dns/budget.h). */
#define DNSXL_LISTS_MAX 10
/* Ranges of codes of one list. */
#define DNSXL_CODES_MAX 16
/* Addresses of an answer that are told; more are counted. */
#define DNSXL_TOLD_MAX 8
/* Bytes of a list's text that are told. */
#define DNSXL_TEXT_MAX 300

/* A list, and which of its answers count: those from first to last, as numbers
 * in host order; without any, all. */
struct dnsxl {
	struct slice zone; /* lower-case A-labels */
	struct {
		uint32_t first, last;
	} code[DNSXL_CODES_MAX];
	size_t codes;
};

/*
 * "ZONE" or "ZONE/127.0.0.2,127.0.0.4-127.0.0.7": NULL and *list (arena
 * memory), or a constant text that says what is wrong.
 */
const char *dnsxl_parse(struct slice text, struct arena *ar,
    struct dnsxl *list);
/* The same text in one spelling. */
void dnsxl_format(struct strbuf *sb, const struct dnsxl *list);

/* Append the name to ask for: RFC 5782 sections 2.1 and 2.4. */
void dnsxl_name(struct strbuf *sb, const struct ip *ip, struct slice zone);

enum dnsxl_result {
	DNSXL_CLEAR,
	DNSXL_LISTED,
	DNSXL_ERROR,
};

struct dnsxl_answer {
	enum dnsxl_result result;
	/* The addresses of the answer, in order, by commas; arena memory. */
	struct slice codes;
	const char *reason; /* constant text; NULL where nothing is to be said */
	bool temporary;     /* DNSXL_ERROR: it may be better soon */
};

/*
 * What the answer to a query of type A means. Listed are 127.0.0.0/8 alone
 * (section 2.3), without 127.255.255.0/24, in which lists say that they do not
 * answer this asker. Whatever else is among the addresses makes the whole
 * answer an error: it is no list's, or not any more.
 */
void dnsxl_read(const struct dnsxl *list, const struct dns_answer *a,
    struct arena *ar, struct dnsxl_answer *out);

/* The texts of a TXT answer, at most DNSXL_TEXT_MAX bytes of them. */
struct slice dnsxl_text(const struct dns_answer *a, struct arena *ar);

/*
 * The entries that section 5 demands of a list: number 1 must not be there,
 * number 2 must. 127.0.0.N, or ::ffff:7f00:N as an IPv6 address.
 */
struct ip dnsxl_test_ip(int family, unsigned number);

#endif
