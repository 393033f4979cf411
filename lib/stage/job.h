/*
 * job.h - the job: envelope, empty line, message (job(5), DESIGN.md 2.2)
 *
 * A job in a stream is tuple lines, an empty line and the message, whose size
 * the first record states: job size=N. In a pipeline of workers the same
 * things travel as descriptors: envelope file, message file, parts file.
 *
 * struct job is a read-only view for a stage. Everything in it is borrowed:
 * it lives until the stage function returns.
 */
#ifndef STAGE_JOB_H
#define STAGE_JOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/rid.h"
#include "base/slice.h"
#include "base/strbuf.h"
#include "base/tuple.h"

#define JOB_ENVELOPE_MAX ((size_t)1024 * 1024)
#define JOB_RECORD_MAX 4096u

struct job {
	char id[RID_LEN + 1];
	struct slice envelope; /* the text, without the empty line */
	struct tuple *rec;     /* its records in order */
	size_t count;
	int64_t time;    /* when the message arrived, Unix seconds */
	uint64_t size;   /* of the message, bytes */
	struct slice msg;   /* the message */
	struct slice parts; /* what imf-parse wrote, parts(5); empty if none */
	int msg_fd;      /* the message from offset 0, for copying; or -1 */
	struct strbuf *new_parts; /* where imf-parse puts the parts records;
	                             NULL for all others */
	const struct job *whole; /* -R: all that the case has, also the stage's
	                            own lines and later ones; else NULL */
	bool live;       /* -N: as -R, but what is outside is asked today */
	struct arena *arena; /* reset after the job */
	bool again;      /* a process died with it: it may have been done */
	bool verbose;    /* -v: explain each step on stderr */
	bool unfavourable; /* set by the stage: exit 1 in the face for people */
	bool doubtful;   /* the same: exit 111, later it may be another answer */
	struct strbuf reply; /* set by job_refuse() or job_accept() */
};

/* First record of that type, or NULL. */
const struct tuple *job_find(const struct job *j, const char *type);
/* Next record of that type after `after' (NULL: from the start), or NULL. */
const struct tuple *job_next(const struct job *j, const char *type,
    const struct tuple *after);
/* Attribute of the first record of that type, or empty. */
struct slice job_get(const struct job *j, const char *type, const char *attr);

/*
 * End the job here with an SMTP reply for the client: code (400..599), an
 * enhanced code (RFC 3463) and a text of printable ASCII. The stage returns
 * what this returns: EXIT_PERM for 5xx, EXIT_TEMP for 4xx.
 */
int job_refuse(struct job *j, int code, const char *ecode, const char *fmt,
    ...) __attribute__((format(printf, 4, 5), warn_unused_result));
/* "5.7.1": class, subject and detail of RFC 3463 and nothing else. */
bool ecode_ok(struct slice s);
/* For the last stage: done, with a 250 reply. Returns EXIT_DONE. */
int job_accept(struct job *j, const char *ecode, const char *fmt, ...)
    __attribute__((format(printf, 3, 4), warn_unused_result));

/*
 * Parse envelope text into j->rec, id, time and size (arena memory).
 * 0, or -1 with *error naming the trouble: no job record first, bad tuple,
 * bad id or size, more than JOB_RECORD_MAX records.
 */
int job_parse(struct job *j, struct slice envelope, const char **error)
    __attribute__((warn_unused_result));

#endif
