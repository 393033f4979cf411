#include "sasl/limit.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sodium.h>

#include "base/alloc.h"
#include "base/rid.h"

#define WAYS 8
#define CLASSES 3
#define WINDOWS 2

static const struct {
	unsigned seconds, most[CLASSES];
} windows[WINDOWS] = {
	{ 60, { 10, 30, 90 } },
	{ 24 * 60 * 60, { 50, 150, 450 } },
};
static const unsigned bits4[CLASSES] = { 32, 26, 21 };
static const unsigned bits6[CLASSES] = { 64, 48, 32 };

struct count {
	uint64_t key;    /* keyed hash of address, class and window's length */
	uint32_t window; /* which window it was counted in */
	uint32_t n;
};

struct login_limit {
	unsigned char secret[crypto_shorthash_KEYBYTES];
	struct count set[LOGIN_LIMIT_SETS][WAYS];
};

struct login_limit *
login_limit_new(void)
{
	/* calloc: pages that no address has touched take no memory. */
	struct login_limit *l = xcalloc(1, sizeof(*l));

	random_bytes(l->secret, sizeof(l->secret));
	return l;
}

void
login_limit_free(struct login_limit *l)
{
	free(l);
}

static uint64_t
key_of(const struct login_limit *l, const struct ip *ip, int class, int win)
{
	unsigned char in[20] = { 0 };
	unsigned bits = ip->family == AF_INET ? bits4[class] : bits6[class];
	uint64_t key;

	for (unsigned i = 0; i < bits / 8; i++)
		in[i] = ip->b[i];
	if (bits % 8 != 0)
		in[bits / 8] = ip->b[bits / 8] & (0xff << (8 - bits % 8));
	in[16] = (unsigned char)class;
	in[17] = (unsigned char)win;
	in[18] = ip->family == AF_INET ? 4 : 6;
	crypto_shorthash((unsigned char *)&key, in, sizeof(in), l->secret);
	return key;
}

/* The counter, or with `make' a new one; NULL if there is none. */
static struct count *
find(struct login_limit *l, const struct ip *ip, int class, int win,
    int64_t now, bool make)
{
	uint64_t key = key_of(l, ip, class, win);
	uint32_t window = (uint32_t)(now / windows[win].seconds);
	struct count *set = l->set[key % LOGIN_LIMIT_SETS], *worst = NULL;

	for (int i = 0; i < WAYS; i++) {
		if (set[i].key == key && set[i].window == window)
			return &set[i];
		/* Of a window of either length that is over: free. */
		if (set[i].n != 0 &&
		    set[i].window != (uint32_t)(now / windows[0].seconds) &&
		    set[i].window != (uint32_t)(now / windows[1].seconds))
			set[i].n = 0;
		if (worst == NULL || set[i].n < worst->n)
			worst = &set[i];
	}
	if (!make)
		return NULL;
	*worst = (struct count){ .key = key, .window = window };
	return worst;
}

bool
login_limit_ok(struct login_limit *l, const struct ip *ip, int64_t now)
{
	for (int w = 0; w < WINDOWS; w++)
		for (int c = 0; c < CLASSES; c++) {
			struct count *n = find(l, ip, c, w, now, false);

			if (n != NULL && n->n >= windows[w].most[c])
				return false;
		}
	return true;
}

unsigned
login_limit_fail(struct login_limit *l, const struct ip *ip, int64_t now)
{
	struct count *n;

	for (int w = WINDOWS - 1; w >= 0; w--)
		for (int c = CLASSES - 1; c >= 0; c--)
			find(l, ip, c, w, now, true)->n++;
	n = find(l, ip, 0, 0, now, false);
	return n != NULL ? n->n : 1;
}

void
login_limit_reset(struct login_limit *l, const struct ip *ip, int64_t now)
{
	for (int w = 0; w < WINDOWS; w++) {
		struct count *own = find(l, ip, 0, w, now, false);
		uint32_t n = own != NULL ? own->n : 0;

		for (int c = 0; c < CLASSES && n != 0; c++) {
			struct count *of = find(l, ip, c, w, now, false);

			if (of != NULL)
				of->n -= of->n < n ? of->n : n;
		}
	}
}
