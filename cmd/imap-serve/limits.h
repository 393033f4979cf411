/*
 * limits.h - what one session may take, in one place
 */
#ifndef IMAP_SERVE_LIMITS_H
#define IMAP_SERVE_LIMITS_H

#include <stddef.h>
#include <stdint.h>

#define SESSIONS_MAX 2000 /* default of -n: processes at a time */
/* Address space of a session: the index is mapped (256 MiB), and a message. */
#define SESSION_MEMORY ((uint64_t)1024 * 1024 * 1024)

/* Without a configuration, as in a shell: conf(5)'s max-message-size. */
#define APPEND_MOST ((uint64_t)100 * 1024 * 1024)

/* Section 2 of the RFC's advice and what clients are seen to send: sync
 * programs write UID lists of many kilobytes. */
#define LINE_MAX_BYTES ((size_t)64 * 1024)
#define LITERAL_MAX ((size_t)100 * 1024)
#define LITERALS_MAX ((size_t)1024 * 1024)
#define LITERALS_COUNT 1000u

#define READ_MS (30 * 60 * 1000) /* RFC 9051 section 5.4: at least 30 min */
#define LITERAL_MS (30 * 1000)   /* between reads inside a literal */
#define WRITE_SECONDS 300        /* for one write to a slow client */
#define PARK_MS (10 * 1000)      /* silence between commands, then park */
#define PARK_IDLE_MS 1000        /* the same in IDLE */
#define OUT_FLUSH ((size_t)32 * 1024)   /* written when this much waits */
#define OUT_MAX ((size_t)4 * 1024 * 1024) /* one response without its data */
#define INPUT_MAX 16384
#define BATCH 500                /* messages read from the index at once */
#define LOOKS_MAX 10             /* at a mailbox that changes meanwhile */
#define OWN_MAX 1000             /* own changes remembered until told */

/* Commands */
#define ITEMS_MAX 200     /* data items in one FETCH */
#define PATTERNS_MAX 50   /* in one LIST */
#define SECTION_DEPTH 52  /* numbers in "1.2.3"; IMF_DEPTH_MAX and a bit */
#define SEARCH_DEPTH 100  /* NOT, OR, lists in each other */
#define STRUCTURE_DEPTH 200 /* lists in lists; IMF_DEPTH_MAX times three */
/* Decoded text of one part that SEARCH looks at. */
#define PART_TEXT_MAX ((size_t)32 * 1024 * 1024)

#endif
