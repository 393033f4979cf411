/*
 * imap-listen - accept IMAP connections and hand them to imap-login
 * usage   imap-listen [-C root]
 * fd 2    log lines
 * exit    0 stopped by a signal; 100 bad usage; 111 no configuration, or an
 *         address cannot be listened on
 * rights  accepts on its sockets, runs imap-login, which confines itself;
 *         opens no file and parses nothing that a stranger sends
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/confine.h"
#include "base/counter.h"
#include "base/die.h"
#include "conf/conf.h"
#include "net/front.h"

/* A descriptor for each child, and some for the rest. */
#define FILES_SPARE 128

static const char *const counter_names[] = {
	[FRONT_ACCEPTED] = "accepted",
	[FRONT_REFUSED] = "refused",
	[FRONT_STARTED] = "processes-started",
	[FRONT_DIED] = "processes-died",
	NULL
};

static struct slice
refusal(const char *service)
{
	if (slice_eqs(slice_str(service), "imaps"))
		return SLICE_NONE; /* it expects TLS */
	return S("* BYE too many connections from your network\r\n");
}

/* imap-login stands beside this program. */
static char *
beside(const char *name)
{
	char self[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self));
	ptrdiff_t slash;

	if (n <= 0 || n == sizeof(self))
		die_sys(EXIT_TEMP, "unable to find this program's directory");
	slash = slice_rchr(slice_of(self, (size_t)n), '/');
	return xprintf("%.*s/%s", (int)slash, self, name);
}

static void
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

static unsigned
listen_all(struct front *f, struct conf *conf)
{
	struct arena a = { 0 };
	struct tuple_reader r;
	struct slice text, service;
	struct tuple t;
	unsigned n = 0;

	if (conf_get(conf, "listen", SLICE_NONE, &text) == -1)
		die_sys(EXIT_TEMP, "unable to read conf.cdb");
	tuple_reader_init(&r, text);
	while (tuple_next(&r, &a, &t) == 1) {
		service = tuple_value(&t, "service");
		if (!slice_eqs(service, "imap") && !slice_eqs(service, "imaps"))
			continue;
		listen_on(f, &t);
		n++;
	}
	arena_free(&a);
	return n;
}

static void
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
 * Landlock rules are inherited, so these are what the dynamic linker of
 * imap-login needs; it takes away the rest. What a system lacks is left out.
 */
static void
cage(const char *root, const char *program)
{
	const char *maybe[] = { "/lib", "/lib64", "/usr/lib", "/lib32",
		"/usr/local/lib" };
	const char *exec[COUNTOF(maybe) + 2] = { program };
	char *counters = xprintf("%s/run/counters", root);
	const char *read[] = { "/etc", "/dev", NULL };
	const char *write[] = { counters, NULL };
	struct confine c = {
		.flags = CONFINE_EXEC | CONFINE_FORK | CONFINE_ACCEPT |
		    CONFINE_UNIX,
		.read = read, .write = write, .exec = exec,
	};
	size_t n = 1;

	for (size_t i = 0; i < COUNTOF(maybe); i++)
		if (access(maybe[i], X_OK) == 0)
			exec[n++] = maybe[i];
	if (access(counters, F_OK) == -1)
		write[0] = NULL;
	if (confine(&c) == -1)
		die_sys(EXIT_TEMP, "unable to confine to %s and %s", root,
		    program);
	free(counters);
}

int
main(int argc, char **argv)
{
	char *child[] = { NULL, (char *)"-C", NULL, NULL };
	struct front_config fc = { .argv = child, .refusal = refusal };
	const char *root = NULL;
	struct conf *conf;
	struct front *f;
	char *path;
	int ch;

	prog_start(argc, argv, "[-C root]",
	    "accept IMAP connections and hand them to imap-login",
	    "accepts on its sockets; runs imap-login; files: counters and what "
	    "the linker needs");
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
	fc.processes = (unsigned)conf_host_u64(conf, "imap-processes");
	fc.per_ip = (unsigned)conf_host_u64(conf, "max-connections-per-ip");
	fc.rate = (unsigned)conf_host_u64(conf, "connection-rate");
	path = xprintf("%s/run/counters/imap-listen", root);
	fc.counters = counters_open(path, counter_names);
	if (fc.counters == NULL)
		warn_sys("no counters in %s", path);
	free(path);
	child[0] = beside("imap-login");
	child[2] = (char *)(uintptr_t)root;
	f = front_new(&fc);
	if (listen_all(f, conf) == 0)
		die(EXIT_PERM, "conf/listen has no IMAP service");
	conf_close(conf);
	raise_files(fc.processes);
	cage(root, child[0]);
	if (front_run(f) == -1)
		die_sys(EXIT_TEMP, "unable to wait for connections");
	front_free(f);
	return EXIT_DONE;
}
