/*
 * login.h - an IMAP connection before login
 *
 * main.c takes connections and hands sessions on, command.c reads and answers
 * commands, auth.c asks sasl-serve.
 */
#ifndef LOGIN_H
#define LOGIN_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/rid.h"
#include "base/slice.h"
#include "base/strbuf.h"
#include "imap/reader.h"
#include "imap/scan.h"
#include "net/ask.h"

/* What a stranger may make us keep: a few kilobytes. */
#define LINE_LIMIT ((size_t)16 * 1024) /* SASL data, RFC 4422 has no limit */
#define LITERAL_LIMIT ((size_t)4096)   /* a name or a password */
#define LITERALS_LIMIT ((size_t)8192)
#define PIECES_LIMIT 4u
#define READ_SIZE 4096  /* also what goes on to imap-serve unread */
#define OUTPUT_LIMIT ((size_t)32 * 1024)

#define READ_MS 30000   /* without login: RFC 9051 leaves it to us */
#define WRITE_SECONDS 30
#define TLS_MS 60000    /* the whole handshake */
#define SASL_MS 30000
#define SERVE_MS 5000   /* imap-serve's answer */
#define LOGIN_MS (5 * 60 * 1000) /* all of it, whatever a client does */
#define FAILS_FREE 3    /* then each costs a second more */
#define FAILS_MAX 10    /* then the connection ends */
#define ERRORS_MAX 20   /* bad commands */

struct services {
	struct service tls, sasl, serve;
};

struct login {
	struct services *sv;
	char conn[RID_LEN + 1], ip[64], service[8];
	bool require_tls;

	int fd;
	bool over;          /* the connection ends, or is imap-serve's */
	int64_t deadline;
	struct imap_reader reader;
	unsigned char buf[READ_SIZE];
	struct slice input;
	struct strbuf out;
	struct arena ar;    /* of one command */
	struct arena life;  /* of the connection */
	bool spoke;
	unsigned fails, errors;

	bool tls;
	struct slice tls_version, exporter, unique;
};

/* main.c */
/* Start TLS on the connection: 0, or -1. */
int tls_begin(struct login *l);
/* Hand the session to imap-serve: true if it has it. */
bool hand_over(struct login *l, struct slice tag, struct slice account,
    struct slice user);

/* command.c */
void login_run(struct login *l);
void put(struct login *l, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void put_flush(struct login *l);
void bye(struct login *l, const char *text);
/* The next event of the reader; IMAP_MORE: the connection is over. */
enum imap_event next_event(struct login *l);

/* auth.c */
bool auth_allowed(struct login *l);
void put_mechanisms(struct login *l);
void cmd_authenticate(struct login *l, struct slice tag, struct slice args);
void cmd_login(struct login *l, struct slice tag, struct slice args);

#endif
