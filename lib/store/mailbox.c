/* Mailboxes: directories, the mailbox file, names, subscriptions. */
#include "store/index.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "addr/addr.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/tuple.h"

#define PATH_MAX_BYTES ((size_t)1024)
#define MAILBOX_FILE "pneu-mailbox"
#define MAILBOX_FILE_MAX ((size_t)4096)
#define KEYWORD_FILE "dovecot-keywords"
#define KEYWORD_FILE_MAX ((size_t)64 * 1024)
#define SUBSCRIPTIONS "subscriptions"
#define SUBSCRIPTIONS_BYTES \
	((size_t)STORE_SUBSCRIPTIONS_MAX * (STORE_NAME_MAX + 1))

/* ---- paths ---- */

int
box_dir(const struct box *b, struct strbuf *path)
{
	return maildir_from_name(b->name, path);
}

int
box_path(const struct box *b, const char *sub, struct slice name,
    struct strbuf *path)
{
	sb_reset(path);
	if (box_dir(b, path) == -1)
		return -1;
	sb_putc(path, '/');
	sb_puts(path, sub);
	if (name.n != 0) {
		if (sub[0] != '\0')
			sb_putc(path, '/');
		sb_put(path, name);
	}
	if (!path->over)
		return 0;
	errno = ENAMETOOLONG;
	return -1;
}

int
mailbox_paths(struct account *a, uint32_t box, struct strbuf *new_path,
    struct strbuf *cur_path)
{
	struct arena ar = { 0 };
	MDB_txn *txn;
	struct box b;
	int r;

	if (rtx_begin(a, &txn) == -1)
		return -1;
	r = box_live(a, txn, box, &ar, &b);
	rtx_end(a);
	sb_reset(new_path);
	sb_reset(cur_path);
	if (r == 1) {
		sb_puts(new_path, "Maildir/");
		sb_puts(cur_path, "Maildir/");
		r = box_dir(&b, new_path) == -1 || box_dir(&b, cur_path) == -1 ?
		    -1 : 0;
		sb_puts(new_path, "/new");
		sb_puts(cur_path, "/cur");
	}
	arena_free(&ar);
	return r;
}

/* ---- names (spec of RFC 9051 section 5.1, narrower) ---- */

static bool
component_ok(struct slice c)
{
	return c.n != 0 && !slice_eqs(c, ".") && !slice_eqs(c, "..");
}

/* No C0, DEL, C1, U+2028, U+2029. */
static bool
characters_ok(struct slice s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = s.p[i];

		if (c < 0x20 || c == 0x7f)
			return false;
		if (c == 0xc2 && s.p[i + 1] < 0xa0)
			return false;
		if (c == 0xe2 && s.p[i + 1] == 0x80 &&
		    (s.p[i + 2] == 0xa8 || s.p[i + 2] == 0xa9))
			return false;
	}
	return true;
}

int
mailbox_name(struct slice in, struct arena *ar, struct slice *out)
{
	struct strbuf dir = STRBUF_INIT(PATH_MAX_BYTES);
	struct slice rest, c;
	bool more;
	int r;

	errno = EINVAL;
	if (in.n > 1 && in.p[in.n - 1] == '/')
		in.n--;
	if (in.n == 0 || in.p[0] == '#' || !slice_is_utf8(in) ||
	    !characters_ok(in) || nfc(in, ar, out) == -1)
		return -1;
	*out = arena_copy(ar, *out); /* it may still be the caller's */
	if (out->n > STORE_NAME_MAX) {
		errno = ENAMETOOLONG;
		return -1;
	}
	rest = *out;
	do {
		more = slice_cut(&rest, '/', &c);
		if (!component_ok(c)) {
			errno = EINVAL;
			return -1;
		}
	} while (more);
	rest = *out;
	slice_cut(&rest, '/', &c);
	if (slice_ieqs(c, "INBOX"))
		memcpy((void *)(uintptr_t)out->p, "INBOX", 5);
	r = maildir_from_name(*out, &dir);
	sb_free(&dir);
	return r;
}

bool
keyword_ok(struct slice name)
{
	if (name.n == 0 || name.n > STORE_KEYWORD_LEN || !slice_is_print(name))
		return false;
	for (size_t i = 0; i < name.n; i++)
		if (strchr(" (){%*\"\\]", name.p[i]) != NULL)
			return false;
	return true;
}

