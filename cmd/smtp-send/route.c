/*
 * From a domain to the addresses of its mail hosts (RFC 5321 section 5.1,
 * RFC 7505).
 */
#include "smtp-send.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/rid.h"


struct host {
	struct slice name;
	unsigned preference;
	uint32_t random; /* order among equals */
};

static int
by_preference(const void *a, const void *b)
{
	const struct host *x = a, *y = b;

	if (x->preference != y->preference)
		return x->preference < y->preference ? -1 : 1;
	return x->random < y->random ? -1 : x->random > y->random;
}

static uint32_t
random_u32(void)
{
	uint32_t r;

	random_bytes(&r, sizeof(r));
	return r;
}

/* "[192.0.2.1]", "[IPv6:2001:db8::1]". */
static int
literal(struct slice domain, struct route *r, struct failure *f)
{
	struct slice text = slice_sub(domain, 1, domain.n - 2);
	struct target *t = &r->target[0];

	if (slice_istarts(text, S("IPv6:")))
		text = slice_skip(text, 5);
	if (domain.p[domain.n - 1] != ']' || ip_parse(text, &t->ip) == -1 ||
	    slice_cstr(domain, t->host, sizeof(t->host)) == -1) {
		failure_set(f, true, "5.1.2", "not an address literal");
		return -1;
	}
	r->count = 1;
	return 0;
}

/*
 * The hosts of the MX answer in order: their number, 0 for none (the domain
 * itself is meant), or -1 with *f.
 */
static int
mx_hosts(const struct sender *s, const struct dns_answer *a, struct host *host,
    struct arena *ar, struct failure *f)
{
	struct host *all;
	size_t n = 0;

	if (a->count == 1 && a->rr[0].name.n == 0) {
		failure_set(f, true, "5.1.10",
		    "the domain accepts no mail (null MX)");
		return -1;
	}
	all = arena_alloc(ar, size_mul(a->count, sizeof(*all)));
	for (size_t i = 0; i < a->count; i++)
		if (a->rr[i].name.n != 0)
			all[n++] = (struct host){ a->rr[i].name,
				a->rr[i].preference, random_u32() };
	qsort(all, n, sizeof(*all), by_preference);
	/* Section 5.1: only hosts preferred to ourselves, or mail would run
	 * in a circle. */
	for (size_t i = 0; i < n; i++) {
		if (!slice_ieqs(all[i].name, s->name))
			continue;
		while (i > 0 && all[i - 1].preference == all[i].preference)
			i--;
		n = i;
		if (n == 0) {
			failure_set(f, true, "5.4.6", "this host is the best "
			    "MX of a domain that is not configured here");
			return -1;
		}
	}
	if (n > HOSTS_MAX)
		n = HOSTS_MAX;
	if (n != 0)
		memcpy(host, all, n * sizeof(*all));
	return (int)n;
}

static int
lookup_mx(const struct sender *s, struct dns_budget *b, struct slice domain,
    struct host *host, struct arena *ar, struct failure *f)
{
	const struct dns_answer *a = dns_query(s->dns, b, domain, DNS_MX, ar);
	int n = 0;

	switch (a->status) {
	case DNS_OK:
		n = mx_hosts(s, a, host, ar, f);
		break;
	case DNS_NODATA:
		break;
	case DNS_NXDOMAIN:
		failure_set(f, true, "5.1.2", "the domain does not exist");
		return -1;
	case DNS_BADNAME:
		failure_set(f, true, "5.1.2", "not a domain name");
		return -1;
	default:
		failure_set(f, false, "4.4.3", "MX lookup: %s", a->reason);
		return -1;
	}
	if (n == 0) { /* the implicit MX */
		host[0] = (struct host){ .name = domain };
		n = 1;
	}
	return n;
}

static void
shuffle(struct ip *ip, size_t n)
{
	for (size_t i = n; i > 1; i--) {
		size_t j = random_u32() % i;
		struct ip t = ip[i - 1];

		ip[i - 1] = ip[j];
		ip[j] = t;
	}
}

/* Addresses of one family: true unless the answer may be another tomorrow. */
static bool
addresses(const struct dns_answer *a, struct ip *ip, size_t *n)
{
	*n = 0;
	if (a->status != DNS_OK)
		return a->status == DNS_NXDOMAIN || a->status == DNS_NODATA ||
		    a->status == DNS_BADNAME;
	for (size_t i = 0; i < a->count && *n < ADDRESSES_MAX; i++)
		ip[(*n)++] = a->rr[i].ip;
	shuffle(ip, *n);
	return true;
}

/* Add a host's addresses, the families in turn: true if all were known. */
static bool
add_host(const struct sender *s, struct dns_budget *b, const struct host *h,
    unsigned level, struct arena *ar, struct route *r)
{
	struct ip six[ADDRESSES_MAX], four[ADDRESSES_MAX];
	size_t sixes, fours;
	bool sure;

	dns_prefetch(s->dns, b, h->name, DNS_AAAA);
	dns_prefetch(s->dns, b, h->name, DNS_A);
	sure = addresses(dns_query(s->dns, b, h->name, DNS_AAAA, ar), six,
	    &sixes);
	sure &= addresses(dns_query(s->dns, b, h->name, DNS_A, ar), four,
	    &fours);
	for (size_t i = 0; i < sixes || i < fours; i++)
		for (int family = 0; family < 2; family++) {
			const struct ip *ip = family == 0 ? six : four;
			struct target *t = &r->target[r->count];

			if (i >= (family == 0 ? sixes : fours) ||
			    r->count == TARGETS_MAX)
				continue;
			t->ip = ip[i];
			t->level = level;
			if (slice_cstr(h->name, t->host, sizeof(t->host)) == 0)
				r->count++;
		}
	return sure;
}

int
route_find(const struct sender *s, struct slice domain, struct arena *ar,
    struct route *r, struct failure *f)
{
	struct host host[HOSTS_MAX];
	struct dns_budget b;
	bool sure = true;
	int n;

	*r = (struct route){ 0 };
	f->host[0] = f->ip[0] = f->tls[0] = '\0';
	if (domain.n > 2 && domain.p[0] == '[')
		return literal(domain, r, f);
	dns_budget_init(&b, ROUTE_QUERIES, ROUTE_MS);
	dns_forget(s->dns);
	n = lookup_mx(s, &b, domain, host, ar, f);
	for (int i = 0; i < n && r->count < TARGETS_MAX; i++)
		sure &= add_host(s, &b, &host[i], host[i].preference, ar, r);
	dns_forget(s->dns);
	if (n == -1)
		return -1;
	if (r->count != 0)
		return 0;
	if (sure)
		failure_set(f, true, "5.4.4",
		    "no mail host of the domain has an address");
	else
		failure_set(f, false, "4.4.3",
		    "the addresses of the mail hosts could not be looked up");
	return -1;
}
