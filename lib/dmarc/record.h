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

struct dmarc_record {
	enum dmarc_policy p, sp, np;
	bool strict_dkim, strict_spf; /* adkim=s, aspf=s */
	char psd;         /* 'y', 'n', 'u' */
	bool test;        /* t=y */
	bool bad_policy;  /* p absent or invalid, or sp or np invalid */
	bool reports;     /* rua has a URI, syntactically */
	struct slice rua, ruf, fo; /* as written */
};

/*
 * 1 and *r; 0 if the text is no DMARC record: its first tag is not v=DMARC1.
 * Unknown tags, bad values and, of a tag that is repeated, all but the first
 * are ignored, as section 4.8 wants. The slices are borrowed.
 */
int dmarc_record_parse(struct slice text, struct dmarc_record *r)
    __attribute__((warn_unused_result));

const char *dmarc_policy_name(enum dmarc_policy p);

#endif
