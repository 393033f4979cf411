/*
 * imap-serve - an IMAP session after login (RFC 9051, RFC 3501)
 * usage   imap-serve [-C root] [-n sessions]
 *         imap-serve -a account [-C root]
 * sockets run/imap: sessions from imap-login and back from imap-park;
 *         run/park: sessions that are silent go there
 * fd 0 1  with -a, the client
 * exit    0 stopped, or the client left; 100 usage; 111 no socket, no account
 * rights  user pneu-mail; a session has its account's directory, the others'
 *         are out of its reach; no network but the fd it was given
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/confine.h"
#include "base/die.h"
#include "base/fdpass.h"
#include "base/file.h"
#include "base/log.h"
#include "base/tuple.h"
#include "conf/conf.h"
#include "imap/caps.h"
#include "imf/charset.h"
#include "net/net.h"
#include "park.h"
#include "session.h"

#define PACKET_WAIT_MS 5000 /* for the packet after a connection */
#define BACKLOG 1024        /* sessions that wake at once */
#define CAGE "reads and writes mail/ACCOUNT; network: none"

static volatile sig_atomic_t stop;

static void
on_term(int sig)
{
	(void)sig;
	stop = 1;
}

static void
on_child(int sig)
{
	(void)sig;
}

/* What the configuration, out of reach afterwards, says of this account. */
static uint64_t
limits(struct session *s, const char *root, struct slice account)
{
	struct conf *c = conf_open(root);
	uint64_t quota;

	s->append_most = APPEND_MOST;
	if (c == NULL)
		return 0;
	s->append_most = conf_host_u64(c, "max-message-size");
	quota = conf_quota(c, account);
	conf_close(c);
	return quota;
}

/* Make mail/ACCOUNT if need be, keep rights to it only, open it. */
static struct account *
enter(struct session *s, const char *root, struct slice account)
{
	uint64_t quota = limits(s, root, account);
	struct strbuf rel = STRBUF_INIT(4096);
	struct account *a;
	char *path;
	int dir;

	sb_printf(&rel, "mail/%.*s", SLICE_ARG(account));
	path = xprintf("%s/%s", root, sb_cstr(&rel));
	dir = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir == -1 || dir_make(dir, sb_cstr(&rel), 0700) == -1)
		die_sys(EXIT_TEMP, "make %s", path);
	close(dir);
	{
		const char *const paths[] = { path, NULL };
		const struct confine cage = {
			.flags = CONFINE_UNIX,
			.write = paths,
			.memory = SESSION_MEMORY,
		};

		if (confine(&cage) == -1)
			die_sys(EXIT_TEMP, "confine");
	}
	a = account_open(AT_FDCWD, path, ACCOUNT_CREATE);
	if (a == NULL)
		die_sys(EXIT_TEMP, "open account %s", path);
	account_quota(a, quota);
	free(path);
	sb_free(&rel);
	return a;
}

static void
log_session(const struct session *s, const char *what)
{
	struct strbuf *l = log_begin(what);

	tuple_puts(l, "conn", s->id);
	tuple_put(l, "account", s->account);
	tuple_opt(l, "login", s->login);
	tuple_opt(l, "ip", s->ip);
	log_end();
}

/* The tagged OK of LOGIN or AUTHENTICATE, which imap-login left to us. */
static void
greet(struct session *s, struct slice tag)
{
	sb_put(&s->o, tag);
	sb_puts(&s->o, " OK [CAPABILITY " IMAP_CAPS "] logged in\r\n");
	s->spoke = true;
}

static void
answer(int sock, const char *text)
{
	if (fd_send(sock, slice_str(text), NULL, 0) == -1)
		log_sys("answer");
}

