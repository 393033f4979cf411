/*
 * session.h - one IMAP session
 *
 * session.c reads commands and writes replies, view.c keeps what the client
 * knows of the selected mailbox, park.c turns a session into a tuple and back.
 * The other files are one command each, or closely related ones. A command
 * function parses its arguments, writes its untagged responses and returns
 * what ok(), no() or bad() gave it; session.c then tells what else has changed
 * and sends the tagged reply.
 */
#ifndef SESSION_H
#define SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/slice.h"
#include "base/strbuf.h"
#include "imap/out.h"
#include "imap/reader.h"
#include "imap/scan.h"
#include "imap/set.h"
#include "limits.h"
#include "store/store.h"

enum enabled {
	EN_REV2 = 1 << 0,
	EN_UTF8 = 1 << 1,
	EN_CONDSTORE = 1 << 2,
	EN_QRESYNC = 1 << 3,
};

/* What a command function returns. */
enum result { R_DONE, R_GONE };

/* The selected mailbox as the client knows it. */
struct selected {
	uint32_t box;       /* 0: none is selected */
	uint32_t uidvalidity;
	bool readonly;
	struct strbuf name;
	uint32_t *uid;      /* sequence number - 1 is the index */
	size_t count, cap;
	uint64_t modseq;    /* everything up to here has been told */
	bool unfinished;    /* a file in new/ is still being written */
	bool grown;         /* and messages that came after it */
	uint64_t own[OWN_MAX]; /* own flag changes, answered already */
	size_t owns;
	size_t keywords;    /* told with FLAGS */
};

struct session {
	int in, out;        /* may be the same descriptor */
	char id[17];        /* of the connection, for the log */
	struct slice account, login, ip, tls; /* live as long as the session */
	const char *park;   /* path of imap-park's socket; NULL: never park */
	struct account *store;
	uint64_t append_most; /* bytes of one message */

	struct imap_reader reader;
	unsigned char buf[INPUT_MAX];
	struct slice input; /* of buf, not yet read */
	struct strbuf o;    /* not yet written */
	bool dead;          /* the connection is no more */
	bool bye;           /* LOGOUT, or a fatal error: stop */
	bool parked;        /* imap-park has the connection */
	bool spoke;         /* a command was accepted */

	struct arena ar;    /* of one command */
	struct slice tag, text;
	struct strbuf reply; /* "OK [CODE] text" of the running command */
	bool uid_cmd;       /* UID FETCH and its like */
	bool cond_told;     /* HIGHESTMODSEQ has been told for this mailbox */
	unsigned enabled;
	struct selected view;
	struct numset saved; /* search result `$', UIDs */
	struct arena saved_ar;
	bool idling;
	struct strbuf idle_tag;
};

/* session.c */
void session_init(struct session *s, int in, int out);
void session_free(struct session *s);
void session_run(struct session *s);
/* Bytes that came before the session did, up to INPUT_MAX. */
void session_pending(struct session *s, struct slice bytes);
/* The next event of the reader; reads and writes as needed. IMAP_MORE: the
 * connection is gone. */
enum imap_event session_event(struct session *s, int timeout_ms,
    struct slice *data);
/* Read what is there: 1, 0 at the time-out, -1 gone. */
int session_fill(struct session *s, int timeout_ms);
void session_bye(struct session *s, const char *text);

