/*
 * psl-lookup - where registries end: public suffix and organisational domain
 * usage   psl-lookup [-p] [-C root] [-f file] domain ...
 *         -p: rules of the private section count, too
 *         -f: a list as it is published, instead of cdb/psl.cdb
 * fd 0    not used
 * fd 1    a psl line for each domain
 * exit    0 done; 1 one of the domains is itself a public suffix; 100 bad
 *         usage, or not a domain name; 111 there is no list
 * rights  the caller's; reads cdb/psl.cdb or the file, no network
 */
#include <fcntl.h>
#include <unistd.h>

#include "addr/addr.h"
#include "addr/psl.h"
#include "base/alloc.h"
#include "base/confine.h"
#include "base/die.h"
#include "base/file.h"
#include "base/tuple.h"
#include "conf/conf.h"

#define OUT_MAX ((size_t)16 << 20)
#define REPORT_MAX 4096

static void
cage(void)
{
	const struct confine nothing = { 0 };

	if (confine(&nothing) == -1)
		die_sys(EXIT_TEMP, "unable to confine");
}

/* The list in place, or a file that is compiled to memory. */
static struct psl *
open_list(const char *root, const char *file)
{
	struct strbuf text = STRBUF_INIT(PSL_SOURCE_MAX);
	struct strbuf report = STRBUF_INIT(REPORT_MAX);
	struct psl_source src = { 0 };
	struct psl *p;
	int fd, out;

	if (file == NULL) {
		if ((p = psl_open(root)) == NULL)
			die_sys(EXIT_TEMP, "unable to open %s/cdb/psl.cdb; "
			    "psl-build makes it", root);
		cage();
		return p;
	}
	fd = open(file, O_RDONLY | O_CLOEXEC);
	out = memfd_new("psl");
	if (fd == -1 || out == -1)
		die_sys(EXIT_TEMP, "unable to open %s", file);
	cage();
	if (fd_slurp(fd, &text) == -1)
		die_sys(EXIT_TEMP, "unable to read %s", file);
	if (psl_compile(sb_slice(&text), &src, out, &report) == -1)
		die(EXIT_PERM, "%s: %s", file, sb_cstr(&report));
	if ((p = psl_open_fd(out)) == NULL)
		die_sys(EXIT_TEMP, "unable to use the compiled list");
	close(fd);
	sb_free(&text);
	sb_free(&report);
	return p;
}

/* True if the domain is a public suffix. */
static bool
lookup(struct psl *p, const char *operand, bool private_too,
    struct strbuf *out)
{
	struct arena ar = { 0 };
	struct psl_found f;
	struct slice domain;
	struct ip ip;
	bool suffix;

	if (ip_parse(slice_str(operand), &ip) == 0 ||
	    domain_ascii(slice_str(operand), &ar, &domain) == -1)
		die(EXIT_PERM, "not a domain name: %s", operand);
	if (psl_find(p, domain, private_too, &ar, &f) != 1)
		die_sys(EXIT_TEMP, "unable to read the compiled list");
	tuple_begin(out, "psl");
	tuple_put(out, "domain", domain);
	tuple_put(out, "suffix", f.suffix);
	tuple_opt(out, "org-domain", f.org);
	tuple_puts(out, "section", psl_section_name(f.section));
	tuple_put(out, "rule", f.rule);
	tuple_end(out);
	suffix = f.org.n == 0;
	arena_free(&ar);
	return suffix;
}

int
main(int argc, char **argv)
{
	const char *root = NULL, *file = NULL;
	struct strbuf out = STRBUF_INIT(OUT_MAX);
	bool private_too = false, suffix = false;
	struct psl *p;
	int ch;

	prog_start(argc, argv, "[-p] [-C root] [-f file] domain ...",
	    "where registries end: public suffix and organisational domain",
	    "files: none once started; network: none");
	while ((ch = getopt(argc, argv, "C:f:p")) != -1)
		switch (ch) {
		case 'C': root = optarg; break;
		case 'f': file = optarg; break;
		case 'p': private_too = true; break;
		default: usage();
		}
	if (optind == argc)
		usage();
	p = open_list(conf_root(root), file);
	for (; optind < argc; optind++)
		suffix = lookup(p, argv[optind], private_too, &out) || suffix;
	if (out.over || write_all(STDOUT_FILENO, sb_slice(&out)) == -1)
		die_sys(EXIT_TEMP, "unable to write");
	psl_close(p);
	sb_free(&out);
	return suffix ? EXIT_NO : EXIT_DONE;
}
