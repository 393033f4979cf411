/* What a cage forbids fails in a process of its own; what it allows works. */
#include "base/confine.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "tap.h"

static char dir[] = "/tmp/pneu-confine-XXXXXX";
static char in[64], out[64], file[96], listed[64];
static int listener;

/* Acts: 0 it worked, -1 it failed. */
static int
act_base(void)
{
	int p[2], fd = memfd_new("m");
	void *m = malloc(1 << 20);
	struct timespec ts;
	char c;

	if (m == NULL || fd == -1 || pipe2(p, O_CLOEXEC) == -1)
		return -1;
	free(m);
	return write(p[1], "x", 1) == 1 && read(p[0], &c, 1) == 1 &&
	    clock_gettime(CLOCK_REALTIME, &ts) == 0 && ftruncate(fd, 9) == 0 &&
	    socketpair(AF_UNIX, SOCK_SEQPACKET, 0, p) == 0 ? 0 : -1;
}

static int
act_read(void)
{
	return open(file, O_RDONLY) == -1 ? -1 : 0;
}

static int
act_read_etc(void)
{
	return open("/etc/passwd", O_RDONLY) == -1 ? -1 : 0;
}

static int
act_write(void)
{
	char to[96];

	snprintf(to, sizeof(to), "%s/new", out);
	return file_commit(AT_FDCWD, file, to, S("x"), 0600) == -1 ?
	    (errno == EEXIST ? -2 : -1) : 0;
}

static int
act_create(void)
{
	char from[96], to[96];

	snprintf(from, sizeof(from), "%s/tmp", out);
	snprintf(to, sizeof(to), "%s/new", out);
	return file_commit(AT_FDCWD, from, to, S("x"), 0600) == -1 ||
	    unlink(to) == -1 ? -1 : 0;
}

static int
act_modify_in(void)
{
	return open(file, O_WRONLY) == -1 ? -1 : 0;
}

static int
inet_socket(int type)
{
	return socket(AF_INET, type | SOCK_CLOEXEC, 0) == -1 ? -1 : 0;
}

static int
act_tcp(void)
{
	return inet_socket(SOCK_STREAM);
}

static int
act_udp(void)
{
	return inet_socket(SOCK_DGRAM);
}

static int
act_raw(void)
{
	return inet_socket(SOCK_RAW);
}

static int
act_unix(void)
{
	struct sockaddr_un u = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);

	memcpy(u.sun_path, listed, sizeof(listed));
	return fd == -1 || connect(fd, (struct sockaddr *)&u, sizeof(u)) == -1 ?
	    -1 : 0;
}

static int
act_accept(void)
{
	return accept4(listener, NULL, NULL, SOCK_NONBLOCK) == -1 &&
	    errno != EAGAIN ? -1 : 0;
}

static int
act_bind(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	for (unsigned port = 20000; port < 20050; port++) {
		a.sin_port = htons((uint16_t)port);
		if (bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0)
			return 0;
	}
	return -1;
}

static int
act_fork(void)
{
	pid_t p = fork();
	int status;

	if (p == 0)
		_exit(7);
	return p == -1 || waitpid(p, &status, 0) != p ||
	    WEXITSTATUS(status) != 7 ? -1 : 0;
}

static int
act_exec(void)
{
	execl("/bin/sh", "sh", "-c", "exit 0", (char *)NULL);
	return -1;
}

static int
act_exec_tmp(void)
{
	execl(file, file, (char *)NULL);
	return -1;
}

static void *
thread(void *arg)
{
	return arg;
}

static int
act_thread(void)
{
	pthread_t t;

	return pthread_create(&t, NULL, thread, NULL) != 0 ||
	    pthread_join(t, NULL) != 0 ? -1 : 0;
}

static int
act_inotify(void)
{
	int fd = inotify_init1(IN_CLOEXEC);

	return fd == -1 || inotify_add_watch(fd, in, IN_CREATE) == -1 ? -1 : 0;
}

#ifndef PNEU_ASAN /* allows these itself */
static int
act_ptrace(void)
{
	return ptrace(PTRACE_TRACEME, 0, NULL, NULL) == -1 ? -1 : 0;
}

static int
act_big(void)
{
	struct rlimit l;

	return getrlimit(RLIMIT_AS, &l) == 0 && l.rlim_cur == 256 << 20 ? 0 : -1;
}
#endif

static int
act_kill(void)
{
	return kill(getppid(), 0);
}

static int
act_jit(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? -1 : 0;
}

static int
act_dump(void)
{
	return prctl(PR_GET_DUMPABLE) == 0 ? -1 : 0;
}

static int
act_limit(void)
{
	struct rlimit l = { 1024, 1024 };

	return setrlimit(RLIMIT_NOFILE, &l);
}

static const char *const reads[] = { in, NULL };
static const char *const writes[] = { out, NULL };
static const char *const execs[] = { "/bin", "/usr", "/lib", "/etc", NULL };
static const char *const libs[] = { "/lib64", NULL };

