/*
 * imap-hold - open IMAP sessions and keep them in IDLE
 * usage   imap-hold [-s] [-n sessions] host port user password
 *         -s: TLS from the start, the certificate is not checked
 * fd 0    the sessions end when it is closed
 * fd 1    "ready sessions=N" when all are idle
 * exit    0; 111 when a session fails
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <openssl/ssl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/die.h"

struct session {
	int fd;
	SSL *ssl;
	char buf[4096];
	size_t n;
};

static SSL_CTX *ctx;

static void
put(struct session *s, const char *text)
{
	int len = (int)strlen(text), n;

	n = s->ssl != NULL ? SSL_write(s->ssl, text, len) :
	    (int)write(s->fd, text, (size_t)len);
	if (n != len)
		die(EXIT_TEMP, "write");
}

static void
fill(struct session *s, const char *want)
{
	size_t room = sizeof(s->buf) - 1 - s->n;
	int n;

	if (room == 0)
		die(EXIT_TEMP, "line too long");
	n = s->ssl != NULL ? SSL_read(s->ssl, s->buf + s->n, (int)room) :
	    (int)read(s->fd, s->buf + s->n, room);
	if (n <= 0)
		die(EXIT_TEMP, "connection lost while waiting for %s", want);
	s->n += (size_t)n;
	s->buf[s->n] = '\0';
}

/* Read until a line starts with `want'. */
static void
expect(struct session *s, const char *want)
{
	for (bool found = false; !found; ) {
		char *end;

		s->buf[s->n] = '\0';
		while ((end = strstr(s->buf, "\r\n")) == NULL)
			fill(s, want);
		found = strncmp(s->buf, want, strlen(want)) == 0;
		end += 2;
		s->n -= (size_t)(end - s->buf);
		memmove(s->buf, end, s->n + 1);
	}
}

static void
open_session(struct session *s, const struct sockaddr_in *to, const char *user,
    const char *password)
{
	char line[512];

	s->fd = socket(AF_INET, SOCK_STREAM, 0);
	if (s->fd == -1 || connect(s->fd, (const struct sockaddr *)to,
	    sizeof(*to)) == -1)
		die_sys(EXIT_TEMP, "connect");
	if (ctx != NULL) {
		s->ssl = SSL_new(ctx);
		if (s->ssl == NULL || SSL_set_fd(s->ssl, s->fd) != 1 ||
		    SSL_connect(s->ssl) != 1)
			die(EXIT_TEMP, "TLS handshake");
	}
	expect(s, "* OK");
	snprintf(line, sizeof(line), "a LOGIN %s %s\r\n", user, password);
	put(s, line);
	expect(s, "a OK");
	put(s, "b SELECT INBOX\r\n");
	expect(s, "b OK");
	put(s, "c IDLE\r\n");
	expect(s, "+");
}

int
main(int argc, char **argv)
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	struct rlimit rl = { 4096, 4096 };
	unsigned sessions = 1;
	int ch;
	char c;

	prog_start(argc, argv, "[-s] [-n sessions] host port user password",
	    "keep IMAP sessions in IDLE", "none");
	while ((ch = getopt(argc, argv, "sn:")) != -1)
		switch (ch) {
		case 's': ctx = SSL_CTX_new(TLS_client_method()); break;
		case 'n': sessions = (unsigned)atoi(optarg); break;
		default: usage();
		}
	if (optind + 4 != argc)
		usage();
	setrlimit(RLIMIT_NOFILE, &rl);
	to.sin_port = htons((unsigned short)atoi(argv[optind + 1]));
	if (inet_pton(AF_INET, argv[optind], &to.sin_addr) != 1)
		usage();
	for (unsigned i = 0; i < sessions; i++) {
		struct session *s = xcalloc(1, sizeof(*s));

		open_session(s, &to, argv[optind + 2], argv[optind + 3]);
	}
	printf("ready sessions=%u\n", sessions);
	fflush(stdout);
	while (read(STDIN_FILENO, &c, 1) > 0)
		;
	return 0;
}
