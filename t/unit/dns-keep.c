/* How long an answer is kept, and what is not kept. */
#include "dns/dns.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "tap.h"

/* That there is no such name, with a SOA of this TTL (0: without one). */
static size_t
put_negative(unsigned char *b, size_t end, unsigned char ttl)
{
	unsigned char soa[33] = { 0, 0, 6, 0, 1, 0, 0, 0, ttl, 0, 22 };

	b[3] = 0x83;
	b[7] = 0;
	if (ttl == 0)
		return end;
	b[9] = 1;
	soa[32] = ttl; /* MINIMUM */
	memcpy(b + end, soa, sizeof(soa));
	return end + sizeof(soa);
}

/*
 * A server whose answer to any A is 192.0.2.N, N counting up, so that an
 * answer that is asked for anew is another one. The first octet of the name
 * is the TTL in seconds; or p: then N is how often the port that is asked from
 * has changed so far; or n and the TTL of the SOA: there is no such name.
 */
static void
serve(int fd)
{
	unsigned char n = 0, ports = 0;
	in_port_t port = 0;

	for (;;) {
		unsigned char b[1500];
		struct sockaddr_in from;
		socklen_t from_n = sizeof(from);
		ssize_t got = recvfrom(fd, b, sizeof(b), 0,
		    (struct sockaddr *)&from, &from_n);
		size_t end = 12;
		unsigned char rr[16] = { 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4,
			192, 0, 2, 0 };

		if (got < 17)
			_exit(1);
		while (b[end] != 0)
			end += b[end] + 1u;
		end += 5;
		if (from.sin_port != port)
			ports++;
		port = from.sin_port;
		rr[9] = b[13] == 'p' ? 0 : (unsigned char)(b[13] - '0');
		rr[15] = b[13] == 'p' ? ports : n++;
		b[2] = 0x81;
		b[3] = 0x80;
		b[7] = 1;          /* one answer */
		b[9] = b[11] = 0;  /* no OPT */
		if (b[13] == 'n')
			end = put_negative(b, end, (unsigned char)(b[14] - '0'));
		else {
			memcpy(b + end, rr, sizeof(rr));
			end += sizeof(rr);
		}
		sendto(fd, b, end, 0, (struct sockaddr *)&from, from_n);
	}
}

static int
ask(struct dns *d, const char *name, unsigned queries)
{
	struct arena ar = { 0 };
	struct dns_budget b;
	const struct dns_answer *a;
	int r;

	dns_budget_init(&b, queries, 5000);
	a = dns_query(d, &b, slice_str(name), DNS_A, &ar);
	r = a->status != DNS_OK ? -1 : a->rr[0].ip.b[3];
	arena_free(&ar);
	return r;
}

/* How often the server is asked for a name in two messages. */
static int
times_asked(struct dns *d, const char *name)
{
	int before = ask(d, "0.before", 1), asked = 0;

	for (int i = 0; i < 2; i++) {
		dns_forget(d);
		asked += ask(d, name, 1) != -1; /* no such name: -1 */
	}
	return asked == 0 ? ask(d, "0.after", 1) - before - 1 : -1;
}

/* Until the server is asked again: true if that was before the time. */
static bool
changes(struct dns *d, const char *name, int old, int64_t ms)
{
	int64_t end = clock_ms() + ms;

	while (clock_left(end) > 0) {
		dns_forget(d);
		if (ask(d, name, 1) != old)
			return true;
		(void)poll(NULL, 0, 20);
	}
	return false;
}

int
main(void)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(sa);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), got;
	char server[32];
	struct dns *d;
	pid_t pid;

	plan(11);
	if (bind(fd, (struct sockaddr *)&sa, n) == -1 ||
	    getsockname(fd, (struct sockaddr *)&sa, &n) == -1)
		return 111;
	if ((pid = fork()) == 0)
		serve(fd);
	snprintf(server, sizeof(server), "127.0.0.1:%d", ntohs(sa.sin_port));
	d = dns_open_list(slice_str(server), false);

	got = ask(d, "9.test", 1);
	ok(got != -1, "an answer");
	ok(ask(d, "9.test", 1) == got, "remembered for the message");
	dns_forget(d);
	ok(ask(d, "9.test", 1) == got, "and kept after it");
	dns_forget(d);
	ok(ask(d, "9.test", 0) == -1, "but it counts as a query");
	got = ask(d, "0.test", 1);
	dns_forget(d);
	ok(ask(d, "0.test", 1) != got, "TTL 0: not kept");
	got = ask(d, "1.test", 1);
	dns_forget(d);
	ok(changes(d, "1.test", got, 10000), "the TTL ends");
	ok(ask(d, "9.test", 1) != -1, "another answer is still there");
	isnum(times_asked(d, "n9.test"), 1, "no such name: kept");
	isnum(times_asked(d, "n0.test"), 2, "without SOA: not kept");
	got = ask(d, "p1.test", 1);
	ok(ask(d, "p2.test", 1) == got, "a server of this host: one socket");
	dns_close(d);
	d = dns_open_list(slice_str(server), false);
	ok(ask(d, "p3.test", 1) == got + 1, "of its own for each resolver");
	dns_close(d);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(fd);
	return done();
}
