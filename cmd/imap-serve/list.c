/*
 * list.c - LIST, LSUB, XLIST (RFC 9051 section 6.3.9, RFC 3501 section 6.3.9,
 * RFC 5258, 5819, 6154)
 */
#include "base/alloc.h"
#include "base/log.h"
#include "session.h"


enum select_opts { SEL_SUBSCRIBED = 1, SEL_RECURSIVE = 2, SEL_SPECIAL = 4 };
enum return_opts {
	RET_SUBSCRIBED = 1, RET_CHILDREN = 2, RET_SPECIAL = 4, RET_STATUS = 8
};

struct list {
	bool extended, lsub, xlist;
	unsigned select, give;
	struct slice reference;
	struct slice pattern[PATTERNS_MAX];
	size_t patterns;
	struct status_items status;
	struct mailbox *box;
	size_t boxes;
	struct subscription *sub;
	size_t subs;
};

/*
 * Polynomial whatever the pattern: `on' is the set of pattern positions that
 * the name so far can have reached.
 */
bool
pattern_match(struct slice p, struct slice name)
{
	bool on[STORE_NAME_MAX + 2] = { true }, next[STORE_NAME_MAX + 2];

	if (p.n > STORE_NAME_MAX)
		return false;
	for (size_t i = 0;; i++) {
		for (size_t j = 0; j < p.n; j++)
			if (on[j] && (p.p[j] == '*' || p.p[j] == '%'))
				on[j + 1] = true;
		if (i == name.n)
			return on[p.n];
		memset(next, 0, p.n + 1);
		for (size_t j = 0; j < p.n; j++) {
			if (!on[j])
				continue;
			if (p.p[j] == '*' ||
			    (p.p[j] == '%' && name.p[i] != '/'))
				next[j] = true;
			else if (p.p[j] == name.p[i])
				next[j + 1] = true;
		}
		memcpy(on, next, p.n + 1);
	}
}

static bool
matches(const struct list *l, struct slice name)
{
	for (size_t i = 0; i < l->patterns; i++)
		if (pattern_match(l->pattern[i], name))
			return true;
	return false;
}

/* ---- arguments ---- */

static bool
take_select_options(struct slice *in, struct list *l)
{
	l->extended = true;
	if (!imap_take(in, '('))
		return false;
	if (imap_take(in, ')'))
		return true;
	do {
		if (imap_word(in, "SUBSCRIBED"))
			l->select |= SEL_SUBSCRIBED;
		else if (imap_word(in, "RECURSIVEMATCH"))
			l->select |= SEL_RECURSIVE;
		else if (imap_word(in, "SPECIAL-USE"))
			l->select |= SEL_SPECIAL;
		else if (!imap_word(in, "REMOTE"))
			return false;
	} while (imap_sp(in));
	if ((l->select & (SEL_RECURSIVE | SEL_SUBSCRIBED)) == SEL_RECURSIVE)
		return false; /* RFC 5258 section 3.1 */
	return imap_take(in, ')');
}

static bool
take_return_options(struct slice *in, struct list *l)
{
	l->extended = true;
	if (!imap_word(in, "RETURN") || !imap_sp(in) || !imap_take(in, '('))
		return false;
	if (imap_take(in, ')'))
		return true;
	do {
		if (imap_word(in, "SUBSCRIBED"))
			l->give |= RET_SUBSCRIBED;
		else if (imap_word(in, "CHILDREN"))
			l->give |= RET_CHILDREN;
		else if (imap_word(in, "SPECIAL-USE"))
			l->give |= RET_SPECIAL;
		else if (!imap_word(in, "STATUS") || !imap_sp(in) ||
		    !take_status_items(in, &l->status))
			return false;
		else
			l->give |= RET_STATUS;
	} while (imap_sp(in));
	return imap_take(in, ')');
}

/* Reference and pattern joined, in the form that names have. */
static bool
take_pattern(struct session *s, struct slice *in, struct list *l)
{
	struct strbuf sb = STRBUF_INIT(2 * LITERAL_MAX);
	struct slice raw;
	bool good;

	if (l->patterns == PATTERNS_MAX || !imap_pattern(in, &s->ar, &raw))
		return false;
	sb_put(&sb, l->reference);
	if (l->reference.n != 0 && !slice_ends(l->reference, S("/")) &&
	    raw.n != 0 && raw.p[0] != '/')
		sb_putc(&sb, '/');
	sb_put(&sb, raw);
	good = imap_name(sb_slice(&sb), &s->ar, utf8_ok(s), &raw);
	sb_free(&sb);
	/* Q27: one separator at the end too many. */
	if (raw.n > 1 && raw.p[raw.n - 1] == '/')
		raw.n--;
	l->pattern[l->patterns++] = raw;
	return good;
}

