/* The mail store: what each function promises. */
#include "store/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "store/maildir.h"
#include "tap.h"
#include "tree.h"

static char root[] = "/tmp/pneu-store-XXXXXX";
static struct arena ar;

static uint32_t
box_id(struct account *a, const char *name)
{
	struct mailbox mb;

	return mailbox_find(a, slice_str(name), &ar, &mb) == 1 ? mb.id : 0;
}

static struct mailbox
box_of(struct account *a, uint32_t id)
{
	struct mailbox mb = { 0 };

	if (mailbox_get(a, id, &ar, &mb) != 1)
		diag("no mailbox %u", id);
	return mb;
}

/* Add one message: its UID, 0 on failure. */
static uint32_t
add(struct account *a, uint32_t box, const char *text,
    const struct flagset *set)
{
	struct append *ap = append_new(a, box);
	uint32_t uid = 0;

	if (ap != NULL && append_begin(ap) != -1 &&
	    append_text(ap, slice_str(text)) == 0 &&
	    append_end(ap, set, 1000000000, SLICE_NONE) == 0 &&
	    append_commit(ap) == 0)
		uid = append_uid(ap, 0);
	append_free(ap);
	return uid;
}

static bool
holds(struct account *a, uint32_t box, uint32_t uid, const char *text)
{
	struct strbuf sb = STRBUF_INIT(65536);
	int fd = message_open(a, box, uid);
	bool same = fd != -1 && fd_slurp(fd, &sb) == 0 &&
	    slice_eqs(sb_slice(&sb), text);

	if (fd != -1)
		close(fd);
	sb_free(&sb);
	return same;
}

static void
print_finding(void *ctx, struct slice line)
{
	(void)ctx;
	diag("%.*s", SLICE_ARG(line));
}

static void
consistent(struct account *a, const char *when)
{
	ok(account_check(a, CHECK_FILES, print_finding, NULL) == 0,
	    "consistent: %s", when);
}

/* ---- names ---- */

static const struct {
	const char *name, *dir;
} names[] = {
	{ "INBOX", "." },
	{ "Sent", ".Sent" },
	{ "a/b/c", ".a.b.c" },
	{ "INBOX/x", ".INBOX.x" },
	{ "v1.0", ".v1&AC4-0" },
	{ "a&b", ".a&-b" },
	{ "Entw\xc3\xbcrfe", ".Entw&APw-rfe" },
	{ "\xf0\x9f\x98\x80", ".&2D3eAA-" },
	{ "~x:y", ".&AH4-x&ADo-y" },
	{ "with space", ".with space" },
};

static void
test_names(void)
{
	static const char *const bad[] = {
		"", "/", "/a", "a//b", "a/../b", "./a", "#news", "a\nb",
		"\xff", "a\xc2\x80", "a\xe2\x80\xa8",
	};
	struct slice out;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct strbuf d = STRBUF_INIT(500), n = STRBUF_INIT(500);

		ok(maildir_from_name(slice_str(names[i].name), &d) == 0 &&
		    slice_eqs(sb_slice(&d), names[i].dir), "directory of %s",
		    names[i].name);
		ok(maildir_to_name(slice_str(names[i].dir), &n) == 0 &&
		    slice_eqs(sb_slice(&n), names[i].name), "name of %s",
		    names[i].dir);
		sb_free(&d);
		sb_free(&n);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ok(mailbox_name(slice_str(bad[i]), &ar, &out) == -1,
		    "bad name %zu", i);
	ok(mailbox_name(S("inbox/x/"), &ar, &out) == 0 &&
	    slice_eqs(out, "INBOX/x"), "INBOX in its one form");
	ok(mailbox_name(S("e\xcc\x81"), &ar, &out) == 0 &&
	    slice_eqs(out, "\xc3\xa9"), "NFC");
}

/* ---- mailboxes ---- */

