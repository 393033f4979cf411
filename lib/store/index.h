/*
 * index.h - the LMDB index of an account, and what the files of lib/store
 * share (private to lib/store; the public contract is store.h)
 *
 * Format (index(5)). Seven named databases in mail/ACCOUNT/index. Integers in
 * keys and values are big-endian; each value begins with a version byte.
 *
 *	meta    "account" -> modseq next-uidvalidity next-box bytes
 *	box     box -> mailbox record, also of removed ones
 *	msg     box uid -> message record
 *	change  box modseq uid -> empty; one for each living message and each
 *	        tombstone, at its latest change
 *	gone    box uid -> createseq modseq: a tombstone
 *	text    box uid -> cached texts
 *	sub     name -> modseq on
 *
 * The commit of the index is the instant at which anything happens:
 *	append, copy  files wait in tmp/, commit, rename to new/ or cur/
 *	expunge       files go to gone/BOX.UID, commit; old ones are removed later
 *	move          both
 *	flags         files are renamed, commit
 * Whoever finds a record without its file looks into tmp/ and gone/ and ends
 * (or takes back) what a crash cut short: scan.c.
 */
#ifndef STORE_INDEX_H
#define STORE_INDEX_H

#include <lmdb.h>

#include "base/tuple.h"
#include "store/maildir.h"
#include "store/store.h"

#define INDEX_VERSION 1
#define UID_RESERVE 1000 /* UIDs that mailbox file promises ahead */
#define UID_MAX 4294967294u
#define BOX_KEYWORD_LETTERS 26

enum index_db {
	DB_META,
	DB_BOX,
	DB_MSG,
	DB_CHANGE,
	DB_GONE,
	DB_TEXT,
	DB_SUB,
	DB_COUNT,
};

struct account {
	int dir;     /* mail/ACCOUNT */
	int maildir; /* mail/ACCOUNT/Maildir */
	int seen;    /* index/seen */
	MDB_env *env;
	MDB_dbi db[DB_COUNT];
	MDB_txn *reader; /* reset between uses */
	bool fresh;  /* the index was made by this open */
	uint64_t quota;
};

struct meta {
	uint64_t modseq, bytes;
	uint32_t next_uidvalidity, next_box;
};

/* A mailbox record. Slices are borrowed from the arena it was read into. */
struct box {
	uint32_t id;
	bool removed;
	uint32_t uidvalidity, uidnext;
	uint32_t uidlimit; /* the mailbox file promises: uidnext <= uidlimit */
	uint32_t adopt;    /* after a rebuild: UIDs below may come back by name */
	uint32_t messages, unseen, deleted, tombstones;
	uint64_t size, deleted_size;
	uint64_t createseq, modseq, nameseq, trimmed;
	unsigned special;
	struct slice name, oldname;
	/* Entry i < 26 is the file name letter 'a' + i. Empty: a hole. The five
	 * $ flags stand here too, to have letters. */
	struct slice *keyword;
	size_t keywords;
	bool unlettered; /* not kept: a message's keywords that have no letter
	                    change in this transaction */
};

/* A message record. */
struct rec {
	uint32_t uid; /* from the key */
	enum maildir_where where;
	unsigned flags;
	uint64_t createseq, modseq;
	int64_t received, saved;
	uint64_t size;  /* with CRLF */
	bool lf;        /* the file has bare LF */
	struct slice base, info; /* file name: base, or base:info */
	uint16_t *kw;   /* ascending indexes into box.keyword */
	size_t kws;
};

struct tomb {
	uint64_t createseq, modseq;
};

/* A write transaction: one at a time in a process, others wait. */
struct wtx {
	struct account *a;
	MDB_txn *txn;
	struct meta meta;
	uint64_t seq; /* 0 until wtx_seq() */
	struct arena ar;
};

/* errno from an LMDB result; returns -1. */
int index_errno(int rc);
/* Open mail/ACCOUNT/index, whose path is given, and make it if it is missing
 * (a->fresh). */
int index_open(struct account *a, const char *path) MUST_CHECK;
void index_close(struct account *a);

int rtx_begin(struct account *a, MDB_txn **txn) MUST_CHECK;
void rtx_end(struct account *a);
int wtx_begin(struct account *a, struct wtx *w) MUST_CHECK;
/* Ends the transaction whatever the result; rings no bell. */
int wtx_commit(struct wtx *w) MUST_CHECK;
void wtx_abort(struct wtx *w);
/* The modseq that all changes of this transaction share. */
uint64_t wtx_seq(struct wtx *w);
/* After a commit. */
void bell_ring(const struct account *a);

int meta_get(struct account *a, MDB_txn *txn, struct meta *m) MUST_CHECK;

/* 1, 0, -1. box_get() finds removed mailboxes too; box_live() does not: -1
 * with ENOENT. */
