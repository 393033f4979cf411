/*
 * store.c - STORE, UID STORE (RFC 9051 section 6.4.6; UNCHANGEDSINCE:
 * RFC 7162 section 3.1.3)
 */
#include "base/alloc.h"
#include "session.h"

struct store_args {
	struct numset set;
	uint64_t unchanged_since;
	enum flag_action how;
	bool silent;
	struct flagset flags;
};

static bool
take_modifier(struct slice *in, uint64_t *since)
{
	return imap_take(in, '(') && imap_word(in, "UNCHANGEDSINCE") &&
	    imap_sp(in) && imap_number(in, INT64_MAX, since) &&
	    imap_take(in, ')') && imap_sp(in);
}

static bool
take_args(struct session *s, struct slice in, struct store_args *a,
    const char **why)
{
	struct slice *flag;
	size_t count;

	*why = "bad arguments";
	a->unchanged_since = UINT64_MAX;
	if (!imap_sp(&in) || !numset_take(&in, &s->ar, &a->set) ||
	    !imap_sp(&in))
		return false;
	if (imap_next(in, '(') && !take_modifier(&in, &a->unchanged_since))
		return false;
	a->how = imap_take(&in, '+') ? FLAGS_ADD : imap_take(&in, '-') ?
	    FLAGS_REMOVE : FLAGS_SET;
	a->silent = imap_word(&in, "FLAGS.SILENT");
	if (!a->silent && !imap_word(&in, "FLAGS"))
		return false;
	return imap_sp(&in) && imap_flags(&in, &s->ar, &flag, &count) &&
	    in.n == 0 && flagset_of(s, flag, count, &a->flags, why);
}

static bool
uid_in(const struct uid_list *l, uint32_t uid)
{
	size_t at = uid_lower_bound(l->uid, l->count, uid);

	return at < l->count && l->uid[at] == uid;
}

/*
 * Answer with the flags as they are now: for what was asked for, and also
 * under .SILENT for what somebody else has changed before us and the client
 * has not been told. *issued: a message is there no more.
 */
static int
answer(struct session *s, const struct store_args *a,
    const struct uid_list *uids, const struct uid_list *changed,
    const struct uid_list *refused, const struct uid_list *news,
    bool *issued)
{
	struct message m;
	bool cond = (s->enabled & EN_CONDSTORE) != 0;

	for (size_t i = 0; i < uids->count; i++) {
		uint32_t uid = uids->uid[i];
		bool flags = !a->silent || uid_in(refused, uid) ||
		    uid_in(news, uid);

		if (!flags && (!cond || !uid_in(changed, uid)))
			continue;
		switch (message_get(s->store, s->view.box, uid, &s->ar, &m)) {
		case -1:
			return -1;
		case 0:
			*issued = true;
			break;
		default:
			put_fetch_flags(s, &m, flags);
		}
	}
	return 0;
}

static int
uid_order(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* UIDs with changes that the client has not been told. */
static int
untold(struct session *s, const struct uid_list *uids, struct uid_list *news)
{
	struct message *m;
	size_t count;
	uint64_t now;

	news->count = 0;
	if (message_changes(s->store, s->view.box, s->view.modseq, &s->ar, &m,
	    &count, &now) == -1)
		return 0; /* told at the next chance */
	news->uid = arena_alloc(&s->ar, size_mul(count + 1, sizeof(uint32_t)));
	for (size_t i = 0; i < count; i++) {
		bool own = false;

		for (size_t j = 0; j < s->view.owns && !own; j++)
			own = s->view.own[j] == m[i].modseq;
		if (!own && !m[i].removed && uid_in(uids, m[i].uid))
			news->uid[news->count++] = m[i].uid;
	}
	qsort(news->uid, news->count, sizeof(*news->uid), uid_order);
	return 0;
}

enum result
cmd_store(struct session *s, struct slice args)
{
	struct store_args a = { 0 };
	struct uid_list uids, changed = { 0 }, refused = { 0 }, news = { 0 };
	struct mailbox mb;
	const char *why;
	uint64_t modseq;
	bool issued = false;

	if (!take_args(s, args, &a, &why))
		return bad(s, "%s", why);
	if (!view_uids(s, &a.set, &uids))
		return bad(s, "no such message");
	if (s->view.readonly)
		return no(s, "[READ-ONLY] mailbox is open for reading");
	if (a.unchanged_since != UINT64_MAX)
		cond_enable(s);
	if (a.silent && untold(s, &uids, &news) == -1)
		return no_errno(s, "read changes");
	if (message_flag(s->store, s->view.box, uids.uid, uids.count, a.how,
	    &a.flags, a.unchanged_since, &s->ar, &changed, &refused,
	    &modseq) == -1)
		return no_errno(s, "set flags");
	if (changed.count != 0)
		view_own(s, modseq);
	if (a.flags.keywords != 0 && mailbox_get(s->store, s->view.box, &s->ar,
	    &mb) == 1 && mb.keywords != s->view.keywords)
		tell_flags(s, &mb);
	if (answer(s, &a, &uids, &changed, &refused, &news, &issued) == -1)
		return no_errno(s, "read flags");
	if (refused.count != 0) {
		struct numset set;
		struct strbuf sb = STRBUF_INIT(OUT_MAX);

		set_of_uids(s, refused.uid, refused.count, &set);
		numset_put(&sb, &set);
		ok(s, "[MODIFIED %s] not all were changed", sb_cstr(&sb));
		sb_free(&sb);
		return R_DONE;
	}
	return ok(s, issued ? "[EXPUNGEISSUED] done, some are gone" : "done");
}
