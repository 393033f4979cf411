/*
 * imap-login - an IMAP connection until it has logged in (RFC 9051)
 * usage   imap-login [-C root] [-s service]
 * fd 0    a SOCK_SEQPACKET socket on which imap-listen hands over
 *         connections; with -s the connection itself
 * fd 2    log lines
 * sockets run/tls, run/sasl, run/imap
 * exit    0 done; 100 bad usage; 111 try again
 * rights  user pneu-net; connects to the three sockets; no file, no network
 *         but the connection it is given
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/confine.h"
#include "base/die.h"
#include "base/fdpass.h"
#include "base/log.h"
#include "base/tuple.h"
#include "conf/conf.h"
#include "login.h"
#include "net/front.h"

#define CONNECTIONS_MAX 10000 /* then a fresh process takes over */
#define MEMORY ((uint64_t)256 * 1024 * 1024)
#define CAGE "opens no file; connects to sockets of the instance; network: " \
	"only the connection it is given"

static volatile sig_atomic_t stopping;

static void
on_term(int sig)
{
	(void)sig;
	stopping = 1;
	shutdown(STDIN_FILENO, SHUT_RD);
}

int
tls_begin(struct login *l)
{
	struct strbuf p = STRBUF_INIT(256);
	struct tuple t;
	int plain = -1, r;

	tuple_begin(&p, "tls");
	tuple_puts(&p, "service", l->service);
	tuple_puts(&p, "conn", l->conn);
	tuple_end(&p);
	r = service_ask(&l->sv->tls, true, sb_slice(&p), l->fd, TLS_MS,
	    &l->life, &t, &plain);
	sb_free(&p);
	if (r == -1) {
		log_sys("ask %s", l->sv->tls.path);
		return -1;
	}
	if (!tuple_has(&t, "result", "ok") || plain == -1) {
		struct strbuf *o = log_begin("tls-failed");

		tuple_puts(o, "conn", l->conn);
		tuple_puts(o, "ip", l->ip);
		tuple_opt(o, "reason", tuple_value(&t, "reason"));
		log_end();
		if (plain != -1)
			close(plain);
		return -1;
	}
	close(l->fd);
	l->fd = plain;
	l->tls = true;
	l->tls_version = tuple_value(&t, "version");
	l->exporter = tuple_value(&t, "exporter");
	l->unique = tuple_value(&t, "unique");
	return 0;
}

bool
hand_over(struct login *l, struct slice tag, struct slice account,
    struct slice user)
{
	struct strbuf p = STRBUF_INIT(PACKET_MAX);
	struct tuple t;
	bool done;
	int r;

	tuple_begin(&p, "imap");
	tuple_puts(&p, "id", l->conn);
	tuple_put(&p, "account", account);
	tuple_put(&p, "login", user);
	tuple_puts(&p, "ip", l->ip);
	tuple_opt(&p, "tls", l->tls_version);
	tuple_put(&p, "tag", tag);
	tuple_opt(&p, "pending", l->input);
	tuple_end(&p);
	/* imap-serve takes one packet a connection. */
	r = service_ask(&l->sv->serve, true, sb_slice(&p), l->fd, SERVE_MS,
	    &l->ar, &t, NULL);
	if (r == -1)
		log_sys("ask %s", l->sv->serve.path);
	service_close(&l->sv->serve);
	sb_free(&p);
	done = r == 0 && tuple_is(&t, "ok");
	if (done)
		l->over = true;
	return done;
}

