/*
 * queue.h - the queue of outgoing mail on disk (queue(5))
 *
 * ROOT/queue/ holds
 *	job/ID    an entry: tuple lines, an empty line, the message; written
 *	          once, never changed, removed when all is done
 *	journal   what happened to the entries: tuple lines, appended
 *	tmp/      files being written; nobody reads them
 *	lock      flock(2): shared to append to the journal, exclusive to
 *	          replace it
 *
 * The files are the truth: an entry exists from the rename into job/ on, and
 * ends with a durable `done' line in the journal. One journal for all entries,
 * not a state file each, because then one fdatasync(2) records a whole batch
 * of attempts and results. Losing the journal loses no mail: each entry
 * starts anew.
 */
#ifndef QUEUE_QUEUE_H
#define QUEUE_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/rid.h"
#include "base/slice.h"
#include "base/strbuf.h"

/* Envelope of an entry: as large as an envelope in a pipeline may be. */
#define QUEUE_ENVELOPE_MAX ((size_t)1024 * 1024)
/* One append to the journal. */
#define QUEUE_APPEND_MAX ((size_t)16 * 1024 * 1024)
/* Slices that make up the message of a new entry. */
#define QUEUE_BODY_MAX 64

struct queue {
	char *root;
	int dir;       /* ROOT/queue */
	int journal;   /* O_APPEND */
	int lock;
	int64_t seen;  /* bytes of the journal that queue_read() has given out */
};

/* 0, or -1 with errno. ROOT/queue and what is in it are made when missing. */
int queue_open(struct queue *q, const char *root)
    __attribute__((warn_unused_result));
void queue_close(struct queue *q);

struct queue_new {
	char id[RID_LEN + 1];
	struct slice envelope; /* tuple lines, without the empty line */
	struct slice body[QUEUE_BODY_MAX]; /* the message, in pieces */
	size_t count;
	int error;             /* result: 0, or errno */
};

/*
 * Add entries: each file is written and fsynced, all are renamed, the
 * directory is fsynced once. An entry whose error is 0 survives a crash; for
 * the others nothing is left behind. Adding an id that is in the queue
 * replaces the entry with the same bytes.
 */
void queue_add(struct queue *q, struct queue_new *entries, size_t count);

/*
 * Was an entry with this id added lately? It is in the queue, or the journal
 * says that it was: 1, 0, or -1 with errno. For a caller that repeats what it
 * did not hear back from.
 */
int queue_had(struct queue *q, const char *id)
    __attribute__((warn_unused_result));
/* Open an entry for reading: descriptor, or -1 (ENOENT: gone). */
int queue_job_open(const struct queue *q, const char *id)
    __attribute__((warn_unused_result));
/* Remove an entry whose `done' line is durable; ENOENT is fine. */
int queue_job_remove(const struct queue *q, const char *id)
    __attribute__((warn_unused_result));
/* Call fn for each entry's id; stops at and returns fn's first non-zero. */
int queue_job_each(const struct queue *q, int (*fn)(void *ctx, const char *id),
    void *ctx) __attribute__((warn_unused_result));

/* Append records to the journal and make them durable: 0, or -1. */
int queue_append(struct queue *q, struct slice records)
    __attribute__((warn_unused_result));
/*
 * Append to sb the whole records that were written since the last call. Own
 * records may be among them. 0, or -1 with errno.
 */
int queue_read(struct queue *q, struct strbuf *sb)
    __attribute__((warn_unused_result));
/* Replace the journal by `records'; *tail first gets what others appended
 * since the last queue_read(); render() then gives the text. queue-run only. */
int queue_compact(struct queue *q, struct strbuf *tail,
    void (*render)(void *ctx, struct slice tail, struct strbuf *out),
    void *ctx) __attribute__((warn_unused_result));

/*
 * Tell queue-run that the queue has changed, by a datagram to run/queue. ids:
 * names of new entries, a hint that saves a scan; empty: look for yourself.
 * Never fails: queue-run also looks by itself every minute.
 */
void queue_ring(const char *root, struct slice ids);

#endif
