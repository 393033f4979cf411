/*
 * sasl-serve - check passwords for every protocol (RFC 4422)
 * usage   sasl-serve [-C root]
 * fd 2    a line for each login, without the password
 * exit    0 on SIGTERM; 100 wrong usage; 111 something is missing
 * rights  user pneu-auth; reads cdb/ and secret/auth/, listens on run/sasl
 */
#include "serve.h"

#include <malloc.h>
#include <signal.h>
#include <sodium.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/confine.h"
#include "base/die.h"
#include "base/log.h"
#include "base/rid.h"
#include "net/loop.h"
#include "net/net.h"

/* smtp-serve and imap-login have 500 processes each by default. */
#define SESSIONS_MAX 4096u
#define OTHER_FILES 64u
#define MEMORY_MAX ((uint64_t)512 * 1024 * 1024)

static const char *const counter_names[] = { "ok", "failed", "limited", "busy",
	NULL };

static void
on_connection(evutil_socket_t fd, short what, void *arg)
{
	struct serve *s = arg;
	int conn = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)what;
	if (conn == -1)
		return;
	if (s->sessions >= s->sessions_most || session_new(s, conn) == -1) {
		log_error("too many connections on run/sasl");
		close(conn);
	}
}

/*
 * No more connections than there are descriptors: an accept() that fails for
 * want of one would be tried for ever.
 */
static unsigned
size_up(struct serve *s)
{
	unsigned files = SESSIONS_MAX + OTHER_FILES;
	struct rlimit rl;

	if (getrlimit(RLIMIT_NOFILE, &rl) == 0 && rl.rlim_max < files)
		files = (unsigned)rl.rlim_max;
	s->sessions_most = files > 2 * OTHER_FILES ? files - OTHER_FILES :
	    files / 2;
	return files;
}

static void
cage(struct serve *s, const char *root)
{
	char *cdb = xprintf("%s/cdb", root);
	char *auth = xprintf("%s/secret/auth", root);
	const char *read[] = { cdb, auth, NULL };
	struct confine c = {
		.flags = CONFINE_ACCEPT | CONFINE_THREADS,
		.read = read,
		.memory = MEMORY_MAX,
		.files = size_up(s),
	};

	if (confine(&c) == -1)
		die_sys(EXIT_TEMP, "unable to confine");
	free(cdb);
	free(auth);
}

int
main(int argc, char **argv)
{
	struct serve s = { 0 };
	const char *root = NULL;
	char *path;
	int ch, fd;

	prog_start(argc, argv, "[-C root]", "check passwords for every protocol",
	    "reads cdb/ and secret/auth/; accepts on run/sasl; network: none");
	while ((ch = getopt(argc, argv, "C:")) != -1)
		switch (ch) {
		case 'C': root = optarg; break;
		default: usage();
		}
	if (optind != argc)
		usage();
	root = conf_root(root);
	if (sodium_init() == -1)
		die(EXIT_TEMP, "unable to start libsodium");
	signal(SIGPIPE, SIG_IGN); /* a log whose reader has gone */
	mallopt(M_ARENA_MAX, 1); /* threads allocate nothing worth an arena */
	if ((s.conf = conf_open(root)) == NULL)
		die_sys(EXIT_TEMP, "unable to open %s/cdb/conf.cdb", root);
	if ((s.passwd = passwd_open(root)) == NULL)
		die_sys(EXIT_TEMP, "unable to open %s/secret/auth/passwd", root);
	if (passwd_key(root, s.secret) == -1) {
		log_sys("unable to keep %s/secret/auth/key", root);
		random_bytes(s.secret, sizeof(s.secret));
	}
	passwd_dummy(s.dummy);
	s.limit = login_limit_new();
	path = xprintf("%s/run/counters/sasl-serve", root);
	s.counters = counters_open(path, counter_names);
	free(path);
	path = xprintf("%s/run/sasl", root);
	if ((fd = unix_listen(path, 0660)) == -1)
		die_sys(EXIT_TEMP, "unable to listen on %s", path);
	free(path);
	if ((s.base = event_base_new()) == NULL)
		die(EXIT_TEMP, "unable to make an event loop");
	cage(&s, root);
	s.checks = checks_start(&s);
	if (loop_run(s.base, fd, on_connection, &s) == -1)
		die(EXIT_TEMP, "unable to run the event loop");
	return EXIT_DONE;
}
