/*
 * fetch.c - FETCH, UID FETCH (RFC 9051 section 6.4.5)
 *
 * Messages are done in batches: their records are read from the index, \Seen
 * is set for all of the batch that need it, then each is answered.
 */
#include <errno.h>

#include "base/alloc.h"
#include "base/log.h"
#include "body.h"
#include "session.h"


enum item_kind {
	I_UID, I_FLAGS, I_INTERNALDATE, I_SIZE, I_MODSEQ, I_SAVEDATE,
	I_PREVIEW, I_ENVELOPE, I_BODY_PLAIN, I_BODYSTRUCTURE, I_BODY,
	I_BINARY, I_BINARY_SIZE, I_RFC822, I_RFC822_HEADER, I_RFC822_TEXT
};

struct item {
	enum item_kind kind;
	struct section section;
	struct partial partial;
};

struct fetch {
	struct item item[ITEMS_MAX];
	size_t items;
	bool seen;      /* some item sets \Seen */
	bool flags;     /* FLAGS is asked for */
	bool texts;     /* ENVELOPE, BODYSTRUCTURE or PREVIEW */
	uint64_t changed_since;
	bool changed, vanished;
	bool issued;    /* a message was gone */
	bool record;    /* some item needs the index: a gone message has none */
	bool unknown_cte;
};

/* ---- arguments ---- */

static bool
add(struct fetch *f, enum item_kind kind)
{
	if (f->items == ITEMS_MAX)
		return false;
	f->item[f->items++] = (struct item){ .kind = kind };
	if (kind == I_ENVELOPE || kind == I_BODYSTRUCTURE ||
	    kind == I_BODY_PLAIN || kind == I_PREVIEW)
		f->texts = true;
	if (kind == I_FLAGS)
		f->flags = true;
	if (kind == I_FLAGS || kind == I_MODSEQ || kind == I_INTERNALDATE ||
	    kind == I_SAVEDATE)
		f->record = true;
	return true;
}

static const struct {
	const char *name;
	enum item_kind kind;
	bool seen;
} simple[] = {
	{ "UID", I_UID, false }, { "FLAGS", I_FLAGS, false },
	{ "INTERNALDATE", I_INTERNALDATE, false },
	{ "RFC822.SIZE", I_SIZE, false }, { "MODSEQ", I_MODSEQ, false },
	{ "SAVEDATE", I_SAVEDATE, false }, { "ENVELOPE", I_ENVELOPE, false },
	{ "BODYSTRUCTURE", I_BODYSTRUCTURE, false },
	{ "RFC822", I_RFC822, true },
	{ "RFC822.HEADER", I_RFC822_HEADER, false },
	{ "RFC822.TEXT", I_RFC822_TEXT, true },
};

static bool
take_body(struct session *s, struct slice *in, struct fetch *f)
{
	static const struct {
		const char *name;
		enum item_kind kind;
		bool peek;
	} form[] = {
		{ "BODY[", I_BODY, false }, { "BODY.PEEK[", I_BODY, true },
		{ "BINARY[", I_BINARY, false },
		{ "BINARY.PEEK[", I_BINARY, true },
		{ "BINARY.SIZE[", I_BINARY_SIZE, true },
	};

	for (size_t i = 0; i < COUNTOF(form); i++) {
		struct slice name = slice_str(form[i].name);
		struct item *it = &f->item[f->items];

		if (!slice_istarts(*in, name))
			continue;
		*in = slice_skip(*in, name.n - 1);
		if (!add(f, form[i].kind) || !take_section(s, in,
		    form[i].kind != I_BODY, &it->section) ||
		    (form[i].kind != I_BINARY_SIZE &&
		    !take_partial(in, &it->partial)))
			return false;
		f->seen |= !form[i].peek;
		return true;
	}
	if (!imap_word(in, "BODY"))
		return false;
	return add(f, I_BODY_PLAIN);
}

static bool
take_item(struct session *s, struct slice *in, struct fetch *f)
{
	for (size_t i = 0; i < COUNTOF(simple); i++)
		if (imap_word(in, simple[i].name)) {
			f->seen |= simple[i].seen;
			if (simple[i].kind == I_MODSEQ)
				cond_enable(s);
			return add(f, simple[i].kind);
		}
	if (imap_word(in, "PREVIEW")) {
		struct slice rest = *in;

		if (imap_sp(&rest) && imap_take(&rest, '(')) {
			if (!imap_word(&rest, "LAZY") || !imap_take(&rest, ')'))
				return false;
			*in = rest;
		}
		return add(f, I_PREVIEW);
	}
	return take_body(s, in, f);
}

