/*
 * listen.h - the program that smtp-listen and imap-listen are
 */
#ifndef CMD_LISTEN_H
#define CMD_LISTEN_H

#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/confine.h"
#include "base/counter.h"
#include "base/die.h"
#include "base/file.h"
#include "conf/conf.h"
#include "net/front.h"

/* A descriptor for each child, and some for the rest. */
#define FILES_SPARE 128

static const char *const listen_counters[] = {
	[FRONT_ACCEPTED] = "accepted",
	[FRONT_REFUSED] = "refused",
	[FRONT_STARTED] = "processes-started",
	[FRONT_DIED] = "processes-died",
	NULL
};

/* In what the two differ. */
struct listen {
	const char *purpose, *cage; /* for prog_start() */
	const char *child;          /* a program beside this one */
	const char *processes;      /* setting of the host: most children */
	bool (*ours)(struct slice service);
	struct slice (*refusal)(const char *service); /* front.h */
	const char *read[3];        /* below the root: what the child reads, */
	const char *write[3];       /* and writes, beside the counters */
};

static inline void
listen_on(struct front *f, const struct tuple *t)
{
	struct strbuf attrs = STRBUF_INIT(512);
	char service[16];
	struct slice text = tuple_value(t, "ip");
	struct ip ip;
	uint64_t port;

	if (slice_cstr(tuple_value(t, "service"), service, sizeof(service)) ==
	    -1 || ip_parse(text, &ip) == -1 ||
	    tuple_u64(t, "port", 65535, &port) == -1)
		die(EXIT_PERM, "malformed listen record in conf.cdb");
	tuple_opt(&attrs, "name", tuple_value(t, "name"));
	tuple_opt(&attrs, "require-tls", tuple_value(t, "require-tls"));
	if (front_listen(f, service, &ip, (uint16_t)port, sb_slice(&attrs)) ==
	    -1)
		die_sys(EXIT_TEMP, "unable to listen on %.*s port %u for %s",
		    SLICE_ARG(text), (unsigned)port, service);
	sb_free(&attrs);
}

static inline unsigned
listen_all(struct front *f, struct conf *conf, bool (*ours)(struct slice))
{
	struct arena a = { 0 };
	struct tuple_reader r;
	struct slice text;
	struct tuple t;
	unsigned n = 0;

	if (conf_get(conf, "listen", SLICE_NONE, &text) == -1)
		die_sys(EXIT_TEMP, "unable to read conf.cdb");
	tuple_reader_init(&r, text);
	while (tuple_next(&r, &a, &t) == 1) {
		if (!ours(tuple_value(&t, "service")))
			continue;
		listen_on(f, &t);
		n++;
	}
	arena_free(&a);
	return n;
}

static inline void
raise_files(unsigned processes)
{
	struct rlimit rl;

	if (getrlimit(RLIMIT_NOFILE, &rl) == -1)
		return;
	rl.rlim_cur = rl.rlim_max < processes + FILES_SPARE ? rl.rlim_max :
	    processes + FILES_SPARE;
	if (setrlimit(RLIMIT_NOFILE, &rl) == -1)
		warn_sys("unable to allow %lu descriptors",
		    (unsigned long)rl.rlim_cur);
}

/*
 * Landlock rules are inherited, so these are what the child and the dynamic
 * linker need too; the child takes away the rest. What a system lacks is left
 * out.
 */
static inline void
listen_cage(const struct listen *l, const char *root, const char *program)
{
	static const char *const linker[] = { "/lib", "/lib64", "/usr/lib",
		"/lib32", "/usr/local/lib" };
	const char *exec[COUNTOF(linker) + 2] = { program };
	static const char *const host_files[] = { "/etc/ld.so.cache",
		"/etc/localtime", "/dev/null", "/dev/urandom" };
	const char *read[COUNTOF(l->read) + COUNTOF(host_files) + 1] = { NULL };
	const char *write[COUNTOF(l->write) + 2] = { NULL };
	struct confine c = {
		.flags = CONFINE_EXEC | CONFINE_FORK | CONFINE_ACCEPT |
		    CONFINE_UNIX,
		.read = read, .write = write, .exec = exec,
	};
	char *counters = xprintf("%s/run/counters", root);
	size_t e = 1, r = 0, w = 0;

	for (size_t i = 0; i < COUNTOF(host_files); i++)
		if (access(host_files[i], R_OK) == 0)
			read[r++] = host_files[i];
	for (size_t i = 0; i < COUNTOF(linker); i++)
		if (access(linker[i], X_OK) == 0)
			exec[e++] = linker[i];
	for (size_t i = 0; l->read[i] != NULL; i++)
		read[r++] = xprintf("%s/%s", root, l->read[i]);
	for (size_t i = 0; l->write[i] != NULL; i++)
		write[w++] = xprintf("%s/%s", root, l->write[i]);
	if (access(counters, F_OK) == 0)
		write[w++] = counters;
	if (confine(&c) == -1)
		die_sys(EXIT_TEMP, "unable to confine to %s and %s", root,
		    program);
}

static inline char *
listen_program(const char *name)
{
	char *dir = program_dir(), *path;

	if (dir == NULL)
		die_sys(EXIT_TEMP, "unable to find this program's directory");
	path = xprintf("%s/%s", dir, name);
	free(dir);
	return path;
}

/* main(); what it makes lives as long as the program. */
static inline int
listen_main(int argc, char **argv, const struct listen *l)
{
	char *child[] = { NULL, (char *)"-C", NULL, NULL };
	struct front_config fc = { .argv = child, .refusal = l->refusal };
	const char *root = NULL;
	struct conf *conf;
	struct front *f;
	char *path;
	int ch;

	prog_start(argc, argv, "[-C root]", l->purpose, l->cage);
	while ((ch = getopt(argc, argv, "C:")) != -1)
		switch (ch) {
		case 'C': root = optarg; break;
		default: usage();
		}
	if (optind != argc)
		usage();
	root = conf_root(root);
	if ((conf = conf_open(root)) == NULL)
		die_sys(EXIT_TEMP, "unable to open %s/cdb/conf.cdb", root);
	fc.processes = (unsigned)conf_host_u64(conf, l->processes);
	fc.per_ip = (unsigned)conf_host_u64(conf, "max-connections-per-ip");
	fc.rate = (unsigned)conf_host_u64(conf, "connection-rate");
	path = xprintf("%s/run/counters/%s", root, prog_name());
	fc.counters = counters_open(path, listen_counters);
	if (fc.counters == NULL)
		warn_sys("no counters in %s", path);
	free(path);
	child[0] = listen_program(l->child);
	child[2] = (char *)(uintptr_t)root;
	f = front_new(&fc);
	if (listen_all(f, conf, l->ours) == 0)
		die(EXIT_PERM, "conf/listen has no service for %s", l->child);
	conf_close(conf);
	raise_files(fc.processes);
	listen_cage(l, root, child[0]);
	if (front_run(f) == -1)
		die_sys(EXIT_TEMP, "unable to wait for connections");
	front_free(f);
	return EXIT_DONE;
}

#endif
