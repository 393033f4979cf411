/*
 * dnsfake - a name server that does what a test tells it, also what is wrong
 * usage   dnsfake [-a] [-l log] zone
 * fd 1    "port N" once it listens on 127.0.0.1, UDP and TCP
 *
 * The zone is tuple lines:
 *	rr name=example.org type=MX ttl=300 value="10 mx.example.org"
 *	rr name=example.org type=TXT value=first value=second
 *	act name=example.org type=TXT do=servfail
 * `act' applies to all types without type=; name=* is each name, name=*.x each
 * below x. The first that fits counts. Where there is an rr too, only formerr,
 * tcclose, slow and wrong... count.
 *	timeout    no answer          servfail  refused
 *	bogus      SERVFAIL, EDE 6    formerr   if asked with EDNS, else rr
 *	wrongid    wrongname          answers that are not to be believed
 *	tcclose    TC by UDP, TCP closed without an answer
 *	raw        hex=BYTES answers=N: what follows the question
 *	slow       a second later; who asks next waits, too
 *	none       as if there were no act
 * -a sets AD. -l appends "TYPE name" for each question. CNAMEs are followed.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/die.h"
#include "base/file.h"
#include "base/tuple.h"
#include "dns/dns.h"
#include "dns/wire.h"

#define CHAIN 20 /* CNAMEs followed */

static struct tuple *zone;
static size_t zone_n;
static bool set_ad;
static FILE *query_log;

struct query {
	struct dns_question q;
	uint16_t id;
	size_t question_n; /* its bytes, from offset 12 */
	size_t size;       /* what the asker takes */
	bool edns, tcp;
};

static void
put16(struct strbuf *sb, unsigned v)
{
	sb_putc(sb, (unsigned char)(v >> 8));
	sb_putc(sb, (unsigned char)v);
}

static void
set16(struct strbuf *sb, size_t at, unsigned v)
{
	sb->p[at] = (unsigned char)(v >> 8);
	sb->p[at + 1] = (unsigned char)v;
}

static void
put_name(struct strbuf *sb, struct slice name)
{
	struct dns_question q;

	if (dns_question_init(&q, name.n > 0 ? name : S("."), DNS_A) == -1)
		die(EXIT_PERM, "bad name in zone: %.*s", SLICE_ARG(name));
	sb_put(sb, slice_of(q.name, q.n));
}

static unsigned
type_number(struct slice name)
{
	static const int types[] = { DNS_A, DNS_NS, DNS_CNAME, DNS_PTR, DNS_MX,
		DNS_TXT, DNS_AAAA, DNS_SRV, DNS_TLSA };
	uint64_t n;

	for (size_t i = 0; i < COUNTOF(types); i++)
		if (slice_ieqs(name, dns_type_name(types[i])))
			return (unsigned)types[i];
	return slice_u64(name, 65535, &n) == 0 ? (unsigned)n : 0;
}

static bool
is_name(struct slice text, const struct dns_question *q)
{
	struct dns_question own;
	bool below = slice_starts(text, S("*."));
	size_t at = 0;

	if (slice_eqs(text, "*"))
		return true;
	if (dns_question_init(&own, slice_skip(text, below ? 2 : 0), 0) == -1)
		return false;
	while (below && q->n - at > own.n)
		at += q->name[at] + 1u;
	return (at > 0 || !below) && q->n - at == own.n &&
	    memcmp(own.name, q->name + at, own.n) == 0;
}

/* The record or act of that name and type. NULL when there are no more. */
static const struct tuple *
find(const char *kind, const struct dns_question *q, unsigned type, size_t *at)
{
	for (; *at < zone_n; ++*at) {
		const struct tuple *t = &zone[*at];
		struct slice of = tuple_value(t, "type");

		if (!tuple_is(t, kind) ||
		    !is_name(tuple_value(t, "name"), q) ||
		    (of.n > 0 && type != 0 && type_number(of) != type))
			continue;
		++*at;
		return t;
	}
	return NULL;
}

static void
put_ip(struct strbuf *sb, int family, struct slice value)
{
	char text[64];
	unsigned char b[16];

	if (slice_cstr(value, text, sizeof(text)) == -1 ||
	    inet_pton(family, text, b) != 1)
		die(EXIT_PERM, "bad address in zone");
	sb_put(sb, slice_of(b, family == AF_INET ? 4 : 16));
}

