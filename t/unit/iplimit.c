/* Limits per address and network: classes, windows, a table that grows. */
#include "tap.h"

#include <sys/socket.h>

#include "net/iplimit.h"

/*
 * How many of n tries are let in, each from the next network: the bytes at
 * `at' and behind it count up.
 */
static unsigned
tries(struct iplimit *l, const char *text, unsigned at, unsigned n)
{
	struct ip ip;
	unsigned in = 0;

	if (ip_parse(slice_str(text), &ip) == -1)
		abort();
	for (unsigned i = 0; i < n; i++) {
		ip.b[at] = (unsigned char)(i >> 8);
		ip.b[at + 1] = (unsigned char)i;
		in += iplimit_enter(l, &ip, 0);
	}
	return in;
}

static unsigned
same(struct iplimit *l, const char *text, unsigned n, int64_t now, bool leave)
{
	struct ip ip;
	unsigned in = 0;

	if (ip_parse(slice_str(text), &ip) == -1)
		abort();
	for (unsigned i = 0; i < n; i++) {
		if (!iplimit_enter(l, &ip, now))
			continue;
		in++;
		if (leave)
			iplimit_leave(l, &ip);
	}
	return in;
}

int
main(void)
{
	struct iplimit *l = iplimit_new(30, 300);
	struct ip ip;

	plan(0);
	isnum(same(l, "192.0.2.1", 40, 0, false), 30, "open: one address");
	isnum(same(l, "192.0.2.2", 40, 0, false), 30, "its neighbour");
	isnum(same(l, "192.0.2.3", 40, 0, false), 30, "a third");
	isnum(same(l, "192.0.2.4", 40, 0, false), 0, "the /26 is full");
	isnum(same(l, "192.0.2.64", 40, 0, false), 30, "the next /26");
	if (ip_parse(S("192.0.2.1"), &ip) == -1)
		return 1;
	iplimit_leave(l, &ip);
	isnum(same(l, "192.0.2.4", 40, 0, false), 1, "one has left");
	isnum(same(l, "198.51.100.1", 400, 0, true), 300, "rate: one address");
	isnum(same(l, "198.51.100.1", 400, 59, true), 0, "the same minute");
	isnum(same(l, "198.51.100.1", 400, 60, true), 300, "the next");
	isnum(same(l, "192.0.2.3", 5, 60, false), 0,
	    "open ones outlive the window");
	iplimit_free(l);

	l = iplimit_new(30, 300);
	isnum(tries(l, "2001:db8:1:1::", 14, 100), 30, "a /64 is one");
	isnum(tries(l, "2001:db8:1::", 6, 100), 60,
	    "a /48 has three times as many");
	isnum(tries(l, "2001:db8::", 4, 300), 180,
	    "a /32 nine times");
	iplimit_free(l);

	l = iplimit_new(30, 300);
	isnum(tries(l, "10.0.0.1", 1, 60000), 60000,
	    "many networks: the table grows");
	isnum(tries(l, "10.0.0.1", 1, 60000), 60000, "and finds them");
	isnum(same(l, "10.0.0.1", 40, 0, false), 28, "and counts");
	isnum(same(l, "203.0.113.1", 1, 120, false), 1, "after the window");
	iplimit_free(l);
	iplimit_free(NULL);
	return done();
}