enum want { WORKS, FAILS, KILLED };
enum paths { NONE, READ, WRITE, EXEC };
static const struct {
	const char *name;
	int (*act)(void);
	unsigned flags;
	enum paths paths;
	enum want want;
} cases[] = {
	{ "memory, pipes, clock, memfd", act_base, 0, NONE, WORKS },
	{ "open with no paths", act_read, 0, NONE, FAILS },
	{ "open in a readable tree", act_read, 0, READ, WORKS },
	{ "open outside of it", act_read_etc, 0, READ, FAILS },
	{ "open outside of a writable tree", act_read_etc, 0, WRITE, FAILS },
	{ "write in a readable tree", act_modify_in, 0, READ, FAILS },
	{ "create in a writable tree", act_create, 0, WRITE, WORKS },
	{ "create elsewhere", act_create, 0, READ, FAILS },
	{ "rename between trees", act_write, 0, READ, FAILS },
	{ "TCP with no network", act_tcp, 0, NONE, FAILS },
	{ "UDP with no network", act_udp, 0, NONE, FAILS },
	{ "TCP to connect", act_tcp, CONFINE_CONNECT, NONE, WORKS },
	{ "UDP beside it", act_udp, CONFINE_CONNECT, NONE, FAILS },
	{ "UDP for DNS", act_udp, CONFINE_DNS, NONE, WORKS },
	{ "TCP for DNS", act_tcp, CONFINE_DNS, NONE, WORKS },
	{ "a raw socket for DNS", act_raw, CONFINE_DNS, NONE, FAILS },
	{ "bind a port", act_bind, CONFINE_CONNECT | CONFINE_DNS, NONE, FAILS },
	{ "connect to a socket file", act_unix, CONFINE_UNIX, NONE, WORKS },
	{ "the same with no leave", act_unix, 0, READ, FAILS },
	{ "accept", act_accept, CONFINE_ACCEPT, NONE, WORKS },
	{ "accept with no leave", act_accept, 0, NONE, FAILS },
	{ "fork", act_fork, CONFINE_FORK, NONE, WORKS },
	{ "fork with no leave", act_fork, 0, NONE, FAILS },
	{ "fork from a threaded cage", act_fork, CONFINE_THREADS, NONE, FAILS },
	{ "exec", act_exec, CONFINE_EXEC, EXEC, WORKS },
	{ "exec outside the paths", act_exec_tmp, CONFINE_EXEC, EXEC, FAILS },
	{ "exec with no leave", act_exec, CONFINE_FORK, READ, KILLED },
	{ "a thread", act_thread, CONFINE_THREADS, NONE, WORKS },
	{ "a thread with no leave", act_thread, 0, NONE, FAILS },
	{ "inotify", act_inotify, CONFINE_INOTIFY, READ, WORKS },
	{ "inotify with no leave", act_inotify, 0, READ, FAILS },
#ifndef PNEU_ASAN
	{ "ptrace", act_ptrace, CONFINE_EXEC, EXEC, KILLED },
	{ "address space limit", act_big, 0, NONE, WORKS },
#endif
	{ "signal another process", act_kill, 0, NONE, FAILS },
	{ "writable code", act_jit, 0, NONE, FAILS },
	{ "being dumpable", act_dump, 0, NONE, FAILS },
	{ "raise a limit", act_limit, 0, NONE, FAILS },
};

static enum want
try(int (*act)(void), unsigned flags, enum paths paths)
{
	struct confine c = { .flags = flags, .memory = 256 << 20,
		.files = 64, .file_size = 1 << 20 };
	int status, null;
	pid_t p;

	fflush(stdout);
	p = fork();
	if (p == 0) {
		null = open("/dev/null", O_RDWR);
		dup2(null, STDERR_FILENO);
		c.read = paths == READ ? reads : paths == EXEC ? libs : NULL;
		c.write = paths == WRITE ? writes : NULL;
		c.exec = paths == EXEC ? execs : NULL;
		if (confine(&c) == -1)
			_exit(99);
		_exit(act() == 0 ? 0 : 1);
	}
	if (p == -1 || waitpid(p, &status, 0) != p)
		abort();
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
		return KILLED;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 99)
		diag("confine() failed");
	else if (!WIFEXITED(status))
		diag("status %#x", (unsigned)status);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? WORKS : FAILS;
}

static void
set_up(void)
{
	struct sockaddr_un u = { .sun_family = AF_UNIX };
	int fd;

	if (mkdtemp(dir) == NULL)
		abort();
	snprintf(in, sizeof(in), "%s/in", dir);
	snprintf(out, sizeof(out), "%s/out", dir);
	snprintf(file, sizeof(file), "%s/in/file", dir);
	snprintf(listed, sizeof(listed), "%s/sock", dir);
	if (mkdir(in, 0700) == -1 || mkdir(out, 0700) == -1)
		abort();
	fd = open(file, O_WRONLY | O_CREAT, 0700);
	if (fd == -1 || write_all(fd, S("#!/bin/sh\nexit 0\n")) == -1)
		abort();
	close(fd);
	memcpy(u.sun_path, listed, sizeof(listed));
	listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0);
	if (bind(listener, (struct sockaddr *)&u, sizeof(u)) == -1 ||
	    listen(listener, 64) == -1)
		abort();
}

int
main(void)
{
	static const char *const names[] = { "works", "fails", "is killed" };
	static const char *const nowhere[] = { "/nonexistent/path", NULL };
	struct confine bad = { .read = nowhere };
	int status;
	pid_t p;

	plan((int)COUNTOF(cases) + 2);
	set_up();
	for (size_t i = 0; i < COUNTOF(cases); i++) {
		enum want got = try(cases[i].act, cases[i].flags, cases[i].paths);

		ok(got == cases[i].want, "%s %s", cases[i].name,
		    names[cases[i].want]);
		if (got != cases[i].want)
			diag("but it %s", names[got]);
	}
	fflush(stdout);
	p = fork();
	if (p == 0)
		_exit(confine(&bad) == -1 && errno == ENOENT ? 0 : 1);
	ok(waitpid(p, &status, 0) == p && status == 0,
	    "a path that does not exist is an error");
	p = fork();
	if (p == 0) {
		bad.read = NULL;
		_exit(confine(&bad) == 0 && confine_missing()[0] == '\0' ? 0 : 1);
	}
	ok(waitpid(p, &status, 0) == p && status == 0, "no layer is missing");
	unlink(file);
	unlink(listed);
	rmdir(in);
	rmdir(out);
	rmdir(dir);
	return done();
}
