/*
 * iplimit.h - how much one address, and the networks around it, may do
 *
 * An address counts in three classes: itself (IPv4 /32, IPv6 /64), its
 * neighbourhood (/26, /48) and its provider's block (/21, /32). The limits of
 * the second and third are three and nine times that of the first, so that
 * one host cannot use up what its neighbours may do, and a network full of
 * hosts is held too. The rate is counted in fixed windows of a minute.
 *
 * The table is bounded; when it is full of addresses that count, a new one is
 * refused, which only a flood from very many networks can bring about.
 */
#ifndef NET_IPLIMIT_H
#define NET_IPLIMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "addr/addr.h"

#define IPLIMIT_CLASSES 3

struct iplimit;

/* Limits for class 1: things open at a time, and new ones a minute. */
struct iplimit *iplimit_new(unsigned open, unsigned rate);
void iplimit_free(struct iplimit *l);

/*
 * Does one more fit? If so it is counted, and iplimit_leave() must follow
 * when it ends. `now' is seconds on any clock that does not go back.
 */
bool iplimit_enter(struct iplimit *l, const struct ip *ip, int64_t now);
void iplimit_leave(struct iplimit *l, const struct ip *ip);

#endif
