/*
 * confine.h - keep only the rights a program needs
 *
 * One call, after everything needed is open and before the first byte from
 * outside is parsed. Layers: no_new_privs, non-dumpable, rlimits, Landlock
 * (paths and, where the kernel has it, TCP), seccomp. A layer that the
 * kernel lacks is reported, never silently skipped.
 *
 * A call that is not allowed fails with EPERM, one to a path that is not
 * allowed with EACCES; exec without CONFINE_EXEC and what only an intruder
 * would call (mount, ptrace, bpf, ...) kills the process with SIGSYS: the
 * kernel's log names the call (type=1326, syscall=NUMBER), and strace -f
 * shows it. With CONFINE_EXEC only the deadly calls are filtered, because a
 * filter is inherited: the programs that are run confine themselves, within
 * the paths given here.
 *
 * What a flag or path adds: any read or write path, or CONFINE_UNIX: open,
 * stat and the like; a read path: code from it may be mapped (iconv modules);
 * a write path: create, rename, link, remove. Without CONFINE_FORK a process
 * can signal only itself. Under ASan RLIMIT_AS and the check for leaks are
 * off, and /proc may be read.
 */
#ifndef BASE_CONFINE_H
#define BASE_CONFINE_H

#include <stddef.h>
#include <stdint.h>

enum confine_flags {
	CONFINE_DNS = 1 << 0,     /* UDP and TCP to resolvers */
	CONFINE_CONNECT = 1 << 1, /* TCP out (smtp-send) */
	CONFINE_UNIX = 1 << 2,    /* new AF_UNIX connections */
	CONFINE_ACCEPT = 1 << 3,  /* accept on sockets that are open */
	CONFINE_FORK = 1 << 4,    /* fork of itself, no exec */
	CONFINE_EXEC = 1 << 5,    /* exec below the paths in `exec' */
	CONFINE_THREADS = 1 << 6,
	CONFINE_INOTIFY = 1 << 7,
};

struct confine {
	unsigned flags;
	const char *const *read;  /* NULL-terminated paths, files or trees */
	const char *const *write; /* read, write, create, rename, remove */
	const char *const *exec;  /* execute and read */
	const uint16_t *ports; /* CONFINE_DNS: TCP to these ports only, up to a
	                          0; NULL = any */
	uint64_t memory; /* RLIMIT_AS in bytes; 0 = leave (ASan ignores it) */
	unsigned files;  /* RLIMIT_NOFILE; 0 = leave */
	uint64_t file_size; /* RLIMIT_FSIZE in bytes; 0 = leave */
};

/*
 * 0, or -1 with errno if a layer that the kernel has could not be applied.
 * Paths that do not exist are an error (ENOENT). Layers that the kernel lacks
 * are named in confine_missing().
 */
int confine(const struct confine *c) __attribute__((warn_unused_result));

/* "", or a constant such as "landlock" or "landlock seccomp". */
const char *confine_missing(void);

#endif
