/*
 * scan.h - arguments of IMAP commands (RFC 9051 section 9, RFC 3501)
 *
 * Each function takes one element off the front of *in and says whether it was
 * there; on false *in may have moved and the command is bad. What has to be
 * decoded lies in the arena, the rest is borrowed from the input.
 */
#ifndef IMAP_SCAN_H
#define IMAP_SCAN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/slice.h"
#include "imap/set.h"

/* Bounds for what a client may nest or list in one command. */
#define IMAP_FLAGS_MAX 1000

bool imap_is_atom_char(unsigned char c);

bool imap_take(struct slice *in, unsigned char c);
/* SP; more of them are let pass, since some clients send two. */
bool imap_sp(struct slice *in);
/* True if the next byte is c; takes nothing. */
bool imap_next(struct slice in, unsigned char c);
bool imap_tag(struct slice *in, struct slice *tag);
bool imap_atom(struct slice *in, struct slice *atom);
/* An atom equal to `word' in any case; takes nothing if it is another. */
bool imap_word(struct slice *in, const char *word);
bool imap_number(struct slice *in, uint64_t max, uint64_t *n);

/*
 * quoted / literal / literal8. In quotes \\ and \" are decoded; NUL, CR, LF
 * are refused, bytes from 0x80 are taken as they are (UTF-8 is asked for
 * where it matters).
 */
bool imap_string(struct slice *in, struct arena *ar, struct slice *s);
bool imap_astring(struct slice *in, struct arena *ar, struct slice *s);
bool imap_nstring(struct slice *in, struct arena *ar, struct slice *s,
    bool *nil);
/* Mailbox pattern of LIST: atom characters, `%', `*', `]', or a string. */
bool imap_pattern(struct slice *in, struct arena *ar, struct slice *s);

/*
 * A mailbox name as UTF-8: from modified UTF-7, or as it stands if utf8 is
 * set (RFC 6855, 9051). Also for patterns: imap_name() decodes what was
 * taken. INBOX in any case becomes "INBOX", also before a "/".
 */
bool imap_mailbox(struct slice *in, struct arena *ar, bool utf8,
    struct slice *name);
bool imap_name(struct slice raw, struct arena *ar, bool utf8,
    struct slice *name);

/*
 * A list of flags in parentheses, or without (STORE). Each is an atom or
 * "\" atom; `\*' is refused.
 */
bool imap_flags(struct slice *in, struct arena *ar, struct slice **flags,
    size_t *count);
bool imap_flag(struct slice *in, struct slice *flag);

/* dd-Mon-yyyy, quoted or not: days since 1970-01-01. */
bool imap_date(struct slice *in, int64_t *days);
/* "dd-Mon-yyyy hh:mm:ss +zzzz": Unix seconds. */
bool imap_datetime(struct slice *in, int64_t *unix_time);

/* Days since 1970-01-01 of a date of the Gregorian calendar. */
int64_t imap_days(int year, int month, int day);

#endif
