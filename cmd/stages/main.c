/*
 * stages - wire a pipeline of stage programs and lead jobs through it
 * usage   stages [-C root] pipeline
 * fd 0-2  standard input is not used; diagnostics on 2
 * files   conf/pipeline/NAME; run/NAME (socket), spool/, case/, report/
 * exit    0 stopped by a signal; 100 bad pipeline file; 111 try again
 * rights  starts the stage programs, which confine themselves; opens what a
 *         client hands it only by descriptor
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/die.h"
#include "base/file.h"
#include "base/log.h"
#include "conf/conf.h"
#include "net/net.h"
#include "stages.h"

#define EVENTS 64
/* Without a configuration. */
#define CASE_DAYS 14
#define CASE_SIZE ((uint64_t)1024 * 1024 * 1024)
#define IDLE_TICK_MS 60000 /* nothing in flight: look after the pools */

/* What an epoll event is about, in the upper half of its data. */
enum { EV_LISTEN, EV_SIGNAL, EV_CLIENT, EV_REPLY };

struct loop {
	struct pipeline pipe;
	struct jobs *jobs;
	struct journal cases;
	int listen, signals;
	unsigned clients;
	int64_t stop_by; /* 0 = running */
	char *cdb;       /* the compiled configuration */
	struct stat conf; /* as the workers have seen it */
};

static void
watch(struct loop *l, int fd, unsigned kind, unsigned number)
{
	struct epoll_event ev = { .events = EPOLLIN };

	ev.data.u64 = (uint64_t)kind << 32 | number;
	if (epoll_ctl(l->pipe.epoll, EPOLL_CTL_ADD, fd, &ev) == -1)
		die_sys(EXIT_TEMP, "unable to watch a descriptor");
}

static void
accept_client(struct loop *l)
{
	int fd = accept4(l->listen, NULL, NULL, SOCK_CLOEXEC);

	if (fd == -1)
		return;
	if (l->clients == CLIENTS_MAX) {
		close(fd);
		return;
	}
	l->clients++;
	watch(l, fd, EV_CLIENT, (unsigned)fd);
}

static void
reap(struct loop *l)
{
	struct died d;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (!pool_reap(&l->pipe, pid, status, &d))
			continue;
		if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
			struct strbuf *line = log_begin("worker-died");

			tuple_puts(line, "stage",
			    l->pipe.pool[d.stage]->conf.name);
			tuple_putu(line, "pid", (uint64_t)pid);
			tuple_putu(line, "status", (uint64_t)status);
			tuple_putu(line, "jobs", d.count);
			log_end();
		}
		jobs_died(l->jobs, &d);
	}
}

static void
signalled(struct loop *l)
{
	struct signalfd_siginfo si;

	while (read(l->signals, &si, sizeof(si)) == sizeof(si)) {
		if (si.ssi_signo == SIGCHLD)
			reap(l);
		else if (l->stop_by == 0) {
			l->stop_by = clock_ms() + STOP_MS;
			epoll_ctl(l->pipe.epoll, EPOLL_CTL_DEL, l->listen, NULL);
		}
	}
}

/* Stages that can open nothing learn of a new configuration by being started
 * again. */
static void
watch_conf(struct loop *l)
{
	struct stat st;

	if (stat(l->cdb, &st) == -1 || (st.st_ino == l->conf.st_ino &&
	    st.st_mtim.tv_sec == l->conf.st_mtim.tv_sec &&
	    st.st_mtim.tv_nsec == l->conf.st_mtim.tv_nsec))
		return;
	if (l->conf.st_ino != 0)
		for (size_t i = 0; i < l->pipe.count; i++)
			pool_retire(l->pipe.pool[i]);
	l->conf = st;
}

static void
handle(struct loop *l, const struct epoll_event *ev)
{
	unsigned kind = (unsigned)(ev->data.u64 >> 32);
	int fd = (int)(ev->data.u64 & 0xffffffff);

	if (kind == EV_LISTEN)
		accept_client(l);
	else if (kind == EV_SIGNAL)
		signalled(l);
	else if (kind == EV_REPLY)
		(void)jobs_reply(l->jobs, (size_t)fd);
	else {
		watch_conf(l);
		if (jobs_enter(l->jobs, fd))
			return;
		jobs_client_gone(l->jobs, fd);
		/* A worker between fork and exec has it, too. */
		epoll_ctl(l->pipe.epoll, EPOLL_CTL_DEL, fd, NULL);
		close(fd);
		l->clients--;
	}
}

static void
look_after(struct loop *l, int64_t now)
{
	for (size_t i = 0; i < l->pipe.count; i++) {
		pool_grow(&l->pipe, l->pipe.pool[i]);
		pool_overtime(l->pipe.pool[i], now);
	}
	jobs_sweep(l->jobs, now);
}

