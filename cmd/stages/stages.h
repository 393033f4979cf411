/*
 * stages.h - what the parts of stages(8) share
 *
 * pipeline.c reads conf/pipeline/NAME; pool.c starts, watches and replaces the
 * workers of each stage; jobs.c takes jobs in, keeps them while workers hold
 * them, and answers; casefile.c keeps what was judged, in files of journal.c;
 * main.c is the loop.
 */
#ifndef STAGES_H
#define STAGES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/rid.h"
#include "base/slice.h"
#include "base/strbuf.h"
#include "stage/stage.h"

#define STAGES_MAX 32       /* stages in one pipeline */
#define WORKERS_MAX 256     /* workers of one stage */
#define JOBS_IN_FLIGHT 1024 /* more are answered 451 4.3.2 */
#define CLIENTS_MAX 1024    /* connections to the pipeline's socket */
#define TICK_MS 10          /* how often pools are looked at under load */
#define JOB_MS (5 * 60000)  /* a job older than this is answered 451 4.3.0 */
#define STOP_MS 3000        /* jobs in hand may finish after SIGTERM */

/*
 * Records that reports are made of: an aggregate report is sent once a day
 * (RFC 9990), and tried again for some days.
 */
#define REPORT_DAYS 7
#define REPORT_SIZE ((uint64_t)256 * 1024 * 1024)
#define HOUR_NAME 10 /* YYYYMMDDHH */

/* Files of an hour each, see journal.c. */
struct journal {
	const char *dir;
	unsigned days;
	uint64_t size;     /* bytes of all files */
	int fd;
	int64_t hour;      /* that fd is of; -1 = none yet */
	off_t end;         /* of the file after our last write; -1 = unknown */
	bool full, failed; /* logged for this hour */
};

enum on_fail { FAIL_TEMP, FAIL_NEUTRAL };

struct worker {
	pid_t pid; /* 0 = free */
	int64_t born;
};

struct stage_conf {
	char *name;
	char **argv;    /* what is run */
	char *types;    /* its record types, comma-separated */
	char *append;   /* the one of them that is kept in report/; or NULL */
	bool filter;    /* a foreign one-shot filter, run by `stages -F' */
	bool shadow;
	enum on_fail on_fail;
	unsigned min, max; /* workers */
	unsigned time;  /* seconds a job may take in it */
	unsigned idle;  /* seconds after which an idle worker ends */
	uint64_t memory; /* RLIMIT_AS of a worker; 0 = none */
};

struct pool {
	struct stage_conf conf;
	struct journal report; /* of conf.append */
	char *types_before; /* that may be there when a job comes */
	bool last;
	int in[2];      /* jobs: [0] the workers', [1] the senders' end */
	int reply[2];   /* [0] ours, [1] the workers' */
	int seats_fd;
	struct stage_seat *seat;
	struct worker worker[WORKERS_MAX];
	unsigned running;
	int64_t not_before; /* no new worker before this, after a failure */
	unsigned failures;  /* workers in a row that died young */
};

struct pipeline {
	const char *name;
	char *entry_types;
	struct pool *pool[STAGES_MAX];
	size_t count;
	int epoll;
};

/* pipeline.c: exits 100 with file and line when the file is wrong. */
void pipeline_read(struct pipeline *p, const char *path, const char *bin);

/* journal.c */
void journal_init(struct journal *j, const char *dir, unsigned days,
    uint64_t size);
/* Append with one write; what cannot be kept is logged and dropped. */
void journal_write(struct journal *j, struct slice entry);

/* pool.c */
void pool_open(struct pipeline *p, size_t i);
/* Start workers where jobs wait and all are busy, up to the ceiling. */
void pool_grow(struct pipeline *p, struct pool *pool);
/* A job came in: every stage needs at least one worker soon. */
void pool_wake(struct pipeline *p);
/* Kill workers that hold a job longer than the stage's time. */
void pool_overtime(struct pool *pool, int64_t now);
/* A child ended: its pool and what it held; false if it was not ours. */
struct died {
	size_t stage;
	size_t count;
	int32_t slot[STAGE_BATCH_MAX];
	bool overtime;
	int status;
};
/* Let all workers be replaced, each after the job in its hands. */
void pool_retire(struct pool *pool);
bool pool_reap(struct pipeline *p, pid_t pid, int status, struct died *d);
void pool_close(struct pool *pool);
/* A job waits in the pool's socket. */
bool pool_waiting(const struct pool *pool);

/* jobs.c */
struct jobs;
/* cases: NULL if none are kept. */
struct jobs *jobs_new(struct pipeline *p, const char *spool,
    struct journal *cases);
/* A packet from a client: takes it in, or answers at once. False: client is
 * gone or speaks nonsense, close it. */
bool jobs_enter(struct jobs *js, int client);
void jobs_client_gone(struct jobs *js, int client);
/* A packet from a stage's reply socket; false if there was none. */
bool jobs_reply(struct jobs *js, size_t stage);
/* Workers died with these jobs. */
void jobs_died(struct jobs *js, const struct died *d);
/* Answer jobs that take too long. */
void jobs_sweep(struct jobs *js, int64_t now);
unsigned jobs_in_flight(const struct jobs *js);

/* casefile.c */
void case_write(struct journal *cases, struct slice envelope,
    struct slice reply);
/* The records of that type, with id, time and code of the verdict. */
void report_write(struct journal *report, const char *type,
    struct slice envelope, struct slice reply);
/* A job that killed two workers: its files under spool/poison. */
int poison_write(const char *spool, const char *id, struct slice envelope,
    int msg_fd);

/* filter.c: `stages -F NAME TYPES SECONDS COMMAND...', a worker. */
int filter_main(int argc, char **argv);

#endif
