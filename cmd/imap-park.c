/*
 * imap-park - keep idle IMAP sessions in one process
 * usage   imap-park [-C root] [-n sessions]
 * sockets run/park: sessions come from imap-serve; run/imap: back to it
 * fd 2    log lines
 * exit    0 stopped by a signal; 100 bad usage; 111 no socket, no inotify
 * rights  user pneu-mail; reads mail/ (to set watches, never a message);
 *         no network but the fds it was given
 *
 * A parked session is a descriptor and the tuple that brings it back. One
 * inotify instance watches for all; equal paths share a watch. When the client
 * sends, or something watched changes, the session goes back to imap-serve,
 * which asks the store what happened since. A client that hangs up is gone.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/confine.h"
#include "base/die.h"
#include "base/fdpass.h"
#include "base/log.h"
#include "base/tuple.h"
#include "conf/conf.h"
#include "net/net.h"
#include "store/store.h"

#define SESSIONS_MAX 20000  /* default of -n */
#define WATCHES_MAX 3       /* of one session: bell, new, cur */
#define IDLE_MS (30 * 60 * 1000) /* RFC 9051 section 5.4 */
#define BACK_MS 10000       /* for imap-serve's answer */
#define STATE_MAX 12000     /* bytes of a state; `$' is bounded by 4096 */
#define BUCKETS 4096
#define CONNECTIONS_MAX 256 /* imap-serve processes that park right now */
#define EVENTS 256
#define WATCH_MASK (IN_ATTRIB | IN_MODIFY | IN_CREATE | IN_MOVED_TO | \
	IN_MOVED_FROM | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF)
#define CAGE "reads mail/; connects to run/imap; network: none"

struct session;

struct watch {
	struct watch *next;   /* in its bucket */
	struct watch *by_wd;  /* in the bucket of its number */
	struct link *first;   /* sessions */
	int wd;
	char path[];          /* below mail/ */
};

struct link {
	struct session *s;
	struct watch *w;
	struct link *prev, *next;
};

/* What epoll's pointer points to. */
enum kind { LISTENER, INOTIFY, COMING, PARKED, GOING };

struct source {
	enum kind kind;
	int fd;
};

struct session {
	struct source src;
	struct source back;   /* to imap-serve, while it goes back */
	struct session *older, *newer;
	int64_t until;
	struct link link[WATCHES_MAX];
	unsigned links;
	unsigned n;           /* bytes of state */
	char state[];
};

static volatile sig_atomic_t stop;
static const char *root;
static char *imap_path;
static int epoll_fd, mail_dir;
static struct source listener = { LISTENER, -1 }, notify = { INOTIFY, -1 };
static struct watch *by_path[BUCKETS], *by_number[BUCKETS];
static struct session *oldest, *newest;
static unsigned parked, coming;

static void
on_term(int sig)
{
	(void)sig;
	stop = 1;
}

static int
poll_add(struct source *src, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = src };

	return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, src->fd, &ev);
}

/* ---- watches ---- */

static unsigned
hash(struct slice s)
{
	uint32_t h = 2166136261u; /* FNV-1a */

	for (size_t i = 0; i < s.n; i++)
		h = (h ^ s.p[i]) * 16777619u;
	return h % BUCKETS;
}

static struct watch *
watch_get(struct slice path)
{
	struct watch **head = &by_path[hash(path)], *w;
	char *full;
	int wd;

	for (w = *head; w != NULL; w = w->next)
		if (slice_eqs(path, w->path))
			return w;
	full = xprintf("%s/mail/%.*s", root, SLICE_ARG(path));
	wd = inotify_add_watch(notify.fd, full, WATCH_MASK);
	free(full);
	if (wd == -1)
		return NULL;
	w = xcalloc(1, sizeof(*w) + path.n + 1);
	memcpy(w->path, path.p, path.n);
	w->wd = wd;
	w->next = *head;
	*head = w;
	w->by_wd = by_number[wd % BUCKETS];
	by_number[wd % BUCKETS] = w;
	return w;
}

static void
watch_drop(struct watch *w)
{
	struct watch **at = &by_path[hash(slice_str(w->path))];

	while (*at != w)
		at = &(*at)->next;
	*at = w->next;
	for (at = &by_number[w->wd % BUCKETS]; *at != w;)
		at = &(*at)->by_wd;
	*at = w->by_wd;
	/* Two paths may be one file, and then share a number. */
	for (struct watch *o = by_number[w->wd % BUCKETS]; o != NULL;
	    o = o->by_wd)
		if (o->wd == w->wd) {
			free(w);
			return;
		}
	(void)inotify_rm_watch(notify.fd, w->wd);
	free(w);
}

