/*
 * dns.h - stub resolver over libresolv (RFC 1035, 6891)
 *
 * Queries go to the resolver of conf (host resolver=ADDR[:PORT]) or of
 * resolv.conf, by UDP with EDNS0 and AD, by TCP when truncated. An answer is
 * authentic only if the resolver set AD and is trusted: loopback, or
 * host trust-ad=yes. Names are absolute; no search list, no hosts file.
 * "localhost" and "invalid" and names below them are answered without asking
 * (RFC 6761 sections 6.3 and 6.4).
 */
#ifndef DNS_DNS_H
#define DNS_DNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr/addr.h"
#include "base/arena.h"
#include "base/slice.h"
#include "base/strbuf.h"
#include "base/tuple.h"

enum dns_type {
	DNS_A = 1, DNS_NS = 2, DNS_CNAME = 5, DNS_PTR = 12, DNS_MX = 15,
	DNS_TXT = 16, DNS_AAAA = 28, DNS_SRV = 33, DNS_TLSA = 52,
};

enum dns_status {
	DNS_OK,       /* at least one record */
	DNS_NXDOMAIN, /* the name does not exist */
	DNS_NODATA,   /* the name has no record of this type */
	DNS_TEMP,     /* SERVFAIL, time-out, refused, malformed */
	DNS_BOGUS,    /* SERVFAIL with an EDE that says DNSSEC failed */
	DNS_LIMIT,    /* the budget is used up */
	DNS_LARGE,    /* more than one answer may have of the budget */
	DNS_BADNAME,  /* not a domain name that can be asked for */
};

struct dns_rr {
	uint32_t ttl;
	uint16_t preference;  /* MX; SRV priority */
	uint16_t weight, port; /* SRV */
	/*
	 * CNAME, PTR, MX, NS, SRV: lower case, no last dot; "." becomes the
	 * empty slice. Records whose name has a label with a dot, backslash,
	 * blank, control or non-ASCII byte are left out.
	 */
	struct slice name;
	struct slice text;    /* TXT: strings joined; TLSA: rdata after the
	                         three octets */
	uint8_t usage, selector, matching; /* TLSA */
	struct ip ip;         /* A, AAAA */
};

struct dns_answer {
	enum dns_status status;
	bool authentic;
	uint32_t ttl;         /* least of the answer; of SOA if negative */
	struct slice canonical; /* name after CNAMEs; empty if the name asked for
	                           has a byte that no host name has, and unless
	                           the status is OK, NXDOMAIN or NODATA */
	unsigned cnames;
	struct dns_rr *rr;
	size_t count;
	const char *reason;   /* constant text when the status is not DNS_OK */
	int ede;              /* RFC 8914 info code, -1 if none */
};

/*
 * What one message may cause; shared by all its queries. Once a question was
 * refused for it, so are all that follow and were not answered before.
 */
struct dns_budget {
	unsigned queries;     /* left */
	int64_t deadline;     /* clock_ms() value */
	size_t bytes;         /* left of the lines of dns_note() */
	size_t most;          /* of them, for one question */
	const char *spent;    /* why there is no more; NULL = there is */
};

#define DNS_MESSAGE_QUERIES 100 /* of a program that people run */
#define DNS_MESSAGE_MS 20000
#define DNS_CNAME_MAX 16

#define DNS_SERVERS_MAX 8 /* more than anyone lists; bits of query.bad */

struct dns;

/* The ports of its servers, up to a 0. */
void dns_ports(const struct dns *d, uint16_t ports[DNS_SERVERS_MAX + 1]);

/*
 * servers: addresses "127.0.0.1:5353", "[::1]:53", "192.0.2.1"; count 0 =
 * those of resolv.conf. NULL with errno (EINVAL: bad address).
 */
struct dns *dns_open(const struct slice *servers, size_t count, bool trust_ad);
/* The same, servers in one text with commas or blanks between (conf: host
 * resolver=, option -s); empty = those of resolv.conf. */
struct dns *dns_open_list(struct slice servers, bool trust_ad);
void dns_close(struct dns *d);
void dns_budget_init(struct dns_budget *b, unsigned queries, int ms);

/*
 * One query; answers of one message are remembered until dns_forget(), so the
 * same question is asked once. An answer, also that there is no such name or
 * record, is kept after that for its TTL, but not over a minute; it counts as a
 * query all the same. The answer is arena memory. Never NULL.
 */
const struct dns_answer *dns_query(struct dns *d, struct dns_budget *b,
    struct slice name, enum dns_type type, struct arena *ar);
/* Start several queries at once; dns_query() then takes their answers. */
void dns_prefetch(struct dns *d, struct dns_budget *b, struct slice name,
    enum dns_type type);
void dns_forget(struct dns *d);

/*
 * From here to dns_forget() each question of dns_query() is noted with its
 * answer, as `dns' lines of job(5) with by=BY; what they take is taken off the
 * budget's bytes. Answers are memory of this arena, which must live as long,
 * and a question that comes again gets the answer that was noted.
 * dns_noted(): the lines so far.
 */
void dns_note(struct dns *d, const char *by, struct arena *ar);
struct slice dns_noted(const struct dns *d);

/*
 * A resolver that asks nobody. After dns_replay_load() and until dns_forget()
 * it knows the answers of those `dns' records that have by=BY; all else is
 * DNS_TEMP, "not in the case". dns_replay_load() gives 0, or -1 and the record
 * that is not one that dns_note() wrote.
 */
struct dns *dns_replay_open(void);
bool dns_replays(const struct dns *d);
int dns_replay_load(struct dns *d, const char *by, const struct tuple *rec,
    size_t count, struct arena *ar, const struct tuple **bad)
    __attribute__((warn_unused_result));

/* "4.3.2.1.in-addr.arpa" or the ip6.arpa form. */
void dns_reverse(struct strbuf *sb, const struct ip *ip);
const char *dns_type_name(enum dns_type t);
const char *dns_status_name(enum dns_status s);

#endif
