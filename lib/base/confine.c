#include "base/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <sched.h>
#include <seccomp.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

#include "base/alloc.h"

/*
 * Landlock by its numbers, since build hosts have older headers than the
 * kernels that run the programs: linux/landlock.h.
 */
enum {
	FS_EXECUTE = 1 << 0,
	FS_WRITE_FILE = 1 << 1,
	FS_READ_FILE = 1 << 2,
	FS_READ_DIR = 1 << 3,
	FS_REFER = 1 << 13,    /* ABI 2 */
	FS_TRUNCATE = 1 << 14, /* ABI 3 */
	FS_IOCTL_DEV = 1 << 15, /* ABI 5 */
	FS_ABI1 = (1 << 13) - 1,
	/* Make device nodes; nothing here has a use for that. */
	FS_MAKE_DEV = 1 << 6 | 1 << 11,
	FS_OF_FILE = FS_EXECUTE | FS_WRITE_FILE | FS_READ_FILE | FS_TRUNCATE |
	    FS_IOCTL_DEV,
	NET_BIND_TCP = 1 << 0, /* ABI 4 */
	NET_CONNECT_TCP = 1 << 1,
	SCOPE_ABSTRACT_UNIX = 1 << 0, /* ABI 6 */
	SCOPE_SIGNAL = 1 << 1,
};
#define RULE_PATH 1
#define RULE_PORT 2

struct ruleset_attr {
	uint64_t fs, net, scoped;
};
struct path_rule {
	uint64_t allowed;
	int32_t parent;
} __attribute__((packed));
struct port_rule {
	uint64_t allowed, port;
};

static int missing; /* bit 0 landlock, bit 1 seccomp */

#ifdef PNEU_ASAN
/*
 * A leak check at exit would need ptrace and /proc, which a confined program
 * must not have; unit tests look for leaks instead.
 */
static bool confined;
int __lsan_is_turned_off(void);

int
__lsan_is_turned_off(void)
{
	return confined;
}
#endif

const char *
confine_missing(void)
{
	static const char *const names[] = {
		"", "landlock", "seccomp", "landlock seccomp"
	};

	return names[missing & 3];
}

static int
rule_paths(int set, const char *const *paths, uint64_t allowed)
{
	for (; paths != NULL && *paths != NULL; paths++) {
		struct path_rule rule = { .allowed = allowed };
		struct stat st;
		int e, r, fd = open(*paths, O_PATH | O_CLOEXEC);

		if (fd == -1)
			return -1;
		if (fstat(fd, &st) == 0 && !S_ISDIR(st.st_mode))
			rule.allowed &= FS_OF_FILE;
		rule.parent = fd;
		r = (int)syscall(SYS_landlock_add_rule, set, RULE_PATH, &rule, 0);
		e = errno;
		close(fd);
		errno = e;
		if (r == -1)
			return -1;
	}
	return 0;
}

/* What of Landlock applies to these flags, as far as this ABI has it. */
static struct ruleset_attr
ruleset_for(const struct confine *c, int abi)
{
	unsigned flags = c->flags;
	struct ruleset_attr a = { .fs = FS_ABI1 };

	if (abi >= 2)
		a.fs |= FS_REFER;
	if (abi >= 3)
		a.fs |= FS_TRUNCATE;
	if (abi >= 5)
		a.fs |= FS_IOCTL_DEV;
	if (abi >= 4) {
		a.net = NET_BIND_TCP;
		if (!(flags & (CONFINE_DNS | CONFINE_CONNECT)) ||
		    c->ports != NULL)
			a.net |= NET_CONNECT_TCP;
	}
	/* An exec'd program says itself whom it talks to. */
	if (abi >= 6 && !(flags & CONFINE_EXEC))
		a.scoped = SCOPE_ABSTRACT_UNIX |
		    (flags & CONFINE_FORK ? 0 : SCOPE_SIGNAL);
	return a;
}