static int
parse_conn(struct slice text, struct login *l)
{
	struct arena ar = { 0 };
	struct tuple_reader r;
	struct tuple t;
	struct ip ip;
	int result = -1;

	tuple_reader_init(&r, text);
	if (tuple_next(&r, &ar, &t) == 1 && tuple_is(&t, "conn") &&
	    rid_ok(tuple_value(&t, "id")) &&
	    (tuple_has(&t, "service", "imap") ||
	    tuple_has(&t, "service", "imaps")) &&
	    ip_parse(tuple_value(&t, "ip"), &ip) == 0 &&
	    slice_cstr(tuple_value(&t, "id"), l->conn, sizeof(l->conn)) == 0 &&
	    slice_cstr(tuple_value(&t, "service"), l->service,
	    sizeof(l->service)) == 0 &&
	    slice_cstr(tuple_value(&t, "ip"), l->ip, sizeof(l->ip)) == 0) {
		l->require_tls = !tuple_has(&t, "require-tls", "no");
		result = 0;
	}
	arena_free(&ar);
	return result;
}

/* One connection; its descriptor is closed in the end. */
static void
serve(struct login *l)
{
	static const struct imap_limits limits = {
		LINE_LIMIT, LITERAL_LIMIT, LITERALS_LIMIT, PIECES_LIMIT
	};
	struct timeval tv = { .tv_sec = WRITE_SECONDS };

	(void)setsockopt(l->fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	imap_reader_init(&l->reader, &limits);
	sb_init(&l->out, OUTPUT_LIMIT);
	l->deadline = clock_ms() + LOGIN_MS;
	login_run(l);
	put_flush(l);
	close(l->fd);
	explicit_bzero(l->buf, sizeof(l->buf));
	if (l->reader.text.p != NULL)
		explicit_bzero(l->reader.text.p, l->reader.text.cap);
	imap_reader_free(&l->reader);
	sb_free(&l->out);
	arena_free(&l->ar);
	arena_free(&l->life);
}

static int
serve_all(struct services *sv)
{
	static struct login l;
	char text[FRONT_PACKET_MAX];
	size_t n;
	int fd, r = 1;

	for (unsigned i = 0; i < CONNECTIONS_MAX && !stopping; i++) {
		if ((r = front_take(text, &n, &fd)) != 1)
			break;
		l = (struct login){ .sv = sv, .fd = fd };
		if (parse_conn(slice_of(text, n), &l) == 0)
			serve(&l);
		else {
			log_error("malformed conn packet");
			close(fd);
		}
	}
	if (r == -1)
		die_sys(EXIT_TEMP, "unable to receive a connection");
	return EXIT_DONE;
}

static void
cage(void)
{
	struct confine c = {
		.flags = CONFINE_UNIX,
		.memory = MEMORY,
		.files = 64,
	};

	if (confine(&c) == -1)
		die_sys(EXIT_TEMP, "confine");
}

int
main(int argc, char **argv)
{
	struct sigaction term = { .sa_handler = on_term };
	const char *root = NULL, *service = NULL;
	static struct login one;
	struct services sv;
	int ch;

	prog_start(argc, argv, "[-C root] [-s service]",
	    "take IMAP connections until they have logged in", CAGE);
	while ((ch = getopt(argc, argv, "C:s:")) != -1)
		switch (ch) {
		case 'C': root = optarg; break;
		case 's': service = optarg; break;
		default: usage();
		}
	if (optind != argc || (service != NULL &&
	    strcmp(service, "imap") != 0 && strcmp(service, "imaps") != 0))
		usage();
	root = conf_root(root);
	sv = (struct services){
		.tls = { xprintf("%s/run/tls", root), -1 },
		.sasl = { xprintf("%s/run/sasl", root), -1 },
		.serve = { xprintf("%s/run/imap", root), -1 },
	};
	signal(SIGPIPE, SIG_IGN);
	if (service != NULL) {
		one = (struct login){ .sv = &sv, .fd = STDIN_FILENO,
		    .ip = "127.0.0.1", .require_tls = true };
		rid_new(one.conn);
		memcpy(one.service, service, strlen(service) + 1);
		cage();
		serve(&one);
		return EXIT_DONE;
	}
	sigaction(SIGTERM, &term, NULL);
	sigaction(SIGINT, &term, NULL);
	cage();
	return serve_all(&sv);
}