static bool
take_items(struct session *s, struct slice *in, struct fetch *f)
{
	if (imap_take(in, '(')) {
		if (imap_take(in, ')'))
			return true; /* the UID alone, as other servers do */
		do
			if (!take_item(s, in, f))
				return false;
		while (imap_sp(in));
		return imap_take(in, ')');
	}
	if (imap_word(in, "FAST"))
		return add(f, I_FLAGS) && add(f, I_INTERNALDATE) &&
		    add(f, I_SIZE);
	if (imap_word(in, "ALL"))
		return add(f, I_FLAGS) && add(f, I_INTERNALDATE) &&
		    add(f, I_SIZE) && add(f, I_ENVELOPE);
	if (imap_word(in, "FULL"))
		return add(f, I_FLAGS) && add(f, I_INTERNALDATE) &&
		    add(f, I_SIZE) && add(f, I_ENVELOPE) &&
		    add(f, I_BODY_PLAIN);
	return take_item(s, in, f);
}

static bool
take_modifiers(struct session *s, struct slice *in, struct fetch *f)
{
	if (!imap_take(in, '('))
		return false;
	do {
		if (imap_word(in, "CHANGEDSINCE")) {
			f->changed = true;
			if (!imap_sp(in) || !imap_number(in, INT64_MAX,
			    &f->changed_since))
				return false;
		} else if (imap_word(in, "VANISHED"))
			f->vanished = true;
		else
			return false;
	} while (imap_sp(in));
	if (f->changed)
		cond_enable(s);
	if (f->vanished && (!f->changed || !s->uid_cmd ||
	    (s->enabled & EN_QRESYNC) == 0))
		return false; /* RFC 7162 section 3.2.6 */
	return imap_take(in, ')');
}

/* ---- answers ---- */

static void
put_literal_item(struct opened *o, const struct item *it)
{
	struct session *s = o->s;
	struct section sec = { 0 };
	struct partial none = { 0 };

	switch (it->kind) {
	case I_RFC822:
		sb_puts(&s->o, "RFC822");
		break;
	case I_RFC822_HEADER:
		sb_puts(&s->o, "RFC822.HEADER");
		sec.text = SEC_HEADER;
		break;
	case I_RFC822_TEXT:
		sb_puts(&s->o, "RFC822.TEXT");
		sec.text = SEC_TEXT;
		break;
	default:
		sb_puts(&s->o, "BODY");
		put_section(&s->o, &it->section);
		put_body(o, &it->section, &it->partial);
		return;
	}
	put_body(o, &sec, &none);
}

static void
put_text_item(struct session *s, const struct message_text *t,
    enum item_kind kind)
{
	static const char none[] =
	    "(\"APPLICATION\" \"OCTET-STREAM\" NIL NIL NIL \"7BIT\" 0)";

	switch (kind) {
	case I_ENVELOPE:
		sb_puts(&s->o, "ENVELOPE ");
		sb_put(&s->o, t->envelope.n != 0 ? t->envelope :
		    S("(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)"));
		break;
	case I_BODYSTRUCTURE:
		sb_puts(&s->o, "BODYSTRUCTURE ");
		sb_put(&s->o, t->body.n != 0 ? t->body : slice_str(none));
		break;
	case I_BODY_PLAIN:
		sb_puts(&s->o, "BODY ");
		put_plain_structure(&s->o,
		    t->body.n != 0 ? t->body : slice_str(none));
		break;
	default:
		sb_puts(&s->o, "PREVIEW ");
		imap_put_string(&s->o, slice_trim(t->preview), utf8_ok(s));
	}
}

static void
put_item(struct fetch *f, struct opened *o, const struct message *m,
    const struct message_text *t, const struct item *it)
{
	struct session *s = o->s;

	switch (it->kind) {
	case I_UID: /* always there */
	case I_FLAGS:
		break;
	case I_INTERNALDATE:
		sb_puts(&s->o, "INTERNALDATE ");
		imap_put_datetime(&s->o, m->received);
		break;
	case I_SIZE:
		sb_printf(&s->o, "RFC822.SIZE %llu",
		    (unsigned long long)m->size);
		break;
	case I_MODSEQ:
		sb_printf(&s->o, "MODSEQ (%llu)",
		    (unsigned long long)m->modseq);
		break;
	case I_SAVEDATE:
		sb_puts(&s->o, "SAVEDATE ");
		if (m->saved > 0)
			imap_put_datetime(&s->o, m->saved);
		else
			sb_puts(&s->o, "NIL");
		break;
	case I_BINARY:
		sb_puts(&s->o, "BINARY");
		put_section(&s->o, &it->section);
		f->unknown_cte |= !put_binary(o, &it->section, &it->partial);
		break;
	case I_BINARY_SIZE:
		sb_puts(&s->o, "BINARY.SIZE");
		put_section(&s->o, &it->section);
		f->unknown_cte |= !put_binary_size(o, &it->section);
		break;
	case I_ENVELOPE:
	case I_BODYSTRUCTURE:
	case I_BODY_PLAIN:
	case I_PREVIEW:
		put_text_item(s, t, it->kind);
		break;
	default:
		put_literal_item(o, it);
	}
}