static void
unwatch(struct session *s)
{
	for (unsigned i = 0; i < s->links; i++) {
		struct link *l = &s->link[i];

		if (l->prev != NULL)
			l->prev->next = l->next;
		else
			l->w->first = l->next;
		if (l->next != NULL)
			l->next->prev = l->prev;
		if (l->w->first == NULL)
			watch_drop(l->w);
	}
	s->links = 0;
}

/* ---- sessions ---- */

static void
queue_out(struct session *s)
{
	if (s->older != NULL)
		s->older->newer = s->newer;
	else
		oldest = s->newer;
	if (s->newer != NULL)
		s->newer->older = s->older;
	else
		newest = s->older;
	s->older = s->newer = NULL;
}

static void
queue_in(struct session *s, int ms)
{
	s->until = clock_ms() + ms;
	s->older = newest;
	s->newer = NULL;
	if (newest != NULL)
		newest->newer = s;
	else
		oldest = s;
	newest = s;
}

static void
session_end(struct session *s)
{
	unwatch(s);
	queue_out(s);
	/* close() would not do: as long as imap-serve has its descriptor of
	 * the connection, epoll would go on to name this session. */
	(void)epoll_ctl(epoll_fd, EPOLL_CTL_DEL, s->src.fd, NULL);
	close(s->src.fd);
	if (s->back.fd != -1)
		close(s->back.fd);
	free(s);
	parked--;
}

static void
session_bye(struct session *s, const char *text)
{
	/* Best effort: the socket's buffer has room, or the client is gone. */
	(void)!send(s->src.fd, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL);
	session_end(s);
}

/*
 * Give the session back. It stays ours until imap-serve says ok, or BACK_MS
 * have passed.
 */
static void
session_wake(struct session *s)
{
	if (s->back.fd != -1)
		return;
	unwatch(s);
	(void)epoll_ctl(epoll_fd, EPOLL_CTL_DEL, s->src.fd, NULL);
	s->back = (struct source){ GOING, unix_connect(imap_path) };
	if (s->back.fd == -1 ||
	    fd_send(s->back.fd, slice_of(s->state, s->n), &s->src.fd, 1) ==
	    -1 || poll_add(&s->back, EPOLLIN) == -1) {
		log_sys("give session back");
		session_bye(s, "* BYE [UNAVAILABLE] try again\r\n");
		return;
	}
	queue_out(s);
	queue_in(s, BACK_MS);
}

static void
log_end_of(const struct session *s)
{
	static const char *const attrs[] = { "account", "login", "ip" };
	struct arena ar = { 0 };
	struct tuple_reader r;
	struct strbuf *l;
	struct tuple t;

	tuple_reader_init(&r, slice_of(s->state, s->n));
	if (tuple_next(&r, &ar, &t) == 1) {
		l = log_begin("end");
		tuple_put(l, "conn", tuple_value(&t, "id"));
		for (size_t i = 0; i < COUNTOF(attrs); i++)
			tuple_opt(l, attrs[i], tuple_value(&t, attrs[i]));
		log_end();
	}
	arena_free(&ar);
}

/* The client has sent something, or left: then no imap-serve is needed. */
static void
session_readable(struct session *s)
{
	char c;
	ssize_t n = recv(s->src.fd, &c, 1, MSG_PEEK | MSG_DONTWAIT);

	if (n > 0 || (n == -1 && (errno == EAGAIN || errno == EINTR))) {
		session_wake(s);
		return;
	}
	log_end_of(s);
	session_end(s);
}

static struct session *
session_of(struct source *src)
{
	size_t off = src->kind == GOING ? offsetof(struct session, back) :
	    offsetof(struct session, src);

	return (struct session *)(void *)((char *)src - off);
}

static void
session_gone(struct session *s)
{
	char buf[256];
	size_t n, fds;

	if (fd_recv(s->back.fd, buf, sizeof(buf), &n, NULL, 0, &fds) == 1 &&
	    slice_starts(slice_of(buf, n), S("ok")))
		session_end(s);
	else
		session_bye(s, "* BYE [UNAVAILABLE] try again\r\n");
}

