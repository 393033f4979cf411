/* deliver.h - what the files of deliver share */
#ifndef DELIVER_H
#define DELIVER_H

#include "conf/conf.h"
#include "imf/strip.h"
#include "stage/stage.h"
#include "store/store.h"

#define HEAD_MAX ((size_t)256 * 1024) /* of fields put in front */

/* The parts of a message that are stored: what a stranger wrote in our name is
 * left out. */
struct ranges {
	struct strip strip;
	unsigned received; /* Received fields */
};

/* Without a recipient every Delivered-To counts: strip.full then says whether
 * it can be right for all. */
void head_ranges(struct conf *c, const struct job *j, struct slice rcpt,
    struct ranges *out);
/*
 * The fields in front of one recipient's copy, top to bottom: Delivered-To
 * (RFC 9228), Return-Path, Authentication-Results (RFC 8601), Received-SPF
 * (RFC 7208 section 9.1) if host received-spf=yes, Received (RFC 5321 section
 * 4.4).
 */
void head_write(struct strbuf *sb, struct conf *c, const struct job *j,
    struct slice host, struct slice rcpt);

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
