/* What an account outlives: the loss of its index, a directory that is full
 * of other things, a disk that takes no more names. */
#include "store/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "tap.h"

static char root[] = "/tmp/pneu-lost-XXXXXX";
static struct arena ar;

static void
remove_tree(const char *path)
{
	struct dirent *e;
	DIR *d = opendir(path);
	char sub[5000];

	while (d != NULL && (e = readdir(d)) != NULL) {
		if (strcmp(e->d_name, ".") == 0 ||
		    strcmp(e->d_name, "..") == 0)
			continue;
		snprintf(sub, sizeof(sub), "%s/%s", path, e->d_name);
		if (unlink(sub) == -1)
			remove_tree(sub);
	}
	if (d != NULL)
		closedir(d);
	rmdir(path);
}

static const char *
below(const char *name)
{
	static char path[4096];

	snprintf(path, sizeof(path), "%s/%s", root, name);
	return path;
}

static struct account *
account(const char *name)
{
	struct account *a = account_open(AT_FDCWD, below(name),
	    ACCOUNT_CREATE);

	if (a == NULL)
		abort();
	return a;
}

static uint32_t
box_id(struct account *a, const char *name)
{
	struct mailbox mb;

	return mailbox_find(a, slice_str(name), &ar, &mb) == 1 ? mb.id : 0;
}

static bool
begin(struct append *ap, const char *text)
{
	return ap != NULL && append_begin(ap) != -1 &&
	    append_text(ap, slice_str(text)) == 0 &&
	    append_end(ap, NULL, -1, SLICE_NONE) == 0;
}

/* Add one message: its UID, 0 on failure; *file its name. */
static uint32_t
add(struct account *a, uint32_t box, const char *text, struct slice *file)
{
	struct append *ap = append_new(a, box);
	uint32_t uid = 0;

	if (begin(ap, text) && append_commit(ap) == 0) {
		uid = append_uid(ap, 0);
		*file = arena_copy(&ar, slice_str(append_file(ap, 0)));
	}
	append_free(ap);
	return uid;
}

static void
put_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd == -1 || write_all(fd, slice_str(text)) == -1)
		abort();
	close(fd);
}

/* An index that is made anew gives numbers again that stand in gone/. */
static void
test_gone(void)
{
	struct account *a = account("ann");
	struct message m;
	struct slice file;
	uint32_t id, uid;
	char path[300];

	uid = add(a, box_id(a, "Sent"), "Subject: kept\n\n", &file);
	ok(uid == 1 && mailbox_create(a, S("old"), 0, &id) == 0 &&
	    add(a, id, "Subject: old\n\n", &(struct slice){ 0 }) == 1 &&
	    mailbox_remove(a, id) == 0, "a mailbox is removed");
	account_close(a);
	for (int box = 1; box < 9; box++) {
		snprintf(path, sizeof(path), "ann/gone/%d.1", box);
		put_file(below(path), "Subject: expunged\n\n");
	}
	ok(account_rebuild(AT_FDCWD, below("ann"), false) == 0, "rebuild");

	a = account("ann");
	id = box_id(a, "Sent");
	snprintf(path, sizeof(path), "ann/Maildir/.Sent/new/%.*s",
	    SLICE_ARG(file));
	ok(unlink(below(path)) == 0, "a file is removed by another program");
	ok(mailbox_sync(a, id) == 1 && message_get(a, id, uid, &ar, &m) == 0,
	    "and is not replaced by what was expunged before the rebuild");
	ok(message_open(a, id, uid) == -1, "nor read");
	ok(mailbox_create(a, S("new"), 0, &id) == 0 &&
	    add(a, id, "Subject: new\n\n", &file) == 1, "a new mailbox");
	ok(mailbox_remove(a, id) == 0, "can be removed, too");
	account_close(a);
}