int box_get(struct account *a, MDB_txn *txn, uint32_t id, struct arena *ar,
    struct box *b) MUST_CHECK;
int box_live(struct account *a, MDB_txn *txn, uint32_t id, struct arena *ar,
    struct box *b) MUST_CHECK;
int box_put(struct wtx *w, const struct box *b) MUST_CHECK;
/* Remove a mailbox's own record. */
int box_forget(struct wtx *w, uint32_t id) MUST_CHECK;
/* All records, removed ones too, in order of id. */
int box_all(struct account *a, MDB_txn *txn, struct arena *ar,
    struct box **list, size_t *count) MUST_CHECK;
/* Living mailbox of that name: 1, 0, -1. */
int box_named(struct account *a, MDB_txn *txn, struct slice name,
    struct arena *ar, struct box *b) MUST_CHECK;
/* Index of a keyword in the table (made if add), -1 with errno. */
int box_keyword(struct wtx *w, struct box *b, struct slice name, bool add,
    bool *grew);

int rec_get(struct account *a, MDB_txn *txn, uint32_t box, uint32_t uid,
    struct arena *ar, struct rec *r) MUST_CHECK;
/*
 * Add, change or remove a message record; keeps the change database and the
 * counts of b and w->meta. The caller puts b at the end.
 */
int rec_add(struct wtx *w, struct box *b, struct rec *r) MUST_CHECK;
int rec_change(struct wtx *w, struct box *b, const struct rec *old,
    struct rec *r) MUST_CHECK;
int rec_remove(struct wtx *w, struct box *b, const struct rec *r) MUST_CHECK;
/* Put it back as it is: names changed, nothing a client sees. */
int rec_rewrite(struct wtx *w, struct box *b, const struct rec *r) MUST_CHECK;
int tomb_get(struct account *a, MDB_txn *txn, uint32_t box, uint32_t uid,
    struct tomb *t) MUST_CHECK;
/* Remove every record of a mailbox except its own. */
int box_clear(struct wtx *w, struct box *b) MUST_CHECK;

int text_get(struct account *a, MDB_txn *txn, uint32_t box, uint32_t uid,
    struct slice *value) MUST_CHECK;
int text_put(struct wtx *w, uint32_t box, uint32_t uid, struct slice value)
    MUST_CHECK;
/* From parts(5) to a value, and back. */
void text_encode(struct slice parts, struct strbuf *value);
int text_decode(struct slice value, struct arena *ar, struct message_text *t)
    MUST_CHECK;

/* E2BIG if there are STORE_SUBSCRIPTIONS_MAX others, all of them on; else the
 * one that was unsubscribed first is forgotten. */
int sub_put(struct wtx *w, struct slice name, bool on) MUST_CHECK;
int sub_all(struct account *a, MDB_txn *txn, struct arena *ar,
    struct subscription **list, size_t *count) MUST_CHECK;

/* A walk over keys that begin with 4 bytes: the mailbox. */
struct walk {
	MDB_cursor *c;
	uint32_t box;
	MDB_val k, v;
	MDB_cursor_op op;
};
/* From (box, n) on, n big-endian in `bytes' (4 or 8) bytes. */
int walk_begin(struct account *a, MDB_txn *txn, enum index_db db,
    uint32_t box, uint64_t n, unsigned bytes, struct walk *k) MUST_CHECK;
/* 1, 0 at the end, -1. */
int walk_next(struct walk *k) MUST_CHECK;
void walk_end(struct walk *k);
/* Big-endian numbers in keys. */
uint32_t key_u32(const MDB_val *k, size_t at);
uint64_t key_u64(const MDB_val *k, size_t at);
int rec_decode(struct slice v, uint32_t uid, struct arena *ar, struct rec *r)
    MUST_CHECK;

/* ---- mailbox.c -------------------------------------------------------- */

/* Directory of the mailbox below Maildir/: "." for INBOX, ".Sent". */
int box_dir(const struct box *b, struct strbuf *path) MUST_CHECK;
/* Path of a subdirectory or file below Maildir/, "./new", ".Sent/cur/x". */
int box_path(const struct box *b, const char *sub, struct slice name,
    struct strbuf *path) MUST_CHECK;
/* What the mailbox file in a directory says: 1, 0 if there is none, -1. */
struct box_file {
	uint32_t uidvalidity, uidlimit;
	unsigned special;
};
int box_file_read(struct account *a, struct slice dir, struct box_file *f)
    MUST_CHECK;
/* Replace a file in the mailbox's directory, durably; a temporary file of a
 * crash is removed first. */
int box_file_replace(struct account *a, const struct box *b, const char *name,
    struct slice body) MUST_CHECK;
