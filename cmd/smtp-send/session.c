/*
 * A connection to a mail host up to the point where messages can be sent:
 * greeting, EHLO, STARTTLS.
 */
#include "smtp-send.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "net/net.h"

/* Commands, or one block of a message, that wait to be written. */
#define OUT_MAX ((size_t)256 * 1024)

/* What the policies of the recipient's domain and of the host ask for. */
enum tls_need { TLS_NEVER, TLS_MAY, TLS_MUST };

/*
 * The one place that decides on TLS. Opportunistic as RFC 7435 means it: any
 * certificate will do, and plain text when TLS does not work.
 */
static enum tls_need
tls_policy(const struct session *s, const char *host)
{
	(void)host;
	return s->sender->tls != NULL ? TLS_MAY : TLS_NEVER;
}

void
session_init(struct session *s, const struct sender *sender)
{
	*s = (struct session){ .sender = sender, .fd = -1 };
	sb_init(&s->out, OUT_MAX);
	remote_init(&s->reply);
}

void
session_drop(struct session *s)
{
	if (s->ssl != NULL)
		SSL_free(s->ssl);
	if (s->fd != -1)
		close(s->fd);
	s->ssl = NULL;
	s->fd = -1;
	s->in_at = s->in_end = 0;
	s->messages = 0;
	s->tls[0] = s->host[0] = s->domain[0] = '\0';
	sb_reset(&s->out);
}

void
session_quit(struct session *s)
{
	if (s->fd == -1)
		return;
	sb_reset(&s->out);
	sb_puts(&s->out, "QUIT\r\n");
	/* The reply is of no use; RFC 5321 section 4.1.1.10 wants the command
	 * sent, and the peer has a second to take it. */
	if (io_flush(s, 1) == 0 && s->ssl != NULL)
		(void)SSL_shutdown(s->ssl);
	session_drop(s);
}

static int
command(struct session *s, const char *verb, const char *arg, int seconds,
    struct failure *f)
{
	sb_reset(&s->out);
	sb_printf(&s->out, "%s%s%s\r\n", verb, arg[0] != '\0' ? " " : "", arg);
	if (io_flush(s, seconds) == -1) {
		failure_set(f, false, "4.4.2", "connection lost");
		return -1;
	}
	return io_reply(s, seconds, f);
}

/* "mx.example.org ESMTP": our own name there means that we met ourselves. */
static bool
is_self(const struct session *s)
{
	struct slice text = sb_slice(&s->reply.text), line, word;

	return slice_line(&text, &line) && slice_word(&line, &word) &&
	    slice_ieqs(word, s->sender->name);
}

static void
take_extensions(struct session *s)
{
	struct slice args;

	s->pipelining = remote_has(&s->reply, "PIPELINING", NULL);
	s->eight_bit = remote_has(&s->reply, "8BITMIME", NULL);
	s->utf8 = remote_has(&s->reply, "SMTPUTF8", NULL);
	s->starttls = remote_has(&s->reply, "STARTTLS", NULL);
	s->size = remote_has(&s->reply, "SIZE", &args);
	if (!s->size || slice_u64(args, UINT64_MAX, &s->size_most) == -1)
		s->size_most = 0;
}

/* EHLO, or HELO for hosts of before 1995. What the last EHLO said is gone. */
static int
hello(struct session *s, struct failure *f)
{
	s->pipelining = s->eight_bit = s->utf8 = s->starttls = s->size = false;
	s->size_most = 0;
	if (command(s, "EHLO", s->sender->name, T_COMMAND, f) == -1)
		return -1;
	s->esmtp = s->reply.code / 100 == 2;
	if (s->esmtp)
		take_extensions(s);
	else if (s->reply.code / 100 == 5 && s->ssl == NULL &&
	    command(s, "HELO", s->sender->name, T_COMMAND, f) == -1)
		return -1;
	if (s->reply.code / 100 != 2) {
		failure_reply(f, &s->reply);
		return -1;
	}
	if (is_self(s)) {
		failure_set(f, true, "5.4.6",
		    "mail for this domain loops back to this host");
		return -1;
	}
	return 0;
}