static void
put_number(struct strbuf *sb, struct slice *value, bool wide)
{
	struct slice word;
	uint64_t n = 0;

	if (!slice_word(value, &word) || slice_u64(word, 65535, &n) == -1)
		die(EXIT_PERM, "number expected in zone");
	if (wide)
		sb_putc(sb, (unsigned char)(n >> 8));
	sb_putc(sb, (unsigned char)n);
}

static void
put_rdata(struct strbuf *sb, const struct tuple *t, unsigned type)
{
	struct slice value = tuple_value(t, "value");

	switch (type) {
	case DNS_A: put_ip(sb, AF_INET, value); break;
	case DNS_AAAA: put_ip(sb, AF_INET6, value); break;
	case DNS_TXT:
		for (size_t i = 0; i < t->count; i++) {
			struct slice s = t->attr[i].value;

			if (!slice_eqs(t->attr[i].name, "value"))
				continue;
			do {
				struct slice part = slice_sub(s, 0, 255);

				sb_putc(sb, (unsigned char)part.n);
				sb_put(sb, part);
				s = slice_skip(s, part.n);
			} while (s.n > 0);
		}
		break;
	case DNS_SRV:
		put_number(sb, &value, true);
		put_number(sb, &value, true);
		/* FALLTHROUGH */
	case DNS_MX:
		put_number(sb, &value, true);
		put_name(sb, slice_trim(value));
		break;
	case DNS_TLSA:
		for (int i = 0; i < 3; i++)
			put_number(sb, &value, false);
		if (sb_unhex(sb, slice_trim(value)) == -1)
			die(EXIT_PERM, "bad hex in zone");
		break;
	default: put_name(sb, value); break;
	}
}

static void
put_rr(struct strbuf *sb, const struct dns_question *owner,
    const struct tuple *t)
{
	unsigned type = type_number(tuple_value(t, "type"));
	uint64_t ttl = 300;
	size_t at;

	if (tuple_u64(t, "ttl", UINT32_MAX, &ttl) == -1)
		ttl = 300;
	sb_put(sb, slice_of(owner->name, owner->n));
	put16(sb, type);
	put16(sb, 1);
	put16(sb, (unsigned)(ttl >> 16));
	put16(sb, (unsigned)ttl & 0xffff);
	at = sb->n;
	put16(sb, 0);
	put_rdata(sb, t, type);
	set16(sb, at, (unsigned)(sb->n - at - 2));
}

/* The answer section, CNAMEs followed: its records, and the rcode. */
static unsigned
put_answers(struct strbuf *sb, const struct query *q, unsigned *rcode)
{
	struct dns_question owner = q->q;
	unsigned n = 0;
	const struct tuple *t;

	for (int i = 0; i < CHAIN; i++) {
		size_t at = 0;

		while ((t = find("rr", &owner, q->q.type, &at)) != NULL) {
			put_rr(sb, &owner, t);
			n++;
		}
		at = 0;
		if (q->q.type == DNS_CNAME ||
		    (t = find("rr", &owner, DNS_CNAME, &at)) == NULL)
			break;
		put_rr(sb, &owner, t);
		n++;
		if (dns_question_init(&owner, tuple_value(t, "value"), 0) == -1)
			break;
	}
	if (n == 0) {
		size_t at = 0;

		*rcode = find("rr", &owner, 0, &at) == NULL ?
		    DNS_R_NXDOMAIN : DNS_R_NOERROR;
	}
	return n;
}

static void
put_opt(struct strbuf *sb, int ede)
{
	sb_putc(sb, 0);
	put16(sb, 41);
	put16(sb, 4096);
	put16(sb, 0);
	put16(sb, 0);
	put16(sb, ede >= 0 ? 6 : 0);
	if (ede >= 0) {
		put16(sb, 15);
		put16(sb, 2);
		put16(sb, (unsigned)ede);
	}
}