static int
restrict_paths(const struct confine *c)
{
	const uint64_t reading = FS_READ_FILE | FS_READ_DIR;
	struct port_rule any = { .allowed = NET_BIND_TCP, .port = 0 };
	struct ruleset_attr a;
	int e, set, r, abi;

	abi = (int)syscall(SYS_landlock_create_ruleset, NULL, 0, 1);
	if (abi < 1) {
		missing |= 1;
		return errno == ENOSYS || errno == EOPNOTSUPP ? 0 : -1;
	}
	a = ruleset_for(c, abi);
	set = (int)syscall(SYS_landlock_create_ruleset, &a, abi >= 6 ? 24 :
	    abi >= 4 ? 16 : 8, 0);
	if (set == -1)
		return -1;
	r = rule_paths(set, c->read, reading);
	if (r == 0)
		r = rule_paths(set, c->write,
		    a.fs & ~(uint64_t)(FS_EXECUTE | FS_MAKE_DEV | FS_IOCTL_DEV));
	if (r == 0 && c->flags & CONFINE_EXEC)
		r = rule_paths(set, c->exec, reading | FS_EXECUTE);
#ifdef PNEU_ASAN
	/* Reports of the sanitizers name modules from /proc/self/maps. */
	if (r == 0)
		r = rule_paths(set, (const char *[]){ "/proc", NULL }, reading);
#endif
	/* A connection from a chosen address binds port 0 first. */
	if (r == 0 && a.net != 0 && c->flags & (CONFINE_DNS | CONFINE_CONNECT))
		r = (int)syscall(SYS_landlock_add_rule, set, RULE_PORT, &any, 0);
	for (size_t i = 0; r == 0 && a.net != 0 && c->ports != NULL &&
	    c->ports[i] != 0; i++) {
		struct port_rule one = { NET_CONNECT_TCP, c->ports[i] };

		r = (int)syscall(SYS_landlock_add_rule, set, RULE_PORT, &one, 0);
	}
	if (r == 0)
		r = (int)syscall(SYS_landlock_restrict_self, set, 0);
	e = errno;
	close(set);
	errno = e;
	return r;
}

/* What every program may call: its own memory, time, signals, open fds. */
static const int base_calls[] = {
	SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(readv), SCMP_SYS(writev),
	SCMP_SYS(pread64), SCMP_SYS(pwrite64), SCMP_SYS(preadv),
	SCMP_SYS(pwritev), SCMP_SYS(preadv2), SCMP_SYS(pwritev2),
	SCMP_SYS(close), SCMP_SYS(close_range), SCMP_SYS(dup), SCMP_SYS(dup2),
	SCMP_SYS(dup3), SCMP_SYS(fcntl), SCMP_SYS(lseek), SCMP_SYS(fstat),
	SCMP_SYS(newfstatat), SCMP_SYS(fstatfs), SCMP_SYS(ftruncate),
	SCMP_SYS(fallocate), SCMP_SYS(fsync), SCMP_SYS(fdatasync),
	SCMP_SYS(sync_file_range), SCMP_SYS(fadvise64), SCMP_SYS(flock),
	SCMP_SYS(sendfile), SCMP_SYS(splice), SCMP_SYS(copy_file_range),
	SCMP_SYS(memfd_create), SCMP_SYS(pipe), SCMP_SYS(pipe2),
	SCMP_SYS(eventfd2), SCMP_SYS(signalfd4), SCMP_SYS(timerfd_create),
	SCMP_SYS(timerfd_settime), SCMP_SYS(timerfd_gettime),
	SCMP_SYS(epoll_create), SCMP_SYS(epoll_create1), SCMP_SYS(epoll_ctl),
	SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_pwait2),
	SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(select), SCMP_SYS(pselect6),
	SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise),
	SCMP_SYS(msync), SCMP_SYS(mlock), SCMP_SYS(mlock2), SCMP_SYS(munlock),
	SCMP_SYS(mincore), SCMP_SYS(membarrier), SCMP_SYS(brk),
	SCMP_SYS(futex), SCMP_SYS(rseq), SCMP_SYS(set_robust_list),
	SCMP_SYS(get_robust_list), SCMP_SYS(set_tid_address),
	SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn), SCMP_SYS(rt_sigpending),
	SCMP_SYS(rt_sigsuspend), SCMP_SYS(rt_sigtimedwait),
	SCMP_SYS(sigaltstack), SCMP_SYS(restart_syscall), SCMP_SYS(pause),
	SCMP_SYS(alarm), SCMP_SYS(setitimer), SCMP_SYS(getitimer),
	SCMP_SYS(timer_create), SCMP_SYS(timer_settime),
	SCMP_SYS(timer_gettime), SCMP_SYS(timer_delete), SCMP_SYS(nanosleep),
	SCMP_SYS(clock_nanosleep), SCMP_SYS(clock_gettime),
	SCMP_SYS(clock_getres), SCMP_SYS(gettimeofday), SCMP_SYS(time),
	SCMP_SYS(times), SCMP_SYS(getrusage), SCMP_SYS(sched_yield),
	SCMP_SYS(sched_getaffinity), SCMP_SYS(getcpu), SCMP_SYS(getpid),
	SCMP_SYS(getppid), SCMP_SYS(gettid), SCMP_SYS(getpgrp),
	SCMP_SYS(getpgid), SCMP_SYS(getsid), SCMP_SYS(getuid),
	SCMP_SYS(geteuid), SCMP_SYS(getgid), SCMP_SYS(getegid),
	SCMP_SYS(getgroups), SCMP_SYS(getresuid), SCMP_SYS(getresgid),
	SCMP_SYS(getrlimit), SCMP_SYS(getpriority), SCMP_SYS(uname),
	SCMP_SYS(sysinfo), SCMP_SYS(umask), SCMP_SYS(prctl),
	SCMP_SYS(getrandom), SCMP_SYS(exit), SCMP_SYS(exit_group),
	SCMP_SYS(arch_prctl), SCMP_SYS(sendmsg), SCMP_SYS(recvmsg),
	SCMP_SYS(sendto), SCMP_SYS(recvfrom), SCMP_SYS(sendmmsg),
	SCMP_SYS(recvmmsg), SCMP_SYS(shutdown), SCMP_SYS(getsockname),
	SCMP_SYS(getpeername), SCMP_SYS(getsockopt), SCMP_SYS(setsockopt),
	/* A program may narrow itself further. */
	SCMP_SYS(landlock_create_ruleset), SCMP_SYS(landlock_add_rule),
	SCMP_SYS(landlock_restrict_self), SCMP_SYS(seccomp),
};

