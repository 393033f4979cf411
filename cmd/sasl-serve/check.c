/*
 * Argon2 takes 19 MiB and some 25 ms a check: a few threads do it, so that
 * the event loop goes on answering, and the memory goes back to the system
 * after each check. Threads see only the job in their hands.
 */
#include "serve.h"

#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/die.h"
#include "base/rid.h"
#include "sasl/sasl.h"

#define THREADS 2
/* More waiting than this are over two seconds of work: the peer tries later. */
#define CHECKS_WAITING 64
/* Argon2 needs a few KiB; a guard page follows. */
#define THREAD_STACK ((size_t)256 * 1024)
/* A mail program that opens several connections pays once. */
#define CACHE_SLOTS 256u
#define CACHE_MS (5 * 60 * 1000)

struct check {
	struct check *next;
	char argon[PASSWD_ARGON_MAX];
	unsigned char password[SASL_MESSAGE_MAX];
	size_t n;
	int result;
	void (*done)(void *, int);
	void *arg;
};

struct cached {
	unsigned char mac[crypto_generichash_BYTES];
	int64_t until;
};

struct checks {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct check *first, **last; /* to do */
	struct check *finished;
	unsigned waiting;
	int bell;
	struct event *event;
	unsigned char key[crypto_generichash_KEYBYTES];
	struct cached cache[CACHE_SLOTS];
};

static void *
worker(void *arg)
{
	struct checks *c = arg;
	const uint64_t one = 1;

	for (;;) {
		struct check *k;

		pthread_mutex_lock(&c->lock);
		while ((k = c->first) == NULL)
			pthread_cond_wait(&c->wake, &c->lock);
		if ((c->first = k->next) == NULL)
			c->last = &c->first;
		pthread_mutex_unlock(&c->lock);
		k->result = passwd_check(k->argon, slice_of(k->password, k->n));
		explicit_bzero(k->password, k->n);
		pthread_mutex_lock(&c->lock);
		k->next = c->finished;
		c->finished = k;
		pthread_mutex_unlock(&c->lock);
		if (write(c->bell, &one, sizeof(one)) == -1)
			abort(); /* an eventfd of ours that is not full */
	}
	return NULL;
}

static void
on_bell(evutil_socket_t fd, short what, void *arg)
{
	struct checks *c = arg;
	struct check *k, *next;
	uint64_t n;

	(void)what;
	if (read(fd, &n, sizeof(n)) == -1)
		return;
	pthread_mutex_lock(&c->lock);
	k = c->finished;
	c->finished = NULL;
	pthread_mutex_unlock(&c->lock);
	for (; k != NULL; k = next) {
		next = k->next;
		c->waiting--;
		if (k->done != NULL)
			k->done(k->arg, k->result);
		free(k);
	}
}

struct checks *
checks_start(struct serve *s)
{
	struct checks *c = xcalloc(1, sizeof(*c));
	pthread_attr_t attr;
	pthread_t thread;

	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->wake, NULL);
	c->last = &c->first;
	random_bytes(c->key, sizeof(c->key));
	c->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (c->bell == -1)
		die_sys(EXIT_TEMP, "unable to make an eventfd");
	c->event = event_new(s->base, c->bell, EV_READ | EV_PERSIST, on_bell, c);
	if (c->event == NULL || event_add(c->event, NULL) == -1)
		die(EXIT_TEMP, "unable to watch an eventfd");
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, THREAD_STACK);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&thread, &attr, worker, c) != 0)
			die(EXIT_TEMP, "unable to start a thread");
	pthread_attr_destroy(&attr);
	return c;
}

struct check *
check_begin(struct checks *c, const char *argon, struct slice password,
    void (*done)(void *, int), void *arg)
{
	struct check *k;

	if (c->waiting == CHECKS_WAITING || password.n > SASL_MESSAGE_MAX)
		return NULL;
	k = xcalloc(1, sizeof(*k));
	memcpy(k->argon, argon, sizeof(k->argon));
	memcpy(k->password, password.p, password.n);
	k->n = password.n;
	k->done = done;
	k->arg = arg;
	pthread_mutex_lock(&c->lock);
	*c->last = k;
	c->last = &k->next;
	c->waiting++;
	pthread_cond_signal(&c->wake);
	pthread_mutex_unlock(&c->lock);
	return k;
}

void
check_forget(struct check *k)
{
	k->done = NULL; /* read by the event loop only */
}

/*
 * The stored string is part of the hash: a changed password is another entry.
 * The key never leaves this process.
 */
static struct cached *
cache_slot(struct checks *c, const char *argon, struct slice password,
    unsigned char mac[crypto_generichash_BYTES])
{
	crypto_generichash_state st;

	crypto_generichash_init(&st, c->key, sizeof(c->key),
	    crypto_generichash_BYTES);
	crypto_generichash_update(&st, (const unsigned char *)argon,
	    PASSWD_ARGON_MAX);
	crypto_generichash_update(&st, password.p, password.n);
	crypto_generichash_final(&st, mac, crypto_generichash_BYTES);
	sodium_memzero(&st, sizeof(st));
	return &c->cache[mac[0] % CACHE_SLOTS];
}

bool
cache_has(struct checks *c, const char *argon, struct slice password)
{
	unsigned char mac[crypto_generichash_BYTES];
	struct cached *slot = cache_slot(c, argon, password, mac);

	return sodium_memcmp(slot->mac, mac, sizeof(mac)) == 0 &&
	    clock_left(slot->until) > 0;
}

void
cache_add(struct checks *c, const char *argon, struct slice password)
{
	unsigned char mac[crypto_generichash_BYTES];
	struct cached *slot = cache_slot(c, argon, password, mac);

	memcpy(slot->mac, mac, sizeof(mac));
	slot->until = clock_ms() + CACHE_MS;
}
