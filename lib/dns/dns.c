#include "dns/dns.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/rid.h"
#include "dns/wire.h"

#define RESOLV_CONF "/etc/resolv.conf"
#define RESOLV_CONF_MAX ((size_t)64 * 1024)
#define ROUNDS 3       /* times each server is asked */
#define TCP_MS 5000    /* connect, ask and read by TCP */
#define TCP_ANSWER_MAX ((size_t)2 + 65535) /* RFC 1035 section 4.2.2 */
#define DATAGRAM_MAX 4096 /* above what EDNS lets the server send */
#define FLIGHT_MAX 32  /* queries under way at once, a descriptor each */
/* Answers remembered, if a caller never calls dns_forget(). */
#define REMEMBER_MAX 512
/* Answers kept for the next message, at most for this time and no longer than
 * their TTL: a burst of mail is from few domains. Under 800 KiB in all. */
#define KEPT_SLOTS 256 /* a power of two */
#define KEPT_PACKET_MAX ((size_t)2048)
#define KEPT_SECONDS 60

/* Patience with a server, by round: 9.5 s in all for one that is silent. */
static const int round_ms[ROUNDS] = { 1500, 3000, 5000 };

struct server {
	struct sockaddr_storage sa;
	socklen_t sa_n;
	bool trusted;
};

/* A question under way (fd is not -1) or answered (done). */
struct query {
	struct query *next;
	struct dns_question q;
	uint16_t id;
	int fd;
	bool tcp, no_edns, done;
	unsigned attempt;  /* % count: server; / count: round */
	unsigned bad;      /* bit i: server i answered with a failure */
	int64_t until;     /* end of this attempt; if kept, of the answer */
	bool keep;
	unsigned char out[2 + DNS_QUERY_MAX]; /* by TCP */
	size_t out_n, out_at;
	struct strbuf in;  /* by TCP */
	/* When done: the packet, or if empty the status and reason. */
	struct strbuf packet;
	bool trusted;      /* the server that sent it */
	enum dns_status status;
	const char *reason;
};

struct dns {
	struct server server[DNS_SERVERS_MAX];
	size_t count;
	struct query *queries;
	size_t queries_n;
	struct query *kept[KEPT_SLOTS]; /* one for each hash of a question */
	struct arena scratch; /* for looking whether a packet is well formed */
};

static bool
is_loopback(const struct ip *ip)
{
	static const struct ip v4 = { AF_INET, { 127 } };
	static const struct ip v6 = { AF_INET6, { [15] = 1 } };

	return ip_in(ip, &v4, 8) || ip_in(ip, &v6, 128);
}

/* "192.0.2.1", "192.0.2.1:53", "2001:db8::1", "[2001:db8::1]:53". */
static int
server_parse(struct slice text, bool trust_ad, struct server *s)
{
	struct sockaddr_in *in4 = (struct sockaddr_in *)&s->sa;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&s->sa;
	struct slice host = text, port = SLICE_NONE;
	struct ip ip;
	uint64_t number = 53;
	ptrdiff_t colon = slice_rchr(text, ':');

	*s = (struct server){ 0 };
	if (slice_starts(text, S("["))) {
		ptrdiff_t end = slice_chr(text, ']');

		if (end == -1)
			return -1;
		host = slice_sub(text, 1, (size_t)end - 1);
		port = slice_skip(text, (size_t)end + 1);
		if (port.n > 0 && port.p[0] != ':')
			return -1;
		port = slice_skip(port, 1);
	} else if (colon != -1 && slice_chr(text, ':') == colon) {
		host = slice_sub(text, 0, (size_t)colon);
		port = slice_skip(text, (size_t)colon + 1);
	}
	if (ip_parse(host, &ip) == -1 || (port.n > 0 &&
	    (slice_u64(port, 65535, &number) == -1 || number == 0)))
		return -1;
	s->trusted = trust_ad || is_loopback(&ip);
	if (ip.family == AF_INET) {
		in4->sin_family = AF_INET;
		in4->sin_port = htons((uint16_t)number);
		memcpy(&in4->sin_addr, ip.b, 4);
		s->sa_n = sizeof(*in4);
	} else {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons((uint16_t)number);
		memcpy(&in6->sin6_addr, ip.b, 16);
		s->sa_n = sizeof(*in6);
	}
	return 0;
}

/* resolv.conf(5): nameserver lines and options trust-ad; what this program
 * does not know is skipped. Without any, the resolver is on loopback. */
