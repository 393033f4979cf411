#include "queue/filter.h"

#include <stdlib.h>

#include "base/alloc.h"

enum { QF_IDS = 256, QF_ACCOUNT, QF_FROM, QF_TO, QF_SUBMITTED, QF_NEXT };

const struct option qfilter_options[] = {
	{ "ids", required_argument, NULL, QF_IDS },
	{ "account", required_argument, NULL, QF_ACCOUNT },
	{ "from", required_argument, NULL, QF_FROM },
	{ "to", required_argument, NULL, QF_TO },
	{ "submitted", required_argument, NULL, QF_SUBMITTED },
	{ "nextattempt", required_argument, NULL, QF_NEXT },
	{ NULL, 0, NULL, 0 },
};

int
qduration(struct slice text, int64_t *seconds)
{
	const int64_t most = (int64_t)100 * 365 * 86400;
	bool minus = slice_starts(text, S("-"));
	int64_t total = 0;

	if (minus || slice_starts(text, S("+")))
		text = slice_skip(text, 1);
	if (text.n == 0)
		return -1;
	while (text.n != 0) {
		int64_t n = 0;
		size_t i = 0;

		for (; i < text.n && ascii_isdigit(text.p[i]); i++)
			if ((n = n * 10 + (text.p[i] - '0')) > most)
				return -1;
		if (i == 0)
			return -1;
		if (i < text.n) {
			switch (text.p[i++]) {
			case 's': break;
			case 'm': n *= 60; break;
			case 'h': n *= 3600; break;
			case 'd': n *= 86400; break;
			case 'w': n *= 604800; break;
			default: return -1;
			}
		}
		total += n;
		if (total > most)
			return -1;
		text = slice_skip(text, i);
	}
	*seconds = minus ? -total : total;
	return 0;
}

static int
parse_when(struct qwhen *w, const char *arg)
{
	if (strcmp(arg, "now") == 0) {
		*w = (struct qwhen){ .op = '<', .delta = 0 };
		return 0;
	}
	if (arg[0] != '<' && arg[0] != '>')
		return -1;
	w->op = arg[0];
	if (strcmp(arg + 1, "now") == 0) {
		w->delta = 0;
		return 0;
	}
	return qduration(slice_str(arg + 1), &w->delta);
}

int
qfilter_id(struct qfilter *f, const char *id)
{
	if (!rid_ok(slice_str(id)) || f->count == QFILTER_IDS_MAX)
		return -1;
	f->ids = xrealloc(f->ids, size_mul(f->count + 1, sizeof(*f->ids)));
	f->ids[f->count++] = slice_str(id);
	f->any = true;
	return 0;
}

static int
parse_ids(struct qfilter *f, char *list)
{
	char *next;

	for (; list != NULL; list = next) {
		next = strchr(list, ',');
		if (next != NULL)
			*next++ = '\0';
		if (qfilter_id(f, list) == -1)
			return -1;
	}
	return 0;
}

int
qfilter_set(struct qfilter *f, int letter, char *arg)
{
	int r = 0;

	switch (letter) {
	case 'n':
		r = slice_u64(slice_str(arg), UINT32_MAX, &f->most);
		return r == -1 || f->most == 0 ? -1 : 1;
	case QF_IDS: r = parse_ids(f, arg); break;
	case QF_ACCOUNT: f->account = arg; break;
	case QF_FROM: f->from = arg; break;
	case QF_TO: f->to = arg; break;
	case QF_SUBMITTED: r = parse_when(&f->submitted, arg); break;
	case QF_NEXT: r = parse_when(&f->next, arg); break;
	default: return 0;
	}
	f->any = true;
	return r == -1 ? -1 : 1;
}

static bool
when_match(struct qwhen w, int64_t t, int64_t now)
{
	if (w.op == '<')
		return t <= now + w.delta;
	return w.op == 0 || t > now + w.delta;
}

/* A part of the address; "@domain" is the whole domain. */
static bool
addr_match(const char *pattern, const char *addr)
{
	struct slice p = slice_str(pattern), a = slice_str(addr);

	if (p.n != 0 && p.p[0] == '@')
		return slice_ieq(addr_domain_of(a), slice_skip(p, 1));
	for (; a.n >= p.n; a = slice_skip(a, 1)) {
		if (slice_istarts(a, p))
			return true;
		if (a.n == 0)
			break;
	}
	return false;
}

static bool
id_match(const struct qfilter *f, const struct qentry *e)
{
	for (size_t i = 0; i < f->count; i++)
		if (slice_eqs(f->ids[i], e->id))
			return true;
	return f->count == 0;
}

bool
qfilter_match(const struct qfilter *f, const struct qentry *e, int64_t now)
{
	bool to = f->to == NULL;

	for (size_t i = 0; !to && i < e->rcpts; i++)
		to = addr_match(f->to, e->rcpt[i].addr);
	return to && id_match(f, e) &&
	    (f->account == NULL || (e->account != NULL &&
	    strcmp(f->account, e->account) == 0)) &&
	    (f->from == NULL || addr_match(f->from, e->from)) &&
	    when_match(f->submitted, e->time, now) &&
	    when_match(f->next, qentry_next(e), now);
}

void
qfilter_free(struct qfilter *f)
{
	free(f->ids);
	*f = (struct qfilter){ 0 };
}