/* More directories than are looked at: what is there is not lost. */
static void
test_crowd(void)
{
	struct account *a = account("bob");
	uint32_t id = box_id(a, "Archive");
	struct slice file;
	char path[300];

	ok(add(a, id, "Subject: kept\n\n", &file) == 1, "a message");
	for (int i = 0; i < 3 * STORE_MAILBOX_MAX; i++) {
		snprintf(path, sizeof(path), "bob/Maildir/.not..good%d", i);
		if (symlink(".Sent", below(path)) == -1)
			abort();
	}
	ok(account_sync(a) >= 0, "many directories that are no mailboxes");
	ok(box_id(a, "Archive") == id && box_id(a, "Drafts") != 0 &&
	    box_id(a, "INBOX") != 0, "all mailboxes are still there");
	account_close(a);
	a = account("bob");
	ok(rename(below("bob/Maildir/.Drafts"), root) == -1 &&
	    renameat(account_dir(a), "Maildir/.Drafts", account_dir(a),
	    "Drafts.away") == 0, "another program takes one away");
	ok(account_sync(a) == 1 && box_id(a, "Drafts") == 0 &&
	    box_id(a, "Archive") == id, "and that one is gone");
	account_close(a);
}

/* The name of a message that replaces another cannot be given. */
static void
test_replace(void)
{
	struct account *a = account("eve");
	uint32_t in = box_id(a, "INBOX");
	struct slice file;
	struct message m;
	struct append *ap;
	char away[4096];

	snprintf(away, sizeof(away), "%s", below("eve/Maildir/new.away"));
	ok(add(a, in, "Subject: one\n\n", &file) == 1, "a message");
	ap = append_new(a, in);
	append_replace(ap, in, 1);
	ok(begin(ap, "Subject: two\n\n"), "and one that replaces it");
	/* Flags, so that the first is not where the second goes. */
	ok(message_flag(a, in, (uint32_t[]){ 1 }, 1, FLAGS_ADD,
	    &(struct flagset){ .flags = FLAG_SEEN }, UINT64_MAX, &ar, NULL,
	    NULL, &(uint64_t){ 0 }) == 0, "the first is in cur/");
	ok(rename(below("eve/Maildir/new"), away) == 0, "new/ is of no use");
	put_file(below("eve/Maildir/new"), "");
	ok(append_commit(ap) == 0, "it is stored nevertheless");
	ok(message_get(a, in, 1, &ar, &m) == 0 &&
	    message_get(a, in, 2, &ar, &m) == 1, "and has replaced the first");
	append_free(ap);
	ok(unlink(below("eve/Maildir/new")) == 0 &&
	    rename(away, below("eve/Maildir/new")) == 0, "new/ is back");
	ok(mailbox_sync(a, in) >= 0 && message_open(a, in, 2) != -1,
	    "the message can be read");
	account_close(a);
}

/* Names once subscribed are forgotten, the oldest first, at the bound. */
static void
test_names(void)
{
	struct account *a;
	struct subscription *list;
	size_t count, odd = 0;
	uint32_t id;
	char path[4096];
	FILE *f;

	account_close(account("sue"));
	snprintf(path, sizeof(path), "%s", below("sue/Maildir/subscriptions"));
	f = fopen(path, "a");
	for (int i = 0; f != NULL && i < STORE_SUBSCRIPTIONS_MAX; i++)
		fprintf(f, "name %d\n", i);
	ok(f != NULL && fclose(f) == 0, "more subscriptions than are kept");
	ok(account_rebuild(AT_FDCWD, below("sue"), false) == 0, "rebuild");
	a = account("sue");
	ok(mailbox_create(a, S("new"), 0, &id) == -1 && errno == E2BIG,
	    "no room for a mailbox's");
	ok(subscription_set(a, S("name 7"), false) == 0 &&
	    subscription_set(a, S("name 9"), false) == 0, "two less");
	ok(mailbox_create(a, S("new"), 0, &id) == 0, "room for one");
	ok(mailbox_rename(a, id, S("newer")) == 0, "and another");
	ok(subscription_list(a, &ar, &list, &count) == 0, "list");
	ok(count == STORE_SUBSCRIPTIONS_MAX, "as many as before");
	for (size_t i = 0; i < count; i++)
		odd += slice_eqs(list[i].name, "name 7") ||
		    slice_eqs(list[i].name, "name 9") ||
		    (!list[i].on && !slice_eqs(list[i].name, "new"));
	ok(odd == 0, "the oldest were forgotten");
	account_close(a);
}

int
main(void)
{
	plan(0);
	if (mkdtemp(root) == NULL)
		return 1;
	test_gone();
	test_crowd();
	test_replace();
	test_names();
	arena_free(&ar);
	remove_tree(root);
	return done();
}
