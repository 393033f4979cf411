/*
 * thread.h - what threads are made of: ids and base subjects (RFC 5256)
 */
#ifndef IMF_THREAD_H
#define IMF_THREAD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/slice.h"

#define THREAD_ID_MAX 500  /* bytes of an id that is kept; fits an index key */
#define THREAD_REFS_MAX 64 /* ids kept of References: the last ones */

/*
 * Canonical Message-ID of a field's value: without "<>", lower case, local
 * part quoted only where needed; what is no address stays as it is. 0 and
 * *id (arena), or -1 if there is no id.
 */
int thread_msgid(struct slice value, struct arena *ar, struct slice *id)
    __attribute__((warn_unused_result));

/*
 * The ids a message answers, oldest first: of References, or else the one
 * that In-Reply-To starts with. Returns how many (at most THREAD_REFS_MAX).
 */
size_t thread_refs(struct slice references, struct slice in_reply_to,
    struct arena *ar, struct slice refs[THREAD_REFS_MAX]);

/*
 * Base subject (RFC 5256 section 2.1) of a decoded subject, in lower case
 * with single blanks: true if it was that of a reply or forward.
 */
bool thread_subject(struct slice decoded, struct arena *ar,
    struct slice *base);

#endif
