/*
 * record.h - DMARC policy records (RFC 9989 sections 4.7 and 4.8)
 */
#ifndef DMARC_RECORD_H
#define DMARC_RECORD_H

#include <stdbool.h>

#include "base/slice.h"

enum dmarc_policy {
	DMARC_UNSET, /* tag absent or invalid */
	DMARC_NONE, DMARC_QUARANTINE, DMARC_REJECT,
};

/* The tags of RFC 9989, for the masks below. */
enum dmarc_tag {
	DMARC_T_P, DMARC_T_SP, DMARC_T_NP, DMARC_T_ADKIM, DMARC_T_ASPF,
	DMARC_T_PSD, DMARC_T_TEST, DMARC_T_RUA, DMARC_T_RUF, DMARC_T_FO,
	DMARC_TAGS,
};

struct dmarc_record {
	enum dmarc_policy p, sp, np;
	bool strict_dkim, strict_spf; /* adkim=s, aspf=s */
	char psd;         /* 'y', 'n', 'u' */
	bool test;        /* t=y */
	bool bad_policy;  /* p absent or invalid, or sp or np invalid */
	bool reports;     /* rua has a URI, syntactically */
	struct slice rua, ruf, fo; /* as written */
	/* What is wrong, by bits 1 << dmarc_tag: a value that was ignored; a
	 * second tag of that name that was ignored. */
	unsigned invalid, repeated;
	bool garbage;     /* a part between semicolons that is no tag */
};

/*
 * 1 and *r; 0 if the text is no DMARC record: its first tag is not v=DMARC1.
 * Unknown tags, bad values and, of a tag that is repeated, all but the first
 * are ignored, as section 4.8 wants. The slices are borrowed.
 */
int dmarc_record_parse(struct slice text, struct dmarc_record *r)
    __attribute__((warn_unused_result));

/*
 * The next URI of a rua or ruf value: false at the end. *uri is without the
 * obsolete size ("!10m"), and empty if that element is no URI.
 */
bool dmarc_uri_next(struct slice *list, struct slice *uri);

const char *dmarc_policy_name(enum dmarc_policy p);
const char *dmarc_tag_name(enum dmarc_tag t);

#endif