static int
servers_of_system(struct dns *d, bool trust_ad)
{
	struct strbuf text = STRBUF_INIT(RESOLV_CONF_MAX);
	struct slice in, line, word;

	if (file_slurp(AT_FDCWD, RESOLV_CONF, &text) == -1 && errno != ENOENT) {
		sb_free(&text);
		return -1;
	}
	in = sb_slice(&text);
	while (slice_line(&in, &line) == 1)
		if (slice_word(&line, &word) && slice_eqs(word, "options"))
			while (slice_word(&line, &word))
				if (slice_eqs(word, "trust-ad"))
					trust_ad = true;
	in = sb_slice(&text);
	while (d->count < DNS_SERVERS_MAX && slice_line(&in, &line) == 1)
		if (slice_word(&line, &word) && slice_eqs(word, "nameserver") &&
		    slice_word(&line, &word) &&
		    server_parse(word, trust_ad, &d->server[d->count]) == 0)
			d->count++;
	sb_free(&text);
	if (d->count == 0)
		return server_parse(S("127.0.0.1"), trust_ad,
		    &d->server[d->count++]);
	return 0;
}

struct dns *
dns_open(const struct slice *servers, size_t count, bool trust_ad)
{
	struct dns *d = xcalloc(1, sizeof(*d));
	int e = EINVAL;

	if (count > DNS_SERVERS_MAX)
		goto fail;
	for (; d->count < count; d->count++)
		if (server_parse(servers[d->count], trust_ad,
		    &d->server[d->count]) == -1)
			goto fail;
	if (count == 0 && servers_of_system(d, trust_ad) == -1) {
		e = errno;
		goto fail;
	}
	return d;
fail:
	free(d);
	errno = e;
	return NULL;
}

struct dns *
dns_open_list(struct slice servers, bool trust_ad)
{
	struct slice list[DNS_SERVERS_MAX + 1], part, word;
	size_t count = 0;

	while (servers.n > 0) {
		slice_cut(&servers, ',', &part);
		while (count <= DNS_SERVERS_MAX && slice_word(&part, &word))
			list[count++] = word;
	}
	return dns_open(list, count, trust_ad);
}

static void
query_close(struct query *q)
{
	if (q->fd != -1)
		close(q->fd);
	q->fd = -1;
	sb_free(&q->in);
}

static void
query_free(struct query *q)
{
	query_close(q);
	sb_free(&q->packet);
	free(q);
}

/* Where in d->kept the answer to a question belongs. */
static struct query **
kept_slot(struct dns *d, const struct dns_question *q)
{
	uint32_t h = 2166136261u ^ q->type; /* FNV-1a */

	for (size_t i = 0; i < q->n; i++)
		h = (h ^ q->name[i]) * 16777619u;
	return &d->kept[(h ^ h >> 16) & (KEPT_SLOTS - 1)];
}

void
dns_forget(struct dns *d)
{
	struct query *q, **slot;

	while ((q = d->queries) != NULL) {
		d->queries = q->next;
		if (!q->keep) {
			query_free(q);
			continue;
		}
		slot = kept_slot(d, &q->q);
		if (*slot != NULL)
			query_free(*slot);
		*slot = q;
	}
	d->queries_n = 0;
}

void
dns_ports(const struct dns *d, uint16_t ports[DNS_SERVERS_MAX + 1])
{
	for (size_t i = 0; i < d->count; i++) {
		const struct sockaddr *sa =
		    (const struct sockaddr *)&d->server[i].sa;

		ports[i] = ntohs(sa->sa_family == AF_INET6 ?
		    ((const struct sockaddr_in6 *)sa)->sin6_port :
		    ((const struct sockaddr_in *)sa)->sin_port);
	}
	ports[d->count] = 0;
}

void
dns_close(struct dns *d)
{
	if (d == NULL)
		return;
	dns_forget(d);
	for (size_t i = 0; i < KEPT_SLOTS; i++)
		if (d->kept[i] != NULL)
			query_free(d->kept[i]);
	arena_free(&d->scratch);
	free(d);
}

void
dns_budget_init(struct dns_budget *b, unsigned queries, int ms)
{
	b->queries = queries;
	b->deadline = clock_ms() + ms;
}

static const struct server *
server_of(const struct dns *d, const struct query *q)
{
	return &d->server[q->attempt % d->count];
}

/* A connected, non-blocking socket: the kernel picks a random source port and
 * lets in what comes from that server only. */
