/*
 * message.h - the header fields of a message that others ask for
 */
#ifndef IMF_MESSAGE_H
#define IMF_MESSAGE_H

#include "base/arena.h"
#include "base/slice.h"
#include "imf/address.h"

/* Fields with addresses, in the order of an IMAP ENVELOPE. */
enum { F_FROM, F_SENDER, F_REPLY_TO, F_TO, F_CC, F_BCC, F_LISTS };
extern const char *const message_list_name[F_LISTS];

/* Folded values of the first field of each name; empty: no such field. */
struct message {
	struct slice list[F_LISTS];
	struct slice date, subject, message_id, in_reply_to, references;
};

/* Look through a header of at most IMF_HEADER_MAX bytes. */
void message_fields(struct slice header, struct message *m);

#endif
