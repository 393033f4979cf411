/*
 * misc.c - commands that touch no mailbox
 */
#include "imap/caps.h"
#include "session.h"

enum result
cmd_capability(struct session *s, struct slice args)
{
	if (args.n != 0)
		return bad(s, "no arguments expected");
	line(s, "CAPABILITY " IMAP_CAPS);
	return ok(s, "done");
}

/* NOOP, CHECK: what has changed is told before the reply. */
enum result
cmd_noop(struct session *s, struct slice args)
{
	return args.n != 0 ? bad(s, "no arguments expected") : ok(s, "done");
}

enum result
cmd_logout(struct session *s, struct slice args)
{
	if (args.n != 0)
		return bad(s, "no arguments expected");
	session_bye(s, "good-bye");
	return ok(s, "done");
}

/* RFC 2971: a list of pairs, or NIL. */
#define ID_PAIRS 30

enum result
cmd_id(struct session *s, struct slice args)
{
	struct slice name, value;
	size_t pairs = 0;
	bool nil;

	if (!imap_sp(&args))
		return bad(s, "arguments expected");
	if (!imap_word(&args, "NIL")) {
		if (!imap_take(&args, '('))
			return bad(s, "list expected");
		while (args.n != 0 && !imap_next(args, ')')) {
			if ((pairs != 0 && !imap_sp(&args)) ||
			    pairs++ == ID_PAIRS ||
			    !imap_string(&args, &s->ar, &name) ||
			    !imap_sp(&args) ||
			    !imap_nstring(&args, &s->ar, &value, &nil))
				return bad(s, "up to %d pairs expected",
				    ID_PAIRS);
		}
		if (!imap_take(&args, ')'))
			return bad(s, "list not closed");
	}
	if (args.n != 0)
		return bad(s, "extra arguments");
	line(s, "ID (\"name\" \"pneu\" \"version\" \"" PNEU_VERSION "\")");
	return ok(s, "done");
}

static const struct {
	const char *name;
	unsigned what, implies;
} extensions[] = {
	{ "IMAP4rev2", EN_REV2, 0 },
	{ "UTF8=ACCEPT", EN_UTF8, 0 },
	{ "CONDSTORE", EN_CONDSTORE, 0 },
	{ "QRESYNC", EN_QRESYNC, EN_CONDSTORE },
};

/* RFC 5161. */
enum result
cmd_enable(struct session *s, struct slice args)
{
	unsigned before = s->enabled;
	struct slice name;
	bool some = false;

	while (imap_sp(&args)) {
		if (!imap_atom(&args, &name))
			return bad(s, "capability expected");
		some = true;
		for (size_t i = 0; i < 4; i++)
			if (slice_ieqs(name, extensions[i].name))
				s->enabled |= extensions[i].what |
				    extensions[i].implies;
	}
	if (args.n != 0 || !some)
		return bad(s, "list of capabilities expected");
	sb_puts(&s->o, "* ENABLED");
	for (size_t i = 0; i < 4; i++)
		if ((s->enabled & ~before & extensions[i].what) != 0)
			sb_printf(&s->o, " %s", extensions[i].name);
	sb_puts(&s->o, "\r\n");
	if ((s->enabled & ~before & EN_CONDSTORE) != 0)
		cond_enable(s);
	return ok(s, "done");
}

enum result
cmd_namespace(struct session *s, struct slice args)
{
	if (args.n != 0)
		return bad(s, "no arguments expected");
	line(s, "NAMESPACE ((\"\" \"/\")) NIL NIL");
	return ok(s, "done");
}
