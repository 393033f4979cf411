/* deliver.h - what the files of deliver share */
#ifndef DELIVER_H
#define DELIVER_H

#include "conf/conf.h"
#include "stage/stage.h"
#include "store/store.h"

#define HEAD_MAX ((size_t)256 * 1024) /* of fields put in front */
#define RANGES_MAX 256 /* fields taken out of one message, and one */

/* The parts of a message that are stored: what a stranger wrote in our name is
 * left out. */
struct ranges {
	struct slice part[RANGES_MAX];
	size_t count;
	unsigned received; /* Received fields */
	bool full; /* more would have to be taken out */
};

/* How many RANGES_MAX allows are taken out. Without a recipient every
 * Delivered-To counts: `full' then says whether it can be right for all. */
void head_ranges(const struct job *j, struct slice host, struct slice rcpt,
    struct ranges *out);
/*
 * The fields in front of one recipient's copy, top to bottom: Delivered-To
 * (RFC 9228), Return-Path, Authentication-Results (RFC 8601), Received
 * (RFC 5321 section 4.4).
 */
void head_write(struct strbuf *sb, const struct job *j, struct slice host,
    struct slice rcpt);

struct deliver {
	struct conf *conf;
	const char *root;
	struct open_account *open;
	size_t opened, cap;
	uint64_t turn;
};

struct open_account {
	char *name;
	struct account *account;
	uint64_t used;  /* turn of its latest use */
	uint64_t quota, bytes;
};

void deliver_batch(void *ctx, struct job **jobs, struct strbuf *out,
    int *verdict, size_t count);
/* The account, opened or from the last time; NULL with errno. */
struct open_account *accounts_get(struct deliver *d, struct slice name);
/* Close those not used for long, when there are too many. */
void accounts_trim(struct deliver *d);

#endif
