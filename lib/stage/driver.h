/*
 * driver.h - what the faces of a stage share; not for programs
 */
#ifndef STAGE_DRIVER_H
#define STAGE_DRIVER_H

#include "stage/stage.h"

/* What imf-parse may write about one message. */
#define JOB_PARTS_MAX ((size_t)16 * 1024 * 1024)

void job_init(struct job *j, struct arena *a);
/* Copy the lines of the stage's own types: how many others were dropped. */
size_t own_lines(const struct stage *s, const struct strbuf *lines,
    struct strbuf *to);
int run_one(const struct stage *s, struct job *j, struct strbuf *lines);

/* The worker face; returns the exit code. */
int stage_worker(const struct stage *s, const struct stage_opts *o);

#endif