/* ---- the mailbox file: what a rebuilt index must know ---- */

static const struct {
	unsigned bit;
	const char *name;
} specials[] = {
	{ SPECIAL_SENT, "sent" },
	{ SPECIAL_ARCHIVE, "archive" },
	{ SPECIAL_TRASH, "trash" },
	{ SPECIAL_DRAFTS, "drafts" },
	{ SPECIAL_JUNK, "junk" },
};

int
box_file_replace(struct account *a, const struct box *b, const char *name,
    struct slice body)
{
	struct strbuf tmp = STRBUF_INIT(PATH_MAX_BYTES);
	struct strbuf to = STRBUF_INIT(PATH_MAX_BYTES);
	int r = -1;

	if (box_path(b, "tmp", slice_str(name), &tmp) == 0 &&
	    box_path(b, name, SLICE_NONE, &to) == 0) {
		unlinkat(a->maildir, sb_cstr(&tmp), 0);
		r = file_commit(a->maildir, sb_cstr(&tmp), sb_cstr(&to), body,
		    0600);
	}
	sb_free(&tmp);
	sb_free(&to);
	return r;
}

int
box_file_write(struct account *a, const struct box *b)
{
	struct strbuf sb = STRBUF_INIT(MAILBOX_FILE_MAX);
	struct strbuf use = STRBUF_INIT(100);
	int r;

	for (size_t i = 0; i < COUNTOF(specials); i++)
		if ((b->special & specials[i].bit) != 0) {
			if (use.n != 0)
				sb_putc(&use, ',');
			sb_puts(&use, specials[i].name);
		}
	tuple_begin(&sb, "mailbox");
	tuple_putu(&sb, "version", INDEX_VERSION);
	tuple_putu(&sb, "uidvalidity", b->uidvalidity);
	tuple_putu(&sb, "uidlimit", b->uidlimit);
	tuple_opt(&sb, "special", sb_slice(&use));
	tuple_end(&sb);
	STEP("mailbox-file");
	r = box_file_replace(a, b, MAILBOX_FILE, sb_slice(&sb));
	sb_free(&use);
	sb_free(&sb);
	return r;
}

static unsigned
special_bits(struct slice list)
{
	unsigned bits = 0;
	struct slice word;

	while (list.n != 0) {
		slice_cut(&list, ',', &word);
		for (size_t i = 0; i < COUNTOF(specials); i++)
			if (slice_eqs(word, specials[i].name))
				bits |= specials[i].bit;
	}
	return bits;
}

int
box_file_read(struct account *a, struct slice dir, struct box_file *f)
{
	struct strbuf path = STRBUF_INIT(PATH_MAX_BYTES);
	struct strbuf text = STRBUF_INIT(MAILBOX_FILE_MAX);
	struct arena ar = { 0 };
	struct tuple_reader rd;
	struct tuple t;
	uint64_t v, limit;
	int r;

	*f = (struct box_file){ 0 };
	sb_put(&path, dir);
	sb_puts(&path, "/" MAILBOX_FILE);
	r = file_slurp(a->maildir, sb_cstr(&path), &text);
	tuple_reader_init(&rd, sb_slice(&text));
	if (r == 0 && tuple_next(&rd, &ar, &t) == 1 &&
	    tuple_is(&t, "mailbox") &&
	    tuple_u64(&t, "uidvalidity", UINT32_MAX, &v) == 0 &&
	    tuple_u64(&t, "uidlimit", UINT32_MAX, &limit) == 0 && v != 0) {
		f->uidvalidity = (uint32_t)v;
		f->uidlimit = (uint32_t)limit;
		f->special = special_bits(tuple_value(&t, "special"));
		r = 1;
	} else
		r = r == -1 && errno != ENOENT ? -1 : 0;
	sb_free(&path);
	sb_free(&text);
	arena_free(&ar);
	return r;
}

int
box_reserve(struct wtx *w, struct box *b)
{
	if (b->uidnext <= b->uidlimit)
		return 0;
	if (b->uidnext > UID_MAX - UID_RESERVE) {
		errno = E2BIG; /* the mailbox wants a new UIDVALIDITY */
		return -1;
	}
	b->uidlimit = b->uidnext + UID_RESERVE;
	return box_file_write(w->a, b);
}

