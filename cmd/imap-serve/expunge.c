/*
 * expunge.c - EXPUNGE, UID EXPUNGE (RFC 9051 section 6.4.3, RFC 4315)
 */
#include "session.h"

enum result
cmd_expunge(struct session *s, struct slice args)
{
	struct uid_list uids = { s->view.uid, s->view.count }, gone;
	struct numset set;
	uint64_t modseq;

	if (s->uid_cmd) {
		if (!imap_sp(&args) || !numset_take(&args, &s->ar, &set))
			return bad(s, "set of UIDs expected");
		if (!view_uids(s, &set, &uids))
			return bad(s, "bad set");
	}
	if (args.n != 0)
		return bad(s, "extra arguments");
	if (s->view.readonly)
		return no(s, "[READ-ONLY] mailbox is open for reading");
	if (message_expunge(s->store, s->view.box, uids.uid, uids.count, true,
	    &s->ar, &gone, &modseq) == -1)
		return no_errno(s, "expunge");
	view_sync(s);
	if ((s->enabled & EN_CONDSTORE) != 0 && gone.count != 0)
		return ok(s, "[HIGHESTMODSEQ %llu] done",
		    (unsigned long long)modseq);
	return ok(s, "done");
}