/* Write the mailbox file so that uidnext <= uidlimit; before a commit. */
int box_reserve(struct wtx *w, struct box *b) MUST_CHECK;
int box_file_write(struct account *a, const struct box *b) MUST_CHECK;
int box_keywords_write(struct account *a, const struct box *b) MUST_CHECK;
/* Make directories and record; *b filled. name must be free. */
int box_make(struct wtx *w, struct slice name, unsigned special,
    struct box *b) MUST_CHECK;
/* Letters for the file name: the string after ":" for these flags. */
void rec_info(const struct box *b, const struct rec *r, struct strbuf *info);
/* Flags and keywords from a file name's info. */
int rec_from_info(struct wtx *w, struct box *b, struct slice info,
    struct rec *r) MUST_CHECK;
int subscriptions_write(struct wtx *w) MUST_CHECK;
int subscriptions_read(struct wtx *w) MUST_CHECK;
int box_keywords_read(struct wtx *w, struct box *b) MUST_CHECK;
int box_parents(struct wtx *w, struct slice name, bool subscribe) MUST_CHECK;
/* The flag that a $ keyword stands for, or 0. */
unsigned keyword_flag(struct slice name);
struct slice lower_copy(struct arena *ar, struct slice s);

/* ---- keywords.c: those without a letter in file names --------------- */

#define UNLETTERED_FILE "pneu-keywords"

struct unlettered_line {
	uint32_t uid;
	struct tuple t;
};
struct unlettered {
	struct unlettered_line *line; /* in order of uid */
	size_t count;
};

/* Has the record a keyword without a letter? */
bool rec_unlettered(const struct rec *r);
/* Write the file; box_put() does if a record has changed so. */
int unlettered_write(struct wtx *w, const struct box *b) MUST_CHECK;
/* What the file says, in the transaction's arena; nothing if it is not there
 * or of another UIDVALIDITY. */
void unlettered_read(struct wtx *w, const struct box *b, struct unlettered *u);
/* Add a message's keywords to its record, which has its UID again. */
int unlettered_apply(struct wtx *w, struct box *b, const struct unlettered *u,
    struct rec *r) MUST_CHECK;

/* ---- message.c -------------------------------------------------------- */

/* Path of a record's file below Maildir/. */
int rec_path(const struct box *b, const struct rec *r, struct strbuf *path)
    MUST_CHECK;
void rec_message(const struct box *b, const struct rec *r, struct arena *ar,
    struct message *m);
/* Open the raw file wherever it is: where the record says, moved by another
 * program, in tmp/ or gone/. -1 with ENOENT. */
int rec_open(struct account *a, const struct box *b, const struct rec *r)
    MUST_CHECK;
/* Keywords and flags of a set to a record; grows b's table. */
int rec_set(struct wtx *w, struct box *b, const struct flagset *set,
    struct rec *r, bool *grew) MUST_CHECK;
int rec_same_flags(const struct rec *a, const struct rec *b);
/* Name in gone/ of an expunged message. */
void gone_path(struct strbuf *sb, uint32_t box, uint32_t uid);
/* Remove the directory of a removed mailbox, if it is still there. */
void gone_box_drop(struct account *a, uint32_t id);
/* The index is made anew and will give numbers again: what is in gone/ by the
 * old ones must not be taken for what has them then. */
void gone_orphan(struct account *a);
/* Remove files in gone/ that are older than STORE_GONE_SECONDS. */
void gone_clean(struct account *a);

/* ---- scan.c ----------------------------------------------------------- */

/*
 * What the index has seen of a directory, kept in index/seen, slot = box
 * (0: the Maildir itself). A hint: losing it costs a scan.
 */
struct seen {
	int64_t new_mtime, cur_mtime; /* ns */
	int64_t scanned;              /* ms, wall clock */
	uint32_t state, pad;          /* enum seen_state */
};
enum seen_state { SEEN_NOTHING, SEEN_UNSETTLED, SEEN_SETTLED };

/*
 * Around an own change of a mailbox's files: seen_before() tells whether the
 * directories are as last seen and marks the slot; seen_after() notes their
 * new times if so.
 */
bool seen_before(struct account *a, const struct box *b);
void seen_after(struct account *a, const struct box *b, bool clean);
void seen_get(struct account *a, uint32_t slot, struct seen *s);
bool scan_needed(const struct seen *was, const struct seen *is,
    uint32_t messages);
void seen_scanned(struct account *a, uint32_t slot, struct seen *before);
/* Whole scan within a transaction. */
int scan_box(struct wtx *w, struct box *b, bool *changed, bool *unfinished)
    MUST_CHECK;
int scan_account(struct wtx *w, bool *changed) MUST_CHECK;

/*
 * A test may define this function to be told of each step that touches the
 * disk; programs do not define it.
 */
void store_step(const char *step) __attribute__((weak));
#define STEP(name) \
	do { \
		if (store_step != NULL) \
			store_step(name); \
	} while (0)

#endif
