/*
 * mail-probe - send a test message by SMTP and wait for it over IMAP
 * usage   mail-probe [-q] [-t seconds] -s host:port -i host:port -u login
 *         [-f reverse-path] recipient
 * fd 0    the password of login, one line
 * fd 1    "sent" and "found" tuple lines, then the message (not with -q)
 * exit    0 it came; 1 it did not come in time; 100 refused; 111 no connection
 * rights  connects to the two addresses only; plain TCP, so meant for loopback
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "addr/addr.h"
#include "base/clock.h"
#include "base/confine.h"
#include "base/die.h"
#include "base/file.h"
#include "base/rid.h"
#include "base/tuple.h"
#include "net/net.h"

#define LINE_LIMIT ((size_t)65536)
#define POLL_MS 100
#define SECONDS_MOST 3600

struct peer {
	const char *name; /* host:port as given */
	struct ip ip;
	uint16_t port;
	int fd;
	struct strbuf in;  /* read and not yet used */
	struct strbuf line;
};

static int64_t deadline;

static void
peer_parse(struct peer *p, const char *text)
{
	struct slice s = slice_str(text);
	ptrdiff_t colon = slice_rchr(s, ':');
	struct slice host = slice_sub(s, 0, colon < 0 ? 0 : (size_t)colon);
	uint64_t port;

	if (host.n > 2 && host.p[0] == '[')
		host = slice_sub(host, 1, host.n - 2);
	if (colon < 0 || ip_parse(host, &p->ip) == -1 ||
	    slice_u64(slice_skip(s, (size_t)colon + 1), 65535, &port) == -1)
		die(EXIT_PERM, "%s is not an address and a port", text);
	p->name = text;
	p->port = (uint16_t)port;
	p->fd = -1;
	sb_init(&p->in, LINE_LIMIT);
	sb_init(&p->line, LINE_LIMIT);
}

/* Connect; the service may be starting, so try until the deadline. */
static void
peer_open(struct peer *p)
{
	for (;;) {
		p->fd = net_connect(&p->ip, p->port, NULL, 1000);
		if (p->fd != -1)
			return;
		if (clock_left(deadline) == 0)
			die_sys(EXIT_TEMP, "unable to connect to %s", p->name);
		poll(NULL, 0, POLL_MS);
	}
}

static void
peer_close(struct peer *p)
{
	close(p->fd);
	p->fd = -1;
	sb_reset(&p->in);
}

static void
fill(struct peer *p)
{
	ssize_t n;

	if (poll_until(p->fd, POLLIN, deadline) <= 0)
		die(EXIT_TEMP, "no answer from %s", p->name);
	n = sb_read(&p->in, p->fd, 4096);
	if (n <= 0)
		die(EXIT_TEMP, "%s closed the connection", p->name);
}

static struct slice
get_line(struct peer *p)
{
	ptrdiff_t lf;
	struct strbuf rest = STRBUF_INIT(LINE_LIMIT);

	while ((lf = slice_chr(sb_slice(&p->in), '\n')) == -1)
		fill(p);
	sb_reset(&p->line);
	sb_put(&p->line, slice_rtrim(slice_sub(sb_slice(&p->in), 0,
	    (size_t)lf)));
	sb_put(&rest, slice_skip(sb_slice(&p->in), (size_t)lf + 1));
	sb_free(&p->in);
	p->in = rest;
	return sb_slice(&p->line);
}

