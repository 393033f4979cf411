#include "imf/date.h"

#include <errno.h>

#include "base/alloc.h"
#include "imf/lex.h"

#define DAY 86400
#define YEAR_MAX 9999 /* four digits, as RFC 5322 writes them */
#define ZONE_MAX 5999 /* "+9959" */

static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
static const char weekdays[] = "SunMonTueWedThuFriSat";

/* Howard Hinnant's algorithm: years start in March, eras have 400 years. */
int64_t
date_days(int year, int month, int day)
{
	int64_t y = month <= 2 ? (int64_t)year - 1 : year;
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t yoe = y - era * 400;
	int64_t doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

	return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

void
date_civil(int64_t days, int *year, int *month, int *day)
{
	int64_t z = days + 719468;
	int64_t era = (z >= 0 ? z : z - 146096) / 146097;
	int64_t doe = z - era * 146097;
	int64_t yoe =
	    (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int64_t mp = (5 * doy + 2) / 153;

	*day = (int)(doy - (153 * mp + 2) / 5 + 1);
	*month = (int)(mp + (mp < 10 ? 3 : -9));
	*year = (int)(yoe + era * 400 + (*month <= 2));
}

/* Zones of RFC 5322 section 4.3. */
static const struct {
	const char *name;
	int minutes;
} zones[] = {
	{ "UT", 0 }, { "GMT", 0 }, { "UTC", 0 }, { "Z", 0 },
	{ "EST", -300 }, { "EDT", -240 }, { "CST", -360 }, { "CDT", -300 },
	{ "MST", -420 }, { "MDT", -360 }, { "PST", -480 }, { "PDT", -420 },
	/* Not in the RFC, but often seen. */
	{ "CET", 60 }, { "CEST", 120 }, { "MET", 60 }, { "MEST", 120 },
	{ "BST", 60 }, { "JST", 540 },
};

/* A number of 1 to `most' digits. */
static bool
take_number(struct slice *in, size_t most, int *n, size_t *digits)
{
	size_t i = 0;

	for (*n = 0; i < in->n && i < most && ascii_isdigit(in->p[i]); i++)
		*n = *n * 10 + in->p[i] - '0';
	*in = slice_skip(*in, i);
	*digits = i;
	return i != 0 && (in->n == 0 || !ascii_isdigit(in->p[0]));
}

static struct slice
take_alpha(struct slice *in)
{
	struct slice s = *in;
	size_t i = 0;

	while (i < s.n && ascii_isalpha(s.p[i]))
		i++;
	*in = slice_skip(s, i);
	return slice_sub(s, 0, i);
}

/* A month's name or more of it ("June", "Sept"): 1..12, or 0. */
static int
month_of(struct slice s)
{
	for (int i = 0; s.n >= 3 && i < 12; i++)
		if (slice_ieq(slice_sub(s, 0, 3), slice_of(months + 3 * i, 3)))
			return i + 1;
	return 0;
}

static void
skip(struct slice *in)
{
	/* An unterminated comment ends the value, which is then complete. */
	(void)lex_cfws(in, NULL);
}

static bool
take_char(struct slice *in, unsigned char c)
{
	skip(in);
	if (in->n == 0 || in->p[0] != c)
		return false;
	*in = slice_skip(*in, 1);
	skip(in);
	return true;
}

/* RFC 5322 section 4.3: 00..49 is 20xx, 50..999 is 19xx and later. */
static bool
take_year(struct slice *in, int *year)
{
	size_t digits;

	if (!take_number(in, 4, year, &digits) || digits < 2)
		return false;
	if (digits == 2)
		*year += *year < 50 ? 2000 : 1900;
	else if (digits == 3)
		*year += 1900;
	return true;
}

struct clock {
	int hour, minute, second;
};

static bool
take_time(struct slice *in, struct clock *t)
{
	size_t digits;

	*t = (struct clock){ 0 };
	if (!take_number(in, 2, &t->hour, &digits) || !take_char(in, ':') ||
	    !take_number(in, 2, &t->minute, &digits))
		return false;
	if (take_char(in, ':')) {
		if (!take_number(in, 2, &t->second, &digits))
			return false;
		/* Fractions of a second, which some programs write. */
		if (in->n > 1 && in->p[0] == '.' && ascii_isdigit(in->p[1])) {
			*in = slice_skip(*in, 1);
			while (in->n != 0 && ascii_isdigit(in->p[0]))
				*in = slice_skip(*in, 1);
		}
	}
	skip(in);
	return t->hour < 24 && t->minute < 60 && t->second <= 60;
}

/* "+0200" or "+02:00", a name, or nothing: UTC. */
static bool
take_zone(struct slice *in, int *zone)
{
	struct slice name;
	size_t digits;
	int sign, n, minutes;

	*zone = 0;
	skip(in);
	if (in->n == 0)
		return true;
	if (in->p[0] != '+' && in->p[0] != '-') {
		name = take_alpha(in);
		for (size_t i = 0; i < COUNTOF(zones); i++)
			if (slice_ieqs(name, zones[i].name))
				*zone = zones[i].minutes;
		/* "GMT+0200" */
		if (in->n == 0 || (in->p[0] != '+' && in->p[0] != '-') ||
		    *zone != 0)
			return name.n != 0;
	}
	sign = in->p[0] == '-' ? -1 : 1;
	*in = slice_skip(*in, 1);
	if (!take_number(in, 4, &n, &digits))
		return false;
	if (digits <= 2) {
		n *= 100;
		if (take_char(in, ':')) {
			if (!take_number(in, 2, &minutes, &digits))
				return false;
			n += minutes;
		}
	}
	*zone = sign * (n / 100 * 60 + n % 100);
	return n % 100 < 60;
}

struct date {
	int year, month, day;
};

/* "8 Mar 2025" or "8-Mar-25". */
static bool
take_date(struct slice *in, struct date *d)
{
	size_t digits;

	if (!take_number(in, 2, &d->day, &digits))
		return false;
	(void)take_char(in, '-');
	d->month = month_of(take_alpha(in));
	(void)take_char(in, '.');
	(void)take_char(in, '-');
	if (d->month == 0 || !take_year(in, &d->year))
		return false;
	skip(in);
	return true;
}

/* What asctime() prints, after the month: "8 10:00:00 2025". */
static bool
take_asctime(struct slice *in, struct date *d, struct clock *t, int *zone)
{
	struct slice rest;
	size_t digits;

	skip(in);
	if (!take_number(in, 2, &d->day, &digits))
		return false;
	(void)take_char(in, ',');
	if (!take_time(in, t))
		return false;
	rest = *in;
	if (take_year(in, &d->year) && d->year >= 1900)
		return take_zone(in, zone);
	*in = rest; /* "EST 2025" */
	return take_zone(in, zone) && (skip(in), take_year(in, &d->year));
}

static bool
date_exists(const struct date *d)
{
	struct date back;

	if (d->year > YEAR_MAX || d->day < 1)
		return false;
	date_civil(date_days(d->year, d->month, d->day), &back.year,
	    &back.month, &back.day);
	return back.month == d->month && back.day == d->day;
}

int
date_parse(struct slice value, int64_t *unix_time, int *zone)
{
	struct slice in = value, word;
	struct clock t;
	struct date d;
	bool good;
	int z = 0;

	skip(&in);
	word = take_alpha(&in); /* the day of the week says nothing new */
	(void)take_char(&in, '.');
	(void)take_char(&in, ',');
	skip(&in);
	if (in.n != 0 && ascii_isalpha(in.p[0]))
		word = take_alpha(&in);
	if ((d.month = month_of(word)) != 0)
		good = take_asctime(&in, &d, &t, &z);
	else
		good = take_date(&in, &d) && take_time(&in, &t) &&
		    take_zone(&in, &z);
	if (!good || !date_exists(&d)) {
		errno = EINVAL;
		return -1;
	}
	*unix_time = date_days(d.year, d.month, d.day) * DAY + t.hour * 3600 +
	    t.minute * 60 + t.second - z * 60;
	if (zone != NULL)
		*zone = z;
	return 0;
}

struct broken {
	int year, month, day, weekday, hour, minute, second, zone;
	char sign;
};

static struct broken
break_down(int64_t t, int zone)
{
	struct broken b;
	int64_t local, days, rest;

	if (zone < -ZONE_MAX || zone > ZONE_MAX)
		zone = 0;
	local = t + zone * 60;
	days = local / DAY - (local % DAY < 0);
	rest = local - days * DAY;
	date_civil(days, &b.year, &b.month, &b.day);
	b.weekday = (int)((days % 7 + 11) % 7);
	b.hour = (int)(rest / 3600);
	b.minute = (int)(rest / 60 % 60);
	b.second = (int)(rest % 60);
	b.sign = zone < 0 ? '-' : '+';
	zone = zone < 0 ? -zone : zone;
	b.zone = zone / 60 * 100 + zone % 60;
	return b;
}

void
date_write(struct strbuf *sb, int64_t unix_time, int zone)
{
	struct broken b = break_down(unix_time, zone);

	sb_printf(sb, "%.3s, %d %.3s %04d %02d:%02d:%02d %c%04d",
	    weekdays + 3 * b.weekday, b.day, months + 3 * (b.month - 1),
	    b.year, b.hour, b.minute, b.second, b.sign, b.zone);
}

void
date_write_imap(struct strbuf *sb, int64_t unix_time, int zone)
{
	struct broken b = break_down(unix_time, zone);

	sb_printf(sb, "%2d-%.3s-%04d %02d:%02d:%02d %c%04d", b.day,
	    months + 3 * (b.month - 1), b.year, b.hour, b.minute, b.second,
	    b.sign, b.zone);
}
