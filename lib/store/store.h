/*
 * store.h - the mail of one account: Maildir++ files and their index
 *
 * mail/ACCOUNT/Maildir is the truth, mail/ACCOUNT/index an LMDB environment
 * beside it that can be deleted and is made anew from the files, with the same
 * UIDs (index(5)). Any number of processes may have an account open; open it
 * after fork(2). One handle is for one thread.
 *
 * Errors: actions give 0, or -1 with errno; lookups 1, 0 (none) or -1.
 *	ENOENT     no such mailbox (or it was removed)
 *	EEXIST     the mailbox exists already
 *	EINVAL     not a valid mailbox name or keyword
 *	ENAMETOOLONG  its directory name would be over 255 bytes
 *	ENOTEMPTY  the mailbox has children
 *	EPERM      INBOX cannot be created, removed or be a rename's target
 *	EDQUOT     over the quota given with account_quota()
 *	ENOSPC     disk full (also EFBIG): everything is as it was
 *	ESTALE     history before that modseq is no longer kept
 *	E2BIG      over one of the limits below
 *	EUCLEAN    the index is damaged: index-rebuild(8)
 *	EPROTO     the index is of another version: index-rebuild(8)
 * Anything else comes from the file system.
 *
 * What a call returns is copied into the arena given; no LMDB transaction is
 * open when it returns, so the caller may take its time.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/slice.h"
#include "base/strbuf.h"

#define STORE_NAME_MAX 500  /* bytes of a mailbox name; see also 255 above */
#define STORE_MAILBOX_MAX 10000  /* living mailboxes of an account */
/* Names subscribed or unsubscribed; the oldest unsubscribed are forgotten. */
#define STORE_SUBSCRIPTIONS_MAX 20000
#define STORE_REMOVED_MAX 200    /* removed mailboxes that are remembered */
#define STORE_KEYWORDS_MAX 500   /* keywords ever used in one mailbox */
#define STORE_KEYWORD_LEN 100    /* bytes of one */
#define STORE_MESSAGE_KEYWORDS 100 /* keywords on one message */
/* Tombstones kept per mailbox; when there are more, the older half goes. */
#define STORE_TOMBSTONES_MAX 50000
/* Seconds that an expunged message stays readable for older views. */
#define STORE_GONE_SECONDS 3600

#define MUST_CHECK __attribute__((warn_unused_result))

/* ---- account ---------------------------------------------------------- */

struct account;

enum account_flags {
	ACCOUNT_CREATE = 1, /* make directories and default mailboxes */
};

/*
 * Open mail/ACCOUNT by its path relative to dir (AT_FDCWD for the current
 * one). The path is one component or a whole path; account names from outside
 * are checked with account_name_ok() first. NULL with errno.
 *
 * If the index is missing (never made, or deleted) it is made from the files
 * before this returns. ACCOUNT_CREATE makes what is missing of the account:
 * INBOX, Sent, Archive, Drafts, Trash, Junk, all subscribed.
 */
struct account *account_open(int dir, const char *path, unsigned flags)
    MUST_CHECK;
void account_close(struct account *a);
/* No slash, no leading dot, no control character, 1..100 bytes. */
bool account_name_ok(struct slice name);

/* Directory descriptor of mail/ACCOUNT; belongs to the handle. */
int account_dir(const struct account *a);
/* The file to watch with inotify (IN_ATTRIB): "bell" below account_dir().
 * It is rung (mtime) after each commit. */
#define STORE_BELL "bell"
/* For an inotify watch on files that other programs drop or rename: paths
 * below account_dir() of a mailbox's new and cur. */
int mailbox_paths(struct account *a, uint32_t box, struct strbuf *new_path,
    struct strbuf *cur_path) MUST_CHECK;

/* Latest modseq of the account, and the sum of all message sizes. */
int account_state(struct account *a, uint64_t *modseq, uint64_t *bytes)
    MUST_CHECK;
/* Limit for the sum of sizes; 0 (the default) is none. */
void account_quota(struct account *a, uint64_t bytes);

/* ---- flags ------------------------------------------------------------ */

enum message_flags {
	FLAG_SEEN = 1 << 0,
	FLAG_ANSWERED = 1 << 1,
	FLAG_FLAGGED = 1 << 2,
	FLAG_DELETED = 1 << 3,
	FLAG_DRAFT = 1 << 4,
	FLAG_FORWARDED = 1 << 5, /* $Forwarded */
	FLAG_JUNK = 1 << 6,      /* $Junk */
	FLAG_NOTJUNK = 1 << 7,   /* $NotJunk */
	FLAG_PHISHING = 1 << 8,  /* $Phishing */
	FLAG_MDNSENT = 1 << 9,   /* $MDNSent */
};
#define FLAG_ALL 0x3ffu

