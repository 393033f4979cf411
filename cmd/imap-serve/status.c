/*
 * status.c - STATUS, and its items for LIST (RFC 9051 section 6.3.11)
 */
#include "base/alloc.h"
#include "session.h"

enum item {
	MESSAGES, UIDNEXT, UIDVALIDITY, UNSEEN, DELETED, SIZE, RECENT,
	APPENDLIMIT, HIGHESTMODSEQ, DELETED_STORAGE
};

static const char *const items[] = {
	[MESSAGES] = "MESSAGES", [UIDNEXT] = "UIDNEXT",
	[UIDVALIDITY] = "UIDVALIDITY", [UNSEEN] = "UNSEEN",
	[DELETED] = "DELETED", [SIZE] = "SIZE", [RECENT] = "RECENT",
	[APPENDLIMIT] = "APPENDLIMIT", [HIGHESTMODSEQ] = "HIGHESTMODSEQ",
	[DELETED_STORAGE] = "DELETED-STORAGE",
};

bool
take_status_items(struct slice *in, struct status_items *it)
{
	it->mask = 0;
	if (!imap_take(in, '('))
		return false;
	do {
		size_t i = 0;

		while (i < COUNTOF(items) && !imap_word(in, items[i]))
			i++;
		if (i == COUNTOF(items))
			return false;
		it->mask |= 1u << i;
	} while (imap_sp(in));
	return imap_take(in, ')');
}

void
put_status(struct session *s, const struct mailbox *mb,
    const struct status_items *it)
{
	const uint64_t value[] = {
		[MESSAGES] = mb->messages, [UIDNEXT] = mb->uidnext,
		[UIDVALIDITY] = mb->uidvalidity, [UNSEEN] = mb->unseen,
		[DELETED] = mb->deleted, [SIZE] = mb->size, [RECENT] = 0,
		[APPENDLIMIT] = s->append_most, [HIGHESTMODSEQ] = mb->modseq,
		[DELETED_STORAGE] = mb->deleted_size,
	};
	const char *sep = "";

	sb_puts(&s->o, "* STATUS ");
	imap_put_mailbox(&s->o, mb->name, utf8_ok(s));
	sb_puts(&s->o, " (");
	for (size_t i = 0; i < COUNTOF(items); i++) {
		if ((it->mask & 1u << i) == 0)
			continue;
		sb_printf(&s->o, "%s%s %llu", sep, items[i],
		    (unsigned long long)value[i]);
		sep = " ";
	}
	sb_puts(&s->o, ")\r\n");
	flush_some(s);
	if ((it->mask & 1u << HIGHESTMODSEQ) != 0)
		cond_enable(s);
}

enum result
cmd_status(struct session *s, struct slice args)
{
	struct status_items it;
	struct mailbox mb;
	struct slice name;

	if (!imap_sp(&args))
		return bad(s, "mailbox name expected");
	if (!take_mailbox(s, &args, &name))
		return R_DONE;
	if (!imap_sp(&args) || !take_status_items(&args, &it) || args.n != 0)
		return bad(s, "list of items expected");
	if (find_mailbox(s, name, "NONEXISTENT", &mb) != 1)
		return R_DONE;
	if (mailbox_sync(s->store, mb.id) == -1 ||
	    mailbox_get(s->store, mb.id, &s->ar, &mb) != 1)
		return no_errno(s, "read mailbox");
	put_status(s, &mb, &it);
	return ok(s, "done");
}
