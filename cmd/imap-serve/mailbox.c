/*
 * mailbox.c - CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE
 */
#include <errno.h>

#include "base/alloc.h"
#include "session.h"

bool
take_mailbox(struct session *s, struct slice *in, struct slice *name)
{
	struct slice raw;

	sb_reset(&s->reply);
	if (!imap_mailbox(in, &s->ar, utf8_ok(s), &raw)) {
		bad(s, "mailbox name expected");
		return false;
	}
	if (mailbox_name(raw, &s->ar, name) == 0)
		return true;
	no_errno(s, "mailbox name");
	return false;
}

int
find_mailbox(struct session *s, struct slice name, const char *code,
    struct mailbox *mb)
{
	int r = mailbox_find(s->store, name, &s->ar, mb);

	/* Made by another program, perhaps. */
	if (r == 0 && account_sync(s->store) == 1)
		r = mailbox_find(s->store, name, &s->ar, mb);
	if (r == 0)
		no(s, "[%s] no such mailbox", code);
	else if (r == -1)
		no_errno(s, "find mailbox");
	return r;
}

/* What was taken may be bad, or something may follow. */
static bool
only_mailbox(struct session *s, struct slice args, struct slice *name)
{
	sb_reset(&s->reply);
	if (!imap_sp(&args)) {
		bad(s, "mailbox name expected");
		return false;
	}
	if (!take_mailbox(s, &args, name))
		return false;
	if (args.n == 0)
		return true;
	bad(s, "extra arguments");
	return false;
}

static const struct {
	const char *name;
	unsigned use;
} uses[] = {
	{ "\\Sent", SPECIAL_SENT }, { "\\Archive", SPECIAL_ARCHIVE },
	{ "\\Trash", SPECIAL_TRASH }, { "\\Drafts", SPECIAL_DRAFTS },
	{ "\\Junk", SPECIAL_JUNK },
};

/* "(USE (\X ...))": 1, 0 unknown use, -1 syntax. RFC 6154 section 3. */
static int
take_use(struct slice *in, unsigned *special)
{
	struct slice flag;
	int known = 1;

	*special = 0;
	if (!imap_take(in, '(') || !imap_word(in, "USE") || !imap_sp(in) ||
	    !imap_take(in, '('))
		return -1;
	if (!imap_next(*in, ')'))
		do {
			size_t i;

			if (!imap_flag(in, &flag))
				return -1;
			for (i = 0; i < COUNTOF(uses); i++)
				if (slice_ieqs(flag, uses[i].name))
					break;
			if (i == COUNTOF(uses))
				known = 0;
			else
				*special |= uses[i].use;
		} while (imap_sp(in));
	return imap_take(in, ')') && imap_take(in, ')') ? known : -1;
}

enum result
cmd_create(struct session *s, struct slice args)
{
	struct slice name;
	unsigned special = 0;
	uint32_t id;
	int known = 1;

	if (!imap_sp(&args))
		return bad(s, "mailbox name expected");
	if (!take_mailbox(s, &args, &name))
		return R_DONE;
	if (imap_sp(&args))
		known = take_use(&args, &special);
	if (known == -1 || args.n != 0)
		return bad(s, "bad parameters");
	if (known == 0)
		return no(s, "[USEATTR] no such special use");
	if (mailbox_create(s->store, name, special, &id) == -1)
		return no_errno(s, "create mailbox");
	return ok(s, "done");
}

enum result
cmd_delete(struct session *s, struct slice args)
{
	struct mailbox mb;
	struct slice name;

	if (!only_mailbox(s, args, &name) ||
	    find_mailbox(s, name, "NONEXISTENT", &mb) != 1)
		return R_DONE;
	if (mailbox_remove(s->store, mb.id) == -1)
		return no_errno(s, "remove mailbox");
	return ok(s, "done");
}

enum result
cmd_rename(struct session *s, struct slice args)
{
	struct slice from, to;
	struct mailbox mb;

	if (!imap_sp(&args))
		return bad(s, "mailbox name expected");
	if (!take_mailbox(s, &args, &from) || !only_mailbox(s, args, &to) ||
	    find_mailbox(s, from, "NONEXISTENT", &mb) != 1)
		return R_DONE;
	if (mailbox_rename(s->store, mb.id, to) == -1)
		return no_errno(s, "rename mailbox");
	if (mb.id == s->view.box && !slice_eqs(from, "INBOX")) {
		sb_reset(&s->view.name);
		sb_put(&s->view.name, to);
	}
	return ok(s, "done");
}

enum result
cmd_subscribe(struct session *s, struct slice args)
{
	struct slice name;

	if (!only_mailbox(s, args, &name))
		return R_DONE;
	if (subscription_set(s->store, name, true) == -1)
		return no_errno(s, "subscribe");
	return ok(s, "done");
}

enum result
cmd_unsubscribe(struct session *s, struct slice args)
{
	struct slice name;

	if (!only_mailbox(s, args, &name))
		return R_DONE;
	if (subscription_set(s->store, name, false) == -1)
		return no_errno(s, "unsubscribe");
	return ok(s, "done");
}
