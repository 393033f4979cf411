/*
 * report.h - how programs that check or change conf/ end
 */
#ifndef CMD_REPORT_H
#define CMD_REPORT_H

#include <errno.h>

#include "base/die.h"
#include "base/slice.h"
#include "base/strbuf.h"

/*
 * After conf_build() or conf_change() gave -1: each line of the report as a
 * diagnostic. EXIT_PERM if conf/ has mistakes, otherwise EXIT_TEMP.
 */
static inline int
report_failure(const struct strbuf *report, const char *root)
{
	struct slice in = sb_slice(report), line;
	int e = errno;

	while (slice_line(&in, &line) == 1)
		warn("%.*s", SLICE_ARG(line));
	errno = e;
	if (e == EINVAL)
		return EXIT_PERM;
	warn_sys("unable to build %s/cdb/conf.cdb", root);
	return EXIT_TEMP;
}

#endif