static void
test_mailboxes(struct account *a)
{
	struct mailbox *list, mb;
	struct subscription *subs;
	size_t count;
	uint32_t id, other;

	ok(mailbox_list(a, false, &ar, &list, &count) == 0 && count == 6,
	    "six default mailboxes");
	is(list[0].name, "Archive", "sorted");
	ok(list[0].special == SPECIAL_ARCHIVE && list[0].subscribed,
	    "special use, subscribed");
	ok(mailbox_create(a, S("a/b/c"), 0, &id) == 0, "create a/b/c");
	ok(box_id(a, "a") != 0 && box_id(a, "a/b") != 0, "parents are made");
	ok(mailbox_create(a, S("a/b"), 0, &other) == -1 && errno == EEXIST,
	    "exists");
	ok(mailbox_create(a, S("Gone"), SPECIAL_TRASH, &other) == 0 &&
	    box_of(a, other).special == SPECIAL_TRASH &&
	    box_of(a, box_id(a, "Trash")).special == 0,
	    "a special use is taken over");
	ok(mailbox_remove(a, box_id(a, "a")) == -1 && errno == ENOTEMPTY,
	    "has children");
	ok(mailbox_remove(a, box_id(a, "INBOX")) == -1 && errno == EPERM,
	    "INBOX stays");
	ok(mailbox_rename(a, box_id(a, "a/b"), S("x/y")) == 0, "rename");
	mb = box_of(a, box_id(a, "x/y/c"));
	ok(mb.id == id && mb.subscribed, "children and subscriptions follow");
	is(mb.oldname, "a/b/c", "old name");
	ok(mailbox_rename(a, box_id(a, "x"), S("x/z")) == 0 &&
	    box_id(a, "x") != 0 && box_id(a, "x/z/y/c") == id,
	    "a to a/b makes a anew");
	ok(mailbox_rename(a, id, S("Sent")) == -1 && errno == EEXIST,
	    "target exists");
	ok(mailbox_remove(a, id) == 0 && mailbox_get(a, id, &ar, &mb) == 0,
	    "remove");
	ok(mailbox_create(a, S("x/z/y/c"), 0, &other) == 0 && other != id,
	    "a new one of that name has another id");
	ok(subscription_set(a, S("not/there"), true) == 0 &&
	    subscription_list(a, &ar, &subs, &count) == 0 && count > 0,
	    "subscribe to what is not there");
	ok(account_sync(a) != -1 && account_sync(a) == 0, "nothing foreign");
	consistent(a, "mailboxes");
}

/* ---- messages ---- */

#define MSG "From: a@example.org\r\nSubject: one\r\n\r\nbody\r\n"

static void
test_append(struct account *a)
{
	uint32_t in = box_id(a, "INBOX"), u1, u2;
	struct slice kw[2] = { S("Project"), S("$Junk") };
	struct flagset set = { FLAG_SEEN | FLAG_DRAFT, kw, 2 };
	struct message m;
	struct mailbox mb;

	u1 = add(a, in, MSG, NULL);
	u2 = add(a, in, "Subject: bare\n\nlf\n", &set);
	ok(u1 == 1 && u2 == 2, "UIDs 1 and 2");
	ok(holds(a, in, 1, MSG), "bytes as given");
	ok(holds(a, in, 2, "Subject: bare\r\n\r\nlf\r\n"), "LF made CRLF");
	ok(message_get(a, in, 2, &ar, &m) == 1, "get");
	ok(m.set.flags == (FLAG_SEEN | FLAG_DRAFT | FLAG_JUNK), "flags");
	ok(m.set.keywords == 1 && slice_eqs(m.set.keyword[0], "project"),
	    "keyword in lower case");
	ok(m.received == 1000000000 && m.saved > 1700000000, "dates");
	isnum((long long)m.size, 21, "size");
	mb = box_of(a, in);
	ok(mb.messages == 2 && mb.unseen == 1 && mb.uidnext == 3 &&
	    mb.keywords == 1, "counts");
	ok(message_get(a, in, 3, &ar, &m) == 0, "no such UID");
	consistent(a, "append");
}

