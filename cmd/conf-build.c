/*
 * conf-build - check conf/ and compile it to cdb/conf.cdb (conf(5))
 * usage   conf-build [-n] [-C root]
 * fd 2    a line for each mistake: conf/FILE:LINE: ATTRIBUTE: what is wrong
 * exit    0 done; 100 conf/ has mistakes, nothing changed; 111 try again
 * rights  the caller's; reads conf/ and the public suffix list, writes cdb/,
 *         no network
 */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "addr/psl.h"
#include "base/alloc.h"
#include "base/confine.h"
#include "base/die.h"
#include "base/file.h"
#include "conf/build.h"
#include "conf/conf.h"
#include "report.h"

static void
cage(const char *root, bool write)
{
	char *conf = xprintf("%s/conf", root), *cdb = xprintf("%s/cdb", root);
	struct confine c = {
		.read = (const char *[]){ conf, NULL },
		.write = (const char *[]){ write ? cdb : NULL, NULL },
	};

	if (write && dir_make(AT_FDCWD, cdb, 0755) == -1)
		die_sys(EXIT_TEMP, "unable to make %s", cdb);
	if (confine(&c) == -1)
		die_sys(EXIT_TEMP, "unable to confine itself to %s", root);
	free(conf);
	free(cdb);
}

/*
 * Bring cdb/psl.cdb up to date, as psl-build does. What comes out is not worth
 * failing for: the configuration is in place, and so is the list of before.
 */
static void
suffixes(const char *root, int list)
{
	struct strbuf report = STRBUF_INIT(CONF_REPORT_MAX);

	if (list != -1 && psl_build(root, list, 0, &report) == -1)
		warn_sys("unable to build %s/cdb/psl.cdb from " PSL_SOURCE
		    "; psl-build says more", root);
	sb_free(&report);
}

int
main(int argc, char **argv)
{
	struct strbuf report = STRBUF_INIT(CONF_REPORT_MAX);
	const char *root = NULL;
	bool write = true;
	int ch, lock, list, code = EXIT_DONE;

	prog_start(argc, argv, "[-n] [-C root]",
	    "check the configuration and compile it",
	    "reads conf/ and the public suffix list, writes cdb/; network: none");
	while ((ch = getopt(argc, argv, "C:n")) != -1)
		switch (ch) {
		case 'C': root = optarg; break;
		case 'n': write = false; break;
		default: usage();
		}
	if (optind != argc)
		usage();
	root = conf_root(root);
	if ((lock = conf_lock(root)) == -1)
		die_sys(EXIT_TEMP, "unable to lock %s/conf", root);
	list = open(PSL_SOURCE, O_RDONLY | O_CLOEXEC);
	cage(root, write);
	if (conf_build(root, write, &report) == -1)
		code = report_failure(&report, root);
	else if (write)
		suffixes(root, list);
	sb_free(&report);
	close(lock);
	return code;
}
