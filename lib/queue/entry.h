/*
 * entry.h - the entries of the queue in memory
 *
 * A table is made from job/ and the journal; it can be thrown away and made
 * again at any time. An entry has recipients in groups by domain; each group
 * has its own attempts and schedule.
 */
#ifndef QUEUE_ENTRY_H
#define QUEUE_ENTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/rid.h"
#include "base/slice.h"
#include "base/strbuf.h"
#include "queue/queue.h"

/* Most bytes kept of a remote host's reply. */
#define QUEUE_TEXT_MAX 500

enum qstatus { Q_WAITING, Q_SENT, Q_FAILED, Q_DROPPED };

/* RFC 3461 section 4.1; without NOTIFY failures and delays are reported. */
enum qnotify { NOTIFY_NEVER = 1, NOTIFY_SUCCESS = 2, NOTIFY_FAILURE = 4,
	NOTIFY_DELAY = 8 };

/* What became of the last attempt for a recipient. */
struct qresult {
	enum qstatus status; /* Q_WAITING: deferred */
	int code;            /* SMTP code; 0 = none was received */
	char ecode[12];      /* "5.1.1" */
	char *text;          /* printable, at most QUEUE_TEXT_MAX bytes */
	char *host, *ip;     /* who said so; may be NULL */
	int64_t time;
};

struct qrcpt {
	char *addr;   /* local@domain */
	char *orcpt;  /* ORCPT as given, or NULL */
	unsigned notify;
	struct qresult *last; /* NULL: not tried yet */
	bool reported;        /* its failure stands in a DSN */
	unsigned tried;       /* attempt that `last' is from: for queue-run */
};

struct qgroup {
	struct qentry *entry;
	char *domain;        /* lower case; may be an address literal */
	size_t first, count; /* its recipients in entry->rcpt */
	unsigned attempts;
	int64_t next;        /* Unix time of the next attempt */
	int64_t last;        /* of the last attempt; 0 = none */
	void *work;          /* for queue-run */
};

struct qentry {
	struct qentry *chain;
	char id[RID_LEN + 1];
	char *from;     /* "" = null reverse-path */
	char *account, *envid;
	int64_t time;   /* when it was queued */
	uint64_t size;  /* of the message */
	int64_t offset; /* of the message in its file */
	bool eight_bit, utf8, ret_full;
	bool ended;     /* the journal says `done' */
	bool dropped;   /* and how=dropped: queue-drop(8) */
	bool leaving;   /* over, its file is being removed: for queue-run */
	bool delayed;   /* the sender knows of the delay */
	char report[RID_LEN + 1]; /* a DSN to be written under this id */
	bool report_delay;        /* it is a notice of delay */
	struct qrcpt *rcpt;
	size_t rcpts;
	struct qgroup *group;
	size_t groups;
	unsigned busy;  /* groups that are being sent: for queue-run */
};

struct qtable {
	struct qentry **bucket;
	size_t buckets, count;
};

void qtable_free(struct qtable *t);
struct qentry *qtable_find(const struct qtable *t, struct slice id);
/* Each entry once, in no order: *bucket starts as 0, after as NULL. The table
 * must not change meanwhile. */
struct qentry *qtable_next(const struct qtable *t, size_t *bucket,
    struct qentry *after);
/* Take an entry out and free it. */
void qtable_drop(struct qtable *t, struct qentry *e);

/*
 * Read job/ID into the table: 1; 0 if it is gone; -1 with errno (EPROTO: not
 * a queue entry, *why is a constant text).
 */
int qtable_load(struct qtable *t, const struct queue *q, const char *id,
    struct qentry **out, const char **why)
    __attribute__((warn_unused_result));

/*
 * Parse an entry's envelope, made by queue-add, into e: 0, or -1 and *why.
 * qentry_free() either way.
 */
int qentry_parse(struct qentry *e, struct slice envelope, const char **why)
    __attribute__((warn_unused_result));
void qentry_free(struct qentry *e);

/*
 * Apply journal records to the table. Records of unknown entries and bad
 * records are skipped (a crash may cut one off). Applying records twice in
 * order changes nothing. gone() is called for each `done' id
 * that is not in the table; may be NULL.
 */
void qtable_apply(struct qtable *t, struct slice records,
    void (*gone)(void *ctx, struct slice id), void *ctx);

/* Journal records. The id comes last in each, so that a record that was cut
 * off has none. */
void qrec_attempt(struct strbuf *sb, const struct qgroup *g);
void qrec_result(struct strbuf *sb, const struct qentry *e,
    const struct qrcpt *r);
void qrec_next(struct strbuf *sb, const struct qentry *e, int64_t at);
void qrec_report(struct strbuf *sb, const struct qentry *e);
void qrec_reported(struct strbuf *sb, const struct qentry *e);
void qrec_done(struct strbuf *sb, const char *id, const char *how);
/* All that the journal must say about an entry. */
void qrec_state(struct strbuf *sb, const struct qentry *e);

/* Put a result in place of the last; strings are copied, text cleaned. */
void qrcpt_set(struct qrcpt *r, enum qstatus status, int code,
    struct slice ecode, struct slice text, struct slice host, struct slice ip,
    int64_t time);
enum qstatus qrcpt_status(const struct qrcpt *r);
const char *qstatus_name(enum qstatus s);
/* All recipients (of a group) have their final result. */
bool qgroup_ended(const struct qgroup *g);
bool qentry_ended(const struct qentry *e);
/* Next attempt of any group that waits; INT64_MAX if none does. */
int64_t qentry_next(const struct qentry *e);
/* A failed recipient that the sender must hear of and has not yet. */
bool qentry_unreported(const struct qentry *e);
/* The domain part of an address that addr_format() made. */
struct slice addr_domain_of(struct slice addr);

#endif
