/*
 * date.h - dates of RFC 5322 section 3.3 and of IMAP
 *
 * Times are Unix seconds, zones minutes east of UTC (-5999..5999).
 */
#ifndef IMF_DATE_H
#define IMF_DATE_H

#include <stdint.h>

#include "base/slice.h"
#include "base/strbuf.h"

/*
 * A Date field's value, with comments, folds and the obsolete forms (years of
 * two or three digits, zones by name; military zones and unknown names count
 * as -0000), and without a zone. 0, or -1 (EINVAL). zone may be NULL.
 */
int date_parse(struct slice value, int64_t *unix_time, int *zone)
    __attribute__((warn_unused_result));

/* "Sat, 8 Mar 2025 10:00:00 +0000" */
void date_write(struct strbuf *sb, int64_t unix_time, int zone);

/* " 8-Mar-2025 10:00:00 +0000", IMAP INTERNALDATE without its quotes. */
void date_write_imap(struct strbuf *sb, int64_t unix_time, int zone);

/* Days since 1970-01-01 of a date in the Gregorian calendar, and back. */
int64_t date_days(int year, int month, int day);
void date_civil(int64_t days, int *year, int *month, int *day);

#endif