static int
connected(const struct server *s, int type)
{
	int fd, e;

	fd = socket(s->sa.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return -1;
	if (connect(fd, (const struct sockaddr *)&s->sa, s->sa_n) == -1 &&
	    errno != EINPROGRESS) {
		e = errno;
		close(fd);
		errno = e;
		return -1;
	}
	return fd;
}

/* Ask the server whose turn it is: 0, or -1 if it cannot be reached. */
static int
attempt_start(struct dns *d, struct query *q, bool tcp)
{
	const struct server *s = server_of(d, q);
	size_t n;

	query_close(q);
	random_bytes(&q->id, sizeof(q->id));
	n = dns_wire_query(q->out + 2, q->id, &q->q, !q->no_edns);
	q->out[0] = (unsigned char)(n >> 8);
	q->out[1] = (unsigned char)n;
	q->out_n = n + 2;
	q->out_at = 0;
	q->tcp = tcp;
	sb_init(&q->in, TCP_ANSWER_MAX);
	q->until = clock_ms() +
	    (tcp ? TCP_MS : round_ms[q->attempt / d->count]);
	q->fd = connected(s, tcp ? SOCK_STREAM : SOCK_DGRAM);
	if (q->fd == -1)
		return -1;
	return tcp || send(q->fd, q->out + 2, n, MSG_NOSIGNAL) == (ssize_t)n ?
	    0 : -1;
}

static void
query_done(struct query *q, enum dns_status status, const char *reason)
{
	query_close(q);
	q->done = true;
	/* A server's own words about its failure say more than "time-out". */
	if (q->packet.n == 0) {
		q->status = status;
		q->reason = reason;
	}
}

/* From attempt q->attempt on, the first that can be started. */
static void
query_try(struct dns *d, struct query *q, const char *reason)
{
	for (; q->attempt < ROUNDS * d->count; q->attempt++) {
		if ((q->bad >> (q->attempt % d->count) & 1) != 0)
			continue;
		if (attempt_start(d, q, false) == 0)
			return;
		reason = "server unreachable";
	}
	query_done(q, DNS_TEMP, reason);
}

static void
query_next(struct dns *d, struct query *q, const char *reason)
{
	q->attempt++;
	query_try(d, q, reason);
}

/* The server answered that it cannot: do not ask it again. */
static void
query_bad(struct dns *d, struct query *q, struct slice packet)
{
	q->bad |= 1u << (q->attempt % d->count);
	q->trusted = false;
	sb_free(&q->packet);
	sb_init(&q->packet, TCP_ANSWER_MAX);
	sb_put(&q->packet, packet);
	query_next(d, q, NULL);
}

/* A packet came that answers the question. */
static void
query_answer(struct dns *d, struct query *q, struct slice packet)
{
	struct dns_answer a;
	int good;

	if (dns_wire_truncated(packet) && !q->tcp) {
		if (attempt_start(d, q, true) == -1)
			query_next(d, q, "TCP connection failed");
		return;
	}
	good = dns_wire_parse(packet, &q->q, &d->scratch, &a);
	arena_reset(&d->scratch);
	switch (dns_wire_rcode(packet)) {
	case DNS_R_NOERROR:
	case DNS_R_NXDOMAIN:
		if (good == 0)
			break;
		query_bad(d, q, packet);
		return;
	case DNS_R_FORMERR:
	case DNS_R_NOTIMP:
		/* An old server: once more without EDNS, RFC 6891 7. */
		if (!q->no_edns) {
			q->no_edns = true;
			query_try(d, q, NULL);
			return;
		}
		/* FALLTHROUGH */
	default:
		query_bad(d, q, packet);
		return;
	}
	sb_free(&q->packet);
	sb_init(&q->packet, TCP_ANSWER_MAX);
	sb_put(&q->packet, packet);
	q->trusted = server_of(d, q)->trusted;
	query_done(q, DNS_OK, NULL);
	q->keep = a.status == DNS_OK && a.ttl != 0 &&
	    packet.n <= KEPT_PACKET_MAX;
	q->until = clock_ms() + (int64_t)1000 *
	    (a.ttl < KEPT_SECONDS ? a.ttl : KEPT_SECONDS);
}

static void
udp_read(struct dns *d, struct query *q)
{
	unsigned char buf[DATAGRAM_MAX];
	ssize_t n = recv(q->fd, buf, sizeof(buf), MSG_DONTWAIT);
	struct slice packet;

	if (n == -1) {
		if (errno != EAGAIN && errno != EINTR)
			query_next(d, q, "server unreachable");
		return;
	}
	packet = slice_of(buf, (size_t)n);
	/* Anything else may be forged: wait on for the answer. */
	if (dns_wire_matches(packet, q->id, &q->q))
		query_answer(d, q, packet);
}

static void
tcp_read(struct dns *d, struct query *q)
{
	size_t want = q->in.n < 2 ? 2 :
	    2 + ((size_t)q->in.p[0] << 8 | q->in.p[1]);
	ssize_t n = sb_read(&q->in, q->fd, want - q->in.n);
	struct slice packet;
	struct strbuf in;

	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		query_next(d, q, "TCP connection lost");
		return;
	}
	if (q->in.n <= 2 ||
	    q->in.n < 2 + ((size_t)q->in.p[0] << 8 | q->in.p[1]))
		return;
	/* Kept apart, for the next attempt frees q->in. */
	in = q->in;
	sb_init(&q->in, TCP_ANSWER_MAX);
	packet = slice_skip(sb_slice(&in), 2);
	if (dns_wire_matches(packet, q->id, &q->q))
		query_answer(d, q, packet);
	else
		query_next(d, q, "malformed answer");
	sb_free(&in);
}