static void
test_flags(struct account *a)
{
	uint32_t in = box_id(a, "INBOX"), uids[] = { 1, 2, 99 };
	struct flagset set = { FLAG_FLAGGED, NULL, 0 };
	struct uid_list changed, refused;
	struct message m, *list;
	uint64_t before, seq, now;
	size_t count;

	before = box_of(a, in).modseq;
	ok(message_flag(a, in, uids, 3, FLAGS_ADD, &set, UINT64_MAX, &ar,
	    &changed, &refused, &seq) == 0 && changed.count == 2 &&
	    seq > before, "add \\Flagged to both");
	ok(message_flag(a, in, uids, 3, FLAGS_ADD, &set, UINT64_MAX, &ar,
	    &changed, &refused, &now) == 0 && changed.count == 0 &&
	    now == seq, "again: nothing changes");
	set.flags = FLAG_SEEN;
	ok(message_flag(a, in, uids, 1, FLAGS_SET, &set, UINT64_MAX, &ar,
	    &changed, &refused, &now) == 0, "set");
	ok(message_flag(a, in, uids, 2, FLAGS_REMOVE, &set, seq, &ar,
	    &changed, &refused, &now) == 0 && refused.count == 1 &&
	    refused.uid[0] == 1 && changed.count == 1,
	    "unchanged-since refuses the later one");
	ok(message_get(a, in, 1, &ar, &m) == 1 && m.set.flags == FLAG_SEEN,
	    "flags of 1");
	ok(message_get(a, in, 2, &ar, &m) == 1 && m.set.keywords == 1 &&
	    m.set.flags == (FLAG_DRAFT | FLAG_FLAGGED | FLAG_JUNK),
	    "flags of 2");
	ok(message_changes(a, in, before, &ar, &list, &count, &now) == 0 &&
	    count == 2, "two changes");
	ok(holds(a, in, 1, MSG), "file found under its new name");
	ok(mailbox_sync(a, in) == 0, "own renames are not foreign");
	consistent(a, "flags");
}

static void
test_views(struct account *a)
{
	uint32_t box, uid;
	struct view v;
	uint64_t m2, seq;
	struct uid_list gone;
	struct message *list;
	size_t count;

	ok(mailbox_create(a, S("views"), 0, &box) == 0, "mailbox");
	add(a, box, MSG, NULL);
	add(a, box, MSG, NULL);
	m2 = box_of(a, box).modseq;
	uid = 1;
	ok(message_expunge(a, box, &uid, 1, false, &ar, &gone, &seq) == 0 &&
	    gone.count == 1, "expunge 1");
	add(a, box, MSG, NULL);
	ok(message_view(a, box, m2, &ar, &v) == 0 && v.count == 2 &&
	    v.uid[0] == 1 && v.uid[1] == 2, "view before");
	ok(message_view(a, box, UINT64_MAX, &ar, &v) == 0 && v.count == 2 &&
	    v.uid[0] == 2 && v.uid[1] == 3, "view now");
	ok(message_view(a, box, seq, &ar, &v) == 0 && v.count == 1,
	    "view between");
	ok(holds(a, box, 1, MSG), "an older view may still read it");
	ok(message_changes(a, box, m2, &ar, &list, &count, &seq) == 0 &&
	    count == 2 && list[0].removed && list[0].uid == 1 &&
	    list[1].uid == 3, "changes: tombstone, then the new one");
	uid = 2;
	ok(message_expunge(a, box, &uid, 1, true, &ar, &gone, &seq) == 0 &&
	    gone.count == 0, "only what is \\Deleted");
	consistent(a, "views");
}

static void
test_copy(struct account *a)
{
	uint32_t in = box_id(a, "INBOX"), dst, uids[] = { 1, 2 };
	struct copied c;
	struct message m;
	uint64_t modseq, bytes;

	ok(mailbox_create(a, S("copies"), 0, &dst) == 0, "mailbox");
	ok(message_copy(a, in, uids, 2, dst, &ar, &c) == 0 &&
	    c.from.count == 2 && c.to.uid[1] == 2, "copy");
	ok(message_get(a, dst, 2, &ar, &m) == 1 && m.set.keywords == 1 &&
	    m.set.flags == (FLAG_DRAFT | FLAG_FLAGGED | FLAG_JUNK) &&
	    m.received == 1000000000, "flags, keywords and date come along");
	ok(holds(a, dst, 1, MSG) && holds(a, in, 1, MSG), "both there");
	ok(message_copy(a, dst, uids, 2, dst, &ar, &c) == 0 &&
	    c.to.uid[0] == 3, "copy into the same mailbox");
	ok(message_move(a, dst, uids, 1, in, &ar, &c) == 0 &&
	    c.to.count == 1 && message_get(a, dst, 1, &ar, &m) == 0 &&
	    holds(a, in, c.to.uid[0], MSG), "move");
	ok(message_move(a, dst, &uids[1], 1, dst, &ar, &c) == 0 &&
	    c.to.uid[0] == 5, "move to the same mailbox");
	ok(account_state(a, &modseq, &bytes) == 0, "state");
	account_quota(a, bytes);
	ok(message_copy(a, in, uids, 1, dst, &ar, &c) == -1 &&
	    errno == EDQUOT, "copy over quota");
	ok(add(a, in, MSG, NULL) == 0 && errno == EDQUOT,
	    "append over quota");
	account_quota(a, bytes + strlen(MSG));
	ok(add(a, in, MSG, NULL) != 0, "append exactly up to it");
	account_quota(a, 0);
	consistent(a, "copy and move");
}

