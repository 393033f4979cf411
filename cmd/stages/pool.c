/*
 * The workers of a stage: started when jobs wait, watched, replaced.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/die.h"
#include "base/fdpass.h"
#include "base/file.h"
#include "base/log.h"
#include "stages.h"

/* A worker that dies sooner than this did not start well. */
#define YOUNG_MS 1000
#define BACKOFF_MS 500
#define BACKOFF_MOST_MS 10000

static void
pair(int fd[2])
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fd) == -1)
		die_sys(EXIT_TEMP, "unable to make a socket pair");
}

void
pool_open(struct pipeline *p, size_t i)
{
	struct pool *pool = p->pool[i];
	size_t size = sizeof(struct stage_seat) * pool->conf.max;
	const int room = JOBS_IN_FLIGHT * 1024;
	struct timeval idle = { .tv_sec = (time_t)pool->conf.idle };

	pair(pool->in);
	pair(pool->reply);
	/* As many jobs as there may be, each a small packet. */
	if (setsockopt(pool->in[1], SOL_SOCKET, SO_SNDBUF, &room,
	    sizeof(room)) == -1)
		die_sys(EXIT_TEMP, "unable to size a socket's buffer");
	if (fcntl(pool->reply[0], F_SETFL, O_NONBLOCK) == -1)
		die_sys(EXIT_TEMP, "unable to set a flag");
	if (setsockopt(pool->in[0], SOL_SOCKET, SO_RCVTIMEO, &idle,
	    sizeof(idle)) == -1)
		die_sys(EXIT_TEMP, "unable to set a time-out");
	pool->seats_fd = memfd_new("seats");
	if (pool->seats_fd == -1 || ftruncate(pool->seats_fd, (off_t)size) == -1)
		die_sys(EXIT_TEMP, "unable to make the seats");
	pool->seat = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED,
	    pool->seats_fd, 0);
	if (pool->seat == MAP_FAILED)
		die_sys(EXIT_TEMP, "unable to map the seats");
}

static void
put_env(const char *name, const char *value)
{
	if (setenv(name, value, 1) == -1)
		_exit(EXIT_TEMP);
}

/* In the child: descriptors 0, 1, 3 and 4, limits, exec. */
static void
become_worker(struct pipeline *p, const struct pool *pool, size_t stage,
    unsigned seat, pid_t parent)
{
	char number[16];
	int fd[4], to[4] = { 0, 1, 3, 4 };
	sigset_t none;

	/*
	 * If we are killed, who gave us jobs says 451 and gets them again: the
	 * workers must not go on with them.
	 */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) == -1 || getppid() != parent)
		_exit(EXIT_TEMP);

	fd[0] = pool->in[0];
	fd[1] = pool->last ? -1 : p->pool[stage + 1]->in[1];
	fd[2] = pool->reply[1];
	fd[3] = pool->seats_fd;
	if (fd[1] == -1)
		fd[1] = open("/dev/null", O_RDWR | O_CLOEXEC);
	/* Out of the way of 0..4 first. */
	for (int i = 0; i < 4; i++)
		if ((fd[i] = fcntl(fd[i], F_DUPFD_CLOEXEC, 10)) == -1)
			_exit(EXIT_TEMP);
	for (int i = 0; i < 4; i++)
		if (dup2(fd[i], to[i]) == -1)
			_exit(EXIT_TEMP);
	snprintf(number, sizeof(number), "%u", seat);
	put_env("PNEU_SEAT", number);
	put_env("PNEU_TYPES", pool->types_before);
	put_env("PNEU_OWN", pool->conf.types);
	unsetenv("PNEU_LAST");
	unsetenv("PNEU_SHADOW");
	if (pool->last)
		put_env("PNEU_LAST", "1");
	if (pool->conf.shadow)
		put_env("PNEU_SHADOW", "1");
#ifndef PNEU_ASAN
	if (pool->conf.memory != 0) {
		struct rlimit rl = { pool->conf.memory, pool->conf.memory };

		setrlimit(RLIMIT_AS, &rl);
	}
#endif
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	execvp(pool->conf.argv[0], pool->conf.argv);
	log_sys("unable to run %s", pool->conf.argv[0]);
	_exit(EXIT_TEMP);
}