/* With any path, and to reach sockets by name; Landlock says which paths. */
static const int path_calls[] = {
	SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(openat2), SCMP_SYS(stat),
	SCMP_SYS(lstat), SCMP_SYS(statx), SCMP_SYS(statfs), SCMP_SYS(access),
	SCMP_SYS(faccessat), SCMP_SYS(faccessat2), SCMP_SYS(readlink),
	SCMP_SYS(readlinkat), SCMP_SYS(getdents64), SCMP_SYS(getcwd),
	SCMP_SYS(chdir), SCMP_SYS(fchdir),
};

static const int write_calls[] = {
	SCMP_SYS(creat), SCMP_SYS(mkdir), SCMP_SYS(mkdirat), SCMP_SYS(rename),
	SCMP_SYS(renameat), SCMP_SYS(renameat2), SCMP_SYS(link),
	SCMP_SYS(linkat), SCMP_SYS(unlink), SCMP_SYS(unlinkat),
	SCMP_SYS(rmdir), SCMP_SYS(symlink), SCMP_SYS(symlinkat),
	SCMP_SYS(truncate), SCMP_SYS(chmod), SCMP_SYS(fchmod),
	SCMP_SYS(fchmodat), SCMP_SYS(fchown), SCMP_SYS(utimensat),
	SCMP_SYS(utime), SCMP_SYS(utimes), SCMP_SYS(futimesat),
	SCMP_SYS(syncfs),
};

static const int fork_calls[] = {
	SCMP_SYS(fork), SCMP_SYS(vfork), SCMP_SYS(wait4), SCMP_SYS(waitid),
	SCMP_SYS(kill), SCMP_SYS(tgkill), SCMP_SYS(tkill), SCMP_SYS(setpgid),
	SCMP_SYS(setsid), SCMP_SYS(pidfd_open), SCMP_SYS(pidfd_send_signal),
};

static const int accept_calls[] = { SCMP_SYS(accept), SCMP_SYS(accept4) };
static const int thread_calls[] = { SCMP_SYS(sched_setaffinity) };
static const int inotify_calls[] = {
	SCMP_SYS(inotify_init1), SCMP_SYS(inotify_add_watch),
	SCMP_SYS(inotify_rm_watch),
};

/* No program of ours and no library calls these: the process is killed. */
static const int fatal_calls[] = {
	SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev),
	SCMP_SYS(mount), SCMP_SYS(umount2), SCMP_SYS(pivot_root),
	SCMP_SYS(chroot), SCMP_SYS(setns), SCMP_SYS(unshare),
	SCMP_SYS(fsopen), SCMP_SYS(fsmount), SCMP_SYS(move_mount),
	SCMP_SYS(open_tree), SCMP_SYS(init_module), SCMP_SYS(finit_module),
	SCMP_SYS(delete_module), SCMP_SYS(kexec_load),
	SCMP_SYS(kexec_file_load), SCMP_SYS(bpf), SCMP_SYS(perf_event_open),
	SCMP_SYS(userfaultfd), SCMP_SYS(keyctl), SCMP_SYS(add_key),
	SCMP_SYS(request_key), SCMP_SYS(reboot), SCMP_SYS(swapon),
	SCMP_SYS(swapoff), SCMP_SYS(settimeofday), SCMP_SYS(clock_settime),
	SCMP_SYS(adjtimex), SCMP_SYS(sethostname), SCMP_SYS(setdomainname),
	SCMP_SYS(open_by_handle_at), SCMP_SYS(iopl), SCMP_SYS(ioperm),
	SCMP_SYS(acct), SCMP_SYS(quotactl), SCMP_SYS(pidfd_getfd),
