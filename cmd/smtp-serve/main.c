/*
 * smtp-serve - speak SMTP with one client at a time (RFC 5321, 6409)
 * usage   smtp-serve [-C root] [-s service]
 * fd 0    a SOCK_SEQPACKET socket on which smtp-listen hands over
 *         connections; with -s the connection itself, with fd 1
 * fd 2    log lines
 * env     with -s: TCPREMOTEIP, TCPREMOTEPORT, TCPLOCALIP, TCPLOCALPORT
 * exit    0 done; 100 bad usage; 111 no configuration, try again
 * rights  reads cdb/, makes unnamed files in spool/, connects to run/tls,
 *         run/sasl, run/inbound, run/outbound; no other network
 */
#include "session.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/confine.h"
#include "base/die.h"
#include "base/fdpass.h"
#include "base/log.h"
#include "net/front.h"

/* Enough for conf.cdb, the buffers and one envelope. */
#define MEMORY ((uint64_t)512 * 1024 * 1024)

volatile sig_atomic_t stopping;
/* What SIGTERM closes for reading, so that no read waits after it. */
static volatile sig_atomic_t reading = STDIN_FILENO;

static unsigned char input[INPUT_MAX];

static const char *const counter_names[] = {
	[COUNT_CONNECTIONS] = "connections",
	[COUNT_MESSAGES] = "messages",
	[COUNT_REFUSED] = "refused",
	[COUNT_DEFERRED] = "deferred",
	[COUNT_SMUGGLED] = "smuggled",
	[COUNT_BYTES] = "bytes",
	[COUNT_RCPT_UNKNOWN] = "rcpt-unknown",
	[COUNT_TLS] = "tls",
	[COUNT_TLS_FAILED] = "tls-failed",
	[COUNT_AUTH] = "auth",
	[COUNT_AUTH_FAILED] = "auth-failed",
	[COUNT_TIMEOUTS] = "timeouts",
	NULL
};

static void
on_term(int sig)
{
	(void)sig;
	stopping = 1;
	shutdown(reading, SHUT_RD); /* fails for a pipe; that is well */
}

static void
signals(void)
{
	struct sigaction term = { .sa_handler = on_term };
	struct sigaction pipe = { .sa_handler = SIG_IGN };

	/* No SA_RESTART: a read that waits is to end. */
	sigaction(SIGTERM, &term, NULL);
	sigaction(SIGINT, &term, NULL);
	sigaction(SIGPIPE, &pipe, NULL);
}

static bool
service_known(struct slice s)
{
	return slice_eqs(s, "smtp") || slice_eqs(s, "submission") ||
	    slice_eqs(s, "submissions");
}

static void
server_open(struct server *srv, const char *root)
{
	char *path = xprintf("%s/run/counters/smtp-serve", root);

	*srv = (struct server){
		.spool = xprintf("%s/spool", root),
		.tls = { xprintf("%s/run/tls", root), -1 },
		.sasl = { xprintf("%s/run/sasl", root), -1 },
		.inbound = { xprintf("%s/run/inbound", root), -1 },
		.outbound = { xprintf("%s/run/outbound", root), -1 },
	};
	srv->conf = conf_open(root);
	if (srv->conf == NULL)
		die_sys(EXIT_TEMP, "unable to open %s/cdb/conf.cdb", root);
	srv->counters = counters_open(path, counter_names);
	if (srv->counters == NULL)
		warn_sys("no counters in %s", path);
	free(path);
}

static void
cage(const struct server *srv, const char *root)
{
	char *cdb = xprintf("%s/cdb", root);
	struct confine c = {
		.flags = CONFINE_UNIX,
		.read = (const char *[]){ cdb, NULL },
		.write = (const char *[]){ srv->spool, NULL },
		.memory = MEMORY,
		.files = 64,
	};

	if (confine(&c) == -1)
		die_sys(EXIT_TEMP, "unable to confine to %s and %s", cdb,
		    srv->spool);
	free(cdb);
}

static void
peer_defaults(struct server *srv, struct peer *p)
{
	struct slice service = slice_str(p->service);

	p->require_tls = !slice_eqs(service, "smtp");
	if (slice_cstr(conf_host(srv->conf, "name"), p->name, sizeof(p->name)) ==
	    -1)
		p->name[0] = '\0';
}

/* Is the text an IP address? Its canonical form. 0, or -1. */
static int
take_ip(struct slice text, char *out, size_t cap)
{
	struct strbuf sb = STRBUF_INIT(64);
	struct ip ip;
	int r = -1;

	if (ip_parse(text, &ip) == 0) {
		ip_format(&sb, &ip);
		r = slice_cstr(sb_slice(&sb), out, cap);
	}
	sb_free(&sb);
	return r;
}

static int
take_port(struct slice text, unsigned *port)
{
	uint64_t n;

	if (slice_u64(text, 65535, &n) == -1)
		return -1;
	*port = (unsigned)n;
	return 0;
}

