/*
 * psl-build - compile the public suffix list
 * usage   psl-build [-fn] [-C root] [file]
 *         file: the list, instead of that of the package publicsuffix
 * fd 0    not used
 * fd 2    what is wrong with the list
 * exit    0 done, or the list has not changed; 100 it is no list, or shrank:
 *         nothing changed; 111 try again
 * rights  the caller's; reads the list, writes cdb/, no network
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "addr/psl.h"
#include "base/alloc.h"
#include "base/confine.h"
#include "base/die.h"
#include "base/file.h"
#include "conf/conf.h"

#define REPORT_MAX 4096

static void
cage(const char *root, bool write)
{
	char *cdb = xprintf("%s/cdb", root);
	struct confine c = {
		.write = (const char *[]){ write ? cdb : NULL, NULL },
	};

	if (write && dir_make(AT_FDCWD, cdb, 0755) == -1)
		die_sys(EXIT_TEMP, "unable to make %s", cdb);
	if (confine(&c) == -1)
		die_sys(EXIT_TEMP, "unable to confine itself to %s", cdb);
	free(cdb);
}

/* -n: is it a list? The bytes go nowhere. */
static int
check(int list, struct strbuf *report)
{
	struct strbuf text = STRBUF_INIT(PSL_SOURCE_MAX);
	struct psl_source src = { 0 };
	int r, out = memfd_new("psl");

	r = out == -1 || fd_slurp(list, &text) == -1 ||
	    psl_compile(sb_slice(&text), &src, out, report) == -1 ? -1 : 0;
	sb_free(&text);
	return r;
}

int
main(int argc, char **argv)
{
	struct strbuf report = STRBUF_INIT(REPORT_MAX);
	const char *root = NULL, *file = PSL_SOURCE;
	unsigned flags = 0;
	bool write = true;
	int ch, fd, r;

	prog_start(argc, argv, "[-fn] [-C root] [file]",
	    "compile the public suffix list",
	    "reads the list, writes cdb/; network: none");
	while ((ch = getopt(argc, argv, "C:fn")) != -1)
		switch (ch) {
		case 'C': root = optarg; break;
		case 'f': flags = PSL_BUILD_ALWAYS | PSL_BUILD_SHRINK; break;
		case 'n': write = false; break;
		default: usage();
		}
	if (argc - optind > 1)
		usage();
	if (optind < argc)
		file = argv[optind];
	root = conf_root(root);
	if ((fd = open(file, O_RDONLY | O_CLOEXEC)) == -1)
		die_sys(EXIT_PERM, "unable to open %s", file);
	cage(root, write);
	r = write ? psl_build(root, fd, flags, &report) : check(fd, &report);
	if (r == -1 && errno == EINVAL)
		die(EXIT_PERM, "%s: %s", file, sb_cstr(&report));
	if (r == -1 && errno == ERANGE)
		die(EXIT_PERM, "%s has under half of the rules of %s/cdb/psl.cdb,"
		    " which stays; -f takes it all the same", file, root);
	if (r == -1)
		die_sys(EXIT_TEMP, "unable to build %s/cdb/psl.cdb", root);
	sb_free(&report);
	return EXIT_DONE;
}
