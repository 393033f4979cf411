/* Flags: files are renamed, one commit. */
#include "store/append.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"

#define PATH_MAX_BYTES ((size_t)1024)

/* A rename that is taken back if the commit fails. */
struct renamed {
	struct slice from, to;
};

struct flagging {
	struct account *a;
	struct wtx w;
	struct box b;
	enum flag_action how;
	struct rec set; /* flags and keywords of the command */
	bool grew;
	struct renamed *done;
	size_t count;
	bool used[2]; /* directories that names came or went */
	struct arena keep; /* for names in done[], past the commit */
};

static int
id_order(const void *a, const void *b)
{
	return *(const uint16_t *)a - *(const uint16_t *)b;
}

static bool
has_id(const struct rec *r, uint16_t id)
{
	for (size_t i = 0; i < r->kws; i++)
		if (r->kw[i] == id)
			return true;
	return false;
}

/* What the command makes of a record's flags. */
static int
combine(struct flagging *f, const struct rec *old, struct rec *r)
{
	const struct rec *set = &f->set;

	*r = *old;
	if (f->how == FLAGS_SET) {
		r->flags = set->flags;
		r->kw = set->kw;
		r->kws = set->kws;
		return 0;
	}
	r->kw = arena_alloc(&f->w.ar,
	    size_mul(old->kws + set->kws + 1, sizeof(*r->kw)));
	r->kws = 0;
	for (size_t i = 0; i < old->kws; i++)
		if (f->how == FLAGS_ADD || !has_id(set, old->kw[i]))
			r->kw[r->kws++] = old->kw[i];
	if (f->how == FLAGS_REMOVE) {
		r->flags &= ~set->flags;
		return 0;
	}
	r->flags |= set->flags;
	for (size_t i = 0; i < set->kws; i++)
		if (!has_id(old, set->kw[i]))
			r->kw[r->kws++] = set->kw[i];
	if (r->kws > STORE_MESSAGE_KEYWORDS) {
		errno = E2BIG;
		return -1;
	}
	qsort(r->kw, r->kws, sizeof(*r->kw), id_order);
	return 0;
}

/* Give the file the name that says the new flags. */
static int
rename_for(struct flagging *f, const struct rec *old, struct rec *r)
{
	struct strbuf info = STRBUF_INIT(200), from = STRBUF_INIT(PATH_MAX_BYTES);
	struct strbuf to = STRBUF_INIT(PATH_MAX_BYTES);
	int rc;

	rec_info(&f->b, r, &info);
	r->info = arena_copy(&f->w.ar, sb_slice(&info));
	r->where = IN_CUR;
	sb_free(&info);
	rc = rec_find(f->a, &f->b, old, &from);
	if (rc == 0)
		rc = rec_path(&f->b, r, &to);
	if (rc == 0 && !slice_eq(sb_slice(&from), sb_slice(&to))) {
		rc = renameat(f->a->maildir, sb_cstr(&from), f->a->maildir,
		    sb_cstr(&to));
		if (rc == 0)
			f->done[f->count++] = (struct renamed){
				arena_copy(&f->keep, sb_slice(&from)),
				arena_copy(&f->keep, sb_slice(&to)),
			};
		f->used[old->where] = f->used[IN_CUR] = true;
	}
	STEP("flag-rename");
	sb_free(&from);
	sb_free(&to);
	return rc;
}

static void
undo(struct flagging *f)
{
	int e = errno;

	for (size_t i = f->count; i-- > 0;) {
		struct renamed *d = &f->done[i];

		/* If this fails the next scan takes the new name for another
		 * program's change of flags. */
		if (renameat(f->a->maildir, arena_cstr(&f->keep, d->to),
		    f->a->maildir, arena_cstr(&f->keep, d->from)) == -1)
			continue;
	}
	errno = e;
}

/* One message: 1 changed, 0 as it was (or its file is gone), 2 refused. */
static int
flag_one(struct flagging *f, uint32_t uid, uint64_t unchanged_since)
{
	struct rec old, r;
	int rc = rec_get(f->a, f->w.txn, f->b.id, uid, &f->w.ar, &old);

	if (rc != 1)
		return rc;
	if (old.modseq > unchanged_since)
		return 2;
	if (combine(f, &old, &r) == -1)
		return -1;
	if (rec_same_flags(&old, &r))
		return 0;
	if (rename_for(f, &old, &r) == -1)
		return errno == ENOENT ? 0 : -1;
	return rec_change(&f->w, &f->b, &old, &r) == -1 ? -1 : 1;
}

static int
sync_dirs(struct flagging *f)
{
	struct strbuf path = STRBUF_INIT(PATH_MAX_BYTES);
	int r = 0;

	for (int i = IN_NEW; r == 0 && i <= IN_CUR; i++)
		if (f->used[i] && (r = box_path(&f->b,
		    maildir_sub((enum maildir_where)i), SLICE_NONE, &path)) ==
		    0)
			r = dir_sync(f->a->maildir, sb_cstr(&path));
	STEP("flag-sync");
	sb_free(&path);
	return r;
}

static void
list_init(struct uid_list *l, struct arena *ar, size_t count)
{
	if (l == NULL)
		return;
	l->count = 0;
	l->uid = arena_alloc(ar, size_mul(count + 1, sizeof(*l->uid)));
}

static void
list_add(struct uid_list *l, uint32_t uid)
{
	if (l != NULL)
		l->uid[l->count++] = uid;
}

/* Everything up to the commit: messages changed, or -1. */
static ssize_t
flag_all(struct flagging *f, const uint32_t *uid, size_t count,
    uint64_t unchanged_since, struct uid_list *changed,
    struct uid_list *refused)
{
	ssize_t n = 0;

	for (size_t i = 0; i < count; i++) {
		int r = flag_one(f, uid[i], unchanged_since);

		if (r == -1)
			return -1;
		if (r == 1) {
			list_add(changed, uid[i]);
			n++;
		} else if (r == 2)
			list_add(refused, uid[i]);
	}
	if (f->grew && box_keywords_write(f->a, &f->b) == -1)
		return -1;
	if (sync_dirs(f) == -1 || box_put(&f->w, &f->b) == -1)
		return -1;
	return n;
}

int
message_flag(struct account *a, uint32_t box, const uint32_t *uid,
    size_t count, enum flag_action how, const struct flagset *set,
    uint64_t unchanged_since, struct arena *ar, struct uid_list *changed,
    struct uid_list *refused, uint64_t *modseq)
{
	struct flagging f = { .a = a, .how = how };
	bool clean = false, begun = false;
	ssize_t n = -1;
	int r = 0;

	list_init(changed, ar, count);
	list_init(refused, ar, count);
	if (wtx_begin(a, &f.w) == -1)
		return -1;
	f.done = arena_alloc(&f.keep, size_mul(count + 1, sizeof(*f.done)));
	if (box_live(a, f.w.txn, box, ar, &f.b) == 1 &&
	    rec_set(&f.w, &f.b, set, &f.set, &f.grew) == 0) {
		clean = seen_before(a, &f.b);
		begun = true;
		n = flag_all(&f, uid, count, unchanged_since, changed,
		    refused);
	}
	*modseq = begun ? f.b.modseq : 0;
	if (n > 0 || (n == 0 && f.grew))
		r = wtx_commit(&f.w);
	else {
		wtx_abort(&f.w);
		r = n == -1 ? -1 : 0;
	}
	if (r == -1)
		undo(&f);
	if (begun)
		seen_after(a, &f.b, clean);
	arena_free(&f.keep);
	if (r == 0 && n > 0)
		bell_ring(a);
	return r;
}
