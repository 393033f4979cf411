/* Dates read and written. */
#include "imf/date.h"

#include "tap.h"

static const struct {
	const char *in;
	long long unix_time; /* -1: refused */
	int zone;
} cases[] = {
	{ "Sat, 8 Mar 2025 10:00:00 +0000", 1741428000, 0 },
	{ "Fri, 21 Nov 1997 09:55:06 -0600", 880127706, -360 },
	{ "21 Nov 97 09:55 CST", 880127700, -360 },
	{ "Fri, 21 Nov 1997 09(comment):   55  :  06 -0600", 880127706, -360 },
	{ "Thu,\r\n  13\r\n Feb 1969\r\n 23:32:54 -0330 (Newfoundland Time)",
	    -27723426, -210 },
	{ "Mon, 1 Jan 24 00:00:00 Z", 1704067200, 0 },
	{ "1 Jan 124 00:00:00 GMT", 1704067200, 0 },
	{ "1 Jan 2024 00:00:00 A", 1704067200, 0 },
	{ "1 Jan 2024 00:00:00", 1704067200, 0 },
	{ "1-Jan-2024 00:00:00 GMT+0100", 1704063600, 60 },
	{ "Mon Jan  1 00:00:00 2024", 1704067200, 0 },
	{ "Mon Jan  1 00:00:00 EST 2024", 1704085200, -300 },
	{ "Mon, 1 January 2024 00:00:00 +01:30", 1704061800, 90 },
	{ "29 Feb 2024 00:00:00 +0000", 1709164800, 0 },
	{ "31 Dec 1998 23:59:60 +0000", 915148800, 0 },
	{ "1 Jan 9999 00:00:00 +0000", 253370764800, 0 },
	{ "29 Feb 2023 00:00:00 +0000", -1, 0 },
	{ "32 Jan 2024 00:00:00 +0000", -1, 0 },
	{ "0 Jan 2024 00:00:00 +0000", -1, 0 },
	{ "1 Foo 2024 00:00:00 +0000", -1, 0 },
	{ "1 Jan 2024 24:00:00 +0000", -1, 0 },
	{ "1 Jan 2024 00:60:00 +0000", -1, 0 },
	{ "1 Jan 2024 00:00:00 +0070", -1, 0 },
	{ "1 Jan 20240 00:00:00 +0000", -1, 0 },
	{ "", -1, 0 },
	{ "Mon,", -1, 0 },
	{ "1 Jan", -1, 0 },
	{ "(open", -1, 0 },
};

int
main(void)
{
	struct strbuf sb = STRBUF_INIT(256);
	int64_t t;
	int zone, y, m, d;
	bool same = true;

	plan(0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct slice in = exact(cases[i].in);
		int r = date_parse(in, &t, &zone);

		if (cases[i].unix_time == -1)
			ok(r == -1, "refuse %zu", i);
		else
			ok(r == 0 && t == cases[i].unix_time &&
			    zone == cases[i].zone, "read %zu", i);
		free((void *)(uintptr_t)in.p);
	}
	date_write(&sb, 1741428000, 0);
	is(sb_slice(&sb), "Sat, 8 Mar 2025 10:00:00 +0000", "write");
	sb_reset(&sb);
	date_write(&sb, -27723426, -210);
	is(sb_slice(&sb), "Thu, 13 Feb 1969 23:32:54 -0330", "before 1970");
	sb_reset(&sb);
	date_write_imap(&sb, 1741428000, 90);
	is(sb_slice(&sb), " 8-Mar-2025 11:30:00 +0130", "INTERNALDATE");
	for (int64_t day = -800000; day < 3000000; day += 13) {
		date_civil(day, &y, &m, &d);
		same = same && date_days(y, m, d) == day;
	}
	ok(same, "days to dates and back");
	sb_free(&sb);
	return done();
}
