/*
 * record.h - `dkim-sig' records: what a message says of its signatures (job(5))
 *
 *	dkim-sig count=2
 *	dkim-sig n=1 at=0 size=612 field="DKIM-Signature: ..." header-hash=BASE64
 *		body-hash=BASE64 body-size=1024
 *
 * The first record is of the message: count= of DKIM-Signature fields, damage=
 * if the header cannot be read; subject=optional if the host (conf(5)
 * dkim-subject=) lets a Subject be unsigned. One follows for each signature that is
 * considered: field= as it came, absent if it is longer than DKIM_FIELD_MAX;
 * header-hash= if it could be read; body-hash=, body-size= if it could pass;
 * suffix=yes, subject=unsigned, added=NAME as in struct dkim_evidence. All of
 * them have at most 300 KB, for a message that is made to.
 */
#ifndef DKIM_RECORD_H
#define DKIM_RECORD_H

#include "base/tuple.h"
#include "dkim/gather.h"

void dkim_record_put(const struct dkim_gathered *g, struct strbuf *out);

/*
 * Among an envelope's records: 1 and *g, which dkim_judge() takes as what
 * dkim_gather() made; 0 if there are none; -1 and *bad, a record that is not
 * as dkim_record_put() writes. Slices are of the records or arena memory.
 */
int dkim_record_get(const struct tuple *rec, size_t count, struct arena *ar,
    struct dkim_gathered *g, const struct tuple **bad)
    __attribute__((warn_unused_result));

#endif
