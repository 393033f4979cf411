/*
 * names.h - DNS types and statuses as words, and back
 */
#ifndef DNS_NAMES_H
#define DNS_NAMES_H

#include "dns/dns.h"

/* What dns_type_name() and dns_status_name() wrote: 0, or -1 if it is none of
 * those words. */
int dns_type_of(struct slice name, enum dns_type *t)
    __attribute__((warn_unused_result));
int dns_status_of(struct slice name, enum dns_status *s)
    __attribute__((warn_unused_result));

#endif
