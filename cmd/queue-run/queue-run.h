/*
 * queue-run.h - the parts of queue-run
 */
#ifndef QUEUE_RUN_H
#define QUEUE_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf/conf.h"
#include "queue/entry.h"
#include "queue/queue.h"

/* Deliveries to our own accounts at a time. */
#define LOCAL_MAX 8
/* Recipients of one request; RFC 5321 section 4.5.3.1.8. */
#define SEND_RCPTS 100
/* Processes that remove files, and the files that one is told of at a time. */
#define SWEEPERS 2
#define SWEEP_IDS 64
/* A worker that was idle longer has closed its connection (smtp-send). */
#define WARM_MS 3500

struct worker;

/* A domain that mail waits for. */
struct domain {
	struct domain *chain;
	char *name;
	bool local;         /* its mail is for our own accounts */
	unsigned generation; /* of the configuration that `local' is from */
	unsigned active;    /* groups being sent */
	bool reached;       /* a host has answered since it last could not be */
	unsigned fails;     /* attempts in a row that reached no host */
	int64_t until;      /* Unix time until which it is not tried again */
	struct qrcpt dead;  /* its last result: why no host was reached */
	struct work *head, *tail; /* due, in order */
	struct domain *next; /* ring of domains with due mail */
	bool in_ring;
};

enum work_state { W_LATER, W_READY, W_BUSY, W_ENDED };

/* A group on its way: qgroup.work. */
struct work {
	struct qgroup *g;
	struct domain *d;
	struct work *next;    /* in the domain's list, or in `starting' */
	size_t at;            /* place in the heap while W_LATER */
	enum work_state state;
	unsigned lost;        /* workers that died over it */
	struct worker *worker; /* while W_BUSY */
	uint32_t asked[SEND_RCPTS]; /* recipients in the request */
	size_t count;
};

struct worker {
	int fd;
	bool local;
	struct work *job;     /* NULL = idle */
	struct domain *last;  /* for whom its connection may be open */
	int64_t since;        /* clock_ms() when it became idle */
};

struct sweeper {
	int fd;               /* -1: it has ended */
	char id[SWEEP_IDS][RID_LEN + 1]; /* what it was told to remove */
	size_t count;         /* 0: it waits */
};

/* Settings of conf host, seconds. */
struct limits {
	unsigned total, per_domain;
	int64_t retry, retry_most, lifetime, warn;
};

struct run {
	const char *root;
	struct queue q;
	struct conf *conf;
	unsigned generation;  /* counts changes of the configuration */
	struct limits limits;
	struct qtable table;
	int bell, lock;
	struct strbuf out;    /* records to be appended */
	struct work *starting; /* whose attempts are in `out' */
	char (*gone)[RID_LEN + 1]; /* entries whose `done' is in `out' */
	size_t gone_count, gone_cap;
	struct sweeper sweeper[SWEEPERS];
	bool reports;         /* some entry has a DSN to be written */
	struct work **heap;
	size_t heap_count, heap_cap;
	struct domain **bucket;
	size_t buckets, domains;
	struct domain *ring;  /* the last; its next is the first */
	struct worker *worker;
	size_t workers, locals;
	int64_t no_connect;   /* clock_ms() until which smtp-send is not tried */
	int64_t full_scan;    /* clock_ms() of the next look at the directory */
	int64_t no_write;     /* clock_ms() until which the disk is not tried */
	int64_t compact_at;   /* size of the journal */
	bool stopping;
};

/* main.c */
struct limits limits(const struct run *r);

/* sched.c: which group is sent when */
void sched_entry(struct run *r, struct qentry *e);
void sched_forget(struct run *r, struct qentry *e);
void sched_all(struct run *r);
/* Move what is due to its domain's list. */
void sched_due(struct run *r, int64_t now);
/* Start what may start: fills r->starting. */
void sched_start(struct run *r, int64_t now);
/* Unix time of the next group that is not yet due; INT64_MAX = none. */
int64_t sched_next(const struct run *r);
/* A group's request has ended, whatever came of it. */
void sched_finish(struct run *r, struct work *w, int64_t now);
void sched_push(struct run *r, struct work *w);
/* What an attempt has shown: no host of the domain can be reached (why), or
 * some host answers. */
void sched_dead(struct run *r, struct domain *d, const struct qresult *why);
void sched_reached(struct domain *d);

/* work.c: workers and what they say */
struct worker *worker_for(struct run *r, struct domain *d);
/* One is idle, or another may be made. */
bool workers_free(const struct run *r);
/* Hand the request over; on failure the group ends as deferred. */
void worker_send(struct run *r, struct work *w);
/* No attempt is worth making: the results that it would have had. */
void worker_skip(struct work *w);
/* The worker's socket is readable. */
void worker_read(struct run *r, struct worker *k);
/* Let go of workers that nobody has needed for a while. */
void workers_trim(struct run *r);
/* sweep.c: files of entries that are over */
void sweep_start(struct run *r);
/* Its file goes when what is in r->out is durable. */
void sweep_add(struct run *r, struct qentry *e);
/* All that sweep_add() was told is durable. */
void sweep_go(struct run *r);
/* The sweeper's socket is readable. */
void sweep_read(struct run *r, struct sweeper *s);
bool sweep_busy(const struct run *r);
/* local.c: the life of a worker for our own accounts; never returns */
void local_worker(int sock, struct run *r) __attribute__((noreturn));

/* entry.c: what becomes of an entry when nothing of it is being sent */
void entry_settle(struct run *r, struct qentry *e, int64_t now);
/* Results of one request into the journal's records. */
void entry_results(struct run *r, struct work *w);
/* Write the DSNs that are due. */
void entry_reports(struct run *r, int64_t now);
/* Append r->out; then remove, start, report. */
void entry_commit(struct run *r, int64_t now);

#endif
