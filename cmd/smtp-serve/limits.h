/*
 * limits.h - what a stranger may use up, all in one place
 *
 * Times in seconds unless the name says MS. RFC 5321 section 4.5.3.2 has the
 * least times for a server, section 4.5.3.1 the least sizes.
 */
#ifndef SMTP_SERVE_LIMITS_H
#define SMTP_SERVE_LIMITS_H

/* RFC 5321 section 4.5.3.2.7: a server waits 5 minutes for a command, and as
 * long for a peer to take a reply or to send the next block of data. */
#define COMMAND_SECONDS 300
/* A whole DATA command: 100 MiB at 300 kbit/s. */
#define DATA_SECONDS 3600
/* A whole connection, whatever it does. */
#define SESSION_SECONDS (4 * 3600)
/* The pipeline's verdict; senders wait 10 minutes (section 4.5.3.2.6). */
#define VERDICT_MS (5 * 60 * 1000)
/* tls-serve gives up a handshake itself before this. */
#define TLS_MS 70000
/* sasl-serve's answer; argon2id in a queue of logins takes its time. */
#define SASL_MS 60000

/* A command line with its line end; section 4.5.3.1.4 asks for 512. */
#define LINE_MAX_BYTES 2048
/* A line of an AUTH exchange: RFC 4954 section 4. */
#define AUTH_LINE_MAX 12288
/* One read(2); must hold an AUTH line. */
#define INPUT_MAX 32768
/* Replies collected before they are written. */
#define OUTPUT_MAX 65536
#define OUTPUT_FLUSH 16384

/* The size of a message, the recipients of a transaction, the processes and
 * the connections of an address are settings: conf(5), host. */

/* Recipient records after aliases are opened; job.h's limit less the rest. */
#define RCPT_RECORDS_MAX 4000
/* Recipients refused as unknown on a connection: from the first number on
 * each costs UNKNOWN_MS, at the second the connection ends. Lists are stale;
 * guessing addresses takes thousands. */
#define UNKNOWN_SLOW 10
#define UNKNOWN_MAX 50
#define UNKNOWN_MS 1000

/* Errors other than refused recipients before the connection ends. */
#define ERRORS_MAX 50
/* Commands since the last message taken: a full transaction needs 1002. */
#define COMMANDS_MAX 3000
/* Messages on a connection; a busy relay opens the next one. */
#define MESSAGES_MAX 10000
/* Refused messages, with none accepted, before MAIL is refused too. */
#define BAD_TRANSACTIONS_MAX 10
/* Bytes of a message above the size limit that are still read, so that the
 * sender gets its 552; then the connection ends. */
#define DRAIN_MAX ((uint64_t)256 * 1024 * 1024)
/* Bytes of a whole connection. */
#define SESSION_BYTES_MAX ((uint64_t)16 * 1024 * 1024 * 1024)

/* Failed logins: from the first number on the connection is slow and each
 * costs a second more, at the second it ends. */
#define AUTH_SLOW 3
#define AUTH_FAILS_MAX 10
/* A slow connection waits this long before each reply. */
#define SLOW_MS 1000

/* Up to this a message is kept in memory, above in ROOT/spool. */
#define MEMORY_MAX ((uint64_t)1024 * 1024)
/* Connections that one process serves; a leak or a foothold ends here. */
#define CONNECTIONS_MAX 1000
/* The size that RFC 3463's "system limit" (5.3.4) speaks of; a smaller limit
 * is one of the mailbox (5.2.3). */
#define SIZE_USUAL ((uint64_t)100 * 1024 * 1024)

#endif