/*
 * Flags and keywords together. Keywords are lower case, without duplicates,
 * sorted in what the store returns; in what it is given, any order and case.
 * The five $ names above are flags; given as keywords they become flags.
 */
struct flagset {
	unsigned flags;
	struct slice *keyword;
	size_t keywords;
};

/* A keyword as RFC 9051 atom without "]": may be stored. */
bool keyword_ok(struct slice name);

/* ---- mailboxes -------------------------------------------------------- */

enum special_use { /* RFC 6154; at most one mailbox each */
	SPECIAL_SENT = 1 << 0,
	SPECIAL_ARCHIVE = 1 << 1,
	SPECIAL_TRASH = 1 << 2,
	SPECIAL_DRAFTS = 1 << 3,
	SPECIAL_JUNK = 1 << 4,
};

struct mailbox {
	uint32_t id;       /* never used again; survives rename, not a rebuild */
	uint32_t uidvalidity; /* unique in the account; survives rename */
	uint32_t uidnext;
	uint32_t messages, unseen, deleted; /* unseen: without \Seen */
	uint64_t size, deleted_size; /* bytes, CRLF line ends */
	uint64_t createseq;
	uint64_t modseq;   /* HIGHESTMODSEQ: latest change of messages */
	uint64_t nameseq;  /* modseq of creation, latest rename or removal */
	uint64_t trimmed;  /* history up to here may lack tombstones */
	unsigned special;  /* enum special_use */
	bool removed;      /* only from mailbox_list(.., true, ..) */
	bool subscribed;
	bool selectable;   /* always true: there are no \Noselect mailboxes */
	struct slice name; /* UTF-8, NFC, separator "/", "INBOX" first */
	struct slice oldname; /* before the latest rename; else empty */
	struct slice *keyword; /* ever used here, sorted */
	size_t keywords;
};

/*
 * Bring a name from outside to its one form: first component INBOX in any
 * case becomes INBOX, a trailing "/" is dropped, NFC. EINVAL as
 * spec/imap.md 6.1: empty, "." or ".." components, leading "#", control
 * characters, not UTF-8.
 */
int mailbox_name(struct slice in, struct arena *ar, struct slice *out)
    MUST_CHECK;

/* All mailboxes, sorted bytewise by name; with `removed' also those that are
 * gone (for sessions that must report it), the latest STORE_REMOVED_MAX. */
int mailbox_list(struct account *a, bool removed, struct arena *ar,
    struct mailbox **list, size_t *count) MUST_CHECK;
/* 1 and *mb, 0 if there is none, -1. The name must be in its one form. */
int mailbox_find(struct account *a, struct slice name, struct arena *ar,
    struct mailbox *mb) MUST_CHECK;
int mailbox_get(struct account *a, uint32_t id, struct arena *ar,
    struct mailbox *mb) MUST_CHECK;

/* Make a mailbox and its missing parents, all subscribed; a special use is
 * taken from the mailbox that had it. *id of the mailbox. EEXIST. */
int mailbox_create(struct account *a, struct slice name, unsigned special,
    uint32_t *id) MUST_CHECK;
/* The mailbox with its messages. ENOTEMPTY if it has children. The files
 * leave the Maildir; the subscription is removed with it. */
int mailbox_remove(struct account *a, uint32_t id) MUST_CHECK;
/*
 * Children move along; missing parents of `to' are made. INBOX: its messages
 * move to the new mailbox, INBOX stays, empty. Subscriptions follow the names.
 */
int mailbox_rename(struct account *a, uint32_t id, struct slice to)
    MUST_CHECK;
int mailbox_special(struct account *a, uint32_t id, unsigned special)
    MUST_CHECK;

/* Subscriptions are by name; the mailbox need not exist. */
int subscription_set(struct account *a, struct slice name, bool on)
    MUST_CHECK;
/* modseq: of the latest change to that name's subscription. Names that were
 * unsubscribed are listed too, with on = false. Sorted by name. */
struct subscription {
	struct slice name;
	uint64_t modseq;
	bool on;
};
int subscription_list(struct account *a, struct arena *ar,
    struct subscription **list, size_t *count) MUST_CHECK;

/* ---- messages --------------------------------------------------------- */

struct message {
	uint32_t uid;
	bool removed;        /* a tombstone: only uid, createseq, modseq count */
	uint64_t createseq;  /* modseq when it came into this mailbox */
	uint64_t modseq;     /* of its latest change */
	struct flagset set;
	int64_t received;    /* INTERNALDATE, Unix seconds: the file's mtime */
	int64_t saved;       /* SAVEDATE: when it came into this mailbox */
	uint64_t size;       /* RFC822.SIZE: with CRLF line ends */
	struct slice file;   /* base name (without ":2,..." ), for logs */
};