/* ---- keywords and letters ---- */

/* The system flags that are keywords in other programs' eyes. */
static const struct {
	unsigned flag;
	const char *name;
} dollars[] = {
	{ FLAG_FORWARDED, "$Forwarded" },
	{ FLAG_JUNK, "$Junk" },
	{ FLAG_NOTJUNK, "$NotJunk" },
	{ FLAG_PHISHING, "$Phishing" },
	{ FLAG_MDNSENT, "$MDNSent" },
};

static const struct {
	unsigned flag;
	unsigned char letter;
} letters[] = { /* in the order in which they stand in a name */
	{ FLAG_DRAFT, 'D' },
	{ FLAG_FLAGGED, 'F' },
	{ FLAG_ANSWERED, 'R' },
	{ FLAG_SEEN, 'S' },
	{ FLAG_DELETED, 'T' },
};

unsigned
keyword_flag(struct slice name)
{
	for (size_t i = 0; i < COUNTOF(dollars); i++)
		if (slice_ieqs(name, dollars[i].name))
			return dollars[i].flag;
	return 0;
}

int
box_keywords_write(struct account *a, const struct box *b)
{
	struct strbuf sb = STRBUF_INIT(KEYWORD_FILE_MAX);
	int r;

	for (size_t i = 0; i < b->keywords && i < BOX_KEYWORD_LETTERS; i++)
		if (b->keyword[i].n != 0)
			sb_printf(&sb, "%zu %.*s\n", i,
			    SLICE_ARG(b->keyword[i]));
	r = box_file_replace(a, b, KEYWORD_FILE, sb_slice(&sb));
	sb_free(&sb);
	return r;
}

/* Fill holes of the table from the file that other programs may write too. */
int
box_keywords_read(struct wtx *w, struct box *b)
{
	struct strbuf path = STRBUF_INIT(PATH_MAX_BYTES);
	struct strbuf text = STRBUF_INIT(KEYWORD_FILE_MAX);
	struct slice in, line, number;
	struct slice *kw = arena_alloc(&w->ar,
	    (BOX_KEYWORD_LETTERS + b->keywords) * sizeof(*kw));
	uint64_t n;

	if (b->keywords != 0)
		memcpy(kw, b->keyword, b->keywords * sizeof(*kw));
	b->keyword = kw;
	if (box_path(b, KEYWORD_FILE, SLICE_NONE, &path) == 0 &&
	    file_slurp(w->a->maildir, sb_cstr(&path), &text) == -1)
		sb_reset(&text);
	in = sb_slice(&text);
	while (slice_line(&in, &line) == 1) {
		if (!slice_cut(&line, ' ', &number) || !keyword_ok(line) ||
		    slice_u64(number, BOX_KEYWORD_LETTERS - 1, &n) == -1)
			continue;
		if (n < b->keywords && kw[n].n != 0)
			continue;
		for (; b->keywords <= n; b->keywords++)
			kw[b->keywords] = SLICE_NONE;
		kw[n] = arena_copy(&w->ar, line);
	}
	sb_free(&path);
	sb_free(&text);
	return 0;
}

/* Letters of the old name that mean nothing to us (P) are kept. */
static bool
letter_known(const struct box *b, unsigned char c)
{
	for (size_t i = 0; i < COUNTOF(letters); i++)
		if (letters[i].letter == c)
			return true;
	return c >= 'a' && c <= 'z' && (size_t)(c - 'a') < b->keywords &&
	    b->keyword[c - 'a'].n != 0;
}

static void
add_letters(const struct box *b, const struct rec *r, bool want[128])
{
	for (size_t i = 0; i < COUNTOF(letters); i++)
		if ((r->flags & letters[i].flag) != 0)
			want[(unsigned char)letters[i].letter] = true;
	for (size_t i = 0; i < b->keywords && i < BOX_KEYWORD_LETTERS; i++)
		if ((r->flags & keyword_flag(b->keyword[i])) != 0)
			want['a' + i] = true;
	for (size_t i = 0; i < r->kws; i++)
		if (r->kw[i] < BOX_KEYWORD_LETTERS)
			want['a' + r->kw[i]] = true;
}

