/*
 * Bytes of a session, plain or in TLS, with deadlines; and STARTTLS.
 */
#include "smtp-send.h"

#include <errno.h>
#include <openssl/err.h>
#include <poll.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"

void
failure_set(struct failure *f, bool permanent, const char *ecode,
    const char *fmt, ...)
{
	va_list ap;

	f->permanent = permanent;
	f->code = 0;
	snprintf(f->ecode, sizeof(f->ecode), "%s", ecode);
	va_start(ap, fmt);
	vsnprintf(f->text, sizeof(f->text), fmt, ap);
	va_end(ap);
}

void
failure_reply(struct failure *f, const struct remote_reply *r)
{
	f->permanent = r->code >= 500;
	f->code = r->code;
	snprintf(f->ecode, sizeof(f->ecode), "%s", r->ecode);
	snprintf(f->text, sizeof(f->text), "%s", sb_cstr(&r->text));
	for (char *p = f->text; *p != '\0'; p++)
		if (*p == '\n')
			*p = ' ';
}

static int64_t
deadline(const struct session *s, int seconds)
{
	int most = s->sender->limit_s;

	return clock_ms() + 1000 * (int64_t)(most != 0 && most < seconds ?
	    most : seconds);
}

/* Wait for what a non-blocking call lacked: 0 to try again, or -1. */
static int
wait_for(struct session *s, int events, int64_t until)
{
	int r = poll_until(s->fd, events, until);

	if (r == 0)
		errno = ETIMEDOUT;
	return r > 0 ? 0 : -1;
}

/* After a TLS call that returned n: 0 to try again, or -1 with errno. */
static int
tls_again(struct session *s, int n, int64_t until)
{
	switch (SSL_get_error(s->ssl, n)) {
	case SSL_ERROR_WANT_READ:
		return wait_for(s, POLLIN, until);
	case SSL_ERROR_WANT_WRITE:
		return wait_for(s, POLLOUT, until);
	case SSL_ERROR_SYSCALL:
		if (errno == 0)
			errno = ECONNRESET;
		return -1;
	case SSL_ERROR_ZERO_RETURN:
		errno = ECONNRESET;
		return -1;
	default:
		errno = EPROTO;
		return -1;
	}
}

static ssize_t
write_some(struct session *s, struct slice data, int64_t until)
{
	for (;;) {
		ssize_t n;

		if (s->ssl != NULL) {
			int most = data.n > 65536 ? 65536 : (int)data.n;

			ERR_clear_error();
			errno = 0;
			n = SSL_write(s->ssl, data.p, most);
			if (n > 0)
				return n;
			if (tls_again(s, (int)n, until) == -1)
				return -1;
			continue;
		}
		n = send(s->fd, data.p, data.n, MSG_NOSIGNAL);
		if (n >= 0)
			return n;
		if (errno == EAGAIN && wait_for(s, POLLOUT, until) == -1)
			return -1;
		if (errno != EAGAIN && errno != EINTR)
			return -1;
	}
}

int
io_flush(struct session *s, int seconds)
{
	int64_t until = deadline(s, seconds);
	struct slice data = sb_slice(&s->out);

	if (s->out.over) {
		errno = EMSGSIZE;
		return -1;
	}
	while (data.n != 0) {
		ssize_t n = write_some(s, data, until);

		if (n == -1)
			return -1;
		data = slice_skip(data, (size_t)n);
	}
	sb_reset(&s->out);
	return 0;
}

/* Fill the empty input buffer: 0, or -1 with errno. */
static int
fill(struct session *s, int64_t until)
{
	s->in_at = s->in_end = 0;
	for (;;) {
		ssize_t n;

		if (s->ssl != NULL) {
			ERR_clear_error();
			errno = 0;
			n = SSL_read(s->ssl, s->in, sizeof(s->in));
			if (n <= 0 && tls_again(s, (int)n, until) == -1)
				return -1;
		} else {
			n = recv(s->fd, s->in, sizeof(s->in), 0);
			if (n == 0) {
				errno = ECONNRESET;
				return -1;
			}
			if (n == -1 && errno == EAGAIN &&
			    wait_for(s, POLLIN, until) == -1)
				return -1;
			if (n == -1 && errno != EAGAIN && errno != EINTR)
				return -1;
		}
		if (n > 0) {
			s->in_end = (size_t)n;
			return 0;
		}
	}
}

int
io_reply(struct session *s, int seconds, struct failure *f)
{
	int64_t until = deadline(s, seconds);
	int r;

	remote_reset(&s->reply);
	do {
		struct slice in;

		if (s->in_at == s->in_end && fill(s, until) == -1) {
			failure_set(f, false, "4.4.2", "%s",
			    errno == ETIMEDOUT ? "no reply in time" :
			    errno == ECONNRESET ? "connection lost" :
			    strerror(errno));
			return -1;
		}
		in = slice_of(s->in + s->in_at, s->in_end - s->in_at);
		r = remote_feed(&s->reply, &in);
		s->in_at = s->in_end - in.n;
		if (r == 0 && clock_left(until) == 0) {
			failure_set(f, false, "4.4.2", "no reply in time");
			return -1;
		}
	} while (r == 0);
	if (r == -1) {
		failure_set(f, false, "4.5.0", "%s", s->reply.error);
		return -1;
	}
	return 0;
}

bool
io_pending(const struct session *s)
{
	return s->in_at != s->in_end;
}

int
io_starttls(struct session *s, const char *host, struct failure *f)
{
	int64_t until = deadline(s, T_TLS);
	int n;

	s->ssl = SSL_new(s->sender->tls);
	if (s->ssl == NULL || SSL_set_fd(s->ssl, s->fd) != 1 ||
	    (host[0] != '[' && SSL_set_tlsext_host_name(s->ssl, host) != 1)) {
		failure_set(f, false, "4.7.5", "TLS cannot be started");
		return -1;
	}
	for (;;) {
		ERR_clear_error();
		errno = 0;
		n = SSL_connect(s->ssl);
		if (n == 1)
			break;
		if (tls_again(s, n, until) == -1) {
			failure_set(f, false, "4.7.5", "TLS handshake failed");
			return -1;
		}
	}
	snprintf(s->tls, sizeof(s->tls), "%s", SSL_get_version(s->ssl));
	return 0;
}
