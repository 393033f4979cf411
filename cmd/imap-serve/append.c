/*
 * append.c - APPEND, also of several messages (RFC 9051 section 6.3.12,
 * RFC 3502), with literals that go from the socket to a file in tmp/
 */
#include "base/log.h"
#include "session.h"

struct append_args {
	struct flagset set;
	int64_t received;
	bool utf8; /* "UTF8 (~{n}": a ")" follows the literal, RFC 6855 */
};

enum taken { T_GOOD, T_NAME, T_BAD };

/*
 * " [flags] [date] [UTF8 (] [~]{n}" - what stands before a message. T_BAD with
 * *why.
 */
static enum taken
take_message(struct session *s, struct slice *in, struct append_args *a,
    const char **why)
{
	struct slice *flag;
	size_t count;

	*a = (struct append_args){ .received = -1 };
	*why = "flags, date or literal expected";
	if (!imap_sp(in))
		return T_BAD;
	if (imap_next(*in, '(')) {
		if (!imap_flags(in, &s->ar, &flag, &count) ||
		    !flagset_of(s, flag, count, &a->set, why) || !imap_sp(in))
			return T_BAD;
	}
	if (imap_next(*in, '"')) {
		*why = "bad date";
		if (!imap_datetime(in, &a->received) || !imap_sp(in))
			return T_BAD;
		if (a->received < 0)
			a->received = 0;
	}
	if (imap_word(in, "UTF8")) {
		a->utf8 = true;
		if (!imap_sp(in) || !imap_take(in, '('))
			return T_BAD;
	}
	imap_take(in, '~');
	return imap_next(*in, '{') ? T_GOOD : T_BAD;
}

/* The literal that the text ends in is the mailbox name. */
static bool
name_is_literal(struct slice args)
{
	return slice_starts(args, S(" {")) && slice_chr(args, '\n') == -1;
}

/* The rest of a command that has been answered is not looked at. */
static enum result
refuse(struct session *s)
{
	imap_literal_refuse(&s->reader);
	return R_DONE;
}

/* The client sends it anyway, and it may be endless: RFC 7888 section 4. */
static enum result
too_big(struct session *s)
{
	sb_put(&s->o, s->tag);
	sb_putc(&s->o, ' ');
	sb_put(&s->o, sb_slice(&s->reply));
	sb_puts(&s->o, "\r\n");
	session_bye(s, "[ALERT] message too big");
	return R_GONE;
}

/* Read one literal into the append; false: the connection is gone. */
static bool
read_message(struct session *s, struct append *ap, bool *failed)
{
	enum imap_event ev;
	struct slice data;

	if (s->reader.literal.sync)
		sb_puts(&s->o, "+ go on\r\n");
	imap_literal_stream(&s->reader);
	while ((ev = session_event(s, LITERAL_MS, &data)) == IMAP_DATA)
		if (!*failed && append_text(ap, data) == -1) {
			no_errno(s, "write message");
			*failed = true;
		}
	return ev == IMAP_DATA_END;
}

static enum result
commit(struct session *s, struct append *ap, const struct mailbox *mb)
{
	size_t n = append_count(ap);
	uint32_t first, last;

	if (append_commit(ap) == -1)
		return no_errno(s, "store message");
	first = append_uid(ap, 0);
	last = append_uid(ap, (int)n - 1);
	if (s->view.box == mb->id)
		view_sync(s);
	if (n == 1)
		return ok(s, "[APPENDUID %u %u] done",
		    append_uidvalidity(ap), first);
	return ok(s, "[APPENDUID %u %u:%u] done", append_uidvalidity(ap),
	    first, last);
}

/*
 * The reader stands at the head of a message's literal, `in' is what came
 * before it. Read message after message until the command ends.
 */
static enum result
read_messages(struct session *s, struct append *ap, struct slice in,
    const struct mailbox *mb)
{
	struct append_args a;
	const char *why = "";
	bool failed = false;

	for (;;) {
		struct slice data;
		uint64_t size = s->reader.literal.size;

		if (take_message(s, &in, &a, &why) != T_GOOD) {
			bad(s, "%s", why);
			return refuse(s);
		}
		if (size == 0 && !failed) {
			no(s, "an empty message is not stored");
			failed = true;
		}
		if (size > s->append_most && !failed) {
			no(s, "[TOOBIG] a message may have %llu bytes",
			    (unsigned long long)s->append_most);
			failed = true;
			if (!s->reader.literal.sync)
				return too_big(s);
		}
		if (!failed && append_begin(ap) == -1) {
			no_errno(s, "begin message");
			failed = true;
		}
		if (failed && s->reader.literal.sync)
			return refuse(s);
		if (!read_message(s, ap, &failed))
			return R_GONE;
		if (!failed && append_end(ap, &a.set, a.received,
		    SLICE_NONE) == -1) {
			no_errno(s, "end message");
			failed = true;
		}
		switch (session_event(s, LITERAL_MS, &data)) {
		case IMAP_COMMAND:
			in = sb_slice(&s->reader.text);
			if (a.utf8 && !imap_take(&in, ')'))
				return bad(s, "\")\" expected");
			if (in.n != 0)
				return bad(s, "extra arguments");
			return failed ? R_DONE : commit(s, ap, mb);
		case IMAP_LITERAL:
			in = sb_slice(&s->reader.text);
			if (a.utf8 && !imap_take(&in, ')')) {
				bad(s, "\")\" expected");
				return refuse(s);
			}
			break;
		case IMAP_TOOLONG:
			session_bye(s, "command line too long");
			return R_GONE;
		default:
			return R_GONE;
		}
	}
}

/* Called at the head of a literal, or at the end of a command without one. */
enum result
cmd_append(struct session *s, struct slice args)
{
	struct slice name;
	struct mailbox mb;
	struct append *ap;
	enum result r;
	bool at_literal = s->reader.done == false;

	sb_reset(&s->reply);
	if (!at_literal)
		return bad(s, "message expected");
	if (name_is_literal(args)) {
		if (!imap_literal_fits(&s->reader)) {
			bad(s, "[TOOBIG] literal too long");
			if (!s->reader.literal.sync)
				session_bye(s, "[ALERT] literal too long");
			return refuse(s);
		}
		if (s->reader.literal.sync)
			sb_puts(&s->o, "+ go on\r\n");
		imap_literal_keep(&s->reader);
		return R_GONE; /* we are called again at the next one */
	}
	if (!imap_sp(&args)) {
		bad(s, "mailbox name expected");
		return refuse(s);
	}
	if (!take_mailbox(s, &args, &name) ||
	    find_mailbox(s, name, "TRYCREATE", &mb) != 1)
		return refuse(s);
	ap = append_new(s->store, mb.id);
	if (ap == NULL) {
		no_errno(s, "begin append");
		return refuse(s);
	}
	args = arena_copy(&s->ar, args);
	r = read_messages(s, ap, args, &mb);
	append_free(ap);
	return r;
}
