/*
 * smtp-send.h - the parts of smtp-send
 */
#ifndef SMTP_SEND_H
#define SMTP_SEND_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr/addr.h"
#include "base/arena.h"
#include "base/slice.h"
#include "base/strbuf.h"
#include "conf/conf.h"
#include "dns/dns.h"
#include "smtp/remote.h"

/* RFC 5321 section 4.5.3.2, seconds. */
enum {
	T_CONNECT = 30,  /* several addresses wait their turn */
	T_GREETING = 300, T_COMMAND = 300, T_DATA = 120, T_BLOCK = 180,
	T_FINAL = 600, T_TLS = 60,
};

#define TEXT_SIZE 512     /* of a failure or result, with NUL */
#define RCPT_MAX 100      /* a transaction; RFC 5321 section 4.5.3.1.8 */
#define HOSTS_MAX 20      /* MX records looked at, best preferences first */
#define ADDRESSES_MAX 6   /* of one host */
#define TARGETS_MAX 20    /* addresses tried in one attempt */
#define ROUTE_QUERIES 60  /* to find them */
#define ROUTE_MS 30000
/* A peer that takes the data slower than this holds a worker for nothing. */
#define BYTES_A_SECOND_MIN 1024
#define DATA_SECONDS_MIN 1800
#define SESSION_MESSAGES 100 /* then a new connection */

/* Why something did not work. */
struct failure {
	bool permanent;
	int code;          /* what the remote said; 0 = our own words */
	char ecode[12];
	char text[TEXT_SIZE];
	char host[256], ip[64]; /* "" = no host concerned */
	char tls[24];      /* version; "" = plain text */
};

void failure_set(struct failure *f, bool permanent, const char *ecode,
    const char *fmt, ...) __attribute__((format(printf, 4, 5)));
void failure_reply(struct failure *f, const struct remote_reply *r);

enum rcpt_state { R_OPEN, R_ACCEPTED, R_LATER, R_SENT, R_REFUSED, R_DEFERRED };

struct rcpt {
	struct slice addr;
	enum rcpt_state state;
	bool asked;         /* it was in the last pipelined write */
	struct failure why; /* also the text of success */
};

struct request {
	struct slice id, domain, from;
	uint64_t size;
	struct slice msg;    /* the message, mapped */
	bool eight_bit, utf8;
	struct rcpt *rcpt;
	size_t rcpts;
	int owner;           /* socket of queue-run */
};

/* Where to try, best first. */
struct target {
	char host[256];
	struct ip ip;
	unsigned level;      /* rank of the MX preference */
};
struct route {
	struct target target[TARGETS_MAX];
	size_t count;
};

struct sender {
	struct conf *conf;
	char *name;          /* our host name, for EHLO */
	uint16_t port;
	int limit_s;         /* no wait longer than this; 0 = the RFC's */
	struct dns *dns;
	SSL_CTX *tls;
};

/*
 * Find the hosts for a domain: RFC 5321 section 5.1, 7505. 0, or -1 with *f.
 */
int route_find(const struct sender *s, struct slice domain, struct arena *ar,
    struct route *r, struct failure *f);

struct session {
	const struct sender *sender;
	int fd;              /* -1 = no connection */
	SSL *ssl;
	struct strbuf out;   /* not yet written */
	unsigned char in[4096];
	size_t in_at, in_end;
	struct remote_reply reply;
	char host[256], domain[256], tls[24];
	char ip_text[64];
	struct ip ip;
	unsigned messages;
	/* EHLO */
	bool pipelining, eight_bit, utf8, size, starttls, esmtp;
	uint64_t size_most;  /* 0 = not stated */
};

void session_init(struct session *s, const struct sender *sender);
/* Connect, greet, EHLO, STARTTLS: 0, or -1 with *f and no connection. */
int session_open(struct session *s, const struct target *t, struct failure *f);
/* End it politely if it is in order, without waiting long. */
void session_quit(struct session *s);
void session_drop(struct session *s);

/* Bytes out and in. All: 0, or -1 with errno; the connection is then dead. */
int io_flush(struct session *s, int seconds);
int io_reply(struct session *s, int seconds, struct failure *f);
int io_starttls(struct session *s, const char *host, struct failure *f);
bool io_pending(const struct session *s);

/*
 * One or more transactions on an open session for all recipients that are
 * R_OPEN. Afterwards some may still be: the session could not be used for
 * them, and *f says why.
 */
void transact(struct session *s, struct request *q, struct failure *f);
/* All of it: every recipient ends as sent, refused or deferred. */
void deliver(struct session *s, struct request *q, struct arena *ar);

#endif
