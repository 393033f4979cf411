/*
 * date.h - dates of message headers (RFC 5322 section 3.3)
 */
#ifndef BASE_DATE_H
#define BASE_DATE_H

#include <stdint.h>

#include "base/strbuf.h"

/* "Sat, 21 Nov 2026 06:18:06 +0000": always UTC, English names. */
void date_put(struct strbuf *sb, int64_t unix_time);

#endif