/* Replies. The text may begin with a code in brackets. */
enum result ok(struct session *s, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
enum result no(struct session *s, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
enum result bad(struct session *s, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* NO with a code and text for a failure of the store (errno). */
enum result no_errno(struct session *s, const char *what);

/* Output. line() is one whole untagged response, "* " and CRLF added. */
void line(struct session *s, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void flush(struct session *s);
void flush_some(struct session *s); /* if enough is waiting */
/* Bytes, or n bytes of a file, behind what is waiting. */
void out_bytes(struct session *s, struct slice bytes);
void out_file(struct session *s, int fd, uint64_t at, uint64_t n);

static inline bool
utf8_ok(const struct session *s)
{
	return (s->enabled & (EN_REV2 | EN_UTF8)) != 0;
}

/* commands.c */
void session_command(struct session *s);
void session_literal(struct session *s);

/* view.c */
void view_close(struct session *s);
/* Index of the first of these ascending UIDs that is not below uid. */
size_t uid_lower_bound(const uint32_t *list, size_t count, uint32_t uid);
/* Sequence number of a uid, 0 if the client does not know it. */
uint32_t view_seq(const struct selected *v, uint32_t uid);
/* Tell what has changed since; EXPUNGE responses only if allowed. */
void view_sync(struct session *s);
/* Only take up new messages, for a command that may not see others go. */
void view_grow(struct session *s);
/* Our own change with that modseq has been answered. */
void view_own(struct session *s, uint64_t modseq);
/* Set the view to these UIDs. */
void view_set(struct session *s, const uint32_t *uid, size_t count,
    uint64_t modseq);
/*
 * Numbers of a command (message numbers, or UIDs if s->uid_cmd) to ascending
 * UIDs that the view has. False: a message number out of range, or no saved
 * result.
 */
bool view_uids(struct session *s, const struct numset *set,
    struct uid_list *out);
/* A set as message numbers (or UIDs) of these UIDs, in s->ar. */
void set_of_uids(struct session *s, const uint32_t *uid, size_t count,
    struct numset *out);
/* "OK [HIGHESTMODSEQ n]" once, when CONDSTORE is used for the first time. */
void cond_enable(struct session *s);

/* flags.c */
void put_flags(struct session *s, struct strbuf *sb,
    const struct flagset *set);
/* From what a client sent: false, and *why says what is wrong. */
bool flagset_of(struct session *s, const struct slice *flag, size_t count,
    struct flagset *set, const char **why);
/* "* n FETCH (UID u FLAGS (...) MODSEQ (m))" */
void put_fetch_flags(struct session *s, const struct message *m, bool flags);
void tell_flags(struct session *s, const struct mailbox *mb);

/* mailbox.c: a mailbox argument in its one form; errors are answered. */
bool take_mailbox(struct session *s, struct slice *in, struct slice *name);
/* The mailbox: 1, 0 (NO is answered, with `code'), -1 (answered). */
int find_mailbox(struct session *s, struct slice name, const char *code,
    struct mailbox *mb);

/* list.c */
bool pattern_match(struct slice pattern, struct slice name);
/* status.c */
struct status_items {
	unsigned mask;
};
bool take_status_items(struct slice *in, struct status_items *it);
void put_status(struct session *s, const struct mailbox *mb,
    const struct status_items *it);

/* fetch.c: one FETCH of all that parsed items ask for. */
/* body.c, search.c have headers of their own. */

/* idle.c */
void idle_loop(struct session *s);
/* park.c: true if imap-park has taken the connection. */
bool session_park(struct session *s);


/* One function a command; `args' starts behind the name. */
enum result cmd_capability(struct session *s, struct slice args);
enum result cmd_noop(struct session *s, struct slice args);
enum result cmd_logout(struct session *s, struct slice args);
enum result cmd_id(struct session *s, struct slice args);
enum result cmd_enable(struct session *s, struct slice args);
enum result cmd_namespace(struct session *s, struct slice args);
enum result cmd_select(struct session *s, struct slice args);
enum result cmd_examine(struct session *s, struct slice args);
enum result cmd_close(struct session *s, struct slice args);
enum result cmd_unselect(struct session *s, struct slice args);
enum result cmd_create(struct session *s, struct slice args);
enum result cmd_delete(struct session *s, struct slice args);
enum result cmd_rename(struct session *s, struct slice args);
enum result cmd_subscribe(struct session *s, struct slice args);
enum result cmd_unsubscribe(struct session *s, struct slice args);
enum result cmd_list(struct session *s, struct slice args);
enum result cmd_lsub(struct session *s, struct slice args);
enum result cmd_xlist(struct session *s, struct slice args);
enum result cmd_status(struct session *s, struct slice args);
enum result cmd_append(struct session *s, struct slice args);
enum result cmd_idle(struct session *s, struct slice args);
enum result cmd_expunge(struct session *s, struct slice args);
enum result cmd_search(struct session *s, struct slice args);
enum result cmd_fetch(struct session *s, struct slice args);
enum result cmd_store(struct session *s, struct slice args);
enum result cmd_copy(struct session *s, struct slice args);
enum result cmd_move(struct session *s, struct slice args);

#endif
