/*
 * select.c - SELECT, EXAMINE, CLOSE, UNSELECT (RFC 9051 section 6.3.2, 6.4.1;
 * CONDSTORE and QRESYNC: RFC 7162 section 3.1.8, 3.2.5)
 */
#include <errno.h>

#include "base/log.h"
#include "session.h"

struct select_args {
	struct slice name;
	bool qresync;
	uint64_t uidvalidity, modseq;
	bool has_known, has_match;
	struct numset known, seqs, uids;
};

/* (uidvalidity modseq [known-uids] [(seqs uids)]) */
static bool
take_qresync(struct session *s, struct slice *in, struct select_args *a)
{
	a->qresync = true;
	if (!imap_sp(in) || !imap_take(in, '(') ||
	    !imap_number(in, UINT32_MAX, &a->uidvalidity) || !imap_sp(in) ||
	    !imap_number(in, INT64_MAX, &a->modseq))
		return false;
	if (imap_next(*in, ' ') && in->n > 1 && in->p[1] != '(') {
		imap_sp(in);
		a->has_known = numset_take(in, &s->ar, &a->known);
		if (!a->has_known || a->known.saved)
			return false;
	}
	if (imap_sp(in)) {
		a->has_match = imap_take(in, '(') &&
		    numset_take(in, &s->ar, &a->seqs) && imap_sp(in) &&
		    numset_take(in, &s->ar, &a->uids) && imap_take(in, ')') &&
		    !a->seqs.saved && !a->uids.saved;
		if (!a->has_match)
			return false;
	}
	return imap_take(in, ')');
}

static bool
take_params(struct session *s, struct slice *in, struct select_args *a)
{
	if (!imap_take(in, '('))
		return false;
	do {
		if (imap_word(in, "CONDSTORE"))
			s->enabled |= EN_CONDSTORE;
		else if (!imap_word(in, "QRESYNC") || a->qresync ||
		    !take_qresync(s, in, a))
			return false;
	} while (imap_sp(in));
	return imap_take(in, ')');
}

/* Message number of the first message without \Seen, 0 if there is none. */
static uint32_t
first_unseen(struct session *s, const struct mailbox *mb)
{
	struct message *m;
	size_t count = BATCH;

	if (mb->unseen == 0)
		return 0;
	for (uint32_t first = 1; count == BATCH && first != 0;) {
		if (message_list(s->store, mb->id, first, UINT32_MAX, BATCH,
		    &s->ar, &m, &count) == -1)
			return 0;
		for (size_t i = 0; i < count; i++)
			if ((m[i].set.flags & FLAG_SEEN) == 0)
				return view_seq(&s->view, m[i].uid);
		if (count != 0)
			first = m[count - 1].uid + 1;
	}
	return 0;
}

static void
describe(struct session *s, const struct mailbox *mb)
{
	bool rev2 = (s->enabled & EN_REV2) != 0;
	uint32_t unseen;

	tell_flags(s, mb);
	if (!rev2)
		line(s, "0 RECENT");
	line(s, "%zu EXISTS", s->view.count);
	if (!rev2 && (unseen = first_unseen(s, mb)) != 0)
		line(s, "OK [UNSEEN %u] first without \\Seen", unseen);
	line(s, "OK [UIDVALIDITY %u] UIDs are valid", mb->uidvalidity);
	line(s, "OK [UIDNEXT %u] next UID", mb->uidnext);
	if (rev2) {
		sb_puts(&s->o, "* LIST () \"/\" ");
		imap_put_mailbox(&s->o, mb->name, utf8_ok(s));
		sb_puts(&s->o, "\r\n");
	}
	line(s, "OK [HIGHESTMODSEQ %llu] latest change",
	    (unsigned long long)s->view.modseq);
	s->cond_told = true;
}

/*
 * Sequence match data (RFC 7162 section 3.2.5.2): the UID up to which the
 * client knows all removals.
 */
static uint32_t
known_up_to(struct session *s, struct select_args *a)
{
	uint32_t upto = 0;
	size_t i = 0, j = 0;
	uint64_t di = 0, dj = 0;

	numset_resolve(&a->seqs, 0);
	numset_resolve(&a->uids, 0);
	while (i < a->seqs.n && j < a->uids.n) {
		uint64_t seq = a->seqs.r[i].lo + di, uid = a->uids.r[j].lo + dj;

		if (seq > s->view.count || s->view.uid[seq - 1] != uid)
			break;
		upto = (uint32_t)uid;
		if (seq == a->seqs.r[i].hi)
			i++, di = 0;
		else
			di++;
		if (uid == a->uids.r[j].hi)
			j++, dj = 0;
		else
			dj++;
	}
	return upto;
}

static void
tell_vanished(struct session *s, const struct numset *set)
{
	if (set->n == 0)
		return;
	sb_puts(&s->o, "* VANISHED (EARLIER) ");
	numset_put(&s->o, set);
	sb_puts(&s->o, "\r\n");
	flush_some(s);
}

