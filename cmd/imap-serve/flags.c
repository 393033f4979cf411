/*
 * flags.c - flags and keywords to and from the wire (RFC 9051 section 2.3.2)
 */
#include "base/alloc.h"
#include "session.h"

static const struct {
	const char *name;
	unsigned flag;
} names[] = {
	{ "\\Seen", FLAG_SEEN },
	{ "\\Answered", FLAG_ANSWERED },
	{ "\\Flagged", FLAG_FLAGGED },
	{ "\\Deleted", FLAG_DELETED },
	{ "\\Draft", FLAG_DRAFT },
	{ "$Forwarded", FLAG_FORWARDED },
	{ "$Junk", FLAG_JUNK },
	{ "$NotJunk", FLAG_NOTJUNK },
	{ "$Phishing", FLAG_PHISHING },
	{ "$MDNSent", FLAG_MDNSENT },
};

void
put_flags(struct session *s, struct strbuf *sb, const struct flagset *set)
{
	const char *sep = "";

	(void)s;
	sb_putc(sb, '(');
	for (size_t i = 0; i < COUNTOF(names); i++)
		if ((set->flags & names[i].flag) != 0) {
			sb_printf(sb, "%s%s", sep, names[i].name);
			sep = " ";
		}
	for (size_t i = 0; i < set->keywords; i++) {
		sb_puts(sb, sep);
		sb_put(sb, set->keyword[i]);
		sep = " ";
	}
	sb_putc(sb, ')');
}

static unsigned
flag_of(struct slice name)
{
	for (size_t i = 0; i < COUNTOF(names); i++)
		if (slice_ieqs(name, names[i].name))
			return names[i].flag;
	return 0;
}

bool
flagset_of(struct session *s, const struct slice *flag, size_t count,
    struct flagset *set, const char **why)
{
	*set = (struct flagset){ 0 };
	set->keyword = arena_alloc(&s->ar, count * sizeof(*set->keyword) + 1);
	for (size_t i = 0; i < count; i++) {
		unsigned f = flag_of(flag[i]);

		set->flags |= f;
		if (f != 0)
			continue;
		if (slice_ieqs(flag[i], "\\Recent"))
			continue; /* old clients copy what servers gave */
		if (flag[i].p[0] == '\\') {
			*why = "unknown system flag";
			return false;
		}
		if (!keyword_ok(flag[i]) ||
		    set->keywords == STORE_MESSAGE_KEYWORDS) {
			*why = "keyword too long, or too many";
			return false;
		}
		set->keyword[set->keywords++] = flag[i];
	}
	return true;
}

void
tell_flags(struct session *s, const struct mailbox *mb)
{
	struct flagset all = {
		.flags = FLAG_ALL,
		.keyword = mb->keyword,
		.keywords = mb->keywords,
	};

	sb_puts(&s->o, "* FLAGS ");
	put_flags(s, &s->o, &all);
	sb_puts(&s->o, "\r\n* OK [PERMANENTFLAGS ");
	if (s->view.readonly)
		sb_puts(&s->o, "()");
	else {
		put_flags(s, &s->o, &all);
		sb_cut(&s->o, s->o.n - 1);
		sb_puts(&s->o, " \\*)");
	}
	sb_puts(&s->o, "] flags that stay\r\n");
	s->view.keywords = mb->keywords;
}

void
put_fetch_flags(struct session *s, const struct message *m, bool flags)
{
	uint32_t seq = view_seq(&s->view, m->uid);

	if (seq == 0)
		return;
	sb_printf(&s->o, "* %u FETCH (UID %u", seq, m->uid);
	if (flags) {
		sb_puts(&s->o, " FLAGS ");
		put_flags(s, &s->o, &m->set);
	}
	if ((s->enabled & EN_CONDSTORE) != 0)
		sb_printf(&s->o, " MODSEQ (%llu)",
		    (unsigned long long)m->modseq);
	sb_puts(&s->o, ")\r\n");
	flush_some(s);
}