static bool
take_args(struct session *s, struct slice *in, struct list *l)
{
	if (!imap_sp(in) ||
	    (!l->lsub && imap_next(*in, '(') &&
	    (!take_select_options(in, l) || !imap_sp(in))) ||
	    !imap_astring(in, &s->ar, &l->reference) || !imap_sp(in))
		return false;
	if (!l->lsub && imap_take(in, '(')) {
		l->extended = true;
		do
			if (!take_pattern(s, in, l))
				return false;
		while (imap_sp(in));
		if (!imap_take(in, ')'))
			return false;
	} else if (!take_pattern(s, in, l))
		return false;
	if (!l->lsub && imap_sp(in) && !take_return_options(in, l))
		return false;
	return in->n == 0;
}

/* ---- answers ---- */

static bool
is_below(struct slice name, struct slice parent)
{
	return name.n > parent.n && name.p[parent.n] == '/' &&
	    slice_starts(name, parent);
}

/* First mailbox whose name is not before `name' followed by "/". */
static bool
has_children(const struct list *l, struct slice name)
{
	size_t lo = 0, hi = l->boxes;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		struct slice b = l->box[mid].name;
		int c = slice_cmp(slice_sub(b, 0, name.n), name);

		if (c < 0 || (c == 0 && (b.n == name.n ||
		    b.p[name.n] < '/')))
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < l->boxes && is_below(l->box[lo].name, name);
}

static bool
is_subscribed(const struct list *l, struct slice name)
{
	for (size_t i = 0; i < l->subs; i++)
		if (l->sub[i].on && slice_eq(l->sub[i].name, name))
			return true;
	return false;
}

static bool
subscribed_below(const struct list *l, struct slice name)
{
	for (size_t i = 0; i < l->subs; i++)
		if (l->sub[i].on && is_below(l->sub[i].name, name))
			return true;
	return false;
}

static const struct mailbox *
find_box(const struct list *l, struct slice name)
{
	for (size_t i = 0; i < l->boxes; i++)
		if (slice_eq(l->box[i].name, name))
			return &l->box[i];
	return NULL;
}

static void
put_attr(struct session *s, const char **sep, const char *attr)
{
	sb_printf(&s->o, "%s%s", *sep, attr);
	*sep = " ";
}

static void
put_special(struct session *s, const struct list *l, unsigned special,
    const char **sep)
{
	if ((special & SPECIAL_SENT) != 0)
		put_attr(s, sep, "\\Sent");
	if ((special & SPECIAL_ARCHIVE) != 0)
		put_attr(s, sep, l->xlist ? "\\AllMail" : "\\Archive");
	if ((special & SPECIAL_TRASH) != 0)
		put_attr(s, sep, "\\Trash");
	if ((special & SPECIAL_DRAFTS) != 0)
		put_attr(s, sep, "\\Drafts");
	if ((special & SPECIAL_JUNK) != 0)
		put_attr(s, sep, l->xlist ? "\\Spam" : "\\Junk");
}

/* One mailbox; mb NULL: a name that only is subscribed, or a parent of one. */
static void
put_list(struct session *s, const struct list *l, struct slice name,
    const struct mailbox *mb, bool noselect, bool childinfo)
{
	const char *sep = "";

	sb_printf(&s->o, "* %s (",
	    l->lsub ? "LSUB" : l->xlist ? "XLIST" : "LIST");
	if (noselect)
		put_attr(s, &sep, "\\NoSelect");
	else if (mb == NULL && !l->lsub)
		put_attr(s, &sep, "\\NonExistent");
	if (!l->lsub && (l->select & SEL_SUBSCRIBED ||
	    l->give & RET_SUBSCRIBED) && is_subscribed(l, name))
		put_attr(s, &sep, "\\Subscribed");
	if (!l->lsub && mb != NULL && (!l->extended ||
	    (l->give & RET_CHILDREN) != 0))
		put_attr(s, &sep, has_children(l, name) ? "\\HasChildren" :
		    "\\HasNoChildren");
	if (mb != NULL) {
		put_special(s, l, mb->special, &sep);
		if (l->xlist && slice_eqs(name, "INBOX"))
			put_attr(s, &sep, "\\Inbox");
	}
	sb_puts(&s->o, ") \"/\" ");
	imap_put_mailbox(&s->o, name, utf8_ok(s));
	if (childinfo)
		sb_puts(&s->o, " (\"CHILDINFO\" (\"SUBSCRIBED\"))");
	sb_puts(&s->o, "\r\n");
	if ((l->give & RET_STATUS) != 0 && mb != NULL)
		put_status(s, mb, &l->status);
	flush_some(s);
}