static int
uid_cmp(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* History is gone: every UID that the client may know and is not here. */
static void
vanished_all(struct session *s, const struct numset *known)
{
	struct numset out = { 0 };
	size_t at = 0;

	for (size_t i = 0; i < known->n; i++) {
		uint64_t next = known->r[i].lo;

		while (at < s->view.count && s->view.uid[at] < next)
			at++;
		for (; at < s->view.count &&
		    s->view.uid[at] <= known->r[i].hi; at++) {
			if (s->view.uid[at] > next)
				numset_add(&out, &s->ar, (uint32_t)next,
				    s->view.uid[at] - 1);
			next = (uint64_t)s->view.uid[at] + 1;
		}
		if (next <= known->r[i].hi)
			numset_add(&out, &s->ar, (uint32_t)next,
			    known->r[i].hi);
	}
	tell_vanished(s, &out);
}

static void
tell_flags_since(struct session *s, uint64_t since, const struct numset *known)
{
	struct message *m;
	size_t count = BATCH;

	for (uint32_t first = 1; count == BATCH && first != 0;) {
		if (message_list(s->store, s->view.box, first, UINT32_MAX,
		    BATCH, &s->ar, &m, &count) == -1)
			return;
		for (size_t i = 0; i < count; i++)
			if (m[i].modseq > since && numset_has(known, m[i].uid))
				put_fetch_flags(s, &m[i], true);
		if (count != 0)
			first = m[count - 1].uid + 1;
	}
}

static void
resync(struct session *s, const struct mailbox *mb, struct select_args *a)
{
	struct message *m;
	struct numset gone = { 0 }, known = a->known;
	uint32_t upto = a->has_match ? known_up_to(s, a) : 0, *uid;
	size_t count, n = 0;
	uint64_t now;

	if (!a->has_known)
		numset_add(&known, &s->ar, 1,
		    mb->uidnext > 1 ? mb->uidnext - 1 : 1);
	numset_resolve(&known, mb->uidnext - 1);
	if (message_changes(s->store, mb->id, a->modseq, &s->ar, &m, &count,
	    &now) == -1) {
		if (errno != ESTALE)
			log_sys("read what changed");
		tell_flags_since(s, a->modseq, &known);
		vanished_all(s, &known);
		return;
	}
	uid = arena_alloc(&s->ar, (count + 1) * sizeof(*uid));
	for (size_t i = 0; i < count; i++) {
		if (!numset_has(&known, m[i].uid))
			continue;
		if (!m[i].removed)
			put_fetch_flags(s, &m[i], true);
		else if (m[i].uid > upto)
			uid[n++] = m[i].uid;
	}
	qsort(uid, n, sizeof(*uid), uid_cmp);
	for (size_t i = 0; i < n; i++)
		numset_add(&gone, &s->ar, uid[i], uid[i]);
	tell_vanished(s, &gone);
}

/* The messages and what is said of them, both of one moment. */
static bool
look(struct session *s, struct mailbox *mb, struct view *now)
{
	for (int i = 0; i < LOOKS_MAX; i++) {
		if (message_view(s->store, mb->id, UINT64_MAX, &s->ar, now) ==
		    -1 || mailbox_get(s->store, mb->id, &s->ar, mb) != 1)
			return false;
		if (mb->modseq == now->modseq)
			break;
	}
	return true;
}

static enum result
open_box(struct session *s, struct slice args, bool readonly)
{
	struct select_args a = { 0 };
	struct mailbox mb;
	struct view now;

	if (!imap_sp(&args) || !take_mailbox(s, &args, &a.name))
		return s->reply.n != 0 ? R_DONE : bad(s, "mailbox expected");
	if ((imap_sp(&args) && !take_params(s, &args, &a)) || args.n != 0)
		return bad(s, "bad parameters");
	if (a.qresync && (s->enabled & EN_QRESYNC) == 0)
		return bad(s, "[CLIENTBUG] QRESYNC is not enabled");
	if (s->view.box != 0) {
		view_sync(s);
		view_close(s);
		line(s, "OK [CLOSED] the mailbox before");
	}
	if (find_mailbox(s, a.name, "NONEXISTENT", &mb) != 1)
		return R_DONE;
	if (mailbox_sync(s->store, mb.id) == -1 || !look(s, &mb, &now))
		return no_errno(s, "open mailbox");
	s->view.box = mb.id;
	s->view.uidvalidity = mb.uidvalidity;
	s->view.readonly = readonly;
	sb_put(&s->view.name, mb.name);
	view_set(s, now.uid, now.count, now.modseq);
	describe(s, &mb);
	if (a.qresync && a.uidvalidity == mb.uidvalidity)
		resync(s, &mb, &a);
	return ok(s, "[READ-%s] done", readonly ? "ONLY" : "WRITE");
}

enum result
cmd_select(struct session *s, struct slice args)
{
	return open_box(s, args, false);
}

enum result
cmd_examine(struct session *s, struct slice args)
{
	return open_box(s, args, true);
}

enum result
cmd_close(struct session *s, struct slice args)
{
	struct uid_list gone;
	uint64_t modseq;
	struct selected *v = &s->view;

	if (args.n != 0)
		return bad(s, "no arguments expected");
	if (!v->readonly && message_expunge(s->store, v->box, v->uid, v->count,
	    true, &s->ar, &gone, &modseq) == -1)
		return no_errno(s, "expunge");
	view_close(s);
	return ok(s, "done");
}

enum result
cmd_unselect(struct session *s, struct slice args)
{
	if (args.n != 0)
		return bad(s, "no arguments expected");
	view_close(s);
	return ok(s, "done");
}