/* The reply to packet, or nothing (sb empty). */
static void
reply(struct strbuf *sb, const struct query *q, struct slice packet)
{
	unsigned rcode = 0, n = 0, flags = 0x8180u | (set_ad ? 0x20u : 0);
	struct slice todo = SLICE_NONE;
	const struct tuple *act = NULL;
	size_t at = 0;
	int ede = -1;

	act = find("act", &q->q, q->q.type, &at);
	at = 0;
	/* Beside a record, only acts upon the way it is sent. */
	if (act != NULL && find("rr", &q->q, q->q.type, &at) != NULL &&
	    !slice_eqs(tuple_value(act, "do"), "formerr") &&
	    !slice_eqs(tuple_value(act, "do"), "tcclose") &&
	    !slice_eqs(tuple_value(act, "do"), "slow") &&
	    !slice_starts(tuple_value(act, "do"), S("wrong")))
		act = NULL;
	if (act != NULL)
		todo = tuple_value(act, "do");
	if (slice_eqs(todo, "timeout") ||
	    (slice_eqs(todo, "tcclose") && q->tcp))
		return;
	if (slice_eqs(todo, "slow"))
		poll(NULL, 0, 1000);
	put16(sb, slice_eqs(todo, "wrongid") ? q->id ^ 1u : q->id);
	sb_put(sb, slice_sub(packet, 2, 10 + q->question_n));
	if (slice_eqs(todo, "wrongname"))
		sb->p[13] ^= 1;
	set16(sb, 6, 0);
	set16(sb, 8, 0);
	set16(sb, 10, q->edns);
	if (slice_eqs(todo, "servfail") || slice_eqs(todo, "bogus"))
		rcode = DNS_R_SERVFAIL;
	else if (slice_eqs(todo, "refused"))
		rcode = DNS_R_REFUSED;
	else if (slice_eqs(todo, "formerr") && q->edns)
		rcode = DNS_R_FORMERR;
	else if (slice_eqs(todo, "raw")) {
		uint64_t count = 1;

		if (tuple_u64(act, "answers", 65535, &count) == -1 ||
		    sb_unhex(sb, tuple_value(act, "hex")) == -1)
			die(EXIT_PERM, "bad raw act");
		n = (unsigned)count;
	} else
		n = put_answers(sb, q, &rcode);
	if (slice_eqs(todo, "bogus"))
		ede = 6;
	set16(sb, 6, n);
	if (rcode == DNS_R_FORMERR) {
		set16(sb, 4, 0);
		set16(sb, 10, 0);
		sb_cut(sb, 12);
	} else if (q->edns)
		put_opt(sb, ede);
	if (!q->tcp && (sb->n > q->size || slice_eqs(todo, "tcclose"))) {
		flags |= 0x200;
		sb_cut(sb, 12 + q->question_n);
		set16(sb, 6, 0);
		set16(sb, 10, 0);
	}
	set16(sb, 2, flags | rcode);
}

static void
log_query(const struct query *q)
{
	if (query_log == NULL)
		return;
	fprintf(query_log, "%s ", dns_type_name((enum dns_type)q->q.type));
	for (size_t i = 0; q->q.name[i] != 0; i += q->q.name[i] + 1u)
		fprintf(query_log, "%.*s.", q->q.name[i],
		    (const char *)&q->q.name[i + 1]);
	fputc('\n', query_log);
	fflush(query_log);
}

static void
answer(struct strbuf *sb, struct slice packet, bool tcp)
{
	struct query q = { .tcp = tcp, .size = 512 };
	size_t at = 12;

	sb_reset(sb);
	if (packet.n < 17)
		return;
	q.id = (uint16_t)(packet.p[0] << 8 | packet.p[1]);
	while (at < packet.n && packet.p[at] != 0)
		at += packet.p[at] + 1u;
	if (packet.n < at + 5 || at + 1 - 12 > sizeof(q.q.name))
		return;
	q.q.n = at + 1 - 12;
	for (size_t i = 0; i < q.q.n; i++)
		q.q.name[i] = ascii_lower(packet.p[12 + i]);
	q.q.type = (uint16_t)(packet.p[at + 1] << 8 | packet.p[at + 2]);
	q.question_n = q.q.n + 4;
	q.edns = packet.p[11] == 1 && packet.n >= at + 5 + 11;
	if (q.edns)
		q.size = (size_t)packet.p[at + 8] << 8 | packet.p[at + 9];
	log_query(&q);
	reply(sb, &q, packet);
}

