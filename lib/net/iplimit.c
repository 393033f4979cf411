#include "net/iplimit.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "base/rid.h"

#define WINDOW 60 /* seconds */
#define TABLE_MIN 64u
#define TABLE_MAX (1u << 19) /* 20 MiB; three entries an address */

static const unsigned bits4[IPLIMIT_CLASSES] = { 32, 26, 21 };
static const unsigned bits6[IPLIMIT_CLASSES] = { 64, 48, 32 };
static const unsigned factor[IPLIMIT_CLASSES] = { 1, 3, 9 };

/* The network in its first 8 bytes (no class needs more), and the class. */
struct key {
	unsigned char net[8];
	unsigned char class, family;
};

struct entry {
	struct key key;
	bool used;
	uint32_t open;
	uint32_t count; /* in window */
	int64_t window;
};

struct iplimit {
	unsigned open, rate;
	struct entry *table;
	size_t size, used; /* size is a power of two */
	int64_t window;
	uint64_t seed; /* so that nobody can choose colliding addresses */
};

struct iplimit *
iplimit_new(unsigned open, unsigned rate)
{
	struct iplimit *l = xcalloc(1, sizeof(*l));

	l->open = open;
	l->rate = rate;
	l->size = TABLE_MIN;
	l->table = xcalloc(l->size, sizeof(*l->table));
	random_bytes(&l->seed, sizeof(l->seed));
	return l;
}

void
iplimit_free(struct iplimit *l)
{
	if (l == NULL)
		return;
	free(l->table);
	free(l);
}

static struct key
make_key(const struct ip *ip, unsigned class)
{
	bool six = ip->family == AF_INET6;
	unsigned bits = six ? bits6[class] : bits4[class];
	struct key k = { .class = (unsigned char)class, .family = six };

	memcpy(k.net, ip->b, six ? 8 : 4);
	for (unsigned i = 0; i < sizeof(k.net); i++) {
		unsigned keep = bits > i * 8 ? bits - i * 8 : 0;

		if (keep < 8)
			k.net[i] &= (unsigned char)(0xff00 >> keep);
	}
	return k;
}

static size_t
hash(const struct iplimit *l, const struct key *k)
{
	uint64_t n, h = l->seed;

	memcpy(&n, k->net, sizeof(n));
	h = (h ^ n) * UINT64_C(0x9e3779b97f4a7c15);
	h ^= h >> 29;
	h = (h ^ (uint64_t)k->class << 8 ^ k->family) *
	    UINT64_C(0xbf58476d1ce4e5b9);
	return (size_t)(h ^ h >> 32);
}

/* The key's entry, or the free one where it would stand. */
static struct entry *
find(struct iplimit *l, const struct key *k)
{
	size_t i = hash(l, k);

	for (;; i++) {
		struct entry *e = &l->table[i & (l->size - 1)];

		if (!e->used || memcmp(&e->key, k, sizeof(*k)) == 0)
			return e;
	}
}

/* Keep what counts, in a table of the right size. */
static void
rebuild(struct iplimit *l)
{
	struct entry *old = l->table;
	size_t old_size = l->size, live = 0;

	for (size_t i = 0; i < old_size; i++)
		live += old[i].used && (old[i].open != 0 ||
		    old[i].window == l->window);
	l->size = TABLE_MIN;
	while (l->size < TABLE_MAX && l->size < live * 4)
		l->size *= 2;
	l->table = xcalloc(l->size, sizeof(*l->table));
	l->used = live;
	for (size_t i = 0; i < old_size; i++)
		if (old[i].used && (old[i].open != 0 ||
		    old[i].window == l->window))
			*find(l, &old[i].key) = old[i];
	free(old);
}

/* Is there room for another address? */
static bool
room(struct iplimit *l, int64_t now)
{
	if (now / WINDOW != l->window) {
		l->window = now / WINDOW;
		rebuild(l);
	} else if ((l->used + IPLIMIT_CLASSES) * 4 > l->size * 3 &&
	    l->size < TABLE_MAX)
		rebuild(l);
	return (l->used + IPLIMIT_CLASSES) * 4 <= l->size * 3;
}

bool
iplimit_enter(struct iplimit *l, const struct ip *ip, int64_t now)
{
	if (!room(l, now))
		return false;
	for (unsigned i = 0; i < IPLIMIT_CLASSES; i++) {
		struct key k = make_key(ip, i);
		const struct entry *e = find(l, &k);
		uint32_t count = e->used && e->window == l->window ?
		    e->count : 0;

		if ((e->used && e->open >= l->open * factor[i]) ||
		    count >= l->rate * factor[i])
			return false;
	}
	for (unsigned i = 0; i < IPLIMIT_CLASSES; i++) {
		struct key k = make_key(ip, i);
		struct entry *e = find(l, &k);

		if (!e->used) {
			*e = (struct entry){ .key = k, .used = true };
			l->used++;
		}
		if (e->window != l->window)
			e->count = 0;
		e->window = l->window;
		e->count++;
		e->open++;
	}
	return true;
}

void
iplimit_leave(struct iplimit *l, const struct ip *ip)
{
	for (unsigned i = 0; i < IPLIMIT_CLASSES; i++) {
		struct key k = make_key(ip, i);
		struct entry *e = find(l, &k);

		if (e->used && e->open != 0)
			e->open--;
	}
}
