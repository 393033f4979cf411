/*
 * case.h - what case-list, case-show and case-replay have in common
 */
#ifndef CMD_CASE_H
#define CMD_CASE_H

#include <errno.h>

#include "base/alloc.h"
#include "base/die.h"
#include "conf/conf.h"
#include "stage/cases.h"

/* The stages whose verdicts a case has, in the order of the pipeline, and the
 * record type of each that says it. */
static const struct check {
	const char *type, *program;
} checks[] = {
	{ "iprev", "iprev-check" },
	{ "spf", "spf-check" },
	{ "dkim", "dkim-verify" },
	{ "dmarc", "dmarc-eval" },
	{ "dnsbl", "dnsbl-check" },
};
#define CHECKS COUNTOF(checks)

/* Ends the program if there are no cases there. */
static inline void
case_begin(struct cases *c, const char *root, int64_t since, int64_t until,
    const char *hour)
{
	if (cases_open(c, root, since, until, hour) == 0)
		return;
	if (errno == ENOENT && hour != NULL)
		die(EXIT_PERM, "no cases of the hour %s in %s/case", hour,
		    root);
	die_sys(errno == ENOENT ? EXIT_PERM : EXIT_TEMP,
	    "unable to read %s/case", root);
}

/* The case of an id that a person gave: its text. Else the program ends. */
static inline void
case_get(const char *root, const char *id, struct strbuf *text)
{
	struct cases c;
	int got;

	if (!rid_ok(slice_str(id)))
		die(EXIT_PERM, "%s is not a job's id, which is 16 characters "
		    "as an SMTP reply shows it", id);
	case_begin(&c, root, 0, INT64_MAX, NULL);
	got = cases_find(&c, id, text);
	if (got == -1)
		die_sys(EXIT_TEMP, "unable to read the cases in %s/case", root);
	if (got == 0)
		die(EXIT_PERM, "no case %s in %s/case; cases are kept for host "
		    "case-days, case-list shows them", id, root);
	cases_close(&c);
}

/* The text as a job: ends the program if it is not one. */
static inline void
case_read(struct job *j, struct arena *ar, const char *id, struct slice text,
    const struct tuple **reply)
{
	const char *error;

	*j = (struct job){ .arena = ar, .msg_fd = -1 };
	if (case_parse(j, text, reply, &error) == -1)
		die(EXIT_PERM, "case %s is damaged: %s", id, error);
}

#endif