static void
start_worker(struct pipeline *p, struct pool *pool, size_t stage)
{
	unsigned seat = 0;
	pid_t self = getpid(), pid;

	while (seat < pool->conf.max && pool->worker[seat].pid != 0)
		seat++;
	if (seat == pool->conf.max)
		return;
	memset(&pool->seat[seat], 0, sizeof(pool->seat[seat]));
	pid = fork();
	if (pid == -1) {
		log_sys("unable to start a worker of %s", pool->conf.name);
		pool->not_before = clock_ms() + BACKOFF_MS;
		return;
	}
	if (pid == 0)
		become_worker(p, pool, stage, seat, self);
	pool->worker[seat] = (struct worker){ pid, clock_ms() };
	pool->running++;
}

bool
pool_waiting(const struct pool *pool)
{
	struct pollfd pfd = { .fd = pool->in[0], .events = POLLIN };

	return poll(&pfd, 1, 0) == 1 && (pfd.revents & POLLIN);
}

/* Started and not yet waiting for its first job, or waiting. */
static bool
someone_free(const struct pool *pool)
{
	for (unsigned i = 0; i < pool->conf.max; i++)
		if (pool->worker[i].pid != 0 && pool->seat[i].busy == 0)
			return true;
	return false;
}

static size_t
index_of(const struct pipeline *p, const struct pool *pool)
{
	size_t i = 0;

	while (p->pool[i] != pool)
		i++;
	return i;
}

void
pool_grow(struct pipeline *p, struct pool *pool)
{
	if (clock_ms() < pool->not_before)
		return;
	while (pool->running < pool->conf.min &&
	    clock_ms() >= pool->not_before)
		start_worker(p, pool, index_of(p, pool));
	if (pool->running < pool->conf.max && !someone_free(pool) &&
	    pool_waiting(pool))
		start_worker(p, pool, index_of(p, pool));
}

void
pool_wake(struct pipeline *p)
{
	for (size_t i = 0; i < p->count; i++)
		if (p->pool[i]->running == 0 &&
		    clock_ms() >= p->pool[i]->not_before)
			start_worker(p, p->pool[i], i);
}

void
pool_retire(struct pool *pool)
{
	for (unsigned i = 0; i < pool->conf.max; i++) {
		if (pool->worker[i].pid == 0)
			continue;
		pool->seat[i].retire = 1;
		/* If it is full, they have jobs to take and then look. */
		(void)!fd_send_now(pool->in[1], S("retire\n"), NULL, 0);
	}
}

void
pool_overtime(struct pool *pool, int64_t now)
{
	int64_t budget = (int64_t)pool->conf.time * 1000;

	for (unsigned i = 0; i < pool->conf.max; i++) {
		if (pool->worker[i].pid == 0 || pool->seat[i].busy == 0 ||
		    now - pool->seat[i].since <= budget)
			continue;
		log_error("worker %d of %s is over its time and killed",
		    (int)pool->worker[i].pid, pool->conf.name);
		kill(pool->worker[i].pid, SIGKILL);
	}
}

static void
note_end(struct pool *pool, const struct worker *w, int status)
{
	bool well = WIFEXITED(status) && WEXITSTATUS(status) == 0;
	int64_t now = clock_ms();

	if (well || now - w->born > YOUNG_MS) {
		pool->failures = 0;
		return;
	}
	pool->failures++;
	pool->not_before = now + (pool->failures > 20 ? BACKOFF_MOST_MS :
	    BACKOFF_MS * (int64_t)pool->failures);
}

bool
pool_reap(struct pipeline *p, pid_t pid, int status, struct died *d)
{
	for (size_t s = 0; s < p->count; s++) {
		struct pool *pool = p->pool[s];

		for (unsigned i = 0; i < pool->conf.max; i++) {
			struct stage_seat *seat = &pool->seat[i];

			if (pool->worker[i].pid != pid)
				continue;
			*d = (struct died){ .stage = s, .status = status };
			d->overtime = seat->busy != 0 && clock_ms() -
			    seat->since > (int64_t)pool->conf.time * 1000;
			for (size_t k = 0; k < STAGE_BATCH_MAX &&
			    k < seat->busy; k++)
				if (seat->slot[k] >= 0)
					d->slot[d->count++] = seat->slot[k];
			note_end(pool, &pool->worker[i], status);
			pool->worker[i].pid = 0;
			pool->running--;
			return true;
		}
	}
	return false;
}

void
pool_close(struct pool *pool)
{
	close(pool->in[0]);
	close(pool->in[1]);
	pool->in[0] = pool->in[1] = -1;
}