/* "conn id= service= ip= port= local-ip= local-port= name= require-tls=" */
static int
parse_conn(struct server *srv, struct slice text, struct peer *p)
{
	struct arena a = { 0 };
	struct tuple_reader r;
	struct tuple t;
	struct slice v;
	int result = -1;

	*p = (struct peer){ .port = 0 };
	tuple_reader_init(&r, text);
	if (tuple_next(&r, &a, &t) == 1 && tuple_is(&t, "conn") &&
	    rid_ok(tuple_value(&t, "id")) &&
	    service_known(tuple_value(&t, "service")) &&
	    slice_cstr(tuple_value(&t, "id"), p->conn, sizeof(p->conn)) == 0 &&
	    slice_cstr(tuple_value(&t, "service"), p->service,
	    sizeof(p->service)) == 0 &&
	    take_ip(tuple_value(&t, "ip"), p->ip, sizeof(p->ip)) == 0 &&
	    take_ip(tuple_value(&t, "local-ip"), p->local_ip,
	    sizeof(p->local_ip)) == 0 &&
	    take_port(tuple_value(&t, "port"), &p->port) == 0 &&
	    take_port(tuple_value(&t, "local-port"), &p->local_port) == 0) {
		peer_defaults(srv, p);
		if (tuple_get(&t, "name", &v) && v.n != 0)
			result = slice_cstr(v, p->name, sizeof(p->name));
		else
			result = 0;
		if (tuple_get(&t, "require-tls", &v))
			p->require_tls = slice_eqs(v, "yes");
	}
	arena_free(&a);
	return result;
}

/* One connection, whose descriptors are closed in the end. */
static void
serve(struct server *srv, const struct peer *p, int in, int out)
{
	struct session s = {
		.srv = srv, .peer = *p, .in = in, .out = out, .input = input,
		.output = STRBUF_INIT(OUTPUT_MAX),
	};

	if (conf_refresh(srv->conf) == -1)
		log_sys("unable to open the new conf.cdb");
	reading = in;
	session_run(&s);
	reading = STDIN_FILENO;
	explicit_bzero(input, s.end);
	close(in);
	if (out != in)
		close(out);
}

/* Connections from smtp-listen, until it closes the socket. */
static int
serve_all(struct server *srv)
{
	char text[FRONT_PACKET_MAX];
	struct peer p;
	size_t n;
	int fd, r = 1;

	for (unsigned i = 0; i < CONNECTIONS_MAX && !stopping; i++) {
		if ((r = front_take(text, &n, &fd)) != 1)
			break;
		if (parse_conn(srv, slice_of(text, n), &p) == 0)
			serve(srv, &p, fd, fd);
		else {
			log_error("malformed conn packet");
			close(fd);
		}
	}
	if (r == -1)
		die_sys(EXIT_TEMP, "unable to receive a connection");
	return EXIT_DONE;
}

/* An address from the environment; without one, loopback. */
static void
env_ip(const char *name, char *out, size_t cap)
{
	const char *v = getenv(name);

	if (v == NULL)
		v = "127.0.0.1";
	if (take_ip(slice_str(v), out, cap) == -1)
		die(EXIT_PERM, "%s is not an IP address", name);
}

static void
env_port(const char *name, unsigned *port)
{
	const char *v = getenv(name);

	*port = 0;
	if (v != NULL && take_port(slice_str(v), port) == -1)
		die(EXIT_PERM, "%s is not a port", name);
}

/* Run by hand, or by tcpserver: the connection is fds 0 and 1. */
static struct peer
peer_by_env(struct server *srv, const char *service)
{
	struct peer p = { .port = 0 };

	rid_new(p.conn);
	if (slice_cstr(slice_str(service), p.service, sizeof(p.service)) == -1)
		usage();
	env_ip("TCPREMOTEIP", p.ip, sizeof(p.ip));
	env_ip("TCPLOCALIP", p.local_ip, sizeof(p.local_ip));
	env_port("TCPREMOTEPORT", &p.port);
	env_port("TCPLOCALPORT", &p.local_port);
	peer_defaults(srv, &p);
	return p;
}

int
main(int argc, char **argv)
{
	const char *root = NULL, *service = NULL;
	struct server srv;
	int ch;

	prog_start(argc, argv, "[-C root] [-s service]",
	    "speak SMTP with one client at a time",
	    "reads cdb/; makes unnamed files in spool/; connects to sockets "
	    "of the instance; network: only the connection it is given");
	while ((ch = getopt(argc, argv, "C:s:")) != -1)
		switch (ch) {
		case 'C': root = optarg; break;
		case 's': service = optarg; break;
		default: usage();
		}
	if (optind != argc ||
	    (service != NULL && !service_known(slice_str(service))))
		usage();
	root = conf_root(root);
	signals();
	server_open(&srv, root);
	if (service != NULL) {
		struct peer p = peer_by_env(&srv, service);

		cage(&srv, root);
		serve(&srv, &p, STDIN_FILENO, STDOUT_FILENO);
		return EXIT_DONE;
	}
	cage(&srv, root);
	return serve_all(&srv);
}