static int
greeting(struct session *s, const struct target *t, struct failure *f)
{
	int flags;

	s->fd = net_connect(&t->ip, s->sender->port, NULL,
	    1000 * (s->sender->limit_s != 0 && s->sender->limit_s < T_CONNECT ?
	    s->sender->limit_s : T_CONNECT));
	if (s->fd == -1 || (flags = fcntl(s->fd, F_GETFL)) == -1 ||
	    fcntl(s->fd, F_SETFL, flags | O_NONBLOCK) == -1) {
		failure_set(f, false, "4.4.1", "connect: %s", strerror(errno));
		return -1;
	}
	if (io_reply(s, T_GREETING, f) == -1) {
		/* RFC 3463: 4.4.1 is a host that does not answer. */
		if (strcmp(f->ecode, "4.4.2") == 0)
			snprintf(f->ecode, sizeof(f->ecode), "%s", "4.4.1");
		return -1;
	}
	if (s->reply.code != 220) {
		failure_reply(f, &s->reply);
		if (s->reply.code < 400)
			failure_set(f, false, "4.5.0", "bad greeting");
		return -1;
	}
	return 0;
}

enum upgrade { UP_DONE, UP_BROKEN, UP_REFUSED, UP_ATTACK };

static enum upgrade
upgrade(struct session *s, const char *host, struct failure *f)
{
	if (command(s, "STARTTLS", "", T_COMMAND, f) == -1)
		return UP_BROKEN;
	if (s->reply.code != 220) {
		failure_reply(f, &s->reply);
		f->permanent = false;
		return UP_BROKEN;
	}
	/* Bytes behind the 220 came from someone who wants them to be taken
	 * for replies inside TLS. */
	if (io_pending(s)) {
		failure_set(f, false, "4.7.5",
		    "plain text after the reply to STARTTLS");
		return UP_ATTACK;
	}
	if (io_starttls(s, host, f) == -1)
		return UP_BROKEN;
	if (hello(s, f) == 0)
		return UP_DONE;
	/* TLS 1.3 tells the client only now that the server has turned the
	 * session down. A reply, or our own decision, is no fault of TLS. */
	return f->code == 0 && !f->permanent ? UP_BROKEN : UP_REFUSED;
}

/* Greeting to the end of EHLO: 0, or -1; *broken: TLS was to blame. */
static int
start(struct session *s, const struct target *t, enum tls_need need,
    struct failure *f, bool *broken)
{
	enum upgrade up;

	*broken = false;
	if (greeting(s, t, f) == -1 || hello(s, f) == -1)
		return -1;
	if (need == TLS_NEVER || (need == TLS_MAY && !s->starttls))
		return 0;
	if (!s->starttls) {
		failure_set(f, false, "4.7.5", "the host does not offer TLS");
		return -1;
	}
	up = upgrade(s, t->host, f);
	*broken = up == UP_BROKEN;
	return up == UP_DONE ? 0 : -1;
}

int
session_open(struct session *s, const struct target *t, struct failure *f)
{
	struct strbuf ip = STRBUF_INIT(sizeof(s->ip_text) - 1);
	enum tls_need need = tls_policy(s, t->host);
	bool broken;
	int r;

	session_drop(s);
	f->tls[0] = '\0';
	ip_format(&ip, &t->ip);
	snprintf(f->host, sizeof(f->host), "%s", t->host);
	snprintf(f->ip, sizeof(f->ip), "%s", sb_cstr(&ip));
	r = start(s, t, need, f, &broken);
	if (r == -1 && broken && need == TLS_MAY) {
		session_drop(s);
		r = start(s, t, TLS_NEVER, f, &broken);
	}
	if (r == -1)
		session_drop(s);
	s->ip = t->ip;
	snprintf(s->host, sizeof(s->host), "%s", t->host);
	snprintf(s->ip_text, sizeof(s->ip_text), "%s", sb_cstr(&ip));
	sb_free(&ip);
	return r;
}