static void
list_boxes(struct session *s, const struct list *l)
{
	for (size_t i = 0; i < l->boxes; i++) {
		const struct mailbox *mb = &l->box[i];
		bool below = (l->select & SEL_RECURSIVE) != 0 &&
		    subscribed_below(l, mb->name);

		if (!matches(l, mb->name))
			continue;
		if ((l->select & SEL_SUBSCRIBED) != 0 && !mb->subscribed &&
		    !below)
			continue;
		if ((l->select & SEL_SPECIAL) != 0 && mb->special == 0)
			continue;
		put_list(s, l, mb->name, mb, false, below);
	}
}

/* Subscribed names without a mailbox, for LIST (SUBSCRIBED). */
static void
list_absent(struct session *s, const struct list *l)
{
	for (size_t i = 0; i < l->subs; i++)
		if (l->sub[i].on && matches(l, l->sub[i].name) &&
		    find_box(l, l->sub[i].name) == NULL)
			put_list(s, l, l->sub[i].name, NULL, false, false);
}

/*
 * With "%" a subscribed name below a level that matches stands for its
 * parent: RFC 3501 section 6.3.9.
 */
static void
lsub_parents(struct session *s, const struct list *l)
{
	struct slice last = SLICE_NONE;

	for (size_t i = 0; i < l->subs; i++) {
		struct slice name = l->sub[i].name, up = name;
		ptrdiff_t cut;

		if (!l->sub[i].on || matches(l, name))
			continue;
		while ((cut = slice_rchr(up, '/')) > 0) {
			up.n = (size_t)cut;
			if (!matches(l, up))
				continue;
			if (!slice_eq(up, last) && !is_subscribed(l, up))
				put_list(s, l, up, NULL, true, false);
			last = up;
			break;
		}
	}
}

static enum result
list(struct session *s, struct slice args, struct list *l)
{
	if (!take_args(s, &args, l))
		return bad(s, "bad arguments");
	if (!l->extended && l->pattern[0].n == l->reference.n &&
	    slice_eq(l->pattern[0], l->reference)) {
		/* Empty pattern: the separator is asked for. */
		line(s, "%s (\\NoSelect) \"/\" \"\"",
		    l->lsub ? "LSUB" : l->xlist ? "XLIST" : "LIST");
		return ok(s, "done");
	}
	if (account_sync(s->store) == -1)
		log_sys("look for new mailboxes");
	if (mailbox_list(s->store, false, &s->ar, &l->box, &l->boxes) == -1 ||
	    subscription_list(s->store, &s->ar, &l->sub, &l->subs) == -1)
		return no_errno(s, "list mailboxes");
	if (l->lsub) {
		for (size_t i = 0; i < l->subs; i++)
			if (l->sub[i].on && matches(l, l->sub[i].name))
				put_list(s, l, l->sub[i].name,
				    find_box(l, l->sub[i].name), false, false);
		lsub_parents(s, l);
		return ok(s, "done");
	}
	list_boxes(s, l);
	if ((l->select & SEL_SUBSCRIBED) != 0)
		list_absent(s, l);
	return ok(s, "done");
}

enum result
cmd_list(struct session *s, struct slice args)
{
	struct list l = { 0 };

	return list(s, args, &l);
}

enum result
cmd_lsub(struct session *s, struct slice args)
{
	struct list l = { .lsub = true };

	return list(s, args, &l);
}

/* Old Outlook finds the special mailboxes with it only. */
enum result
cmd_xlist(struct session *s, struct slice args)
{
	struct list l = { .xlist = true };

	return list(s, args, &l);
}
