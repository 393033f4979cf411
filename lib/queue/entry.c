#include "queue/entry.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/tuple.h"

#define BUCKETS_MIN 256

struct slice
addr_domain_of(struct slice addr)
{
	return slice_skip(addr, (size_t)(slice_rchr(addr, '@') + 1));
}

/* ---- the table ---- */

static size_t
bucket_of(const struct qtable *t, struct slice id)
{
	uint32_t h = 2166136261u; /* FNV-1a; the ids are random anyway */

	for (size_t i = 0; i < id.n; i++)
		h = (h ^ id.p[i]) * 16777619u;
	return h & (t->buckets - 1);
}

struct qentry *
qtable_find(const struct qtable *t, struct slice id)
{
	struct qentry *e;

	if (t->buckets == 0 || id.n != RID_LEN)
		return NULL;
	for (e = t->bucket[bucket_of(t, id)]; e != NULL; e = e->chain)
		if (memcmp(e->id, id.p, RID_LEN) == 0)
			return e;
	return NULL;
}

static void
insert(struct qtable *t, struct qentry *e)
{
	size_t b = bucket_of(t, slice_str(e->id));

	e->chain = t->bucket[b];
	t->bucket[b] = e;
}

static void
grow(struct qtable *t)
{
	struct qtable old = *t;

	if (t->count < t->buckets)
		return;
	t->buckets = old.buckets != 0 ? size_mul(old.buckets, 2) : BUCKETS_MIN;
	t->bucket = xcalloc(t->buckets, sizeof(struct qentry *));
	for (size_t i = 0; i < old.buckets; i++) {
		struct qentry *e, *next;

		for (e = old.bucket[i]; e != NULL; e = next) {
			next = e->chain;
			insert(t, e);
		}
	}
	free(old.bucket);
}

struct qentry *
qtable_next(const struct qtable *t, size_t *bucket, struct qentry *after)
{
	struct qentry *e = after != NULL ? after->chain : NULL;

	while (e == NULL && *bucket < t->buckets)
		e = t->bucket[(*bucket)++];
	return e;
}

void
qtable_drop(struct qtable *t, struct qentry *e)
{
	struct qentry **at = &t->bucket[bucket_of(t, slice_str(e->id))];

	while (*at != e)
		at = &(*at)->chain;
	*at = e->chain;
	t->count--;
	qentry_free(e);
	free(e);
}

void
qtable_free(struct qtable *t)
{
	for (size_t i = 0; i < t->buckets; i++) {
		struct qentry *e, *next;

		for (e = t->bucket[i]; e != NULL; e = next) {
			next = e->chain;
			qentry_free(e);
			free(e);
		}
	}
	free(t->bucket);
	*t = (struct qtable){ 0 };
}

/* ---- an entry ---- */

static void
result_free(struct qresult *r)
{
	if (r == NULL)
		return;
	free(r->text);
	free(r->host);
	free(r->ip);
	free(r);
}

void
qentry_free(struct qentry *e)
{
	for (size_t i = 0; i < e->rcpts; i++) {
		free(e->rcpt[i].addr);
		free(e->rcpt[i].orcpt);
		result_free(e->rcpt[i].last);
	}
	for (size_t i = 0; i < e->groups; i++)
		free(e->group[i].domain);
	free(e->rcpt);
	free(e->group);
	free(e->from);
	free(e->account);
	free(e->envid);
	e->rcpts = e->groups = 0;
	e->rcpt = NULL;
	e->group = NULL;
	e->from = e->account = e->envid = NULL;
}

static unsigned
parse_notify(struct slice list)
{
	static const struct {
		const char *name;
		unsigned bit;
	} word[] = { { "never", NOTIFY_NEVER }, { "success", NOTIFY_SUCCESS },
		{ "failure", NOTIFY_FAILURE }, { "delay", NOTIFY_DELAY } };
	struct slice w;
	unsigned bits = 0;

	if (list.n == 0)
		return NOTIFY_FAILURE | NOTIFY_DELAY;
	while (list.n != 0) {
		slice_cut(&list, ',', &w);
		for (size_t i = 0; i < COUNTOF(word); i++)
			if (slice_ieqs(w, word[i].name))
				bits |= word[i].bit;
	}
	return bits;
}

