/* Cached texts of messages, and subscriptions. */
#include "store/index.h"

#include <errno.h>

#include "base/alloc.h"
#include "base/tuple.h"
#include "store/codec.h"

#define TEXT_MAX ((size_t)256 * 1024)

static MDB_val
text_key(unsigned char b[8], uint32_t box, uint32_t uid)
{
	for (unsigned i = 0; i < 4; i++) {
		b[i] = (unsigned char)(box >> 8 * (3 - i));
		b[4 + i] = (unsigned char)(uid >> 8 * (3 - i));
	}
	return (MDB_val){ 8, b };
}

/* 1 and *value, borrowed from the transaction. */
int
text_get(struct account *a, MDB_txn *txn, uint32_t box, uint32_t uid,
    struct slice *value)
{
	unsigned char b[8];
	MDB_val k = text_key(b, box, uid), v;
	int rc = mdb_get(txn, a->db[DB_TEXT], &k, &v);

	if (rc == MDB_NOTFOUND)
		return 0;
	if (rc != 0)
		return index_errno(rc);
	*value = slice_of(v.mv_data, v.mv_size);
	return 1;
}

int
text_put(struct wtx *w, uint32_t box, uint32_t uid, struct slice value)
{
	unsigned char b[8];
	MDB_val k = text_key(b, box, uid);
	MDB_val v = { value.n, (void *)(uintptr_t)value.p };

	return index_errno(mdb_put(w->txn, w->a->db[DB_TEXT], &k, &v, 0));
}

static void
take_ids(const struct tuple *t, struct strbuf *refs)
{
	for (size_t i = 0; i < t->count; i++)
		if (slice_eqs(t->attr[i].name, "ref")) {
			if (refs->n != 0)
				sb_putc(refs, ' ');
			sb_put(refs, t->attr[i].value);
		}
}

static struct slice
fit(struct slice s)
{
	return s.n <= TEXT_MAX ? s : SLICE_NONE;
}

/* A record that message_text keeps, if this line is one. */
static void
take_line(struct slice line, struct arena *ar, struct message_text *m,
    struct strbuf *refs)
{
	struct tuple_reader rd;
	struct tuple t;
	struct slice word, rest = line;

	slice_cut(&rest, ' ', &word);
	if (!slice_eqs(word, "envelope") &&
	    !slice_eqs(word, "envelope-utf8") && !slice_eqs(word, "body") &&
	    !slice_eqs(word, "preview") && !slice_eqs(word, "thread"))
		return;
	tuple_reader_init(&rd, line);
	if (tuple_next(&rd, ar, &t) != 1)
		return;
	if (tuple_is(&t, "envelope"))
		m->envelope = fit(tuple_value(&t, "text"));
	else if (tuple_is(&t, "envelope-utf8"))
		m->envelope_utf8 = fit(tuple_value(&t, "text"));
	else if (tuple_is(&t, "body"))
		m->body = fit(tuple_value(&t, "text"));
	else if (tuple_is(&t, "preview"))
		m->preview = fit(tuple_value(&t, "text"));
	else {
		m->msgid = fit(tuple_value(&t, "msgid"));
		m->subject = fit(tuple_value(&t, "subject"));
		m->reply = tuple_has(&t, "reply", "yes");
		take_ids(&t, refs);
	}
}

void
text_encode(struct slice parts, struct strbuf *value)
{
	struct arena ar = { 0 };
	struct message_text m = { 0 };
	struct strbuf refs = STRBUF_INIT(TEXT_MAX);
	struct slice line;

	while (slice_line(&parts, &line) == 1)
		take_line(line, &ar, &m, &refs);
	m.refs = refs.over ? SLICE_NONE : sb_slice(&refs);
	put_num(value, INDEX_VERSION, 1);
	put_num(value, m.reply, 1);
	put_bytes(value, m.envelope, 4);
	put_bytes(value, m.envelope_utf8, 4);
	put_bytes(value, m.body, 4);
	put_bytes(value, m.preview, 4);
	put_bytes(value, m.msgid, 4);
	put_bytes(value, m.refs, 4);
	put_bytes(value, m.subject, 4);
	sb_free(&refs);
	arena_free(&ar);
}