/* One packet of run/imap, in the child that will be the session. */
static void
session_process(const char *root, const char *park, int sock)
{
	static unsigned char buf[PACKET_MAX];
	struct tuple_reader r;
	struct arena ar = { 0 };
	struct session s;
	struct tuple t;
	struct slice account, tag, idle;
	char id[sizeof(s.id)];
	size_t n, fds = 0;
	int fd;

	if (poll_until(sock, POLLIN, clock_ms() + PACKET_WAIT_MS) <= 0 ||
	    fd_recv(sock, buf, sizeof(buf), &n, &fd, 1, &fds) != 1)
		exit(EXIT_TEMP);
	tuple_reader_init(&r, slice_of(buf, n));
	if (fds != 1 || tuple_next(&r, &ar, &t) != 1 || !tuple_is(&t, "imap") ||
	    !account_name_ok(account = tuple_value(&t, "account")) ||
	    slice_cstr(tuple_value(&t, "id"), id, sizeof(id)) == -1) {
		answer(sock, "no text=\"bad packet\"\n");
		log_error("bad packet");
		exit(EXIT_PERM);
	}
	session_init(&s, fd, fd);
	memcpy(s.id, id, sizeof(id));
	s.account = account;
	s.login = tuple_value(&t, "login");
	s.ip = tuple_value(&t, "ip");
	s.tls = tuple_value(&t, "tls");
	s.park = park;
	s.store = enter(&s, root, account);
	answer(sock, "ok\n");
	close(sock);
	session_pending(&s, tuple_value(&t, "pending"));
	if (tuple_get(&t, "tag", &tag)) {
		greet(&s, tag);
		log_session(&s, "session");
	} else if (!session_restore(&s, &t))
		session_bye(&s, "the mailbox has changed, connect again");
	else if (tuple_get(&t, "idle", &idle)) {
		view_sync(&s);
		arena_reset(&s.ar);
	}
	session_run(&s);
	if (!s.parked)
		log_session(&s, "end");
	session_free(&s);
	arena_free(&ar);
	exit(EXIT_DONE);
}

static void
serve(const char *root, unsigned most)
{
	char *path = xprintf("%s/run/imap", root);
	char *park = xprintf("%s/run/park", root);
	int sock = unix_listen(path, 0660), conn;
	struct pollfd ready = { .fd = sock, .events = POLLIN };
	unsigned running = 0;

	if (sock == -1)
		die_sys(EXIT_TEMP, "listen on %s", path);
	charset_preload();
	while (!stop) {
		while (running > 0 && waitpid(-1, NULL, WNOHANG) > 0)
			running--;
		if (poll(&ready, 1, -1) == -1)
			continue; /* a signal */
		conn = accept4(sock, NULL, NULL, SOCK_CLOEXEC);
		if (conn == -1) {
			if (errno != EAGAIN && errno != EINTR &&
			    errno != ECONNABORTED) {
				log_sys("accept");
				poll(NULL, 0, 100); /* out of descriptors */
			}
			continue;
		}
		if (running >= most) {
			answer(conn, "no text=\"too many sessions\"\n");
			close(conn);
			continue;
		}
		switch (fork()) {
		case -1:
			log_sys("fork");
			answer(conn, "no text=\"no process\"\n");
			break;
		case 0:
			close(sock);
			signal(SIGTERM, SIG_DFL);
			signal(SIGINT, SIG_DFL);
			/* Ends with us; the client connects again. */
			prctl(PR_SET_PDEATHSIG, SIGTERM);
			session_process(root, park, conn);
			break;
		default:
			running++;
		}
		close(conn);
	}
	free(path);
	free(park);
}

static int
shell(const char *root, const char *account)
{
	struct session s;

	if (!account_name_ok(slice_str(account)))
		die(EXIT_PERM, "not an account name: %s", account);
	charset_preload();
	session_init(&s, 0, 1);
	s.account = slice_str(account);
	s.store = enter(&s, root, s.account);
	s.spoke = true;
	line(&s, "PREAUTH [CAPABILITY " IMAP_CAPS "] at your service");
	session_run(&s);
	session_free(&s);
	return EXIT_DONE;
}

int
main(int argc, char **argv)
{
	const char *root = NULL, *account = NULL;
	struct sigaction sa = { .sa_handler = on_term };
	uint64_t most = SESSIONS_MAX;
	int ch;

	prog_start(argc, argv, "[-C root] [-n sessions | -a account]",
	    "serve IMAP sessions after login", CAGE);
	while ((ch = getopt(argc, argv, "C:a:n:")) != -1)
		switch (ch) {
		case 'C':
			root = optarg;
			break;
		case 'a':
			account = optarg;
			break;
		case 'n':
			if (slice_u64(slice_str(optarg), 1000000, &most) == -1)
				usage();
			break;
		default:
			usage();
		}
	if (optind != argc)
		usage();
	root = conf_root(root);
	tzset();
	signal(SIGPIPE, SIG_IGN);
	if (account != NULL)
		return shell(root, account);
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGINT, &sa, NULL);
	sa.sa_handler = on_child;
	sigaction(SIGCHLD, &sa, NULL);
	serve(root, (unsigned)most);
	return EXIT_DONE;
}
