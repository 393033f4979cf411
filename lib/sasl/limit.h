/*
 * limit.h - failed logins by address, one count for all protocols
 *
 * An address counts in three classes: IPv4 /32 /26 /21, IPv6 /64 /48 /32. In
 * fixed windows of a minute and a day, the failures of a class may reach
 * 10/30/90 and 50/150/450. Memory is fixed: LOGIN_LIMIT_SETS sets of a few
 * counters; when a set is full its lowest count is forgotten.
 */
#ifndef SASL_LIMIT_H
#define SASL_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "addr/addr.h"

#define LOGIN_LIMIT_SETS 4096u

struct login_limit;

struct login_limit *login_limit_new(void);
void login_limit_free(struct login_limit *l);
/* May this address try? now: Unix seconds. */
bool login_limit_ok(struct login_limit *l, const struct ip *ip, int64_t now);
/* Count a failure: how many this address has in the running minute. */
unsigned login_limit_fail(struct login_limit *l, const struct ip *ip,
    int64_t now);
/* A success: the address's own count is taken back from all its classes. */
void login_limit_reset(struct login_limit *l, const struct ip *ip,
    int64_t now);

#endif
