#include "base/date.h"

#include <time.h>

void
date_put(struct strbuf *sb, int64_t unix_time)
{
	static const char *const day[] = { "Sun", "Mon", "Tue", "Wed", "Thu",
		"Fri", "Sat" };
	static const char *const month[] = { "Jan", "Feb", "Mar", "Apr", "May",
		"Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	time_t t = (time_t)unix_time;
	struct tm tm = { 0 };

	if (gmtime_r(&t, &tm) == NULL || tm.tm_year > 9999 - 1900 ||
	    tm.tm_year < 0) {
		t = 0; /* a year that RFC 5322 cannot write */
		gmtime_r(&t, &tm);
	}
	sb_printf(sb, "%s, %d %s %d %02d:%02d:%02d +0000", day[tm.tm_wday],
	    tm.tm_mday, month[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour,
	    tm.tm_min, tm.tm_sec);
}