static void
test_replace(struct account *a)
{
	uint32_t in = box_id(a, "INBOX"), uid = add(a, in, MSG, NULL);
	struct message m;

	for (int i = 0; i < 2; i++) {
		struct append *ap = append_new(a, in);

		append_replace(ap, in, uid);
		ok(append_begin(ap) == 0 && append_text(ap, S("x\n")) == 0 &&
		    append_end(ap, NULL, -1, SLICE_NONE) == 0, "message");
		if (i == 0)
			ok(append_commit(ap) == 0, "replaced");
		else
			ok(append_commit(ap) == -1 && errno == ENOENT,
			    "not a second time");
		append_free(ap);
	}
	ok(message_get(a, in, uid, &ar, &m) == 0 &&
	    message_get(a, in, uid + 1, &ar, &m) == 1, "one for the other");
	consistent(a, "replace");
}

/* ---- other programs ---- */

static void
put_file(const char *account, const char *path, const char *text)
{
	char p[4096];
	FILE *f;

	snprintf(p, sizeof(p), "%s/%s/Maildir/%s", root, account, path);
	if ((f = fopen(p, "w")) == NULL || fputs(text, f) < 0 ||
	    fclose(f) != 0)
		diag("unable to write %s", p);
}

/* The one file in a directory of an account whose name contains `part'. */
static bool
find_file(const char *account, const char *sub, const char *part, char *out,
    size_t cap)
{
	char p[3000];
	struct dirent *e;
	bool found = false;
	DIR *d;

	snprintf(p, sizeof(p), "%s/%s/Maildir/%s", root, account, sub);
	if ((d = opendir(p)) == NULL)
		return false;
	while ((e = readdir(d)) != NULL)
		if (strstr(e->d_name, part) != NULL) {
			snprintf(out, cap, "%s/%s", p, e->d_name);
			found = true;
		}
	closedir(d);
	return found;
}

/*
 * What a file system's clock cannot tell from the scan before is noticed a
 * little later: wait for it. The last result.
 */
static int
noticed(struct account *a, uint32_t mailbox)
{
	const struct timespec pause = { .tv_nsec = 20000000 };
	int64_t end = clock_ms() + 10000;
	int got;

	while ((got = mailbox == 0 ? account_sync(a) :
	    mailbox_sync(a, mailbox)) == 0 && clock_left(end) > 0)
		nanosleep(&pause, NULL);
	return got;
}

