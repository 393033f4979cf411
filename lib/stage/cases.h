/*
 * cases.h - case files: ROOT/case/YYYYMMDDHH, envelopes of judged messages
 *
 * stages(8) writes them. An entry is the final envelope, the reply and an empty
 * line; the name is the hour (UTC) of the verdict. They are read as a stream in
 * the order of the hours, whatever their size.
 */
#ifndef STAGE_CASES_H
#define STAGE_CASES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "base/strbuf.h"
#include "stage/job.h"

#define CASE_HOUR_NAME 10 /* YYYYMMDDHH */
/* A verdict is at most this many seconds later than the message's time=: what
 * a client may take to send it, and the pipeline. */
#define CASE_LATE (3600 + 300)

struct cases {
	int dir, fd;
	char **hour;       /* names, the oldest first */
	size_t hours, at;  /* the next one to open */
	struct strbuf buf;
	size_t used;       /* of buf: has been given out */
	bool end;          /* of the file */
	unsigned damaged;  /* entries too large, or cut at the end of a file */
};

/*
 * Hours of messages that came in since <= time <= until (0, INT64_MAX: all); or
 * only the hour of that name (NULL: all). 0, or -1 with errno; ENOENT also for
 * an hour that is not there.
 */
int cases_open(struct cases *c, const char *root, int64_t since, int64_t until,
    const char *hour) __attribute__((warn_unused_result));
void cases_close(struct cases *c);
/* The next entry: 1 and its text, borrowed until the next call; 0 at the end; -1
 * with errno if a file cannot be read. */
int cases_next(struct cases *c, struct slice *text)
    __attribute__((warn_unused_result));
/* The entry with that id: 1, 0, -1 as above. Of several the last. */
int cases_find(struct cases *c, const char *id, struct strbuf *text)
    __attribute__((warn_unused_result));

/*
 * Read an entry as job_parse() does, and its reply: 0 and *reply, or -1 and
 * *error.
 */
int case_parse(struct job *j, struct slice text, const struct tuple **reply,
    const char **error) __attribute__((warn_unused_result));

#endif