#ifndef PNEU_ASAN
	SCMP_SYS(ptrace),
#endif
};

/* A list of calls; one that this architecture lacks (negative) is skipped. */
static int
calls(scmp_filter_ctx f, uint32_t action, const int *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int r = list[i] < 0 ? 0 :
		    seccomp_rule_add(f, action, list[i], 0);

		if (r != 0)
			return r;
	}
	return 0;
}
#define CALLS(f, action, list) calls(f, action, list, COUNTOF(list))

static struct scmp_arg_cmp
arg_masked(unsigned arg, uint64_t mask, uint64_t value)
{
	return (struct scmp_arg_cmp){ arg, SCMP_CMP_MASKED_EQ, mask, value };
}

static struct scmp_arg_cmp
arg_is(unsigned arg, uint64_t value)
{
	return (struct scmp_arg_cmp){ arg, SCMP_CMP_EQ, value, 0 };
}

static int
allow_if(scmp_filter_ctx f, int call, struct scmp_arg_cmp cmp)
{
	return seccomp_rule_add(f, SCMP_ACT_ALLOW, call, 1, cmp);
}

static int
allow_socket(scmp_filter_ctx f, int family, int type)
{
	/* The type's low bits; the others are SOCK_CLOEXEC, SOCK_NONBLOCK. */
	return seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(socket), 2,
	    arg_is(0, (uint64_t)family),
	    arg_masked(1, 0xf, (uint64_t)type));
}

static int
allow_network(scmp_filter_ctx f, unsigned flags)
{
	const unsigned inet = CONFINE_DNS | CONFINE_CONNECT;
	int r = allow_if(f, SCMP_SYS(socketpair), arg_is(0, AF_UNIX));

	if (flags & inet) {
		r |= allow_socket(f, AF_INET, SOCK_STREAM);
		r |= allow_socket(f, AF_INET6, SOCK_STREAM);
		r |= CALLS(f, SCMP_ACT_ALLOW, (int[]){ SCMP_SYS(bind) });
	}
	if (flags & CONFINE_DNS) {
		r |= allow_socket(f, AF_INET, SOCK_DGRAM);
		r |= allow_socket(f, AF_INET6, SOCK_DGRAM);
	}
	if (flags & CONFINE_UNIX)
		r |= allow_if(f, SCMP_SYS(socket),
		    arg_is(0, AF_UNIX));
	if (flags & (inet | CONFINE_UNIX))
		r |= CALLS(f, SCMP_ACT_ALLOW, (int[]){ SCMP_SYS(connect) });
	if (flags & CONFINE_ACCEPT)
		r |= CALLS(f, SCMP_ACT_ALLOW, accept_calls);
	return r;
}

/* New threads or processes, in no new namespace. */
static int
allow_clone(scmp_filter_ctx f, unsigned flags)
{
	const scmp_datum_t spaces = CLONE_NEWNS | CLONE_NEWUSER | CLONE_NEWPID |
	    CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;
	/* clone3 hides its flags in memory; ENOSYS makes libc use clone. */
	int r = seccomp_rule_add(f, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);

	if (flags & CONFINE_FORK)
		r |= allow_if(f, SCMP_SYS(clone),
		    arg_masked(0, spaces, 0));
	else if (flags & CONFINE_THREADS)
		r |= allow_if(f, SCMP_SYS(clone),
		    arg_masked(0, spaces | CLONE_THREAD,
		    CLONE_THREAD));
	if (flags & CONFINE_FORK)
		r |= CALLS(f, SCMP_ACT_ALLOW, fork_calls);
	else
		r |= allow_if(f, SCMP_SYS(tgkill),
		    arg_is(0, (uint64_t)getpid()));
	if (flags & CONFINE_THREADS)
		r |= CALLS(f, SCMP_ACT_ALLOW, thread_calls);
	return r;
}

static int
allow_memory(scmp_filter_ctx f, bool exec)
{
	static const int both[] = { SCMP_SYS(mmap), SCMP_SYS(mprotect) };
	int r = 0;

	if (exec)
		return CALLS(f, SCMP_ACT_ALLOW, both);
	for (size_t i = 0; i < COUNTOF(both); i++)
		r |= allow_if(f, both[i],
		    arg_masked(2, PROT_EXEC, 0));
	return r;
}