static bool
asks_modseq(const struct fetch *f)
{
	for (size_t i = 0; i < f->items; i++)
		if (f->item[i].kind == I_MODSEQ)
			return true;
	return false;
}

static int
answer(struct session *s, struct fetch *f, const struct message *m, bool flags,
    struct arena *ar)
{
	struct message_text t = { 0 };
	struct opened o;

	if (f->texts) {
		int r = message_text(s->store, s->view.box, m->uid, ar, &t);

		if (r == -1)
			return -1;
		if (r == 0) {
			f->issued = true;
			return 0;
		}
	}
	opened_init(&o, s, m->uid, ar);
	sb_printf(&s->o, "* %u FETCH (UID %u", view_seq(&s->view, m->uid),
	    m->uid);
	if (flags) {
		sb_puts(&s->o, " FLAGS ");
		put_flags(s, &s->o, &m->set);
	}
	if (!asks_modseq(f) && (f->changed ||
	    ((s->enabled & EN_CONDSTORE) != 0 && flags && !f->flags) ||
	    (s->uid_cmd && (s->enabled & EN_QRESYNC) != 0)))
		sb_printf(&s->o, " MODSEQ (%llu)",
		    (unsigned long long)m->modseq);
	for (size_t i = 0; i < f->items && !s->dead; i++) {
		if (f->item[i].kind == I_UID || f->item[i].kind == I_FLAGS)
			continue;
		sb_putc(&s->o, ' ');
		put_item(f, &o, m, &t, &f->item[i]);
	}
	sb_puts(&s->o, ")\r\n");
	flush_some(s);
	f->issued |= o.gone;
	opened_close(&o);
	return 0;
}

/*
 * A message that another session has expunged and this one does not know of:
 * its file is kept for a while. What needs only that is answered (RFC 2180
 * section 4.1.2); flags and dates went with the record.
 */
static int
answer_gone(struct session *s, struct fetch *f, uint32_t uid, struct arena *ar)
{
	struct message m = { .uid = uid };
	struct opened o;
	int64_t size;

	f->issued = true;
	if (f->record || f->texts || f->changed)
		return 0;
	opened_init(&o, s, uid, ar);
	size = opened_size(&o);
	opened_close(&o);
	if (size == -1)
		return 0;
	m.size = (uint64_t)size;
	return answer(s, f, &m, false, ar);
}

/* Records of these UIDs; those that are gone are left out. */
static int
read_batch(struct session *s, const uint32_t *uid, size_t count,
    struct arena *ar, struct message **list, size_t *n)
{
	size_t got, j = 0;
	struct message *m;

	*n = 0;
	if (uid[count - 1] - uid[0] >= 4 * count + 100) {
		*list = arena_alloc(ar, size_mul(count, sizeof(**list)));
		for (size_t i = 0; i < count; i++) {
			int r = message_get(s->store, s->view.box, uid[i], ar,
			    &(*list)[*n]);

			if (r == -1)
				return -1;
			*n += (size_t)r;
		}
		return 0;
	}
	if (message_list(s->store, s->view.box, uid[0], uid[count - 1],
	    uid[count - 1] - uid[0] + (size_t)1, ar, &m, &got) == -1)
		return -1;
	*list = m;
	for (size_t i = 0; i < got; i++) {
		while (j < count && uid[j] < m[i].uid)
			j++;
		if (j < count && uid[j] == m[i].uid)
			m[(*n)++] = m[i];
	}
	return 0;
}

/* Set \Seen on those that lack it, and in their records. */
static int
mark_seen(struct session *s, struct message *m, size_t count,
    struct arena *ar, bool *fresh)
{
	struct flagset seen = { .flags = FLAG_SEEN };
	uint32_t *uid = arena_alloc(ar, size_mul(count + 1, sizeof(*uid)));
	size_t n = 0;
	uint64_t modseq;

