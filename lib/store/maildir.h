/*
 * maildir.h - names in a Maildir++ tree
 *
 * A message file of ours is SECONDS.ID.pneu,S=SIZE,P=UIDVALIDITY-UID, with
 * ":2,FLAGS" behind it in cur/. SECONDS is when it came into the mailbox; S is
 * the size of the file (as Dovecot and Courier write it); P lets a rebuilt
 * index give the message its UID again. In tmp/ the name ends before the
 * first comma. Other programs' names are taken as they are.
 *
 * A mailbox "a/b" is the directory ".a.b", INBOX the Maildir itself. As in
 * Courier, bytes other than printable ASCII, and . / ~ : \ are written in
 * modified UTF-7 (RFC 3501 section 5.1.3), & as &-.
 */
#ifndef STORE_MAILDIR_H
#define STORE_MAILDIR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "base/strbuf.h"

enum maildir_where { IN_NEW, IN_CUR };

/* "new" or "cur". */
const char *maildir_sub(enum maildir_where where);

/* Directory name for a mailbox: "." or ".a.b". 0, or -1 (EINVAL,
 * ENAMETOOLONG). */
int maildir_from_name(struct slice name, struct strbuf *dir)
    __attribute__((warn_unused_result));
/* And back: -1 with EINVAL for a directory that is no mailbox. */
int maildir_to_name(struct slice dir, struct strbuf *name)
    __attribute__((warn_unused_result));

/* A new unique name for tmp/. */
void maildir_unique(struct strbuf *name, int64_t seconds, struct slice mark);
/* unique,S=size,P=validity-uid; size < 0: without S. */
void maildir_base(struct strbuf *base, struct slice unique, int64_t size,
    uint32_t uidvalidity, uint32_t uid);
/* The name as it was in tmp/: up to the first comma. */
struct slice maildir_tmp(struct slice base);
/* 1 and the numbers of P=, 0 if it has none. */
int maildir_tag(struct slice base, uint32_t *uidvalidity, uint32_t *uid);
/* The base without its P= field. */
void maildir_untag(struct slice base, struct strbuf *out);
/* Leading seconds of a name that has at least three parts, or -1. */
int64_t maildir_seconds(struct slice base);
/* Split a file name at its last ":2,": base and info ("2,FS" or empty). */
void maildir_split(struct slice file, struct slice *base, struct slice *info);

#endif
