#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "imap/caps.h"
#include "login.h"

void
put(struct login *l, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	sb_vprintf(&l->out, fmt, ap);
	va_end(ap);
	sb_puts(&l->out, "\r\n");
}

void
put_flush(struct login *l)
{
	if (l->out.n != 0 && (l->out.over ||
	    write_all(l->fd, sb_slice(&l->out)) == -1))
		l->over = true;
	sb_reset(&l->out);
}

void
bye(struct login *l, const char *text)
{
	put(l, "* BYE %s", text);
	put_flush(l);
	l->over = true;
}

enum imap_event
next_event(struct login *l)
{
	struct slice data;
	enum imap_event ev;
	int64_t until;
	ssize_t n;

	while ((ev = imap_read(&l->reader, &l->input, &data)) == IMAP_MORE) {
		put_flush(l);
		until = clock_ms() + READ_MS;
		if (until > l->deadline)
			until = l->deadline;
		if (l->over)
			return IMAP_MORE;
		if (poll_until(l->fd, POLLIN, until) <= 0) {
			bye(l, "too slow");
			return IMAP_MORE;
		}
		do
			n = read(l->fd, l->buf, sizeof(l->buf));
		while (n == -1 && errno == EINTR);
		if (n <= 0) {
			l->over = true;
			return IMAP_MORE;
		}
		l->input = slice_of(l->buf, (size_t)n);
	}
	return ev;
}

static void
put_caps(struct login *l)
{
	sb_puts(&l->out, "CAPABILITY " IMAP_CAPS);
	put_mechanisms(l);
	if (!l->tls)
		sb_puts(&l->out, " STARTTLS");
	if (!l->tls && l->require_tls)
		sb_puts(&l->out, " LOGINDISABLED");
}

static void
cmd_capability(struct login *l, struct slice tag, struct slice args)
{
	(void)args;
	sb_puts(&l->out, "* ");
	put_caps(l);
	sb_puts(&l->out, "\r\n");
	put(l, "%.*s OK done", SLICE_ARG(tag));
}

static void
cmd_noop(struct login *l, struct slice tag, struct slice args)
{
	(void)args;
	put(l, "%.*s OK done", SLICE_ARG(tag));
}

static void
cmd_logout(struct login *l, struct slice tag, struct slice args)
{
	(void)args;
	put(l, "* BYE good-bye");
	put(l, "%.*s OK done", SLICE_ARG(tag));
	put_flush(l);
	l->over = true;
}

/* What the client is, is of no interest before login. */
static void
cmd_id(struct login *l, struct slice tag, struct slice args)
{
	(void)args;
	put(l, "* ID (\"name\" \"pneu\")");
	put(l, "%.*s OK done", SLICE_ARG(tag));
}

/* Is there plain text behind STARTTLS, read or still in the socket? */
static bool
has_injected(struct login *l)
{
	char c;

	return l->input.n != 0 ||
	    recv(l->fd, &c, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

static void
cmd_starttls(struct login *l, struct slice tag, struct slice args)
{
	(void)args;
	if (l->tls) {
		put(l, "%.*s BAD TLS is active", SLICE_ARG(tag));
		return;
	}
	/* RFC 9051 section 6.2.1: nothing may follow before the handshake. */
	if (has_injected(l)) {
		bye(l, "data behind STARTTLS");
		return;
	}
	put(l, "%.*s OK begin TLS", SLICE_ARG(tag));
	put_flush(l);
	if (!l->over && tls_begin(l) == -1)
		l->over = true;
}

static const struct {
	const char *name;
	bool args;
	void (*run)(struct login *, struct slice tag, struct slice args);
} commands[] = {
	{ "CAPABILITY", false, cmd_capability },
	{ "NOOP", false, cmd_noop },
	{ "LOGOUT", false, cmd_logout },
	{ "ID", true, cmd_id },
	{ "STARTTLS", false, cmd_starttls },
	{ "AUTHENTICATE", true, cmd_authenticate },
	{ "LOGIN", true, cmd_login },
};

static const char *const after_login[] = {
	"ENABLE", "SELECT", "EXAMINE", "CREATE", "DELETE", "RENAME",
	"SUBSCRIBE", "UNSUBSCRIBE", "LIST", "LSUB", "XLIST", "NAMESPACE",
	"STATUS", "APPEND", "IDLE", "CHECK", "CLOSE", "UNSELECT", "EXPUNGE",
	"SEARCH", "FETCH", "STORE", "COPY", "MOVE", "UID",
};

static void
unknown(struct login *l, struct slice tag, struct slice name)
{
	for (size_t i = 0; i < COUNTOF(after_login); i++)
		if (slice_ieqs(name, after_login[i])) {
			put(l, "%.*s NO log in first", SLICE_ARG(tag));
			return;
		}
	/* A client of another protocol: do not talk on. */
	if (!l->spoke || tag.n == 0)
		bye(l, "this is an IMAP server");
	else
		put(l, "%.*s BAD unknown command", SLICE_ARG(tag));
}

static void
command(struct login *l)
{
	struct slice in = sb_slice(&l->reader.text), tag = SLICE_NONE;
	struct slice name = SLICE_NONE;
	bool good = imap_tag(&in, &tag) && imap_sp(&in) && imap_atom(&in, &name);
	size_t i = 0;

	if (!good)
		name = SLICE_NONE;
	while (i < COUNTOF(commands) && !slice_ieqs(name, commands[i].name))
		i++;
	if (i == COUNTOF(commands)) {
		l->errors++;
		unknown(l, tag, name);
	} else if (!commands[i].args && in.n != 0) {
		l->errors++;
		put(l, "%.*s BAD no arguments expected", SLICE_ARG(tag));
	} else {
		/* The text goes when more is read. */
		tag = arena_copy(&l->ar, tag);
		in = arena_copy(&l->ar, in);
		commands[i].run(l, tag, in);
	}
	l->spoke = true;
	if (l->errors > ERRORS_MAX && !l->over)
		bye(l, "too many bad commands");
}

static void
greet(struct login *l)
{
	sb_puts(&l->out, "* OK [");
	put_caps(l);
	sb_puts(&l->out, "] ready\r\n");
}

void
login_run(struct login *l)
{
	if (slice_eqs(slice_str(l->service), "imaps") && tls_begin(l) == -1)
		return;
	if (!auth_allowed(l)) {
		bye(l, "[UNAVAILABLE] too many failed logins");
		return;
	}
	greet(l);
	while (!l->over) {
		switch (next_event(l)) {
		case IMAP_COMMAND:
			command(l);
			break;
		case IMAP_LITERAL:
			if (!imap_literal_fits(&l->reader)) {
				bye(l, "literal too long");
				break;
			}
			if (l->reader.literal.sync)
				sb_puts(&l->out, "+ go on\r\n");
			imap_literal_keep(&l->reader);
			break;
		case IMAP_TOOLONG:
			bye(l, "line too long");
			break;
		default:
			break;
		}
		arena_reset(&l->ar);
	}
}
