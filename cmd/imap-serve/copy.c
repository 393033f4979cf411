/*
 * copy.c - COPY, MOVE and their UID forms (RFC 9051 section 6.4.7, 6.4.8)
 */
#include "session.h"

static enum result
transfer(struct session *s, struct slice args, bool move)
{
	struct uid_list uids;
	struct numset set, from = { 0 }, to = { 0 };
	struct copied c;
	struct mailbox mb;
	struct slice name;
	struct strbuf code = STRBUF_INIT(OUT_MAX);
	int r;

	if (!imap_sp(&args) || !numset_take(&args, &s->ar, &set) ||
	    !imap_sp(&args))
		return bad(s, "set expected");
	if (!take_mailbox(s, &args, &name))
		return R_DONE;
	if (args.n != 0)
		return bad(s, "extra arguments");
	if (!view_uids(s, &set, &uids))
		return bad(s, "no such message");
	if (move && s->view.readonly)
		return no(s, "[READ-ONLY] mailbox is open for reading");
	if (find_mailbox(s, name, "TRYCREATE", &mb) != 1)
		return R_DONE;
	if (uids.count == 0)
		return ok(s, "nothing to do");
	r = move ?
	    message_move(s->store, s->view.box, uids.uid, uids.count, mb.id,
	    &s->ar, &c) :
	    message_copy(s->store, s->view.box, uids.uid, uids.count, mb.id,
	    &s->ar, &c);
	if (r == -1)
		return no_errno(s, move ? "move" : "copy");
	if (c.from.count == 0)
		return ok(s, "nothing to do");
	for (size_t i = 0; i < c.from.count; i++)
		numset_add(&from, &s->ar, c.from.uid[i], c.from.uid[i]);
	for (size_t i = 0; i < c.to.count; i++)
		numset_add(&to, &s->ar, c.to.uid[i], c.to.uid[i]);
	sb_printf(&code, "OK [COPYUID %u ", c.uidvalidity);
	numset_put(&code, &from);
	sb_putc(&code, ' ');
	numset_put(&code, &to);
	sb_puts(&code, "] done");
	if (!move) {
		sb_reset(&s->reply);
		sb_put(&s->reply, sb_slice(&code));
	} else {
		/* Before the messages go: RFC 9051 section 6.4.8. */
		line(s, "%s", sb_cstr(&code));
		if ((s->enabled & EN_QRESYNC) != 0)
			ok(s, "[HIGHESTMODSEQ %llu] done",
			    (unsigned long long)c.modseq);
		else
			ok(s, "done");
	}
	sb_free(&code);
	return R_DONE;
}

enum result
cmd_copy(struct session *s, struct slice args)
{
	return transfer(s, args, false);
}

enum result
cmd_move(struct session *s, struct slice args)
{
	return transfer(s, args, true);
}