static void
say(struct peer *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void
say(struct peer *p, const char *fmt, ...)
{
	struct strbuf sb = STRBUF_INIT(LINE_LIMIT);
	va_list ap;

	va_start(ap, fmt);
	sb_vprintf(&sb, fmt, ap);
	va_end(ap);
	sb_puts(&sb, "\r\n");
	if (write_all(p->fd, sb_slice(&sb)) == -1)
		die_sys(EXIT_TEMP, "unable to write to %s", p->name);
	sb_free(&sb);
}

/* The last line of an SMTP reply, whose code must be `want'. */
static struct slice
smtp_reply(struct peer *p, const char *want, const char *what)
{
	struct slice line;

	do
		line = get_line(p);
	while (line.n > 3 && line.p[3] == '-');
	if (!slice_starts(line, slice_str(want)))
		die(line.n != 0 && line.p[0] == '4' ? EXIT_TEMP : EXIT_PERM,
		    "%s answered %s with: %.*s", p->name, what,
		    SLICE_ARG(line));
	return line;
}

static void
send_message(struct peer *p, const char *from, const char *rcpt,
    const char *token)
{
	struct strbuf out = STRBUF_INIT(4096);
	struct slice line;

	peer_open(p);
	(void)smtp_reply(p, "220", "the connection");
	say(p, "EHLO localhost");
	(void)smtp_reply(p, "250", "EHLO");
	say(p, "MAIL FROM:<%s>", from);
	(void)smtp_reply(p, "250", "MAIL");
	say(p, "RCPT TO:<%s>", rcpt);
	(void)smtp_reply(p, "250", "RCPT");
	say(p, "DATA");
	(void)smtp_reply(p, "354", "DATA");
	say(p, "From: mail-probe <%s>\r\nTo: <%s>\r\nSubject: probe %s\r\n"
	    "Message-ID: <%s@mail-probe.invalid>\r\n\r\n"
	    "This message was sent to see whether mail arrives.\r\n.",
	    from[0] != '\0' ? from : "probe@localhost", rcpt, token, token);
	line = smtp_reply(p, "250", "the message");
	tuple_begin(&out, "sent");
	tuple_puts(&out, "server", p->name);
	tuple_puts(&out, "token", token);
	tuple_put(&out, "reply", line);
	tuple_end(&out);
	fputs(sb_cstr(&out), stdout);
	fflush(stdout);
	sb_free(&out);
	say(p, "QUIT");
	peer_close(p);
}

/* Run one IMAP command; untagged lines go to `each' (may be NULL). */
static void
imap(struct peer *p, const char *tag, void (*each)(struct slice, void *),
    void *ctx)
{
	for (;;) {
		struct slice line = get_line(p), word = line, head;

		if (!slice_starts(line, S("* ")) && slice_cut(&word, ' ',
		    &head) && slice_eqs(head, tag)) {
			if (slice_istarts(word, S("OK")))
				return;
			die(EXIT_PERM, "%s answered: %.*s", p->name,
			    SLICE_ARG(line));
		}
		if (each != NULL)
			each(line, ctx);
	}
}

static void
note_found(struct slice line, void *ctx)
{
	char *number = ctx;
	struct slice word;

	if (!slice_istarts(line, S("* SEARCH ")))
		return;
	line = slice_skip(line, 9);
	if (!slice_word(&line, &word) || slice_cstr(word, number, 16) == -1)
		number[0] = '\0';
}

static void
print_line(struct slice line, void *ctx)
{
	(void)ctx;
	printf("%.*s\n", SLICE_ARG(line));
}

static bool
wait_for_it(struct peer *p, const char *login, const char *password,
    const char *token, bool quiet)
{
	struct strbuf quoted = STRBUF_INIT(1024);
	char number[16] = "";
	int64_t t0 = clock_ms();

	for (size_t i = 0; password[i] != '\0'; i++) {
		if (password[i] == '"' || password[i] == '\\')
			sb_putc(&quoted, '\\');
		sb_putc(&quoted, (unsigned char)password[i]);
	}
	peer_open(p);
	(void)get_line(p);
	say(p, "a LOGIN \"%s\" \"%s\"", login, sb_cstr(&quoted));
	sb_free(&quoted);
	imap(p, "a", NULL, NULL);
	say(p, "b SELECT INBOX");
	imap(p, "b", NULL, NULL);
	for (;;) {
		say(p, "c SEARCH SUBJECT \"%s\"", token);
		imap(p, "c", note_found, number);
		if (number[0] != '\0')
			break;
		if (clock_left(deadline) == 0)
			return false;
		poll(NULL, 0, POLL_MS);
		say(p, "d NOOP");
		imap(p, "d", NULL, NULL);
	}
	printf("found server=%s mailbox=INBOX message=%s ms=%lld\n", p->name,
	    number, (long long)(clock_ms() - t0));
	if (!quiet) {
		say(p, "e FETCH %s BODY.PEEK[]", number);
		imap(p, "e", print_line, NULL);
	}
	say(p, "f LOGOUT");
	peer_close(p);
	return true;
}

static void
read_password(struct strbuf *sb)
{
	struct slice in, line;
	size_t n;

	if (fd_slurp(STDIN_FILENO, sb) == -1)
		die_sys(EXIT_PERM, "unable to read the password");
	in = sb_slice(sb);
	if (slice_line(&in, &line) != 1 || line.n == 0)
		die(EXIT_PERM, "no password on standard input");
	n = line.n;
	sb_cut(sb, n);
}

int
main(int argc, char **argv)
{
	struct peer smtp = { 0 }, imaps = { 0 };
	struct strbuf password = STRBUF_INIT(1024);
	const char *login = NULL, *from = "";
	char token[RID_LEN + 1];
	uint64_t seconds = 30;
	bool quiet = false;
	int ch;

	prog_start(argc, argv, "[-q] [-t seconds] -s host:port -i host:port "
	    "-u login [-f reverse-path] recipient",
	    "send a test message by SMTP and wait for it over IMAP",
	    "files: none; network: TCP out");
	while ((ch = getopt(argc, argv, "f:i:qs:t:u:")) != -1)
		switch (ch) {
		case 'f': from = optarg; break;
		case 'i': peer_parse(&imaps, optarg); break;
		case 'q': quiet = true; break;
		case 's': peer_parse(&smtp, optarg); break;
		case 't':
			if (slice_u64(slice_str(optarg), SECONDS_MOST,
			    &seconds) == -1)
				usage();
			break;
		case 'u': login = optarg; break;
		default: usage();
		}
	if (optind + 1 != argc || login == NULL || smtp.name == NULL ||
	    imaps.name == NULL)
		usage();
	if (confine(&(struct confine){ .flags = CONFINE_CONNECT }) == -1)
		die_sys(EXIT_TEMP, "confine");
	read_password(&password);
	deadline = clock_ms() + (int64_t)seconds * 1000;
	rid_new(token);
	send_message(&smtp, from, argv[optind], token);
	if (!wait_for_it(&imaps, login, sb_cstr(&password), token, quiet))
		die(EXIT_NO, "the message did not arrive within %llu s",
		    (unsigned long long)seconds);
	return EXIT_DONE;
}