void
rec_info(const struct box *b, const struct rec *r, struct strbuf *info)
{
	bool want[128] = { false };
	struct slice old = r->info;

	add_letters(b, r, want);
	if (slice_starts(old, S("2,")))
		for (size_t i = 2; i < old.n; i++)
			if (ascii_isalpha(old.p[i]) &&
			    !letter_known(b, old.p[i]))
				want[old.p[i]] = true;
	sb_puts(info, "2,");
	for (int c = 'A'; c <= 'z'; c++)
		if (want[c])
			sb_putc(info, (unsigned char)c);
}

/*
 * What a file name says: system flags and the keywords that have letters.
 * Keywords without a letter (the 27th and later) stay as they are in r.
 */
int
rec_from_info(struct wtx *w, struct box *b, struct slice info, struct rec *r)
{
	uint16_t *kw = arena_alloc(&w->ar,
	    size_mul(size_add(r->kws, BOX_KEYWORD_LETTERS), sizeof(*kw)));
	unsigned lettered = FLAG_ALL & 0x1f;
	size_t n = 0;
	bool has[128] = { false };

	if (slice_starts(info, S("2,")))
		for (size_t i = 2; i < info.n; i++)
			if (info.p[i] < 128)
				has[info.p[i]] = true;
	for (size_t i = 0; i < b->keywords && i < BOX_KEYWORD_LETTERS; i++)
		lettered |= keyword_flag(b->keyword[i]);
	r->flags &= ~lettered;
	for (size_t i = 0; i < COUNTOF(letters); i++)
		if (has[(unsigned char)letters[i].letter])
			r->flags |= letters[i].flag;
	for (size_t i = 0; i < b->keywords && i < BOX_KEYWORD_LETTERS; i++) {
		if (!has['a' + i] || b->keyword[i].n == 0)
			continue;
		if (keyword_flag(b->keyword[i]) != 0)
			r->flags |= keyword_flag(b->keyword[i]);
		else
			kw[n++] = (uint16_t)i;
	}
	for (size_t i = 0; i < r->kws; i++)
		if (r->kw[i] >= BOX_KEYWORD_LETTERS)
			kw[n++] = r->kw[i];
	r->kw = kw;
	r->kws = n;
	return 0;
}

/* ---- making ---- */

static int
make_dirs(struct account *a, const struct box *b)
{
	static const char *const subs[] = { "tmp", "new", "cur" };
	struct strbuf path = STRBUF_INIT(PATH_MAX_BYTES);
	int r = 0;

	for (size_t i = 0; r == 0 && i < COUNTOF(subs); i++) {
		r = box_path(b, subs[i], SLICE_NONE, &path);
		if (r == 0)
			r = dir_make(a->maildir, sb_cstr(&path), 0700);
	}
	if (r == 0) {
		sb_reset(&path);
		r = box_dir(b, &path);
	}
	if (r == 0)
		r = dir_sync(a->maildir, sb_cstr(&path));
	if (r == 0)
		r = dir_sync(a->maildir, ".");
	sb_free(&path);
	return r;
}

static bool
uidvalidity_taken(struct box *list, size_t count, uint32_t v)
{
	for (size_t i = 0; i < count; i++)
		if (list[i].uidvalidity == v)
			return true;
	return false;
}

/* What an existing directory says about itself, if nobody else says it. */
static int
box_adopt(struct wtx *w, struct box *b)
{
	struct strbuf dir = STRBUF_INIT(PATH_MAX_BYTES);
	struct box_file f;
	struct box *list;
	size_t count;
	int r = -1;

	if (box_all(w->a, w->txn, &w->ar, &list, &count) == 0 &&
	    box_dir(b, &dir) == 0)
		r = box_file_read(w->a, sb_slice(&dir), &f);
	sb_free(&dir);
	if (r != 1 || uidvalidity_taken(list, count, f.uidvalidity))
		return r == -1 ? -1 : 0;
	b->uidvalidity = f.uidvalidity;
	b->uidnext = b->adopt = b->uidlimit = f.uidlimit;
	b->special = f.special;
	if (w->meta.next_uidvalidity <= b->uidvalidity)
		w->meta.next_uidvalidity = b->uidvalidity + 1;
	return 0;
}