static void
test_foreign(struct account *a, const char *name)
{
	uint32_t in = box_id(a, "INBOX"), uid = box_of(a, in).uidnext;
	char path[4096], to[5000];
	struct message m;
	struct mailbox mb;

	put_file(name, "new/123.x.host", "Subject: foreign\n\nhello\n");
	ok(noticed(a, in) == 1, "a dropped file is noticed");
	ok(message_get(a, in, uid, &ar, &m) == 1 && m.set.flags == 0,
	    "and has a UID");
	isnum((long long)m.size, 27, "its size counts CRLF");
	ok(holds(a, in, uid, "Subject: foreign\r\n\r\nhello\r\n"),
	    "it reads with CRLF");
	ok(find_file(name, "new", "123.x.host", path, sizeof(path)),
	    "it stays in new/");
	snprintf(to, sizeof(to), "%s/%s/Maildir/cur/%s:2,FS", root, name,
	    strrchr(path, '/') + 1);
	ok(rename(path, to) == 0 && noticed(a, in) == 1 &&
	    message_get(a, in, uid, &ar, &m) == 1 &&
	    m.set.flags == (FLAG_FLAGGED | FLAG_SEEN),
	    "a rename for flags is noticed");
	ok(unlink(to) == 0 && noticed(a, in) == 1 &&
	    message_get(a, in, uid, &ar, &m) == 0, "a removal is noticed");
	ok(mailbox_sync(a, in) == 0, "nothing more");
	snprintf(path, sizeof(path), "%s/%s/Maildir/.byhand", root, name);
	mkdir(path, 0700);
	snprintf(path, sizeof(path), "%s/%s/Maildir/.byhand/cur", root, name);
	mkdir(path, 0700);
	ok(noticed(a, 0) == 1, "noticed (%s)", strerror(errno));
	ok(box_id(a, "byhand") != 0,
	    "a directory becomes a mailbox");
	mb = box_of(a, box_id(a, "byhand"));
	snprintf(path, sizeof(path), "%s/%s/Maildir/.byhand", root, name);
	snprintf(to, sizeof(to), "%s/%s/Maildir/.other", root, name);
	ok(rename(path, to) == 0 && noticed(a, 0) == 1 &&
	    box_id(a, "other") == mb.id, "renamed: the same mailbox");
	remove_tree(to);
	ok(noticed(a, 0) == 1 && box_id(a, "other") == 0, "removed");
	consistent(a, "after other programs");
}

/* ---- rebuild ---- */

static void
test_rebuild(struct account *a, const char *name)
{
	char path[4096];
	struct mailbox old = box_of(a, box_id(a, "INBOX")), mb;
	struct message *before, *after;
	size_t n, m;
	bool same = true;
	uint32_t in;

	if (message_list(a, old.id, 1, UINT32_MAX, SIZE_MAX, &ar, &before,
	    &n) == -1)
		diag("list");
	account_close(a);
	snprintf(path, sizeof(path), "%s/%s", root, name);
	ok(account_rebuild(AT_FDCWD, path, false) == 0, "rebuild (%s)",
	    strerror(errno));
	a = account_open(AT_FDCWD, path, 0);
	ok(a != NULL, "open");
	in = box_id(a, "INBOX");
	mb = box_of(a, in);
	if (message_list(a, in, 1, UINT32_MAX, SIZE_MAX, &ar, &after, &m) ==
	    -1)
		diag("list");
	ok(mb.uidvalidity == old.uidvalidity, "same UIDVALIDITY");
	ok(mb.uidnext >= old.uidnext, "no UID is given twice");
	ok(mb.modseq > old.modseq, "modseq goes on");
	isnum((long long)m, (long long)n, "same number");
	for (size_t i = 0; i < n && i < m; i++)
		same = same && before[i].uid == after[i].uid &&
		    before[i].set.flags == after[i].set.flags &&
		    before[i].set.keywords == after[i].set.keywords &&
		    before[i].received == after[i].received &&
		    before[i].size == after[i].size;
	ok(same, "same UIDs, flags, keywords, dates and sizes");
	ok(box_of(a, box_id(a, "Junk")).special == SPECIAL_JUNK &&
	    box_of(a, box_id(a, "Junk")).subscribed,
	    "special use and subscriptions");
	consistent(a, "rebuilt");
	account_close(a);
}

static void
test_many(void)
{
	char path[4096];
	struct account *a;
	struct append *ap;
	int64_t t;
	uint32_t in;

	snprintf(path, sizeof(path), "%s/many", root);
	a = account_open(AT_FDCWD, path, ACCOUNT_CREATE);
	in = box_id(a, "INBOX");
	for (int i = 0; i < 10000; i++) {
		char name[64];

		snprintf(name, sizeof(name), "new/%d.x%d.host", i, i);
		put_file("many", name, "Subject: x\n\nhello\n");
	}
	t = clock_ms();
	ok(mailbox_sync(a, in) == 1, "index 10,000 foreign files");
	diag("%lld ms", (long long)(clock_ms() - t));
	isnum(box_of(a, in).messages, 10000, "all there");
	put_file("many", "new/99999.y.host", "x\n");
	t = clock_ms();
	ok(noticed(a, in) == 1, "one more");
	diag("scan of 10,000: %lld ms", (long long)(clock_ms() - t));
	ap = append_new(a, in);
	for (int i = 0; i < 100; i++)
		if (append_begin(ap) == -1 || append_text(ap, S("x\n")) == -1 ||
		    append_end(ap, NULL, -1, SLICE_NONE) == -1)
			diag("append failed");
	ok(append_commit(ap) == 0 && append_uid(ap, 99) == 10101,
	    "100 at once, past the UIDs reserved first");
	append_free(ap);
	consistent(a, "many");
	account_close(a);
}

