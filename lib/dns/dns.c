#include "dns/dns.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/fdpass.h"
#include "base/rid.h"
#include "dns/budget.h"
#include "dns/record.h"
#include "dns/server.h"
#include "dns/wire.h"

#define ROUNDS 3       /* times each server is asked */
#define TCP_MS 5000    /* connect, ask and read by TCP */
#define TCP_ANSWER_MAX ((size_t)2 + 65535) /* RFC 1035 section 4.2.2 */
#define DATAGRAM_MAX 4096 /* above what EDNS lets the server send */
#define FLIGHT_MAX 32  /* queries under way at once, a descriptor each */
#define SPARE_MAX 4    /* sockets kept to a server of this host */
/* Answers remembered, if a caller never calls dns_forget(). */
#define REMEMBER_MAX 512
/* Answers kept for the next message, at most for this time and no longer than
 * their TTL: a burst of mail is from few domains. Under 800 KiB in all. */
#define KEPT_SLOTS 256 /* a power of two */
#define KEPT_PACKET_MAX ((size_t)2048)
#define KEPT_SECONDS 60

/* Patience with a server, by round: 9.5 s in all for one that is silent. */
static const int round_ms[ROUNDS] = { 1500, 3000, 5000 };

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
	struct dns_server server[DNS_SERVERS_MAX];
	size_t count;
	struct query *queries;
	size_t queries_n;
	struct query *kept[KEPT_SLOTS]; /* one for each hash of a question */
	/* UDP sockets that wait for nothing, see spare_put(). */
	int spare[DNS_SERVERS_MAX][SPARE_MAX];
	size_t spares[DNS_SERVERS_MAX];
	struct arena scratch; /* for looking whether a packet is well formed */
	struct dns_notes notes;
	bool replay; /* what is not in the notes is not known */
};