static void
tcp_write(struct dns *d, struct query *q)
{
	ssize_t n = send(q->fd, q->out + q->out_at, q->out_n - q->out_at,
	    MSG_NOSIGNAL);

	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n == -1)
		query_next(d, q, "TCP connection failed");
	else
		q->out_at += (size_t)n;
}

static short
query_wants(const struct query *q)
{
	return q->tcp && q->out_at < q->out_n ? POLLOUT : POLLIN;
}

/* Wait for any query under way, at most until the deadline, and go on with
 * each that can. */
static void
pump(struct dns *d, int64_t deadline)
{
	struct pollfd fds[FLIGHT_MAX];
	struct query *of[FLIGHT_MAX];
	size_t n = 0;
	int64_t left;

	for (struct query *q = d->queries; q != NULL; q = q->next) {
		if (q->done || n == FLIGHT_MAX)
			continue;
		if (q->until < deadline)
			deadline = q->until;
		fds[n] = (struct pollfd){ .fd = q->fd,
			.events = query_wants(q) };
		of[n++] = q;
	}
	left = clock_left(deadline);
	if (poll(fds, n, left > 60000 ? 60000 : (int)left) == -1)
		for (size_t i = 0; i < n; i++)
			fds[i].revents = 0;
	for (size_t i = 0; i < n; i++) {
		struct query *q = of[i];

		if (fds[i].revents == 0) {
			if (clock_left(q->until) == 0)
				query_next(d, q, "time-out");
		} else if (!q->tcp)
			udp_read(d, q);
		else if (q->out_at < q->out_n)
			tcp_write(d, q);
		else
			tcp_read(d, q);
	}
}

static struct query *
query_find(const struct dns *d, const struct dns_question *want)
{
	for (struct query *q = d->queries; q != NULL; q = q->next)
		if (dns_question_eq(&q->q, want))
			return q;
	return NULL;
}

static size_t
in_flight(const struct dns *d)
{
	size_t n = 0;

	for (const struct query *q = d->queries; q != NULL; q = q->next)
		n += !q->done;
	return n;
}

/* An answer kept of an earlier message, or a new query. */
static struct query *
query_make(struct dns *d, const struct dns_question *want)
{
	struct query **slot = kept_slot(d, want), *q = *slot;

	if (q != NULL && dns_question_eq(&q->q, want)) {
		*slot = NULL;
		if (clock_left(q->until) > 0)
			return q;
		query_free(q);
	}
	q = xcalloc(1, sizeof(*q));
	q->q = *want;
	q->fd = -1;
	return q;
}

/* A new query, or NULL and why not. Its cost is taken off the budget. */
static struct query *
query_new(struct dns *d, struct dns_budget *b, const struct dns_question *want,
    const char **why)
{
	struct query *q;

	*why = b->queries == 0 ? "too many queries" : "no time left";
	if (b->queries == 0 || clock_left(b->deadline) == 0)
		return NULL;
	if (d->queries_n >= REMEMBER_MAX)
		dns_forget(d);
	b->queries--;
	q = query_make(d, want);
	q->next = d->queries;
	d->queries = q;
	d->queries_n++;
	if (!q->done)
		query_try(d, q, NULL);
	return q;
}

static struct dns_answer *
no_answer(struct arena *ar, enum dns_status status, const char *reason)
{
	struct dns_answer *a = arena_alloc(ar, sizeof(*a));

	a->status = status;
	a->reason = reason;
	a->ede = -1;
	return a;
}

/* The top label of a name in wire form is this one. */
static bool
below_top(const struct dns_question *q, struct slice top)
{
	struct slice name = slice_of(q->name, q->n);

	while (name.n > 1 && name.p[0] + (size_t)2 < name.n)
		name = slice_skip(name, name.p[0] + (size_t)1);
	return name.n == top.n + 2 && slice_eq(slice_sub(name, 1, top.n), top);
}