static char *
dup_or_null(struct slice s)
{
	return s.n != 0 ? slice_dup(s) : NULL;
}

/* local@domain: both were parsed on their way in, so a look is enough. */
static bool
is_mailbox(struct slice addr)
{
	struct slice domain = addr_domain_of(addr);

	return domain.n != 0 && domain.n != addr.n &&
	    memchr(addr.p, 0, addr.n) == NULL;
}

static const char *
parse_rcpt(struct qentry *e, const struct tuple *t, size_t *cap)
{
	struct slice addr = tuple_value(t, "addr");
	struct qrcpt *r;

	if (!is_mailbox(addr))
		return "a recipient without a domain";
	if (e->rcpts == *cap) {
		*cap = size_add(size_mul(*cap, 2), 1);
		e->rcpt = xrealloc(e->rcpt, size_mul(*cap, sizeof(*r)));
	}
	r = &e->rcpt[e->rcpts++];
	*r = (struct qrcpt){ .addr = slice_dup(addr) };
	r->orcpt = dup_or_null(tuple_value(t, "orcpt"));
	r->notify = parse_notify(tuple_value(t, "notify"));
	return NULL;
}

static const char *
parse_record(struct qentry *e, const struct tuple *t, size_t *cap)
{
	struct slice addr = tuple_value(t, "addr");
	uint64_t n;

	if (tuple_is(t, "rcpt"))
		return parse_rcpt(e, t, cap);
	if (tuple_is(t, "from") && e->from == NULL) {
		/* It will be the recipient of a notice. */
		if (addr.n != 0 && !is_mailbox(addr))
			return "a sender without a domain";
		e->from = slice_dup(addr);
		e->envid = dup_or_null(tuple_value(t, "envid"));
		e->ret_full = slice_ieqs(tuple_value(t, "ret"), "full");
	} else if (tuple_is(t, "auth") && e->account == NULL) {
		e->account = slice_dup(tuple_value(t, "account"));
	} else if (tuple_is(t, "job") && e->id[0] == '\0') {
		if (!rid_ok(tuple_value(t, "id")) ||
		    tuple_u64(t, "size", INT64_MAX, &e->size) == -1 ||
		    tuple_u64(t, "time", INT64_MAX, &n) == -1)
			return "a bad job record";
		memcpy(e->id, tuple_value(t, "id").p, RID_LEN);
		e->time = (int64_t)n;
		e->eight_bit = tuple_has(t, "body", "8bitmime");
		e->utf8 = tuple_has(t, "smtputf8", "yes");
	}
	return NULL;
}

static int
by_domain(const void *a, const void *b)
{
	const struct qrcpt *x = a, *y = b;
	struct slice xa = slice_str(x->addr), ya = slice_str(y->addr);
	int r = slice_icmp(addr_domain_of(xa), addr_domain_of(ya));

	return r != 0 ? r : slice_cmp(xa, ya);
}

static char *
lower(struct slice s)
{
	char *p = slice_dup(s);

	for (size_t i = 0; i < s.n; i++)
		p[i] = (char)ascii_lower((unsigned char)p[i]);
	return p;
}

static void
make_groups(struct qentry *e)
{
	size_t out = 0;

	qsort(e->rcpt, e->rcpts, sizeof(*e->rcpt), by_domain);
	for (size_t i = 0; i < e->rcpts; i++) {
		if (out != 0 &&
		    strcmp(e->rcpt[out - 1].addr, e->rcpt[i].addr) == 0) {
			free(e->rcpt[i].addr);
			free(e->rcpt[i].orcpt);
		} else
			e->rcpt[out++] = e->rcpt[i];
	}
	e->rcpts = out;
	e->group = xcalloc(e->rcpts, sizeof(*e->group));
	for (size_t i = 0; i < e->rcpts; i++) {
		struct slice d = addr_domain_of(slice_str(e->rcpt[i].addr));
		struct qgroup *g = e->group + e->groups;

		if (e->groups != 0 && slice_ieqs(d, g[-1].domain)) {
			g[-1].count++;
			continue;
		}
		*g = (struct qgroup){ .entry = e, .domain = lower(d),
			.first = i, .count = 1, .next = e->time };
		e->groups++;
	}
}

