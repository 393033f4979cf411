/*
 * A connection on run/tls: smtp-serve or imap-login hands over a TCP socket
 * and waits; one request at a time.
 */
#include "serve.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fdpass.h"
#include "base/log.h"
#include "base/tuple.h"

#define REQUEST_MAX ((size_t)4096)

struct client {
	struct serve *s;
	int fd;
	struct event *event;
	struct session *session; /* in its handshake */
};

static const char *const services[SERVICES] = {
	[SMTP] = "smtp",
	[SUBMISSION] = "submission",
	[SUBMISSIONS] = "submissions",
	[IMAP] = "imap",
	[IMAPS] = "imaps",
};

static void
client_free(struct client *c)
{
	if (c->session != NULL)
		session_cancel(c->session);
	event_free(c->event);
	close(c->fd);
	c->s->clients--;
	free(c);
}

static void
on_handshake(void *arg, int plain, const struct strbuf *answer)
{
	struct client *c = arg;
	int r;

	c->session = NULL;
	r = fd_send(c->fd, sb_slice(answer), &plain, plain != -1 ? 1 : 0);
	if (plain != -1)
		close(plain);
	if (r == -1) /* its event will say that it is gone */
		log_sys("unable to answer on run/tls");
}

static void
refuse(struct client *c, const char *reason)
{
	struct strbuf sb = STRBUF_INIT(256);

	tuple_begin(&sb, "tls");
	tuple_puts(&sb, "result", "fail");
	tuple_puts(&sb, "reason", reason);
	tuple_end(&sb);
	if (fd_send(c->fd, sb_slice(&sb), NULL, 0) == -1)
		log_sys("unable to answer on run/tls");
	sb_free(&sb);
}

/* Certificates may have changed; who asks next gets the new ones. */
static void
refresh(struct serve *s)
{
	struct strbuf error = STRBUF_INIT(2048);
	int r = certs_refresh(s->certs, &error);

	if (r == -1)
		log_error("certificates changed and are not usable, the old "
		    "ones stay: %s", sb_cstr(&error));
	else if (r == 1) {
		tuple_putu(log_begin("certificates"), "count",
		    certs_count(s->certs));
		log_end();
	}
	for (int i = 0; i < SERVICES; i++)
		tls_server_rotate(s->server[i]);
	sb_free(&error);
}

/* Takes tcp: 0, or -1 for a bad request. */
static int
request(struct client *c, struct slice text, int tcp)
{
	struct arena ar = { 0 };
	struct tuple_reader r;
	struct tuple t;
	int service = SERVICES;

	tuple_reader_init(&r, text);
	if (c->session == NULL && tuple_next(&r, &ar, &t) == 1 &&
	    tuple_is(&t, "tls"))
		for (service = 0; service < SERVICES; service++)
			if (tuple_has(&t, "service", services[service]))
				break;
	arena_free(&ar);
	if (service == SERVICES) {
		close(tcp);
		return -1;
	}
	refresh(c->s);
	if (c->s->sessions >= c->s->sessions_most) {
		log_error("too many TLS sessions");
		close(tcp);
		refuse(c, "limit");
		return 0;
	}
	c->session = session_new(c->s, (enum service)service, tcp, on_handshake,
	    c);
	if (c->session == NULL)
		refuse(c, "other");
	return 0;
}

static void
on_packet(evutil_socket_t fd, short what, void *arg)
{
	unsigned char buf[REQUEST_MAX];
	struct client *c = arg;
	size_t n, count;
	int r, tcp = -1;

	(void)what;
	r = fd_recv(fd, buf, sizeof(buf), &n, &tcp, 1, &count);
	if (r == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (r == 1 && count == 1 && request(c, slice_of(buf, n), tcp) == 0)
		return;
	if (r != 0)
		log_error("bad request on run/tls, connection closed");
	client_free(c);
}

int
client_new(struct serve *s, int fd)
{
	struct client *c = xcalloc(1, sizeof(*c));

	c->s = s;
	c->fd = fd;
	c->event = event_new(s->base, fd, EV_READ | EV_PERSIST, on_packet, c);
	if (c->event != NULL && event_add(c->event, NULL) == 0) {
		s->clients++;
		return 0;
	}
	if (c->event != NULL)
		event_free(c->event);
	close(fd);
	free(c);
	return -1;
}