/*
 * Messages with first <= uid <= last in order of UID, at most `most' of them.
 * Large mailboxes are read in steps: next first = last uid + 1.
 */
int message_list(struct account *a, uint32_t box, uint32_t first,
    uint32_t last, size_t most, struct arena *ar, struct message **list,
    size_t *count) MUST_CHECK;
/* 1, 0 (no such uid, or expunged), -1. */
int message_get(struct account *a, uint32_t box, uint32_t uid,
    struct arena *ar, struct message *m) MUST_CHECK;

/*
 * What changed after modseq `since' and up to now, in order of modseq then
 * UID: living messages whose modseq is greater, and tombstones. *now is the
 * mailbox's modseq of the same instant: the next `since'. ESTALE if since is
 * before mailbox.trimmed: the caller compares UIDs with message_list().
 */
int message_changes(struct account *a, uint32_t box, uint64_t since,
    struct arena *ar, struct message **list, size_t *count, uint64_t *now)
    MUST_CHECK;

/*
 * The UIDs, ascending, that lived in the mailbox at modseq `at': what a client
 * that was told everything up to `at' has as sequence numbers 1, 2, ... With
 * at = UINT64_MAX: now. ESTALE as above.
 */
struct view {
	uint32_t *uid;
	size_t count;
	uint64_t modseq; /* `at', or the mailbox's modseq now */
};
int message_view(struct account *a, uint32_t box, uint64_t at,
    struct arena *ar, struct view *v) MUST_CHECK;

/*
 * Cached texts of parts(5) for the message as stored. If they are not cached
 * (a file that another program brought) the file is parsed here with
 * imf_parts() and the result kept. Empty fields: over 256 KiB, not kept.
 */
struct message_text {
	struct slice envelope; /* "(...)": RFC 9051 section 7.5.2, ASCII */
	struct slice envelope_utf8; /* only if it differs */
	struct slice body;     /* BODYSTRUCTURE with extension data */
	struct slice preview;  /* UTF-8, at most 256 characters */
	struct slice msgid;    /* canonical; empty if none */
	struct slice refs;     /* canonical ids, separated by one SP */
	struct slice subject;  /* base subject, RFC 5256 section 2.1 */
	bool reply;            /* the subject had Re: or Fwd: */
};
/* 1, 0 (no such uid), -1. */
int message_text(struct account *a, uint32_t box, uint32_t uid,
    struct arena *ar, struct message_text *t) MUST_CHECK;

/*
 * Open a message for reading: a descriptor at offset 0 with exactly
 * message.size bytes and CRLF line ends (a file with bare LF is converted into
 * a memfd), or -1: ENOENT when it is gone. A message that was expunged less
 * than STORE_GONE_SECONDS ago still opens, for views that have not been told.
 * The caller closes it.
 */
int message_open(struct account *a, uint32_t box, uint32_t uid) MUST_CHECK;

enum flag_action { FLAGS_SET, FLAGS_ADD, FLAGS_REMOVE };

/*
 * Change flags of messages; UIDs ascending, unknown ones are skipped. A
 * message whose flags do not change keeps its modseq. A message with modseq >
 * unchanged_since (UINT64_MAX: no condition) is left alone and returned in
 * `refused'. All changed messages share one new modseq, *modseq (unchanged
 * mailbox modseq if nothing changed). `changed' may be NULL.
 */
struct uid_list {
	uint32_t *uid;
	size_t count;
};
int message_flag(struct account *a, uint32_t box, const uint32_t *uid,
    size_t count, enum flag_action how, const struct flagset *set,
    uint64_t unchanged_since, struct arena *ar, struct uid_list *changed,
    struct uid_list *refused, uint64_t *modseq) MUST_CHECK;

/*
 * Remove messages; UIDs ascending, unknown ones are skipped. only_deleted:
 * those with \Deleted (EXPUNGE, UID EXPUNGE). `removed': what went.
 */
int message_expunge(struct account *a, uint32_t box, const uint32_t *uid,
    size_t count, bool only_deleted, struct arena *ar,
    struct uid_list *removed, uint64_t *modseq) MUST_CHECK;

/*
 * Copy or move messages, all or nothing, as hard links; to.uid[i] is the new
 * UID of from.uid[i]. Unknown UIDs are skipped. Source and destination may be
 * the same for copy; a move to the same mailbox gives new UIDs. Flags,
 * keywords and received date are kept, save date is now. EDQUOT for copy.
 */
