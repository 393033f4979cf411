/*
 * stage.h - one function, two faces (DESIGN.md 2.2)
 *
 * A stage program describes itself in a struct stage and calls stage_main().
 * The work is one function: it reads only the job, writes only its own tuple
 * lines to `out', and returns 0 to pass the job on, or what job_refuse() or
 * job_accept() returned to end it, or EXIT_TEMP/EXIT_PERM for a default reply
 * (451 4.3.0, 554 5.3.0). It never exits and leaves nothing of the job in ctx.
 *
 * Faces, chosen by stage_main():
 *   one-shot   stdin is a job (its first line starts with "job "): the same
 *              job on stdout with the stage's lines added. Exit 0, or the
 *              verdict's code with nothing complete on stdout.
 *   people     stdin is a bare message, or -n was given (no message): only
 *              the stage's own lines on stdout; exit 0 favourable, 1
 *              unfavourable (j->unfavourable), 100, 111 (j->doubtful).
 *              Options make the envelope: -i IP, -H HELO, -f REVERSE-PATH, -r
 *              RCPT (may repeat). With one of the first three a stage that
 *              never looks at a message reads no standard input.
 *   replay     -R or -N, of stages that set opts.replay: stdin is the envelope of a
 *              case, up to an empty line or the end; there is no message. The
 *              stage sees what stood before its own lines, and all of it as
 *              j->whole; it prints what it prints for people. If another "job "
 *              comes behind the empty line, and so on, an empty line stands
 *              behind the lines of each, and the exit code is the worst.
 *   worker     -w: fd 0 is a SOCK_SEQPACKET socket of jobs, fd 1 the next
 *              stage's, fd 3 where replies go; see below.
 *
 * Worker packets. Text: one tuple line "job id=ID slot=N", with again=yes if
 * the job may have been done before: a worker died while it held it, or its
 * client lost an earlier pipeline (submit.h). Descriptors:
 * envelope, message (read-only), parts. A worker checks that the envelope
 * holds only types of earlier programs ($PNEU_TYPES; `dns' belongs to several,
 * each with its own by=), appends its lines with
 * one write and sends the packet on; or it sends on fd 3 "reply id=ID slot=N
 * code=250 ecode=2.0.0 text=..." and is done with the job. The pool's shared
 * page (fd 4, an array of struct stage_seat; the worker's index is in
 * $PNEU_SEAT) says which jobs each worker holds since when. With $PNEU_LAST
 * there is no next stage: a job that run() passes on is answered with 250.
 * With $PNEU_SHADOW the stage's lines become "shadow stage=NAME line=..." and
 * its refusals are recorded the same way, not used. A worker ends with exit 0
 * when fd 0 is closed, or after STAGE_JOBS_MAX jobs, or when no job came
 * within the receive time-out that stages(8) set on the socket. When the
 * configuration has changed, stages(8) sets `retire' in every seat and sends a
 * packet that is no job for each worker, so that those who wait see it.
 *
 * A worker whose time budget ends (SIGALRM) or that dies is handled by
 * stages(8): the job is given once more to another worker, or passed on with
 * a neutral line, or refused, as the pipeline file says.
 */
#ifndef STAGE_STAGE_H
#define STAGE_STAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stage/job.h"

/* Most jobs that a batch stage gets at once. */
#define STAGE_BATCH_MAX 64
/* Jobs after which a worker exits 0 and is replaced. */
#define STAGE_JOBS_MAX 10000

/* One per worker in the shared page. Written by the worker only. */
struct stage_seat {
	volatile uint32_t busy;  /* jobs in hand; 0 = waiting */
	volatile uint32_t jobs;  /* jobs done in all */
	volatile int64_t since;  /* clock_ms() when it took the first */
	volatile int32_t slot[STAGE_BATCH_MAX]; /* their slots; -1 = free */
	volatile uint32_t retire; /* end before the next job */
};

struct stage {
	const char *name;  /* "spf-check" */
	const char *types; /* record types it owns: "spf" or "dkim,key" */
	/* Those of them that are for programs: not shown to people. NULL: none. */
	const char *quiet;
	/* The work. */
	int (*run)(void *ctx, struct job *j, struct strbuf *out);
	/*
	 * Instead of run, for stages that commit: up to `most' jobs that are
	 * waiting are handed over together. verdict[i] is what run() would
	 * return for jobs[i], out[i] its lines.
	 */
	void (*run_batch)(void *ctx, struct job **jobs, struct strbuf *out,
	    int *verdict, size_t count);
	size_t most;
	/* Called between jobs: pick up changed configuration. May be NULL. */
	void (*refresh)(void *ctx);
	void *ctx;
	/*
	 * The face for people shows something else than the lines: the message
	 * as it was given, the lines that run() wrote. May be NULL.
	 */
	void (*show)(void *ctx, struct slice given, struct slice lines);
	bool writes_parts; /* imf-parse only: run() writes j->new_parts */
	bool skip_message; /* never looks at j->msg: saves reading it */
	bool skip_parts;   /* never looks at j->parts */
	/* The lines are no records but text for people: printed as they are, of
	 * a job too, and never added to one. Not for workers. */
	bool text;
	/*
	 * In the one-shot face there is no parts file; a stage that needs one
	 * sets this to imf_parts() of lib/imf, which makes it from the message.
	 */
	int (*make_parts)(const struct job *j, struct strbuf *parts);
};

/*
 * The common options of a stage program: stage_option() is called for each
 * getopt letter the program does not know itself; STAGE_OPTS is added to its
 * getopt string. -w -v -n -i -H -f -r.
 */
#define STAGE_OPTS "wvni:H:f:r:"

struct stage_opts {
	bool given; /* an option of the people's face was used */
	bool worker, verbose, no_message;
	bool replay; /* -R: the program's own option */
	bool live;   /* -N: the same, but what is outside is asked today */
	const char *ip, *helo, *from;
	const char *rcpt[16];
	size_t rcpts;
};

/* true if the letter was one of STAGE_OPTS. */
bool stage_option(struct stage_opts *o, int letter, const char *arg);

/* Run the face that the options and stdin ask for: the exit code. */
int stage_main(const struct stage *s, const struct stage_opts *o);

#endif