struct dns *
dns_open(const struct slice *servers, size_t count, bool trust_ad)
{
	struct dns *d = xcalloc(1, sizeof(*d));
	int e = EINVAL;

	if (count > DNS_SERVERS_MAX)
		goto fail;
	for (; d->count < count; d->count++)
		if (dns_server_parse(servers[d->count], trust_ad,
		    &d->server[d->count]) == -1)
			goto fail;
	if (count == 0 &&
	    dns_servers_of_system(trust_ad, d->server, &d->count) == -1) {
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

static void
queries_end(struct dns *d)
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
dns_forget(struct dns *d)
{
	queries_end(d);
	dns_notes_reset(&d->notes);
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
	for (size_t i = 0; i < d->count; i++)
		fds_close(d->spare[i], d->spares[i]);
	arena_free(&d->scratch);
	sb_free(&d->notes.text);
	free(d);
}

void
dns_budget_init(struct dns_budget *b, unsigned queries, int ms)
{
	*b = (struct dns_budget){ .queries = queries,
		.deadline = clock_ms() + ms, .bytes = DNS_STAGE_BYTES,
		.most = DNS_STAGE_BYTES };
}

/*
 * A query has its answer: its socket may serve the next one. A port of its own
 * for each query is against forged answers from the network (RFC 5452 section
 * 9.2), and none from there has an address of loopback.
 */
static void
spare_put(struct dns *d, struct query *q)
{
	size_t i = q->attempt % d->count;

	if (q->tcp || !d->server[i].loopback || d->spares[i] == SPARE_MAX)
		return;
	d->spare[i][d->spares[i]++] = q->fd;
	q->fd = -1;
}

/* A connected, non-blocking socket: the kernel picks a random source port and
 * lets in what comes from that server only. */
static int
connected(const struct dns_server *s, int type)
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
	size_t n, server = q->attempt % d->count;

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
	if (!tcp && d->spares[server] > 0)
		q->fd = d->spare[server][--d->spares[server]];
	else
		q->fd = connected(&d->server[server],
		    tcp ? SOCK_STREAM : SOCK_DGRAM);
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
	q->trusted = d->server[q->attempt % d->count].trusted;
	spare_put(d, q);
	query_done(q, DNS_OK, NULL);
	/* That there is none has the TTL of the SOA, and 0 without (RFC 2308
	 * section 5); so has a failure. */
	q->keep = a.ttl != 0 && packet.n <= KEPT_PACKET_MAX;
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
		queries_end(d);
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

/* The budget is used up, now and from now on. */
static struct dns_answer *
refuse(struct dns_budget *b, const char *why, struct arena *ar)
{
	if (b->spent == NULL)
		b->spent = why;
	return no_answer(ar, DNS_LIMIT, b->spent);
}

/* Ask for it, or take what was asked for before. */
static struct dns_answer *
answer(struct dns *d, struct dns_budget *b, const struct dns_question *want,
    struct arena *ar)
{
	struct dns_answer *a;
	struct query *q = query_find(d, want);
	const char *why = NULL;

	if (b->spent != NULL ||
	    (q == NULL && (q = query_new(d, b, want, &why)) == NULL))
		return refuse(b, why, ar);
	while (!q->done && clock_left(b->deadline) > 0)
		pump(d, b->deadline);
	if (!q->done)
		query_done(q, DNS_LIMIT, "no time left");
	if (q->packet.n == 0)
		return q->status == DNS_LIMIT ? refuse(b, q->reason, ar) :
		    no_answer(ar, q->status, q->reason);
	a = arena_alloc(ar, sizeof(*a));
	/* A malformed packet has set *a to DNS_TEMP: that is the answer. */
	if (dns_wire_parse(sb_slice(&q->packet), &q->q, ar, a) == 0)
		a->authentic = a->authentic && q->trusted;
	return a;
}

/* The answer that was noted, or a new one, which is noted. */
static const struct dns_answer *
noted_answer(struct dns *d, struct dns_budget *b,
    const struct dns_question *want)
{
	struct dns_notes *n = &d->notes;
	const struct dns_answer *known = dns_notes_find(n, want);
	struct dns_answer *a;
	size_t room, most;

	if (known != NULL)
		return known;
	if (d->replay)
		return no_answer(n->ar, DNS_TEMP, "not in the case");
	a = answer(d, b, want, n->ar);
	if (a->status != DNS_LIMIT) {
		most = b->most < b->bytes ? b->most : b->bytes;
		room = dns_notes_add(n, want, a, false, most);
		/* Its own fault: what others ask is not refused for it. */
		if (room > b->most) {
			a = no_answer(n->ar, DNS_LARGE, "answer too large");
			room = dns_notes_add(n, want, a, false, b->bytes);
		}
		if (room <= b->bytes) {
			b->bytes -= room;
			return a;
		}
		a = refuse(b, "answers too large", n->ar);
	}
	(void)dns_notes_add(n, want, a, true, SIZE_MAX);
	return a;
}

const struct dns_answer *
dns_query(struct dns *d, struct dns_budget *b, struct slice name,
    enum dns_type type, struct arena *ar)
{
	struct dns_question want;
	const struct dns_answer *known;

	if (dns_question_init(&want, name, type) == -1)
		return no_answer(ar, DNS_BADNAME, "not a domain name");
	if ((known = special(&want, name, ar)) != NULL)
		return known;
	return d->notes.ar != NULL ? noted_answer(d, b, &want) :
	    answer(d, b, &want, ar);
}

void
dns_prefetch(struct dns *d, struct dns_budget *b, struct slice name,
    enum dns_type type)
{
	struct dns_question want;
	const char *why;

	if (!d->replay && b->spent == NULL &&
	    dns_question_init(&want, name, type) == 0 &&
	    !below_top(&want, S("localhost")) &&
	    !below_top(&want, S("invalid")) &&
	    query_find(d, &want) == NULL && in_flight(d) < FLIGHT_MAX)
		(void)query_new(d, b, &want, &why);
}

void
dns_note(struct dns *d, const char *by, struct arena *ar)
{
	dns_notes_reset(&d->notes);
	d->notes.by = by;
	d->notes.ar = ar;
}

struct slice
dns_noted(const struct dns *d)
{
	return sb_slice(&d->notes.text);
}

struct dns *
dns_replay_open(void)
{
	struct dns *d = xcalloc(1, sizeof(*d));

	d->replay = true;
	return d;
}

bool
dns_replays(const struct dns *d)
{
	return d->replay;
}

int
dns_replay_load(struct dns *d, const char *by, const struct tuple *rec,
    size_t count, struct arena *ar, const struct tuple **bad)
{
	dns_note(d, by, ar);
	for (size_t i = 0; i < count; i++) {
		*bad = &rec[i];
		if (tuple_is(&rec[i], "dns") && tuple_has(&rec[i], "by", by) &&
		    dns_notes_read(&d->notes, &rec[i]) == -1)
			return -1;
	}
	return 0;
}
