/*
 * wire.h - DNS messages as bytes (RFC 1035 section 4, RFC 6891, RFC 8914)
 *
 * For dns.c, its tests and its fuzz target. No I/O.
 */
#ifndef DNS_WIRE_H
#define DNS_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/slice.h"
#include "dns/dns.h"

#define DNS_NAME_MAX 255 /* octets of a name on the wire, section 2.3.4 */
/* Header, name, type, class and the OPT record. */
#define DNS_QUERY_MAX (12 + DNS_NAME_MAX + 4 + 11)
/* What fits one datagram without fragments (DNS flag day 2020). */
#define DNS_EDNS_SIZE 1232

enum dns_rcode {
	DNS_R_NOERROR = 0, DNS_R_FORMERR = 1, DNS_R_SERVFAIL = 2,
	DNS_R_NXDOMAIN = 3, DNS_R_NOTIMP = 4, DNS_R_REFUSED = 5,
	DNS_R_BADVERS = 16,
};

/* A question; the name in wire form, lower case, uncompressed. */
struct dns_question {
	unsigned char name[DNS_NAME_MAX];
	size_t n;
	uint16_t type;
};

/*
 * Name as text to a question: labels are taken byte by byte, without escapes;
 * one trailing dot is allowed and "." is the root. 0, or -1: empty or long
 * label, long name.
 */
int dns_question_init(struct dns_question *q, struct slice name,
    enum dns_type type) __attribute__((warn_unused_result));
bool dns_question_eq(const struct dns_question *a,
    const struct dns_question *b);

/* Write a query with RD and AD set, and OPT if edns: its length. */
size_t dns_wire_query(unsigned char buf[DNS_QUERY_MAX], uint16_t id,
    const struct dns_question *q, bool edns);

/* The packet is a response with this id to this question. */
bool dns_wire_matches(struct slice packet, uint16_t id,
    const struct dns_question *q);
/* Of a packet that matches: the TC flag; the response code without OPT. */
bool dns_wire_truncated(struct slice packet);
unsigned dns_wire_rcode(struct slice packet);

/*
 * Read a packet that matches into *a (arena memory). a->authentic is the AD
 * bit as it stands; the caller knows whether to believe it. 0, or -1 if the
 * packet is malformed: then *a is DNS_TEMP.
 */
int dns_wire_parse(struct slice packet, const struct dns_question *q,
    struct arena *ar, struct dns_answer *a) __attribute__((warn_unused_result));

#endif