static void
run(struct loop *l)
{
	struct epoll_event ev[EVENTS];
	int64_t looked = 0;

	while (l->stop_by == 0 || (jobs_in_flight(l->jobs) != 0 &&
	    clock_ms() < l->stop_by)) {
		int wait = jobs_in_flight(l->jobs) != 0 ? TICK_MS :
		    IDLE_TICK_MS;
		int n = epoll_wait(l->pipe.epoll, ev, EVENTS, wait);
		int64_t now;

		for (int i = 0; i < n; i++)
			handle(l, &ev[i]);
		now = clock_ms();
		if (now - looked >= TICK_MS || n == 0) {
			look_after(l, now);
			looked = now;
		}
	}
	/* The workers see the end of their sockets and go. */
	for (size_t i = 0; i < l->pipe.count; i++)
		pool_close(l->pipe.pool[i]);
}

static void
open_files(void)
{
	struct rlimit rl;

	/* Four descriptors a job, and the clients. */
	if (getrlimit(RLIMIT_NOFILE, &rl) == 0) {
		rl.rlim_cur = rl.rlim_max;
		setrlimit(RLIMIT_NOFILE, &rl);
	}
}

/* conf(5), host case-days and case-size; the defaults where nothing is
 * configured. NULL: no cases are wanted. */
static struct journal *
open_cases(struct loop *l, const char *root)
{
	struct conf *c = conf_open(root);
	char *dir = xprintf("%s/case", root);
	uint64_t days = CASE_DAYS, size = CASE_SIZE;

	if (c != NULL) {
		days = conf_host_u64(c, "case-days");
		size = conf_host_u64(c, "case-size");
	}
	conf_close(c);
	if (dir_make(AT_FDCWD, dir, 0750) == -1)
		die_sys(EXIT_TEMP, "unable to make %s", dir);
	journal_init(&l->cases, dir, (unsigned)days, size);
	return days != 0 ? &l->cases : NULL;
}

/* A directory below report/ for each append=. */
static void
open_reports(const struct pipeline *p, const char *root)
{
	for (size_t i = 0; i < p->count; i++) {
		struct pool *pool = p->pool[i];
		char *dir;

		if (pool->conf.append == NULL)
			continue;
		dir = xprintf("%s/report/%s", root, pool->conf.append);
		if (dir_make(AT_FDCWD, dir, 0750) == -1)
			die_sys(EXIT_TEMP, "unable to make %s", dir);
		journal_init(&pool->report, dir, REPORT_DAYS, REPORT_SIZE);
	}
}

static void
start(struct loop *l, const char *root, const char *name, const char *bin)
{
	char *conf = xprintf("%s/conf/pipeline/%s", root, name);
	char *spool = xprintf("%s/spool", root);
	char *poison = xprintf("%s/poison", spool);
	char *sock = xprintf("%s/run/%s", root, name);
	sigset_t set;

	pipeline_read(&l->pipe, conf, bin);
	if (dir_make(AT_FDCWD, poison, 0700) == -1)
		die_sys(EXIT_TEMP, "unable to make %s", poison);
	open_reports(&l->pipe, root);
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	l->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	l->pipe.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (l->signals == -1 || l->pipe.epoll == -1)
		die_sys(EXIT_TEMP, "unable to start");
	for (size_t i = 0; i < l->pipe.count; i++) {
		pool_open(&l->pipe, i);
		watch(l, l->pipe.pool[i]->reply[0], EV_REPLY, (unsigned)i);
	}
	l->listen = unix_listen(sock, 0660);
	if (l->listen == -1)
		die_sys(EXIT_TEMP, "unable to listen on %s", sock);
	watch(l, l->listen, EV_LISTEN, 0);
	watch(l, l->signals, EV_SIGNAL, 0);
	l->jobs = jobs_new(&l->pipe, spool, open_cases(l, root));
	l->cdb = xprintf("%s/cdb/conf.cdb", root);
	watch_conf(l);
	free(conf);
	free(sock);
	free(poison);
}

int
main(int argc, char **argv)
{
	static struct loop l;
	const char *root = NULL;
	char *dir;
	int ch;

	prog_start(argc, argv, "[-C root] pipeline",
	    "wire a pipeline of stage programs and lead jobs through it",
	    "starts stage programs; files: spool, case, run; network: none");
	if (argc > 1 && strcmp(argv[1], "-F") == 0)
		return filter_main(argc - 2, argv + 2);
	while ((ch = getopt(argc, argv, "C:")) != -1)
		switch (ch) {
		case 'C': root = optarg; break;
		default: usage();
		}
	if (optind + 1 != argc || strchr(argv[optind], '/') != NULL)
		usage();
	if ((dir = program_dir()) == NULL)
		die_sys(EXIT_TEMP, "unable to find this program's directory");
	open_files();
	l.pipe.name = argv[optind];
	start(&l, conf_root(root), argv[optind], dir);
	run(&l);
	return EXIT_DONE;
}