static void
serve_tcp(int fd, struct strbuf *out)
{
	struct timeval limit = { .tv_sec = 2 };
	unsigned char len[2], buf[65535];
	size_t n;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (read_full(fd, len, 2) == -1)
		return;
	n = (size_t)len[0] << 8 | len[1];
	if (read_full(fd, buf, n) == -1)
		return;
	answer(out, slice_of(buf, n), true);
	if (out->n == 0 || out->n > 65535)
		return;
	len[0] = (unsigned char)(out->n >> 8);
	len[1] = (unsigned char)out->n;
	if (write_all(fd, slice_of(len, 2)) == -1 ||
	    write_all(fd, sb_slice(out)) == -1)
		warn_sys("TCP");
}

/* The same free port for UDP and TCP. */
static unsigned
listen_both(int *udp, int *tcp)
{
	for (int i = 0; i < 100; i++) {
		struct sockaddr_in sa = { .sin_family = AF_INET };
		socklen_t n = sizeof(sa);

		sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		*udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		*tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (bind(*tcp, (struct sockaddr *)&sa, n) == 0 &&
		    getsockname(*tcp, (struct sockaddr *)&sa, &n) == 0 &&
		    listen(*tcp, 64) == 0 &&
		    bind(*udp, (struct sockaddr *)&sa, n) == 0)
			return ntohs(sa.sin_port);
		close(*udp);
		close(*tcp);
	}
	die_sys(EXIT_TEMP, "no port");
}

static void
read_zone(const char *path, struct arena *ar)
{
	static struct strbuf text = STRBUF_INIT((size_t)64 * 1024 * 1024);
	struct tuple_reader r;
	struct tuple t;
	int got;

	if (file_slurp(AT_FDCWD, path, &text) == -1)
		die_sys(EXIT_PERM, "unable to read %s", path);
	tuple_reader_init(&r, sb_slice(&text));
	while ((got = tuple_next(&r, ar, &t)) == 1) {
		if ((zone_n & (zone_n + 1)) == 0)
			zone = xrealloc(zone,
			    (zone_n * 2 + 2) * sizeof(*zone));
		zone[zone_n++] = t;
	}
	if (got == -1)
		die(EXIT_PERM, "%s: line %u: %s", path, r.error_line, r.error);
}

int
main(int argc, char **argv)
{
	struct strbuf out = STRBUF_INIT((size_t)128 * 1024);
	struct arena ar = { 0 };
	int ch, udp, tcp;

	prog_set(argv[0]);
	while ((ch = getopt(argc, argv, "al:")) != -1)
		switch (ch) {
		case 'a': set_ad = true; break;
		case 'l': query_log = fopen(optarg, "a"); break;
		default: return EXIT_PERM;
		}
	if (optind + 1 != argc)
		return EXIT_PERM;
	read_zone(argv[optind], &ar);
	signal(SIGPIPE, SIG_IGN); /* who has asked by TCP may be gone */
	printf("port %u\n", listen_both(&udp, &tcp));
	fflush(stdout);
	for (;;) {
		struct pollfd fds[2] = { { .fd = udp, .events = POLLIN },
			{ .fd = tcp, .events = POLLIN } };
		struct sockaddr_storage from;
		socklen_t from_n = sizeof(from);
		unsigned char buf[4096];
		ssize_t n;
		int fd;

		if (poll(fds, 2, -1) == -1 && errno != EINTR)
			return EXIT_TEMP;
		if (fds[0].revents != 0 && (n = recvfrom(udp, buf, sizeof(buf),
		    0, (struct sockaddr *)&from, &from_n)) > 0) {
			answer(&out, slice_of(buf, (size_t)n), false);
			if (out.n > 0 && sendto(udp, out.p, out.n, 0,
			    (struct sockaddr *)&from, from_n) == -1)
				warn_sys("sendto");
		}
		if (fds[1].revents != 0 && (fd = accept4(tcp, NULL, NULL,
		    SOCK_CLOEXEC)) != -1) {
			serve_tcp(fd, &out);
			close(fd);
		}
	}
}
