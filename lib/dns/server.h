/*
 * server.h - which servers a resolver asks; for dns.c
 */
#ifndef DNS_SERVER_H
#define DNS_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "base/slice.h"
#include "dns/dns.h"

struct dns_server {
	struct sockaddr_storage sa;
	socklen_t sa_n;
	bool loopback;
	bool trusted; /* its AD bit counts */
};

/* "192.0.2.1", "192.0.2.1:53", "2001:db8::1", "[2001:db8::1]:53": 0, or -1. */
int dns_server_parse(struct slice text, bool trust_ad, struct dns_server *s)
    __attribute__((warn_unused_result));
/* Those of resolv.conf, or loopback if it names none: 0, or -1 with errno. */
int dns_servers_of_system(bool trust_ad,
    struct dns_server server[DNS_SERVERS_MAX], size_t *count)
    __attribute__((warn_unused_result));

#endif