struct copied {
	uint32_t uidvalidity; /* of the destination */
	struct uid_list from, to;
	uint64_t modseq;
};
int message_copy(struct account *a, uint32_t from, const uint32_t *uid,
    size_t count, uint32_t to, struct arena *ar, struct copied *c) MUST_CHECK;
int message_move(struct account *a, uint32_t from, const uint32_t *uid,
    size_t count, uint32_t to, struct arena *ar, struct copied *c) MUST_CHECK;

/* ---- adding ----------------------------------------------------------- */

/*
 * One or more messages that are added to one mailbox together, all or
 * nothing:
 *
 *	ap = append_new(a, box);
 *	append_begin(ap);  append_write()...  append_end(ap, ...);  (repeat)
 *	append_commit(ap);   now durable, with UIDs; bell rung
 *	append_free(ap);     without commit: nothing remains
 *
 * Until the commit of the index the files lie in tmp/ and are seen by nobody.
 */
struct append;

struct append *append_new(struct account *a, uint32_t box) MUST_CHECK;
/* Start a message: its number (0, 1, ...) or -1. */
int append_begin(struct append *ap) MUST_CHECK;
/*
 * The same; the file's name will contain ".MARK.", by which append_made()
 * finds it if this process dies. MARK: letters, digits and dashes.
 */
int append_begin_marked(struct append *ap, struct slice mark) MUST_CHECK;
/*
 * Was a message with that mark committed to the mailbox lately? Finishes what
 * a dead process left half done. 1 and *m (arena memory), 0, -1.
 */
int append_made(struct account *a, uint32_t box, struct slice mark,
    struct arena *ar, struct message *m) MUST_CHECK;
/* The next bytes, as they are: the writer gives CRLF line ends. */
int append_write(struct append *ap, struct slice s) MUST_CHECK;
/* The next bytes with bare LF made CRLF; keeps a CR at a piece's end in mind. */
int append_text(struct append *ap, struct slice s) MUST_CHECK;
/* n bytes of another file from offset `at', by copy_file_range or sendfile. */
int append_fd(struct append *ap, int fd, int64_t at, uint64_t n) MUST_CHECK;
/*
 * End a message. received: INTERNALDATE, Unix seconds, -1 = now. parts: what
 * imf_parts() said about the message (may lack headers that were put in front);
 * empty: it is parsed when somebody asks. set may be NULL.
 */
int append_end(struct append *ap, const struct flagset *set, int64_t received,
    struct slice parts) MUST_CHECK;
/* Leave one message out, begun or ended. */
void append_drop(struct append *ap, int number);
size_t append_count(const struct append *ap);
/* Expunge this message in the same commit (RFC 8508); ENOENT if it is gone. */
void append_replace(struct append *ap, uint32_t box, uint32_t uid);
/*
 * Start write-back; wait until the files are on disk; commit. Each does what
 * the one before it does if that was not called; with several appends at once
 * call the first for all, then the second for all, then commit.
 */
void append_start(struct append *ap);
int append_sync(struct append *ap) MUST_CHECK;
int append_commit(struct append *ap) MUST_CHECK;
/* After the commit. File: base name. */
uint32_t append_uidvalidity(const struct append *ap);
uint32_t append_uid(const struct append *ap, int number);
const char *append_file(struct append *ap, int number);
uint64_t append_modseq(const struct append *ap);
void append_free(struct append *ap);

/* ---- other programs' changes ------------------------------------------ */

/*
 * Look for what other programs did to the Maildir and bring the index up to
 * it: files dropped into new/ or cur/, renamed for flags, removed. Cheap when
 * nothing was done (two or three stat(2) calls). 1 if the index changed, 0 if
 * not, 2 if a new file is left out because somebody still writes it (ask again
 * soon), -1. Call it at SELECT and whenever a watch or NOOP says so.
 */
int mailbox_sync(struct account *a, uint32_t box) MUST_CHECK;
/* The same for the set of mailboxes: directories that came, went or were
 * renamed. Call it before LIST. */
int account_sync(struct account *a) MUST_CHECK;

/* ---- check and rebuild ------------------------------------------------ */

enum check_flags { CHECK_REPAIR = 1, CHECK_FILES = 2 /* stat each file */ };

/*
 * Compare files and index; for each finding call say() with a tuple line
 * ("finding kind=... mailbox=... uid=... text=..."). Returns how many, or -1.
 */
int64_t account_check(struct account *a, unsigned flags,
    void (*say)(void *ctx, struct slice line), void *ctx) MUST_CHECK;
/* Set the index aside (index.old.N is removed on success) and make it from the
 * files. With texts: parse every message now, not when it is asked for. */
int account_rebuild(int dir, const char *path, bool texts) MUST_CHECK;

#endif