/* The first mail of an account may come in several processes at once. */
static void
test_first_together(void)
{
	int bad = 0, go[2], status;

	for (int round = 0; round < 20; round++) {
		char path[4096], byte;

		snprintf(path, sizeof(path), "%s/new%d", root, round);
		if (pipe(go) == -1)
			break;
		for (int i = 0; i < 6; i++)
			if (fork() == 0) {
				close(go[1]);
				(void)!read(go[0], &byte, 1);
				_exit(account_open(AT_FDCWD, path,
				    ACCOUNT_CREATE) == NULL);
			}
		close(go[0]);
		close(go[1]); /* all at once */
		for (int i = 0; i < 6; i++)
			bad += wait(&status) == -1 || status != 0;
	}
	ok(bad == 0, "six processes make one account: %d failed", bad);
}

static bool
there(const char *name)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s", root, name);
	return access(path, F_OK) == 0;
}

/* A failed CREATE leaves nothing behind that would be a mailbox. */
static void
test_create_fails(void)
{
	char path[4096], subs[4200];
	struct account *a;
	uint32_t id;

	snprintf(path, sizeof(path), "%s/eve", root);
	snprintf(subs, sizeof(subs), "%s/Maildir/subscriptions", path);
	a = account_open(AT_FDCWD, path, ACCOUNT_CREATE);
	ok(unlink(subs) == 0 && mkdir(subs, 0700) == 0,
	    "a directory in place of the subscriptions");
	ok(mailbox_create(a, S("x/y/z"), 0, &id) == -1, "create fails");
	ok(!there("eve/Maildir/.x") && !there("eve/Maildir/.x.y") &&
	    !there("eve/Maildir/.x.y.z"), "and leaves no directory");
	ok(account_sync(a) >= 0 && box_id(a, "x") == 0, "nor a mailbox");
	ok(rmdir(subs) == 0 && mailbox_create(a, S("x/y/z"), 0, &id) == 0,
	    "later it works");
	account_close(a);
}

/* More keywords than letters, and a rebuild. */
static void
test_keywords(void)
{
	char path[4096], name[40][16];
	struct slice kw[40];
	struct flagset all = { .keyword = kw, .keywords = 40 };
	struct flagset one = { .keyword = kw + 35, .keywords = 1 };
	struct account *a;
	struct message m;
	struct uid_list uids;
	struct copied c;
	uint32_t in, trash, uid[3];
	uint64_t modseq;

	snprintf(path, sizeof(path), "%s/kim", root);
	a = account_open(AT_FDCWD, path, ACCOUNT_CREATE);
	for (size_t i = 0; i < 40; i++) {
		snprintf(name[i], sizeof(name[i]), "word-%zu", i);
		kw[i] = slice_str(name[i]);
	}
	in = box_id(a, "INBOX");
	uid[0] = add(a, in, "Subject: a\n\n", &all);
	uid[1] = add(a, in, "Subject: b\n\n", NULL);
	uid[2] = add(a, in, "Subject: c\n\n", &all);
	ok(message_flag(a, in, uid + 1, 1, FLAGS_ADD, &one, UINT64_MAX, &ar,
	    &uids, NULL, &modseq) == 0, "a late keyword is added");
	ok(message_flag(a, in, uid + 2, 1, FLAGS_REMOVE, &one, UINT64_MAX, &ar,
	    &uids, NULL, &modseq) == 0, "and removed");
	trash = box_id(a, "Trash");
	ok(message_copy(a, in, uid, 1, trash, &ar, &c) == 0, "copied");
	account_close(a);
	for (int round = 0; round < 2; round++) {
		ok(account_rebuild(AT_FDCWD, path, false) == 0, "rebuild");
		a = account_open(AT_FDCWD, path, 0);
		in = box_id(a, "INBOX");
		ok(message_get(a, in, uid[0], &ar, &m) == 1 &&
		    m.set.keywords == 40, "forty keywords are there again");
		ok(message_get(a, in, uid[1], &ar, &m) == 1 &&
		    m.set.keywords == 1 &&
		    slice_eqs(m.set.keyword[0], "word-35"), "the late one");
		ok(message_get(a, in, uid[2], &ar, &m) == 1 &&
		    m.set.keywords == 39, "without the one removed");
		ok(message_get(a, box_id(a, "Trash"), c.to.uid[0], &ar, &m) ==
		    1 && m.set.keywords == 40, "in the copy, too");
		consistent(a, "with many keywords");
		account_close(a);
	}
}