int
qentry_parse(struct qentry *e, struct slice envelope, const char **why)
{
	struct arena ar = { 0 };
	struct tuple_reader rd;
	struct tuple t;
	size_t cap = 0;
	int r;

	*e = (struct qentry){ 0 };
	*why = NULL;
	tuple_reader_init(&rd, envelope);
	while (*why == NULL && (r = tuple_next(&rd, &ar, &t)) != 0)
		*why = r == -1 ? "a bad record" : parse_record(e, &t, &cap);
	arena_free(&ar);
	if (*why == NULL && e->id[0] == '\0')
		*why = "no job record";
	if (*why == NULL && e->from == NULL)
		*why = "no from record";
	if (*why == NULL && e->rcpts == 0)
		*why = "no recipients";
	if (*why != NULL)
		return -1;
	make_groups(e);
	return 0;
}

/* The envelope at the start of an entry's file: 0, or -1 and *why. */
static int
load_file(struct qentry *e, int fd, const char *id, const char **why)
{
	struct slice all, env;
	ptrdiff_t end;
	int r = -1;

	if (fd_map(fd, &all) == -1)
		return -1;
	end = slice_find(slice_sub(all, 0, QUEUE_ENVELOPE_MAX), S("\n\n"));
	env = slice_sub(all, 0, (size_t)(end + 1));
	*why = "no empty line after the envelope";
	if (end != -1 && (r = qentry_parse(e, env, why)) == 0) {
		e->offset = end + 2;
		if (strcmp(e->id, id) != 0 ||
		    e->size != all.n - (size_t)e->offset) {
			*why = "the job record does not fit the file";
			r = -1;
		}
	}
	fd_unmap(all);
	errno = EPROTO;
	return r;
}

int
qtable_load(struct qtable *t, const struct queue *q, const char *id,
    struct qentry **out, const char **why)
{
	struct qentry *e = qtable_find(t, slice_str(id));
	int saved, fd, r;

	*why = "cannot be read";
	*out = e;
	if (e != NULL)
		return 1;
	fd = queue_job_open(q, id);
	if (fd == -1)
		return errno == ENOENT ? 0 : -1;
	e = xcalloc(1, sizeof(*e));
	r = load_file(e, fd, id, why);
	saved = errno;
	close(fd);
	if (r == -1) {
		qentry_free(e);
		free(e);
		errno = saved;
		return -1;
	}
	grow(t);
	insert(t, e);
	t->count++;
	*out = e;
	return 1;
}

/* ---- questions ---- */

enum qstatus
qrcpt_status(const struct qrcpt *r)
{
	return r->last != NULL ? r->last->status : Q_WAITING;
}

const char *
qstatus_name(enum qstatus s)
{
	static const char *const name[] = { "deferred", "sent", "failed",
		"dropped" };

	return name[s];
}

bool
qgroup_ended(const struct qgroup *g)
{
	for (size_t i = 0; i < g->count; i++)
		if (qrcpt_status(&g->entry->rcpt[g->first + i]) == Q_WAITING)
			return false;
	return true;
}

bool
qentry_ended(const struct qentry *e)
{
	for (size_t i = 0; i < e->rcpts; i++)
		if (qrcpt_status(&e->rcpt[i]) == Q_WAITING)
			return false;
	return true;
}

int64_t
qentry_next(const struct qentry *e)
{
	int64_t next = INT64_MAX;

	for (size_t i = 0; i < e->groups; i++)
		if (e->group[i].next < next && !qgroup_ended(&e->group[i]))
			next = e->group[i].next;
	return next;
}

bool
qentry_unreported(const struct qentry *e)
{
	if (e->from[0] == '\0')
		return false;
	for (size_t i = 0; i < e->rcpts; i++) {
		const struct qrcpt *r = &e->rcpt[i];

		if (qrcpt_status(r) == Q_FAILED && !r->reported &&
		    (r->notify & NOTIFY_FAILURE))
			return true;
	}
	return false;
}
