/*
 * tls-serve - end TLS for every service that speaks it (RFC 8446, 5246)
 * usage   tls-serve [-C root]
 * fd 2    a line when certificates change, or something fails
 * exit    0 on SIGTERM; 100 wrong usage; 111 something is missing
 * rights  user pneu-key; reads cdb/ and secret/tls/, listens on run/tls; its
 *         only network is sockets that it is handed
 */
#include "serve.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/confine.h"
#include "base/die.h"
#include "base/log.h"
#include "base/tuple.h"
#include "conf/conf.h"
#include "net/loop.h"
#include "net/net.h"

/* Of each session two descriptors; smtp-serve and imap-login keep a
 * connection each. */
#define SESSIONS_MOST 20000u
#define CLIENTS_MOST 4096u
#define OTHER_FILES 64u
/* Freed memory above this goes back to the system. */
#define TRIM_BYTES (256 * 1024)

static const char *const counter_names[] = { "ok", "failed", "bytes-in",
	"bytes-out", NULL };

/* A yes or no of the service's listen records; without one, `otherwise'. */
static bool
listen_says(struct conf *conf, const char *service, const char *attr,
    bool otherwise)
{
	struct arena ar = { 0 };
	struct tuple_reader r;
	struct slice text;
	struct tuple t;
	bool on = otherwise;

	if (conf_get(conf, "listen", SLICE_NONE, &text) == 1) {
		tuple_reader_init(&r, text);
		while (tuple_next(&r, &ar, &t) == 1)
			if (tuple_is(&t, "listen") &&
			    tuple_has(&t, "service", service)) {
				if (tuple_has(&t, attr, "yes"))
					on = true;
				else if (tuple_has(&t, attr, "no"))
					on = false;
			}
	}
	arena_free(&ar);
	return on;
}

static void
make_servers(struct serve *s, struct conf *conf)
{
	static const struct {
		const char *name;
		bool smtp;
	} of[SERVICES] = {
		[SMTP] = { "smtp", true },
		[SUBMISSION] = { "submission", false },
		[SUBMISSIONS] = { "submissions", false },
		[IMAP] = { "imap", false },
		[IMAPS] = { "imaps", false },
	};

	/* Tickets: one large sender aborts on them on port 25. */
	for (int i = 0; i < SERVICES; i++) {
		struct tls_policy policy = {
			.tickets = listen_says(conf, of[i].name, "tls-tickets",
			    !of[i].smtp),
			.client_cert = listen_says(conf, of[i].name,
			    "client-cert", false),
			.refuse_names = !of[i].smtp,
		};

		s->server[i] = tls_server_new(of[i].name, &policy, s->certs);
		if (s->server[i] == NULL)
			die(EXIT_TEMP, "unable to start OpenSSL");
	}
}

static void
read_certs(struct serve *s, const char *root, struct conf *conf)
{
	char *dir = xprintf("%s/secret/tls", root);
	struct strbuf error = STRBUF_INIT(4096);

	s->certs = certs_open(dir, conf_host(conf, "name"), &error);
	if (s->certs == NULL)
		die_sys(EXIT_TEMP, "unable to read %s", dir);
	if (error.n != 0)
		log_error("certificates left out: %s", sb_cstr(&error));
	if (certs_count(s->certs) == 0)
		log_error("no certificate in %s: TLS fails until there is one",
		    dir);
	sb_free(&error);
	free(dir);
}

static void
on_connection(evutil_socket_t fd, short what, void *arg)
{
	struct serve *s = arg;
	int conn = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)what;
	if (conn == -1)
		return;
	if (s->clients >= s->clients_most) {
		log_error("too many connections on run/tls");
		close(conn);
	} else if (client_new(s, conn) == -1)
		log_error("unable to serve a connection on run/tls");
}

/*
 * As many descriptors as there may be, and no more of anything than fit: an
 * accept() that fails for want of one would be tried for ever.
 */
static unsigned
size_up(struct serve *s)
{
	unsigned files = 2 * SESSIONS_MOST + CLIENTS_MOST + OTHER_FILES;
	struct rlimit rl;

	if (getrlimit(RLIMIT_NOFILE, &rl) == 0 && rl.rlim_max < files)
		files = (unsigned)rl.rlim_max;
	s->clients_most = files < 4 * CLIENTS_MOST ? files / 4 : CLIENTS_MOST;
	s->sessions_most = (files - s->clients_most - OTHER_FILES) / 2;
	return files;
}

static void
cage(struct serve *s, const char *root)
{
	char *cdb = xprintf("%s/cdb", root), *tls = xprintf("%s/secret/tls", root);
	const char *read[] = { cdb, tls, NULL };
	struct confine c = {
		.flags = CONFINE_ACCEPT,
		.read = read,
		.files = size_up(s),
	};

	if (confine(&c) == -1)
		die_sys(EXIT_TEMP, "unable to confine");
	free(cdb);
	free(tls);
}

int
main(int argc, char **argv)
{
	struct serve s = { 0 };
	const char *root = NULL;
	struct conf *conf;
	char *path;
	int ch, fd;

	prog_start(argc, argv, "[-C root]", "end TLS for every service",
	    "reads cdb/ and secret/tls/; accepts on run/tls; network: sockets "
	    "it is handed");
	while ((ch = getopt(argc, argv, "C:")) != -1)
		switch (ch) {
		case 'C': root = optarg; break;
		default: usage();
		}
	if (optind != argc)
		usage();
	root = conf_root(root);
	signal(SIGPIPE, SIG_IGN); /* OpenSSL writes with write(2) */
	mallopt(M_TRIM_THRESHOLD, TRIM_BYTES);
	if ((conf = conf_open(root)) == NULL)
		die_sys(EXIT_TEMP, "unable to open %s/cdb/conf.cdb", root);
	read_certs(&s, root, conf);
	make_servers(&s, conf);
	conf_close(conf);
	path = xprintf("%s/run/counters/tls-serve", root);
	s.counters = counters_open(path, counter_names);
	free(path);
	path = xprintf("%s/run/tls", root);
	if ((fd = unix_listen(path, 0660)) == -1)
		die_sys(EXIT_TEMP, "unable to listen on %s", path);
	free(path);
	if ((s.base = event_base_new()) == NULL)
		die(EXIT_TEMP, "unable to make an event loop");
	cage(&s, root);
	if (loop_run(s.base, fd, on_connection, &s) == -1)
		die(EXIT_TEMP, "unable to run the event loop");
	return EXIT_DONE;
}
