/* The parts of sasl-serve(8): sessions, password checks, the directory. */
#ifndef SASL_SERVE_H
#define SASL_SERVE_H

#include <event2/event.h>
#include <stdbool.h>

#include "base/counter.h"
#include "base/slice.h"
#include "base/strbuf.h"
#include "conf/conf.h"
#include "sasl/limit.h"
#include "sasl/passwd.h"

enum { COUNT_OK, COUNT_FAILED, COUNT_LIMITED, COUNT_BUSY };

struct serve {
	struct event_base *base;
	struct conf *conf;
	struct passwd_file *passwd;
	struct login_limit *limit;
	struct counters *counters;
	struct checks *checks;
	unsigned char secret[PASSWD_KEY]; /* of salts made up for strangers */
	char dummy[PASSWD_ARGON_MAX]; /* checked for users that do not exist */
	unsigned sessions, sessions_most;
};

/* directory.c: whose login is this? */
struct identity {
	bool known;              /* account and record are set */
	bool disabled;
	struct strbuf account, login, text; /* text: why it is disabled */
	struct passwd record;
};

void identity_init(struct identity *id);
void identity_free(struct identity *id);
/* 0, or -1 if the directory cannot answer now. */
int identify(struct serve *s, struct slice login, struct identity *id);
/* The keys of this identity, or ones made up from the login. */
int identity_keys(struct serve *s, const struct identity *id,
    enum scram_hash h, struct scram_keys *k);

/*
 * check.c: plain passwords are checked in a few threads. done() is called
 * from the event loop with 1, 0, or -1 (out of memory).
 */
struct check;
struct checks *checks_start(struct serve *s);
/* NULL when CHECKS_WAITING are waiting. The password is copied. */
struct check *check_begin(struct checks *c, const char *argon,
    struct slice password, void (*done)(void *, int), void *arg);
/* Nobody waits for the answer any more. */
void check_forget(struct check *k);
/* Was this password right a moment ago? */
bool cache_has(struct checks *c, const char *argon, struct slice password);
void cache_add(struct checks *c, const char *argon, struct slice password);

/* session.c: one connection of a login program. */
int session_new(struct serve *s, int fd);

#endif