	for (size_t i = 0; i < count; i++)
		if ((m[i].set.flags & FLAG_SEEN) == 0)
			uid[n++] = m[i].uid;
	if (n == 0)
		return 0;
	if (message_flag(s->store, s->view.box, uid, n, FLAGS_ADD, &seen,
	    UINT64_MAX, ar, NULL, NULL, &modseq) == -1)
		return -1;
	view_own(s, modseq);
	for (size_t i = 0; i < count; i++)
		if ((m[i].set.flags & FLAG_SEEN) == 0) {
			m[i].set.flags |= FLAG_SEEN;
			m[i].modseq = modseq;
			fresh[i] = true;
		}
	return 0;
}

static int
fetch_batch(struct session *s, struct fetch *f, const uint32_t *uid,
    size_t count, struct arena *ar)
{
	struct arena one = { 0 }; /* of one message: texts may be large */
	struct message *m;
	size_t n, kept = 0;
	bool *fresh;
	int r = 0;

	if (read_batch(s, uid, count, ar, &m, &n) == -1)
		return -1;
	for (size_t i = 0, j = 0; i < count && n < count && r == 0; i++) {
		if (j < n && m[j].uid == uid[i])
			j++;
		else
			r = answer_gone(s, f, uid[i], &one);
		arena_reset(&one);
	}
	for (size_t i = 0; i < n; i++)
		if (!f->changed || m[i].modseq > f->changed_since)
			m[kept++] = m[i];
	fresh = arena_alloc(ar, kept + 1);
	if (f->seen && !s->view.readonly && r == 0)
		r = mark_seen(s, m, kept, ar, fresh);
	for (size_t i = 0; i < kept && !s->dead && r == 0; i++) {
		r = answer(s, f, &m[i], f->flags || fresh[i], &one);
		arena_reset(&one);
	}
	arena_free(&one);
	return r;
}

/* VANISHED (EARLIER) of what was asked for and is gone since. */
static void
tell_vanished(struct session *s, const struct fetch *f,
    const struct numset *asked)
{
	struct numset gone = { 0 }, set = *asked;
	struct message *m;
	size_t count;
	uint64_t now;

	numset_resolve(&set, s->view.count != 0 ?
	    s->view.uid[s->view.count - 1] : 0);
	if (message_changes(s->store, s->view.box, f->changed_since, &s->ar,
	    &m, &count, &now) == -1)
		return;
	for (size_t i = 0; i < count; i++)
		if (m[i].removed && m[i].modseq <= s->view.modseq &&
		    numset_has(&set, m[i].uid))
			numset_add(&gone, &s->ar, m[i].uid, m[i].uid);
	if (gone.n == 0)
		return;
	numset_resolve(&gone, 0); /* in order of modseq until here */
	sb_puts(&s->o, "* VANISHED (EARLIER) ");
	numset_put(&s->o, &gone);
	sb_puts(&s->o, "\r\n");
}

enum result
cmd_fetch(struct session *s, struct slice args)
{
	struct fetch *f = arena_alloc(&s->ar, sizeof(*f));
	struct arena ar = { 0 };
	struct numset set;
	struct uid_list uids;
	int r = 0;

	if (!imap_sp(&args) || !numset_take(&args, &s->ar, &set) ||
	    !imap_sp(&args) || !take_items(s, &args, f) ||
	    (imap_sp(&args) && !take_modifiers(s, &args, f)) || args.n != 0)
		return bad(s, "bad arguments");
	/* A UID that came after the last report may be asked for: Q4. */
	if (s->uid_cmd)
		view_sync(s);
	if (s->view.box == 0)
		return no(s, "[NONEXISTENT] the mailbox is gone");
	if (!view_uids(s, &set, &uids))
		return bad(s, "no such message");
	if (f->vanished && !set.saved)
		tell_vanished(s, f, &set);
	for (size_t i = 0; r == 0 && i < uids.count && !s->dead; i += BATCH) {
		size_t n = uids.count - i < BATCH ? uids.count - i : BATCH;

		r = fetch_batch(s, f, uids.uid + i, n, &ar);
		arena_reset(&ar);
	}
	if (r == -1)
		no_errno(s, "read messages");
	arena_free(&ar);
	if (r == -1)
		return R_DONE;
	if (f->unknown_cte)
		return no(s, "[UNKNOWN-CTE] a transfer encoding is unknown");
	if (f->issued)
		return ok(s, "[EXPUNGEISSUED] done, some are gone");
	return ok(s, "done");
}