static int
allow_ioctl(scmp_filter_ctx f)
{
	static const unsigned long requests[] = {
		FIONREAD, FIONBIO, TCGETS, TIOCGWINSZ
	};
	int r = 0;

	for (size_t i = 0; i < COUNTOF(requests); i++)
		r |= allow_if(f, SCMP_SYS(ioctl),
		    arg_is(1, requests[i]));
	/* Read a limit, not set one. */
	r |= allow_if(f, SCMP_SYS(prlimit64), arg_is(2, 0));
	return r;
}

static int
fill_allowed(scmp_filter_ctx f, const struct confine *c)
{
	bool paths = c->read != NULL || c->write != NULL ||
	    c->flags & CONFINE_UNIX;
	int r = CALLS(f, SCMP_ACT_ALLOW, base_calls);

	if (paths)
		r |= CALLS(f, SCMP_ACT_ALLOW, path_calls);
	if (c->write != NULL)
		r |= CALLS(f, SCMP_ACT_ALLOW, write_calls);
	if (c->flags & CONFINE_INOTIFY)
		r |= CALLS(f, SCMP_ACT_ALLOW, inotify_calls);
	r |= allow_network(f, c->flags);
	r |= allow_clone(f, c->flags);
	/* A readable tree may hold libc's modules (gconv), which are code. */
	r |= allow_memory(f, c->read != NULL);
	r |= allow_ioctl(f);
	return r;
}

/*
 * What is not allowed fails with EPERM, so that a library that tries an
 * optional call takes its other way; what only an intruder would call kills
 * the process with SIGSYS. Programs that exec others leave the allow-list to
 * them, because a filter is inherited and cannot be widened.
 */
static int
restrict_calls(const struct confine *c)
{
	bool open_list = c->flags & CONFINE_EXEC;
	static const int exec_calls[] = { SCMP_SYS(execve), SCMP_SYS(execveat) };
	scmp_filter_ctx f;
	int r;

	if (prctl(PR_GET_SECCOMP) == -1 && errno == EINVAL) {
		missing |= 2;
		return 0;
	}
	f = seccomp_init(open_list ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(EPERM));
	if (f == NULL) {
		errno = ENOMEM;
		return -1;
	}
	/* A binary tree instead of a list: 200 calls are found in 8 steps. */
	r = seccomp_attr_set(f, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	r |= CALLS(f, SCMP_ACT_KILL_PROCESS, fatal_calls);
	if (!open_list) {
		r |= CALLS(f, SCMP_ACT_KILL_PROCESS, exec_calls);
		r |= fill_allowed(f, c);
	}
	if (r == 0)
		r = seccomp_load(f);
	seccomp_release(f);
	if (r != 0) {
		errno = r < 0 && r > -4096 ? -r : EINVAL;
		return -1;
	}
	return 0;
}

static int
limit(int what, uint64_t value)
{
	struct rlimit now, want = { value, value };

	if (getrlimit((__rlimit_resource_t)what, &now) == -1)
		return -1;
	if (want.rlim_max > now.rlim_max)
		want.rlim_cur = want.rlim_max = now.rlim_max;
	return setrlimit((__rlimit_resource_t)what, &want);
}

static int
restrict_resources(const struct confine *c)
{
	const unsigned more = CONFINE_FORK | CONFINE_EXEC | CONFINE_THREADS;

	if (limit(RLIMIT_CORE, 0) == -1)
		return -1;
	if (!(c->flags & more) && limit(RLIMIT_NPROC, 0) == -1)
		return -1;
	if (c->files != 0 && limit(RLIMIT_NOFILE, c->files) == -1)
		return -1;
	if (c->file_size != 0 && limit(RLIMIT_FSIZE, c->file_size) == -1)
		return -1;
#ifndef PNEU_ASAN /* its shadow takes terabytes of address space */
	if (c->memory != 0 && limit(RLIMIT_AS, c->memory) == -1)
		return -1;
#endif
	return 0;
}

int
confine(const struct confine *c)
{
	missing = 0;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1 ||
	    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == -1)
		return -1;
#ifdef PNEU_ASAN
	confined = true;
#endif
	if (restrict_resources(c) == -1 || restrict_paths(c) == -1 ||
	    restrict_calls(c) == -1)
		return -1;
	/* To make the filter took some 200 KiB, which would stay with each of
	 * our processes for life. */
	malloc_trim(0);
	return 0;
}