static int
special_take(struct wtx *w, struct box *b, unsigned special)
{
	struct box *list;
	size_t count;

	if (special == 0)
		return 0;
	if (box_all(w->a, w->txn, &w->ar, &list, &count) == -1)
		return -1;
	for (size_t i = 0; i < count; i++) {
		struct box *o = &list[i];

		if (o->id == b->id || o->removed || !(o->special & special))
			continue;
		o->special &= ~special;
		if (box_put(w, o) == -1 || box_file_write(w->a, o) == -1)
			return -1;
	}
	return 0;
}

int
box_make(struct wtx *w, struct slice name, unsigned special, struct box *b)
{
	*b = (struct box){
		.id = w->meta.next_box++, .name = name, .uidnext = 1,
	};
	if (make_dirs(w->a, b) == -1 || box_adopt(w, b) == -1 ||
	    special_take(w, b, special) == -1)
		return -1;
	b->special |= special;
	if (b->uidvalidity == 0) {
		b->uidvalidity = w->meta.next_uidvalidity++;
		b->uidlimit = UID_RESERVE;
	}
	if (b->uidnext == 0)
		b->uidnext = 1;
	b->createseq = b->modseq = b->nameseq = wtx_seq(w);
	if (b->adopt > 1)
		b->trimmed = b->createseq; /* what was before is not known */
	if (box_keywords_read(w, b) == -1)
		return -1;
	if (b->keywords == 0) {
		b->keyword = arena_alloc(&w->ar,
		    COUNTOF(dollars) * sizeof(*b->keyword));
		for (; b->keywords < COUNTOF(dollars); b->keywords++)
			b->keyword[b->keywords] =
			    slice_str(dollars[b->keywords].name);
		if (box_keywords_write(w->a, b) == -1)
			return -1;
	}
	if (box_file_write(w->a, b) == -1)
		return -1;
	return box_put(w, b);
}

/* Make the missing parents of a name, subscribed if asked. */
int
box_parents(struct wtx *w, struct slice name, bool subscribe)
{
	for (size_t i = 0; i < name.n; i++) {
		struct slice parent = slice_sub(name, 0, i);
		struct box b;
		int r;

		if (name.p[i] != '/')
			continue;
		if ((r = box_named(w->a, w->txn, parent, &w->ar, &b)) == -1)
			return -1;
		if (r == 1)
			continue;
		if (box_make(w, parent, 0, &b) == -1 ||
		    (subscribe && sub_put(w, parent, true) == -1))
			return -1;
	}
	return 0;
}

int
subscriptions_write(struct wtx *w)
{
	struct box root = { .name = S("INBOX") };
	struct strbuf sb = STRBUF_INIT(SUBSCRIPTIONS_BYTES);
	struct subscription *list;
	size_t count;
	int r;

	if (sub_all(w->a, w->txn, &w->ar, &list, &count) == -1)
		return -1;
	for (size_t i = 0; i < count; i++)
		if (list[i].on) {
			sb_put(&sb, list[i].name);
			sb_putc(&sb, '\n');
		}
	errno = E2BIG;
	r = sb.over ? -1 : box_file_replace(w->a, &root, SUBSCRIPTIONS,
	    sb_slice(&sb));
	sb_free(&sb);
	return r;
}

int
subscriptions_read(struct wtx *w)
{
	struct strbuf sb = STRBUF_INIT(SUBSCRIPTIONS_BYTES);
	struct slice in, line, name;
	int r = 0;

	if (file_slurp(w->a->maildir, SUBSCRIPTIONS, &sb) == -1)
		r = errno == ENOENT ? 0 : -1;
	in = sb_slice(&sb);
	while (r == 0 && slice_line(&in, &line) == 1)
		if (mailbox_name(line, &w->ar, &name) == 0)
			r = sub_put(w, name, true);
	sb_free(&sb);
	return r == -1 && errno == E2BIG ? 0 : r;
}

/*
 * The directories that a mailbox of that name would add: what mailbox_create()
 * takes back if it fails, or the next look would find mailboxes there.
 */
static size_t
new_dirs(struct account *a, struct slice name, struct arena *ar,
    struct slice **list)
{
	struct strbuf dir = STRBUF_INIT(PATH_MAX_BYTES);
	struct stat st;
	size_t n = 0;