int
text_decode(struct slice value, struct arena *ar, struct message_text *m)
{
	struct taker t = { .in = value };
	bool good = take_num(&t, 1) == INDEX_VERSION;

	m->reply = take_num(&t, 1) != 0;
	m->envelope = arena_copy(ar, take_bytes(&t, 4));
	m->envelope_utf8 = arena_copy(ar, take_bytes(&t, 4));
	m->body = arena_copy(ar, take_bytes(&t, 4));
	m->preview = arena_copy(ar, take_bytes(&t, 4));
	m->msgid = arena_copy(ar, take_bytes(&t, 4));
	m->refs = arena_copy(ar, take_bytes(&t, 4));
	m->subject = arena_copy(ar, take_bytes(&t, 4));
	if (good && !t.bad)
		return 0;
	errno = EUCLEAN;
	return -1;
}

/* Forget the name that was unsubscribed first: 1, 0 if all are subscribed. */
static int
sub_forget(struct wtx *w)
{
	struct subscription *list, *oldest = NULL;
	struct arena ar = { 0 };
	size_t count;
	MDB_val k;
	int r = sub_all(w->a, w->txn, &ar, &list, &count);

	for (size_t i = 0; r == 0 && i < count; i++)
		if (!list[i].on && (oldest == NULL ||
		    list[i].modseq < oldest->modseq))
			oldest = &list[i];
	if (oldest != NULL) {
		k = (MDB_val){ oldest->name.n,
			(void *)(uintptr_t)oldest->name.p };
		r = index_errno(mdb_del(w->txn, w->a->db[DB_SUB], &k, NULL));
		if (r == 0)
			r = 1;
	}
	arena_free(&ar);
	return r;
}

/* Room for a name that may be new. */
static int
sub_room(struct wtx *w, MDB_val *k)
{
	MDB_stat st;
	MDB_val v;
	int rc = mdb_get(w->txn, w->a->db[DB_SUB], k, &v), r;

	if (rc == MDB_NOTFOUND)
		rc = mdb_stat(w->txn, w->a->db[DB_SUB], &st);
	else if (rc == 0)
		return 0;
	if (rc != 0)
		return index_errno(rc);
	r = st.ms_entries < STORE_SUBSCRIPTIONS_MAX ? 1 : sub_forget(w);
	if (r == 0)
		errno = E2BIG;
	return r == 1 ? 0 : -1;
}

int
sub_put(struct wtx *w, struct slice name, bool on)
{
	struct strbuf sb = STRBUF_INIT(64);
	MDB_val k = { name.n, (void *)(uintptr_t)name.p }, v;
	int rc;

	if (sub_room(w, &k) == -1)
		return -1;
	put_num(&sb, INDEX_VERSION, 1);
	put_num(&sb, wtx_seq(w), 8);
	put_num(&sb, on, 1);
	v = (MDB_val){ sb.n, sb.p };
	rc = mdb_put(w->txn, w->a->db[DB_SUB], &k, &v, 0);
	sb_free(&sb);
	return index_errno(rc);
}

/* In order of name: the key. */
int
sub_all(struct account *a, MDB_txn *txn, struct arena *ar,
    struct subscription **list, size_t *count)
{
	MDB_stat st;
	MDB_cursor *c;
	MDB_val k, v;
	int rc;

	*count = 0;
	if ((rc = mdb_stat(txn, a->db[DB_SUB], &st)) != 0 ||
	    (rc = mdb_cursor_open(txn, a->db[DB_SUB], &c)) != 0)
		return index_errno(rc);
	*list = arena_alloc(ar,
	    size_mul(size_add(st.ms_entries, 1), sizeof(**list)));
	while (*count < st.ms_entries &&
	    (rc = mdb_cursor_get(c, &k, &v, MDB_NEXT)) == 0) {
		struct subscription *s = &(*list)[(*count)++];
		struct taker t = {
			.in = slice_of(v.mv_data, v.mv_size),
		};

		take_num(&t, 1);
		s->name = arena_copy(ar, slice_of(k.mv_data, k.mv_size));
		s->modseq = take_num(&t, 8);
		s->on = take_num(&t, 1) != 0;
	}
	mdb_cursor_close(c);
	return rc == MDB_NOTFOUND ? 0 : index_errno(rc);
}
