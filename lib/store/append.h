/* append.h - messages on their way in (private to lib/store) */
#ifndef STORE_APPEND_H
#define STORE_APPEND_H

#include "store/index.h"

struct item {
	int fd;             /* of the file in tmp/ while it is written */
	bool ended, dropped, after_cr;
	struct slice tmp;   /* its name there */
	struct flagset set;
	struct slice text;  /* value for the text database, may be empty */
	uint64_t file_size; /* if not rec.size */
	struct rec rec;
};

struct append {
	struct account *a;
	struct box box;
	struct arena ar;
	struct item *item;
	size_t count, cap;
	bool started, synced, committed;
	uint64_t modseq;
	uint32_t replace_box, replace_uid;
};

/* Records, keywords and the mailbox file; the caller puts ap->box. */
int append_put(struct append *ap, struct wtx *w) MUST_CHECK;
/* After the commit: give the files their names, durably. */
int append_place(struct append *ap) MUST_CHECK;
int append_quota(struct append *ap, struct wtx *w) MUST_CHECK;
struct item *append_item(struct append *ap);

/* Messages on their way out, in one transaction. */
struct expunge {
	struct account *a;
	struct box *b;
	struct arena ar;
	struct rec *rec;   /* what went */
	bool *moved;       /* its file is in gone/ */
	struct slice *path; /* where it was, below Maildir/ */
	size_t count;
};

/*
 * Move the files of these messages to gone/ and remove their records; the
 * caller puts *b and commits. After a failure of this or of the commit:
 * expunge_undo(). expunge_free() in any case.
 */
int expunge_run(struct expunge *x, struct wtx *w, const uint32_t *uid,
    size_t count, bool only_deleted) MUST_CHECK;
void expunge_undo(struct expunge *x);
void expunge_free(struct expunge *x);

/* The path of a record's file as it stands now: 0, or -1 with ENOENT. */
int rec_find(struct account *a, const struct box *b, const struct rec *r,
    struct strbuf *path) MUST_CHECK;

#endif