	*list = arena_alloc(ar, size_mul(name.n + 1, sizeof(**list)));
	for (size_t i = 1; i <= name.n; i++) {
		if (i != name.n && name.p[i] != '/')
			continue;
		sb_reset(&dir);
		if (maildir_from_name(slice_sub(name, 0, i), &dir) == 0 &&
		    fstatat(a->maildir, sb_cstr(&dir), &st,
		    AT_SYMLINK_NOFOLLOW) == -1 && errno == ENOENT)
			(*list)[n++] = arena_copy(ar, sb_slice(&dir));
	}
	sb_free(&dir);
	return n;
}

/* Only what box_make() puts there; with a message inside the rest stays. */
static void
drop_dir(struct account *a, struct slice dir)
{
	static const struct {
		const char *name;
		int flag;
	} made[] = {
		{ "/new", AT_REMOVEDIR }, { "/cur", AT_REMOVEDIR },
		{ "/tmp/" MAILBOX_FILE, 0 }, { "/tmp/" KEYWORD_FILE, 0 },
		{ "/tmp", AT_REMOVEDIR }, { "/" MAILBOX_FILE, 0 },
		{ "/" KEYWORD_FILE, 0 }, { "", AT_REMOVEDIR },
	};
	struct strbuf path = STRBUF_INIT(PATH_MAX_BYTES);

	for (size_t i = 0; i < COUNTOF(made); i++) {
		sb_reset(&path);
		sb_put(&path, dir);
		sb_puts(&path, made[i].name);
		if (unlinkat(a->maildir, sb_cstr(&path), made[i].flag) == -1 &&
		    errno != ENOENT)
			break;
	}
	sb_free(&path);
}

int
mailbox_create(struct account *a, struct slice name, unsigned special,
    uint32_t *id)
{
	struct wtx w;
	struct box b, *list;
	struct arena ar = { 0 };
	struct slice *fresh;
	size_t count, dirs = 0;
	int e, r;

	if (wtx_begin(a, &w) == -1)
		return -1;
	r = box_named(a, w.txn, name, &w.ar, &b);
	if (r == 1)
		errno = slice_eqs(name, "INBOX") ? EPERM : EEXIST;
	if (r != 0 || box_all(a, w.txn, &w.ar, &list, &count) == -1)
		goto fail;
	for (size_t i = 0, live = 0; i < count; i++)
		if (!list[i].removed && ++live >= STORE_MAILBOX_MAX) {
			errno = E2BIG;
			goto fail;
		}
	dirs = new_dirs(a, name, &ar, &fresh);
	if (box_parents(&w, name, true) == -1 ||
	    box_make(&w, name, special, &b) == -1 ||
	    sub_put(&w, name, true) == -1 || subscriptions_write(&w) == -1)
		goto fail;
	*id = b.id;
	if ((r = wtx_commit(&w)) == 0)
		bell_ring(a);
	goto out;
fail:
	r = -1;
	wtx_abort(&w);
out:
	e = errno;
	while (r == -1 && dirs-- > 0)
		drop_dir(a, fresh[dirs]);
	arena_free(&ar);
	errno = e;
	return r;
}

int
mailbox_special(struct account *a, uint32_t id, unsigned special)
{
	struct wtx w;
	struct box b;

	if (wtx_begin(a, &w) == -1)
		return -1;
	if (box_live(a, w.txn, id, &w.ar, &b) == -1)
		goto fail;
	b.special = special;
	if (special_take(&w, &b, special) == -1 || box_put(&w, &b) == -1 ||
	    box_file_write(a, &b) == -1)
		goto fail;
	wtx_seq(&w);
	if (wtx_commit(&w) == -1)
		return -1;
	bell_ring(a);
	return 0;
fail:
	wtx_abort(&w);
	return -1;
}

int
subscription_set(struct account *a, struct slice name, bool on)
{
	struct wtx w;

	if (wtx_begin(a, &w) == -1)
		return -1;
	if (sub_put(&w, name, on) == -1 ||
	    subscriptions_write(&w) == -1) {
		wtx_abort(&w);
		return -1;
	}
	if (wtx_commit(&w) == -1)
		return -1;
	bell_ring(a);
	return 0;
}

int
subscription_list(struct account *a, struct arena *ar,
    struct subscription **list, size_t *count)
{
	MDB_txn *txn;
	int r;

	if (rtx_begin(a, &txn) == -1)
		return -1;
	r = sub_all(a, txn, ar, list, count);
	rtx_end(a);
	return r;
}
