/*
 * session.h - what the parts of smtp-serve(8) share
 *
 * main.c opens, confines and takes connections; io.c reads lines and writes
 * replies; session.c is the table of commands; hello.c EHLO, HELO, STARTTLS
 * and TLS; auth.c AUTH; mail.c MAIL and RCPT; data.c DATA, envelope, verdict;
 * service.c asks tls-serve and sasl-serve.
 */
#ifndef SMTP_SERVE_SESSION_H
#define SMTP_SERVE_SESSION_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "addr/addr.h"
#include "base/arena.h"
#include "base/counter.h"
#include "base/rid.h"
#include "base/slice.h"
#include "base/strbuf.h"
#include "base/tuple.h"
#include "conf/conf.h"
#include "limits.h"
#include "net/ask.h"
#include "smtp/command.h"

enum count {
	COUNT_CONNECTIONS,
	COUNT_MESSAGES, /* accepted */
	COUNT_REFUSED,  /* 5xx after DATA */
	COUNT_DEFERRED, /* 4xx after DATA */
	COUNT_SMUGGLED,
	COUNT_BYTES,    /* of accepted messages */
	COUNT_RCPT_UNKNOWN,
	COUNT_TLS,
	COUNT_TLS_FAILED,
	COUNT_AUTH,
	COUNT_AUTH_FAILED,
	COUNT_TIMEOUTS,
};

/* What lives as long as the process. */
struct server {
	struct conf *conf;
	struct counters *counters;
	char *spool; /* directory for large messages */
	struct service tls, sasl, inbound, outbound;
};

struct transaction {
	struct arena arena;
	bool open; /* MAIL was accepted */
	struct slice from; /* empty: the null reverse-path */
	bool eight_bit, utf8;
	unsigned rcpts; /* RCPT commands accepted, without repeated ones */
	struct rcpt *rcpt; /* records: more than rcpts where aliases are */
	size_t count, cap;
};

struct rcpt {
	struct slice addr;
	struct slice account, mailbox; /* inbound */
	struct slice alias; /* the address that led to this member, or empty */
	struct addr parsed;
};

/* Who is at the other end. */
struct peer {
	char conn[RID_LEN + 1];
	char service[16]; /* smtp, submission, submissions */
	char ip[64], local_ip[64];
	unsigned port, local_port;
	char name[256];   /* of this host, for this peer */
	bool require_tls; /* no login and no mail without it */
};

struct session {
	struct server *srv;
	struct peer peer;
	bool submission; /* submission or submissions */
	int in, out;
	bool socket; /* `in' is a socket: its timeouts are set */

	unsigned char *input; /* INPUT_MAX bytes */
	size_t at, end;       /* what of it is not used yet */
	struct strbuf output;
	int64_t session_by; /* deadline of the connection */
	uint64_t bytes;     /* read so far */

	bool closing; /* no more commands */
	bool slow;
	unsigned errors, commands, unknown, auth_fails, messages, good, bad;

	struct arena arena; /* for what follows, reset by STARTTLS */
	struct slice helo;  /* empty: no hello yet */
	bool esmtp;
	struct slice account, login, mech; /* account empty: not logged in */

	struct arena tls_arena;
	bool tls;
	struct slice tls_version, cipher, sni, exporter, unique;

	struct transaction t;
};

/* Set by SIGTERM: the next command is answered 421 4.3.2. */
extern volatile sig_atomic_t stopping;

/* session.c: serve one connection to its end. Does not close in and out
 * unless TLS has replaced them. */
void session_run(struct session *s);
/* The one way that a transaction ends (RFC 5321 section 4.1.4). */
void transaction_reset(struct session *s);

/*
 * io.c. A reply is only collected; it is written when the input is used up
 * (RFC 2920 section 3.2). Errors (4xx, 5xx) get the connection id behind
 * their text. Returns `code'.
 */
int reply(struct session *s, int code, const char *ecode, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* The same with the id of a job, behind any text that lacks it. */
void reply_id(struct session *s, int code, const char *ecode,
    const char *text, const char *id);
/* A reply whose lines are given, without an enhanced code or an id. */
void reply_lines(struct session *s, int code, struct slice text);
/* 421, and the connection ends. */
void hang_up(struct session *s, const char *ecode, const char *text);
/* Write what was collected: 0, or -1 and the connection ends. */
int flush(struct session *s) __attribute__((warn_unused_result));
/*
 * One line without its line end, borrowed until the next call: 1; 0 and the
 * connection ends (closed, timed out, too long), which has been answered.
 * `auth' makes it a line of an AUTH exchange.
 */
int read_line(struct session *s, bool auth, struct slice *line)
    __attribute__((warn_unused_result));
/* Read more into the empty input: bytes, 0 closed, -1 failed or too slow. */
ssize_t fill(struct session *s) __attribute__((warn_unused_result));
void pause_ms(struct session *s, unsigned ms);
/* Begin a connection; set the time limits of the descriptors in and out. */
void io_start(struct session *s);
void io_timeouts(struct session *s);
/* Did the peer talk within ms milliseconds? */
bool talks_within(struct session *s, unsigned ms);
/* Bytes of the peer that were read and not used yet. */
static inline size_t
input_left(const struct session *s)
{
	return s->end - s->at;
}

/* hello.c */
void do_hello(struct session *s, const struct smtp_command *c);
void do_starttls(struct session *s, const struct smtp_command *c);
/* Have tls-serve do the handshake: 0, or -1. */
int tls_begin(struct session *s) __attribute__((warn_unused_result));

/* auth.c */
void do_auth(struct session *s, const struct smtp_command *c);
/* The mechanisms for EHLO's AUTH line, each after a space. */
void auth_list(const struct session *s, struct strbuf *out);
/* Is this client's address over its limit of failed logins? */
bool auth_allowed(struct session *s);

/* mail.c */
void do_mail(struct session *s, const struct smtp_command *c);
void do_rcpt(struct session *s, const struct smtp_command *c);
/* The largest message taken, bytes; the most recipients. */
uint64_t size_max(const struct session *s);
unsigned rcpt_max(const struct session *s);
/* RFC 3463 code for a message of n bytes that is too large. */
const char *size_ecode(uint64_t n);

/* data.c */
void do_data(struct session *s, const struct smtp_command *c);

#endif
