/*
 * addr.h - mailbox addresses and domain names (RFC 5321, 6531, 5890)
 *
 * The one parser of addresses in pneu. Canonical forms: local part decoded
 * (no quotes), in NFC; domain as lower-case A-labels without a trailing dot,
 * or an address literal "[192.0.2.1]" / "[IPv6:2001:db8::1]".
 */
#ifndef ADDR_ADDR_H
#define ADDR_ADDR_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/slice.h"
#include "base/strbuf.h"

#define ADDR_LOCAL_MAX 128  /* octets, decoded; RFC 5321 says 64 */
#define ADDR_DOMAIN_MAX 255 /* octets, RFC 5321 section 4.5.3.1.2 */
/* Bytes of an address as given: quoting doubles, U-labels triple at most. */
#define ADDR_TEXT_MAX 1200

struct addr {
	struct slice local;  /* decoded */
	struct slice domain; /* canonical; empty only for bare postmaster */
	bool literal;        /* the domain is an address literal */
	bool utf8;           /* the local part has non-ASCII bytes, or the domain
	                        was given with U-labels: needs SMTPUTF8 */
};

enum addr_flags {
	ADDR_UTF8 = 1,       /* non-ASCII allowed (RFC 6531) */
	ADDR_POSTMASTER = 2, /* "postmaster" without a domain is allowed */
};

/*
 * "local@domain", nothing around it. 0 and *a (arena memory), or -1 with
 * errno: EINVAL syntax, E2BIG too long, EILSEQ non-ASCII without ADDR_UTF8.
 */
int addr_parse(struct slice text, unsigned flags, struct arena *ar,
    struct addr *a) __attribute__((warn_unused_result));
/* local@domain with the local part quoted where RFC 5321 needs it. */
void addr_format(struct strbuf *sb, const struct addr *a);
/* Same mailbox: local parts equal byte by byte, or ignoring ASCII case. */
bool addr_eq(const struct addr *a, const struct addr *b);
bool addr_ieq(const struct addr *a, const struct addr *b);

/* Any spelling to canonical: 0, or -1 (EINVAL). Underscores are accepted. */
int domain_ascii(struct slice text, struct arena *ar, struct slice *out)
    __attribute__((warn_unused_result));
/* Canonical to U-labels for people; what cannot be shown stays A-labels. */
struct slice domain_unicode(struct slice ascii, struct arena *ar);
/* Canonical domains: a equals b, or is below it. */
bool domain_under(struct slice a, struct slice b);

/* IP addresses as text ("192.0.2.1", "2001:db8::1"; v4-mapped becomes v4). */
struct ip {
	int family;          /* AF_INET or AF_INET6; 0 = none */
	unsigned char b[16]; /* 4 or 16 bytes, network order */
};

int ip_parse(struct slice text, struct ip *ip)
    __attribute__((warn_unused_result));
void ip_format(struct strbuf *sb, const struct ip *ip);
/* First `bits' bits equal, same family. */
bool ip_in(const struct ip *a, const struct ip *net, unsigned bits);

/* UTF-8 to NFC: 0 and *out (text itself, or arena memory), or -1 (EILSEQ). */
int nfc(struct slice text, struct arena *ar, struct slice *out)
    __attribute__((warn_unused_result));

#endif