/* Has the file changed since imap-serve looked? */
static bool
is_stale(struct slice path, struct slice stamp)
{
	char name[PATH_MAX], now[64];
	struct stat st;

	if (slice_cstr(path, name, sizeof(name)) == -1 ||
	    fstatat(mail_dir, name, &st, 0) == -1)
		return true;
	snprintf(now, sizeof(now), "%lld.%09ld",
	    (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
	return !slice_eqs(stamp, now);
}

/*
 * Paths come from imap-serve, relative to the account's directory: they must
 * stay in it.
 */
static bool
path_ok(struct slice p)
{
	return p.n != 0 && p.p[0] != '/' && slice_find(p, S("..")) == -1 &&
	    slice_chr(p, '\0') == -1 && p.n < 1024;
}

/* Set the watches of a session: 1 all is as it was, 0 changed, -1 bad. */
static int
session_watch(struct session *s, const struct tuple *t)
{
	struct slice account = tuple_value(t, "account");
	struct strbuf path = STRBUF_INIT(2048);
	int r = 1;

	for (size_t i = 0; i + 1 < t->count && r != -1; i++) {
		struct link *l = &s->link[s->links];

		if (!slice_eqs(t->attr[i].name, "watch"))
			continue;
		if (s->links == WATCHES_MAX || !path_ok(t->attr[i].value) ||
		    !slice_eqs(t->attr[i + 1].name, "stamp")) {
			r = -1;
			break;
		}
		sb_reset(&path);
		sb_put(&path, account);
		sb_putc(&path, '/');
		sb_put(&path, t->attr[i].value);
		l->w = watch_get(sb_slice(&path));
		if (l->w == NULL) {
			r = 0; /* gone: imap-serve will see */
			break;
		}
		l->s = s;
		l->prev = NULL;
		l->next = l->w->first;
		if (l->next != NULL)
			l->next->prev = l;
		l->w->first = l;
		s->links++;
		if (is_stale(sb_slice(&path), t->attr[i + 1].value))
			r = 0;
	}
	sb_free(&path);
	return r;
}

/* The packet without its watches, as "imap ...". */
static struct session *
session_new(const struct tuple *t, int fd)
{
	struct strbuf sb = STRBUF_INIT(STATE_MAX);
	struct session *s = NULL;

	tuple_begin(&sb, "imap");
	for (size_t i = 0; i < t->count; i++) {
		char name[32];

		if (slice_eqs(t->attr[i].name, "watch") ||
		    slice_eqs(t->attr[i].name, "stamp"))
			continue;
		if (slice_cstr(t->attr[i].name, name, sizeof(name)) == -1)
			sb.over = true;
		else
			tuple_put(&sb, name, t->attr[i].value);
	}
	tuple_end(&sb);
	if (!sb.over) {
		s = xcalloc(1, sizeof(*s) + sb.n);
		memcpy(s->state, sb.p, sb.n);
		s->n = (unsigned)sb.n;
		s->src = (struct source){ PARKED, fd };
		s->back = (struct source){ GOING, -1 };
	}
	sb_free(&sb);
	return s;
}

static void
answer(int sock, const char *text)
{
	if (fd_send(sock, slice_str(text), NULL, 0) == -1)
		log_sys("answer imap-serve");
}

/* A packet of run/park. */
static void
park(struct source *from, unsigned most)
{
	static unsigned char buf[PACKET_MAX];
	struct arena ar = { 0 };
	struct tuple_reader r;
	struct session *s = NULL;
	struct tuple t;
	size_t n, fds = 0;
	int fd, fresh;

	if (fd_recv(from->fd, buf, sizeof(buf), &n, &fd, 1, &fds) != 1)
		goto out;
	tuple_reader_init(&r, slice_of(buf, n));
	if (fds != 1 || parked >= most || tuple_next(&r, &ar, &t) != 1 ||
	    !tuple_is(&t, "park") ||
	    !account_name_ok(tuple_value(&t, "account")) ||
	    (s = session_new(&t, fd)) == NULL) {
		answer(from->fd, "no text=\"full, or a bad packet\"\n");
		fds_close(&fd, fds);
		goto out;
	}
	parked++;
	queue_in(s, IDLE_MS);
	fresh = session_watch(s, &t);
	answer(from->fd, "ok\n");
	if (fresh == -1)
		session_bye(s, "* BYE [SERVERBUG] bad state\r\n");
	else if (poll_add(&s->src, EPOLLIN | EPOLLRDHUP) == -1)
		session_bye(s, "* BYE [UNAVAILABLE] try again\r\n");
	else if (fresh == 0)
		session_wake(s);
out:
	close(from->fd);
	free(from);
	coming--;
	arena_free(&ar);
}

/* ---- events ---- */

static void
wake_all(void)
{
	struct session *last = newest, *next;
	bool end = false;

	/* Who is woken goes to the end of the queue. */
	for (struct session *s = oldest; s != NULL && !end; s = next) {
		next = s->newer;
		end = s == last;
		session_wake(s);
	}
}

static struct link *
first_of(int wd)
{
	for (struct watch *w = by_number[wd % BUCKETS]; w != NULL;
	    w = w->by_wd)
		if (w->wd == wd && w->first != NULL)
			return w->first;
	return NULL;
}

/* Each session that is woken leaves its watches, the last one takes a watch
 * away: look for the next from the start. */
static void
watch_fired(int wd)
{
	struct link *l;

	while ((l = first_of(wd)) != NULL)
		session_wake(l->s);
}

static void
read_events(void)
{
	_Alignas(struct inotify_event) char buf[16384];
	ssize_t n = read(notify.fd, buf, sizeof(buf));

	for (ssize_t at = 0; at < n;) {
		struct inotify_event *ev = (void *)(buf + at);

		at += (ssize_t)(sizeof(*ev) + ev->len);
		if ((ev->mask & IN_Q_OVERFLOW) != 0)
			wake_all();
		else if ((ev->mask & IN_IGNORED) == 0)
			watch_fired(ev->wd);
	}
}

static void
accept_all(void)
{
	for (; coming < CONNECTIONS_MAX; coming++) {
		struct source *src;
		int fd = accept4(listener.fd, NULL, NULL,
		    SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd == -1)
			return;
		src = xcalloc(1, sizeof(*src));
		*src = (struct source){ COMING, fd };
		if (poll_add(src, EPOLLIN) == -1) {
			log_sys("watch connection");
			close(fd);
			free(src);
			return;
		}
	}
}

static void
expire(void)
{
	int64_t now = clock_ms();
	struct session *next;

	for (struct session *s = oldest; s != NULL; s = next) {
		next = s->newer;
		if (s->until <= now)
			session_bye(s, "* BYE idle for 30 minutes\r\n");
	}
}

static void
run(unsigned most)
{
	struct epoll_event ev[EVENTS];

	while (!stop) {
		int n = epoll_wait(epoll_fd, ev, EVENTS,
		    oldest != NULL ? 10000 : -1);
		bool told = false;

		for (int i = 0; i < n; i++) {
			struct source *src = ev[i].data.ptr;

			switch (src->kind) {
			case LISTENER:
				accept_all();
				break;
			case INOTIFY:
				told = true; /* last: it may end sessions */
				break;
			case COMING:
				park(src, most);
				break;
			case PARKED:
				session_readable(session_of(src));
				break;
			case GOING:
				session_gone(session_of(src));
				break;
			}
		}
		if (told)
			read_events();
		accept_all();
		expire();
	}
}

/* One descriptor a session, and one while it goes back. */
static void
raise_files(uint64_t most)
{
	struct rlimit rl;

	if (getrlimit(RLIMIT_NOFILE, &rl) == -1)
		return;
	if (rl.rlim_cur < 2 * most + 512)
		rl.rlim_cur = rl.rlim_max < 2 * most + 512 ? rl.rlim_max :
		    2 * most + 512;
	if (setrlimit(RLIMIT_NOFILE, &rl) == -1)
		warn_sys("raise the limit of descriptors");
}

static void
open_all(void)
{
	char *path = xprintf("%s/run/park", root);
	char *mail = xprintf("%s/mail", root);
	const char *const paths[] = { mail, NULL };
	struct confine cage = {
		.flags = CONFINE_ACCEPT | CONFINE_UNIX | CONFINE_INOTIFY,
		.read = paths,
	};

	mail_dir = open(mail, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (mail_dir == -1)
		die_sys(EXIT_TEMP, "open %s", mail);
	listener.fd = unix_listen(path, 0660);
	if (listener.fd == -1 || fcntl(listener.fd, F_SETFL, O_NONBLOCK) == -1)
		die_sys(EXIT_TEMP, "listen on %s", path);
	notify.fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (notify.fd == -1 || epoll_fd == -1 ||
	    poll_add(&listener, EPOLLIN) == -1 ||
	    poll_add(&notify, EPOLLIN) == -1)
		die_sys(EXIT_TEMP, "epoll and inotify");
	if (confine(&cage) == -1)
		die_sys(EXIT_TEMP, "confine");
	free(path);
	free(mail);
}

int
main(int argc, char **argv)
{
	struct sigaction sa = { .sa_handler = on_term };
	const char *option = NULL;
	uint64_t most = SESSIONS_MAX;
	int ch;

	prog_start(argc, argv, "[-C root] [-n sessions]",
	    "keep idle IMAP sessions in one process", CAGE);
	while ((ch = getopt(argc, argv, "C:n:")) != -1)
		switch (ch) {
		case 'C':
			option = optarg;
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
	root = conf_root(option);
	imap_path = xprintf("%s/run/imap", root);
	signal(SIGPIPE, SIG_IGN);
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGINT, &sa, NULL);
	raise_files(most);
	open_all();
	run((unsigned)most);
	while (oldest != NULL) /* session_end() takes it off the list */
		session_bye(oldest, /* NOLINT(clang-analyzer-unix.Malloc) */
		    "* BYE the server stops\r\n");
	return EXIT_DONE;
}
