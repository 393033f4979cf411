/*
 * view.c - what the client knows of its mailbox, and telling it what changed
 *
 * The view is the list of UIDs whose positions are the message numbers, true
 * as of view.modseq. view_sync() asks the store what happened after that:
 * removals first, then the new count, then flags (RFC 9051 section 7.5).
 */
#include <errno.h>

#include "base/alloc.h"
#include "base/log.h"
#include "session.h"

void
view_close(struct session *s)
{
	struct selected *v = &s->view;

	v->box = 0;
	v->count = 0;
	v->unfinished = false;
	v->owns = 0;
	sb_reset(&v->name);
	s->saved = (struct numset){ 0 };
	arena_reset(&s->saved_ar);
	s->cond_told = false;
}

void
view_set(struct session *s, const uint32_t *uid, size_t count,
    uint64_t modseq)
{
	struct selected *v = &s->view;

	if (count > v->cap) {
		v->cap = count + count / 8 + 64;
		v->uid = xrealloc(v->uid, size_mul(v->cap, sizeof(*v->uid)));
	}
	if (count != 0)
		memcpy(v->uid, uid, count * sizeof(*uid));
	v->count = count;
	v->modseq = modseq;
	v->grown = false;
	v->owns = 0;
}

size_t
uid_lower_bound(const uint32_t *list, size_t count, uint32_t uid)
{
	size_t lo = 0, hi = count;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (list[mid] < uid)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* Index of the first UID of the view that is not below uid. */
static size_t
lower_bound(const struct selected *v, uint32_t uid)
{
	return uid_lower_bound(v->uid, v->count, uid);
}

uint32_t
view_seq(const struct selected *v, uint32_t uid)
{
	size_t at = lower_bound(v, uid);

	return at < v->count && v->uid[at] == uid ? (uint32_t)at + 1 : 0;
}

void
view_own(struct session *s, uint64_t modseq)
{
	struct selected *v = &s->view;

	if (v->owns < OWN_MAX)
		v->own[v->owns++] = modseq;
}

static bool
is_own(const struct selected *v, uint64_t modseq)
{
	for (size_t i = v->owns; i-- > 0;)
		if (v->own[i] == modseq)
			return true;
	return false;
}

static int
uid_cmp(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* Tell the removal of these UIDs (ascending, all in the view). */
static void
tell_gone(struct session *s, const uint32_t *uid, size_t count)
{
	struct selected *v = &s->view;
	size_t to = 0, from = 0;

	if (count == 0)
		return;
	if ((s->enabled & EN_QRESYNC) != 0) {
		struct numset set = { 0 };

		for (size_t i = 0; i < count; i++)
			numset_add(&set, &s->ar, uid[i], uid[i]);
		sb_puts(&s->o, "* VANISHED ");
		numset_put(&s->o, &set);
		sb_puts(&s->o, "\r\n");
	}
	for (size_t i = 0; from < v->count; from++) {
		if (i < count && v->uid[from] == uid[i]) {
			i++;
			if ((s->enabled & EN_QRESYNC) == 0)
				line(s, "%zu EXPUNGE", to + 1);
			continue;
		}
		v->uid[to++] = v->uid[from];
	}
	v->count = to;
}

static void
add_new(struct session *s, const uint32_t *uid, size_t count)
{
	struct selected *v = &s->view;

	if (count == 0)
		return;
	if (v->cap - v->count < count) {
		v->cap = v->count + count + v->count / 8 + 64;
		v->uid = xrealloc(v->uid, size_mul(v->cap, sizeof(*v->uid)));
	}
	memcpy(v->uid + v->count, uid, count * sizeof(*uid));
	v->count += count;
	line(s, "%zu EXISTS", v->count);
	if ((s->enabled & EN_REV2) == 0)
		line(s, "0 RECENT"); /* RFC 3501 section 7.3.2 */
}

/* New keywords are announced before a FETCH shows them. */
static void
tell_keywords(struct session *s)
{
	struct mailbox mb;

	if (mailbox_get(s->store, s->view.box, &s->ar, &mb) == 1 &&
	    mb.keywords != s->view.keywords)
		tell_flags(s, &mb);
}

static void
tell_changes(struct session *s, const struct message *m, size_t count)
{
	struct selected *v = &s->view;
	uint32_t *gone = arena_alloc(&s->ar, size_mul(count + 1, sizeof(*gone)));
	uint32_t *fresh = arena_alloc(&s->ar, size_mul(count + 1, sizeof(*fresh)));
	size_t n_gone = 0, n_fresh = 0, n_flags = 0;
	uint32_t last = v->count != 0 ? v->uid[v->count - 1] : 0;

	for (size_t i = 0; i < count; i++)
		if (m[i].removed) {
			if (view_seq(v, m[i].uid) != 0)
				gone[n_gone++] = m[i].uid;
		} else if (m[i].uid > last)
			fresh[n_fresh++] = m[i].uid;
		else if (!is_own(v, m[i].modseq))
			n_flags++;
	qsort(gone, n_gone, sizeof(*gone), uid_cmp);
	qsort(fresh, n_fresh, sizeof(*fresh), uid_cmp);
	tell_gone(s, gone, n_gone);
	add_new(s, fresh, n_fresh);
	if (n_flags + n_fresh == 0)
		return;
	tell_keywords(s);
	for (size_t i = 0; i < count; i++)
		if (!m[i].removed && m[i].uid <= last &&
		    !is_own(v, m[i].modseq))
			put_fetch_flags(s, &m[i], true);
}

/* The store has forgotten what happened: compare with what is there now. */
static int
tell_difference(struct session *s)
{
	struct selected *v = &s->view;
	uint32_t *gone = arena_alloc(&s->ar,
	    size_mul(v->count + 1, sizeof(*gone)));
	uint64_t since = v->modseq;
	struct view now;
	struct message *m;
	size_t n_gone = 0, j = 0, count;
	uint32_t last = v->count != 0 ? v->uid[v->count - 1] : 0;

	if (message_view(s->store, v->box, UINT64_MAX, &s->ar, &now) == -1)
		return -1;
	for (size_t i = 0; i < v->count; i++) {
		while (j < now.count && now.uid[j] < v->uid[i])
			j++;
		if (j == now.count || now.uid[j] != v->uid[i])
			gone[n_gone++] = v->uid[i];
	}
	tell_gone(s, gone, n_gone);
	while (j < now.count && now.uid[j] <= last)
		j++;
	add_new(s, now.uid + j, now.count - j);
	tell_keywords(s);
	for (uint32_t first = 1; first != 0 && first <= last;) {
		if (message_list(s->store, v->box, first, last, BATCH, &s->ar,
		    &m, &count) == -1)
			return -1;
		for (size_t i = 0; i < count; i++)
			if (m[i].modseq > since)
				put_fetch_flags(s, &m[i], true);
		first = count == BATCH ? m[count - 1].uid + 1 : 0;
	}
	v->modseq = now.modseq;
	v->grown = false;
	v->owns = 0;
	return 0;
}

/* The mailbox was removed: all its messages are, and the client must go. */
static void
tell_removed(struct session *s)
{
	uint32_t *all = arena_alloc(&s->ar,
	    size_mul(s->view.count + 1, sizeof(*all)));

	if (s->view.count != 0)
		memcpy(all, s->view.uid, s->view.count * sizeof(*all));
	tell_gone(s, all, s->view.count);
	line(s, "OK [CLOSED] the mailbox was deleted");
	view_close(s);
}

void
view_sync(struct session *s)
{
	struct selected *v = &s->view;
	struct message *m;
	size_t count;
	uint64_t now;
	int r;

	if (v->box == 0)
		return;
	r = mailbox_sync(s->store, v->box);
	v->unfinished = r == 2;
	if (r == -1 && errno != ENOENT)
		log_sys("look for changes of other programs");
	if (message_changes(s->store, v->box, v->modseq, &s->ar, &m, &count,
	    &now) == 0) {
		tell_changes(s, m, count);
		v->modseq = now;
		v->grown = false;
		v->owns = 0;
	} else if (errno == ENOENT)
		tell_removed(s);
	else if (errno != ESTALE || tell_difference(s) == -1)
		log_sys("read what changed");
}

void
view_grow(struct session *s)
{
	struct selected *v = &s->view;
	uint32_t last = v->count != 0 ? v->uid[v->count - 1] : 0, *fresh;
	struct message *m;
	size_t count, n = 0;
	uint64_t now;

	if (mailbox_sync(s->store, v->box) == -1 ||
	    message_changes(s->store, v->box, v->modseq, &s->ar, &m, &count,
	    &now) == -1)
		return; /* the next view_sync() says what is wrong */
	fresh = arena_alloc(&s->ar, size_mul(count + 1, sizeof(*fresh)));
	for (size_t i = 0; i < count; i++)
		if (!m[i].removed && m[i].uid > last)
			fresh[n++] = m[i].uid;
	qsort(fresh, n, sizeof(*fresh), uid_cmp);
	add_new(s, fresh, n);
	v->grown |= n != 0;
}

/* ---- numbers ---- */

static bool
saved_uids(struct session *s, struct uid_list *out)
{
	const struct numset *set = &s->saved;

	for (size_t i = 0; i < set->n; i++)
		for (size_t at = lower_bound(&s->view, set->r[i].lo);
		    at < s->view.count && s->view.uid[at] <= set->r[i].hi;
		    at++)
			out->uid[out->count++] = s->view.uid[at];
	return true;
}

bool
view_uids(struct session *s, const struct numset *given, struct uid_list *out)
{
	const struct selected *v = &s->view;
	struct numset set = *given;
	uint32_t max;

	out->count = 0;
	out->uid = arena_alloc(&s->ar,
	    size_mul(v->count + 1, sizeof(*out->uid)));
	if (set.saved)
		return saved_uids(s, out);
	if (s->uid_cmd)
		max = v->count != 0 ? v->uid[v->count - 1] : 0;
	else
		max = (uint32_t)v->count;
	numset_resolve(&set, max);
	for (size_t i = 0; i < set.n; i++) {
		size_t at = s->uid_cmd ? lower_bound(v, set.r[i].lo) :
		    (size_t)set.r[i].lo - 1;

		if (!s->uid_cmd && set.r[i].hi > v->count)
			return false;
		for (; at < v->count && (s->uid_cmd ? v->uid[at] : at + 1) <=
		    set.r[i].hi; at++)
			out->uid[out->count++] = v->uid[at];
	}
	return true;
}

void
set_of_uids(struct session *s, const uint32_t *uid, size_t count,
    struct numset *out)
{
	*out = (struct numset){ 0 };
	for (size_t i = 0; i < count; i++) {
		uint32_t n = s->uid_cmd ? uid[i] : view_seq(&s->view, uid[i]);

		if (n != 0)
			numset_add(out, &s->ar, n, n);
	}
}

void
cond_enable(struct session *s)
{
	s->enabled |= EN_CONDSTORE;
	if (s->view.box == 0 || s->cond_told)
		return;
	s->cond_told = true;
	line(s, "OK [HIGHESTMODSEQ %llu] modification sequences are on",
	    (unsigned long long)s->view.modseq);
}
