/*
 * resolver.h - the resolver that a program asks
 */
#ifndef CONF_RESOLVER_H
#define CONF_RESOLVER_H

#include "conf/conf.h"
#include "dns/dns.h"

/*
 * Option -s of a program if given ("192.0.2.1,[::1]:5353"), else host
 * resolver= and trust-ad= of the instance if it has a configuration, else
 * resolv.conf. NULL with errno: EINVAL, a server is not an address.
 */
struct dns *resolver_open(const char *servers, const char *root);
/* resolver= and trust-ad= of an open configuration, else resolv.conf. */
struct dns *resolver_of(struct conf *c);

#endif