/*
 * Names that mean the same everywhere are never asked for (RFC 6761 sections
 * 6.3 and 6.4), so that mail on one host needs no resolver: NULL or an answer.
 */
static const struct dns_answer *
special(const struct dns_question *q, struct slice name, struct arena *ar)
{
	bool v6 = q->type == DNS_AAAA;
	struct dns_answer *a;
	unsigned char *lower;

	if (below_top(q, S("invalid")))
		return no_answer(ar, DNS_NXDOMAIN, "no such name");
	if (!below_top(q, S("localhost")))
		return NULL;
	if (q->type != DNS_A && !v6)
		return no_answer(ar, DNS_NODATA, "no such record");
	a = no_answer(ar, DNS_OK, NULL);
	name.n -= name.p[name.n - 1] == '.';
	lower = arena_alloc(ar, name.n);
	for (size_t i = 0; i < name.n; i++)
		lower[i] = ascii_lower(name.p[i]);
	a->canonical = slice_of(lower, name.n);
	a->rr = arena_alloc(ar, sizeof(*a->rr));
	a->count = 1;
	if (ip_parse(v6 ? S("::1") : S("127.0.0.1"), &a->rr->ip) == -1)
		a->status = DNS_NODATA;
	return a;
}

const struct dns_answer *
dns_query(struct dns *d, struct dns_budget *b, struct slice name,
    enum dns_type type, struct arena *ar)
{
	struct dns_question want;
	const struct dns_answer *known;
	struct dns_answer *a;
	struct query *q;
	const char *why;

	if (dns_question_init(&want, name, type) == -1)
		return no_answer(ar, DNS_BADNAME, "not a domain name");
	if ((known = special(&want, name, ar)) != NULL)
		return known;
	q = query_find(d, &want);
	if (q == NULL && (q = query_new(d, b, &want, &why)) == NULL)
		return no_answer(ar, DNS_LIMIT, why);
	while (!q->done && clock_left(b->deadline) > 0)
		pump(d, b->deadline);
	if (!q->done)
		query_done(q, DNS_LIMIT, "no time left");
	if (q->packet.n == 0)
		return no_answer(ar, q->status, q->reason);
	a = arena_alloc(ar, sizeof(*a));
	/* A malformed packet has set *a to DNS_TEMP: that is the answer. */
	if (dns_wire_parse(sb_slice(&q->packet), &q->q, ar, a) == -1)
		return a;
	a->authentic = a->authentic && q->trusted;
	return a;
}

void
dns_prefetch(struct dns *d, struct dns_budget *b, struct slice name,
    enum dns_type type)
{
	struct dns_question want;
	const char *why;

	if (dns_question_init(&want, name, type) == 0 &&
	    !below_top(&want, S("localhost")) &&
	    !below_top(&want, S("invalid")) &&
	    query_find(d, &want) == NULL && in_flight(d) < FLIGHT_MAX)
		(void)query_new(d, b, &want, &why);
}

void
dns_reverse(struct strbuf *sb, const struct ip *ip)
{
	static const char hex[] = "0123456789abcdef";

	if (ip->family == AF_INET) {
		sb_printf(sb, "%u.%u.%u.%u.in-addr.arpa", ip->b[3], ip->b[2],
		    ip->b[1], ip->b[0]);
		return;
	}
	for (int i = 15; i >= 0; i--) {
		sb_putc(sb, (unsigned char)hex[ip->b[i] & 15]);
		sb_putc(sb, '.');
		sb_putc(sb, (unsigned char)hex[ip->b[i] >> 4]);
		sb_putc(sb, '.');
	}
	sb_puts(sb, "ip6.arpa");
}

const char *
dns_type_name(enum dns_type t)
{
	switch (t) {
	case DNS_A: return "A";
	case DNS_NS: return "NS";
	case DNS_CNAME: return "CNAME";
	case DNS_PTR: return "PTR";
	case DNS_MX: return "MX";
	case DNS_TXT: return "TXT";
	case DNS_AAAA: return "AAAA";
	case DNS_SRV: return "SRV";
	case DNS_TLSA: return "TLSA";
	}
	return "unknown";
}

const char *
dns_status_name(enum dns_status s)
{
	switch (s) {
	case DNS_OK: return "ok";
	case DNS_NXDOMAIN: return "nxdomain";
	case DNS_NODATA: return "nodata";
	case DNS_TEMP: return "temporary";
	case DNS_BOGUS: return "bogus";
	case DNS_LIMIT: return "limit";
	case DNS_BADNAME: return "bad-name";
	}
	return "unknown";
}