/* What is removed does not stay in the index for ever. */
static void
test_removed(void)
{
	char path[4096];
	struct account *a;
	struct mailbox *list;
	size_t count, gone = 0;
	uint32_t id;

	snprintf(path, sizeof(path), "%s/joe", root);
	a = account_open(AT_FDCWD, path, ACCOUNT_CREATE);
	for (int i = 0; i < STORE_REMOVED_MAX + 5; i++)
		if (mailbox_create(a, S("temporary"), 0, &id) == -1 ||
		    add(a, id, "Subject: x\n\n", NULL) == 0 ||
		    mailbox_remove(a, id) == -1)
			diag("%d: %s", i, strerror(errno));
	ok(mailbox_list(a, true, &ar, &list, &count) == 0, "list");
	for (size_t i = 0; i < count; i++)
		gone += list[i].removed;
	isnum((long long)gone, STORE_REMOVED_MAX, "the latest are remembered");
	ok(there("joe/gone/box.207") && !there("joe/gone/box.8"),
	    "directories of the oldest are gone");
	consistent(a, "after many removals");
	account_close(a);
}

/* Names that are subscribed are bounded, and none is lost at the bound. */
static void
test_subscriptions(void)
{
	char path[4096], subs[4200];
	struct account *a;
	struct subscription *list;
	size_t count;
	FILE *f;

	snprintf(path, sizeof(path), "%s/sue", root);
	snprintf(subs, sizeof(subs), "%s/Maildir/subscriptions", path);
	account_close(account_open(AT_FDCWD, path, ACCOUNT_CREATE));
	f = fopen(subs, "a");
	for (int i = 0; f != NULL && i < STORE_SUBSCRIPTIONS_MAX - 6; i++)
		fprintf(f, "%0240d\n", i);
	ok(f != NULL && fclose(f) == 0, "many subscriptions of long names");
	ok(account_rebuild(AT_FDCWD, path, false) == 0, "read by a rebuild");
	a = account_open(AT_FDCWD, path, 0);
	ok(subscription_set(a, S("one more"), true) == -1 && errno == E2BIG,
	    "one more is too many");
	ok(subscription_set(a, S("Sent"), false) == 0 &&
	    subscription_set(a, S("Sent"), true) == 0, "known ones can change");
	account_close(a);
	ok(account_rebuild(AT_FDCWD, path, false) == 0, "rebuild");
	a = account_open(AT_FDCWD, path, 0);
	ok(subscription_list(a, &ar, &list, &count) == 0, "list");
	isnum((long long)count, STORE_SUBSCRIPTIONS_MAX, "none is lost");
	account_close(a);
}

int
main(void)
{
	char path[4096];
	struct account *a;

	plan(0);
	if (mkdtemp(root) == NULL)
		return 1;
	test_names();
	snprintf(path, sizeof(path), "%s/ann", root);
	ok(account_open(AT_FDCWD, path, 0) == NULL && errno == ENOENT,
	    "no such account");
	a = account_open(AT_FDCWD, path, ACCOUNT_CREATE);
	if (!ok(a != NULL, "new account")) {
		diag("%s", strerror(errno));
		return 1;
	}
	test_mailboxes(a);
	test_append(a);
	test_flags(a);
	test_views(a);
	test_copy(a);
	test_replace(a);
	test_foreign(a, "ann");
	test_rebuild(a, "ann");
	test_many();
	test_first_together();
	test_create_fails();
	test_keywords();
	test_removed();
	test_subscriptions();
	arena_free(&ar);
	remove_tree(root);
	return done();
}
