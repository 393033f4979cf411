/*
 * commands.c - from a command's text to its function (RFC 9051 section 6)
 */
#include <unistd.h>

#include "base/alloc.h"
#include "session.h"

enum {
	NEEDS_BOX = 1 << 0,  /* only with a mailbox selected */
	BY_NUMBER = 1 << 1,  /* no changes are told after it: section 7.5.1 */
	QUIET = 1 << 2,      /* no changes are told after it at all */
	HAS_UID = 1 << 3,    /* "UID name" exists */
	ONLY_LOGIN = 1 << 4, /* known, but not after login */
};

static const struct command {
	const char *name;
	unsigned how;
	enum result (*run)(struct session *, struct slice);
} commands[] = {
	{ "CAPABILITY", 0, cmd_capability },
	{ "NOOP", 0, cmd_noop },
	{ "LOGOUT", QUIET, cmd_logout },
	{ "ID", 0, cmd_id },
	{ "STARTTLS", ONLY_LOGIN, NULL },
	{ "AUTHENTICATE", ONLY_LOGIN, NULL },
	{ "LOGIN", ONLY_LOGIN, NULL },
	{ "ENABLE", 0, cmd_enable },
	{ "SELECT", QUIET, cmd_select },
	{ "EXAMINE", QUIET, cmd_examine },
	{ "CREATE", 0, cmd_create },
	{ "DELETE", 0, cmd_delete },
	{ "RENAME", 0, cmd_rename },
	{ "SUBSCRIBE", 0, cmd_subscribe },
	{ "UNSUBSCRIBE", 0, cmd_unsubscribe },
	{ "LIST", 0, cmd_list },
	{ "LSUB", 0, cmd_lsub },
	{ "XLIST", 0, cmd_xlist },
	{ "NAMESPACE", 0, cmd_namespace },
	{ "STATUS", 0, cmd_status },
	{ "APPEND", 0, cmd_append },
	{ "IDLE", 0, cmd_idle },
	{ "CHECK", NEEDS_BOX, cmd_noop },
	{ "CLOSE", NEEDS_BOX | QUIET, cmd_close },
	{ "UNSELECT", NEEDS_BOX | QUIET, cmd_unselect },
	{ "EXPUNGE", NEEDS_BOX | HAS_UID, cmd_expunge },
	{ "SEARCH", NEEDS_BOX | HAS_UID | BY_NUMBER, cmd_search },
	{ "FETCH", NEEDS_BOX | HAS_UID | BY_NUMBER, cmd_fetch },
	{ "STORE", NEEDS_BOX | HAS_UID | BY_NUMBER, cmd_store },
	{ "COPY", NEEDS_BOX | HAS_UID, cmd_copy },
	{ "MOVE", NEEDS_BOX | HAS_UID, cmd_move },
};

static const struct command *
find(struct slice name)
{
	for (size_t i = 0; i < COUNTOF(commands); i++)
		if (slice_ieqs(name, commands[i].name))
			return &commands[i];
	return NULL;
}

/* Read "tag SP [UID SP] name": the command and what follows, or NULL. */
static const struct command *
parse_head(struct session *s, struct slice *in)
{
	struct slice name = SLICE_NONE;
	const struct command *c;

	s->tag = SLICE_NONE;
	s->uid_cmd = false;
	if (!imap_tag(in, &s->tag) || !imap_sp(in))
		return NULL;
	s->tag = arena_copy(&s->ar, s->tag);
	if (!imap_atom(in, &name))
		return NULL;
	if (slice_ieqs(name, "UID") && imap_sp(in)) {
		s->uid_cmd = true;
		if (!imap_atom(in, &name))
			return NULL;
	}
	c = find(name);
	return c != NULL && (!s->uid_cmd || (c->how & HAS_UID) != 0) ?
	    c : NULL;
}

static void
send_reply(struct session *s)
{
	if (s->tag.n == 0)
		sb_puts(&s->o, "*");
	else
		sb_put(&s->o, s->tag);
	sb_putc(&s->o, ' ');
	sb_put(&s->o, sb_slice(&s->reply));
	sb_puts(&s->o, "\r\n");
	flush_some(s);
}

static void
run(struct session *s, const struct command *c, struct slice args)
{
	if ((c->how & ONLY_LOGIN) != 0)
		no(s, "[CANNOT] already logged in");
	else if ((c->how & NEEDS_BOX) != 0 && s->view.box == 0)
		no(s, "[CLIENTBUG] no mailbox is selected");
	else if (c->run(s, args) == R_GONE)
		return; /* connection gone, or parked */
	if ((c->how & QUIET) == 0 &&
	    ((c->how & BY_NUMBER) == 0 || s->uid_cmd))
		view_sync(s);
	send_reply(s);
}

void
session_command(struct session *s)
{
	struct slice in = sb_slice(&s->reader.text);
	bool unclear = slice_ends(in, S("+}"));
	const struct command *c = parse_head(s, &in);

	s->text = in;
	if (c == NULL) {
		bad(s, "unknown command");
		/* A client of another protocol, or a literal that is not one. */
		if (!s->spoke || unclear)
			session_bye(s, "this is an IMAP server");
		else
			send_reply(s);
		return;
	}
	s->spoke = true;
	run(s, c, in);
	if (unclear && slice_starts(sb_slice(&s->reply), S("BAD")))
		session_bye(s, "lost in a bad literal");
}

/*
 * A literal begins. APPEND reads its message itself; all others have theirs
 * kept in the text.
 */
void
session_literal(struct session *s)
{
	struct slice in = sb_slice(&s->reader.text);
	const struct command *c = parse_head(s, &in);

	if (c != NULL && c->run == cmd_append) {
		s->spoke = true;
		run(s, c, in);
		return;
	}
	if (c == NULL || !imap_literal_fits(&s->reader)) {
		if (c == NULL)
			bad(s, "unknown command");
		else
			bad(s, "[TOOBIG] literal too long");
		send_reply(s);
		if (!s->reader.literal.sync)
			session_bye(s, "[ALERT] literal too long");
		imap_literal_refuse(&s->reader);
		return;
	}
	if (s->reader.literal.sync)
		sb_puts(&s->o, "+ go on\r\n");
	imap_literal_keep(&s->reader);
}
