/*
 * The store is killed at each of its steps. Afterwards nothing that was
 * acknowledged is lost, nothing half is visible, and no hand is needed.
 */
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tap.h"
#include "tree.h"

#define MSG "Subject: one\r\n\r\nbody\r\n"
#define STEPS_MAX 200

void store_step(const char *step);

static int kill_at; /* steps until the end; 0: never */
static char root[64];

void
store_step(const char *step)
{
	(void)step;
	if (kill_at != 0 && --kill_at == 0)
		kill(getpid(), SIGKILL);
}

static uint32_t
box_id(struct account *a, const char *name)
{
	struct arena ar = { 0 };
	struct mailbox mb;
	uint32_t id = mailbox_find(a, slice_str(name), &ar, &mb) == 1 ?
	    mb.id : 0;

	arena_free(&ar);
	return id;
}

/* Messages in a mailbox, those with a flag; each must be readable. */
static int
count(struct account *a, const char *name, unsigned flag)
{
	struct arena ar = { 0 };
	struct message *list;
	size_t n;
	int good = 0;
	uint32_t box = box_id(a, name);

	if (box == 0)
		return 0;
	if (mailbox_sync(a, box) == -1 || message_list(a, box, 1, UINT32_MAX,
	    SIZE_MAX, &ar, &list, &n) == -1)
		return -1;
	for (size_t i = 0; i < n; i++) {
		char buf[100];
		int fd = message_open(a, box, list[i].uid);

		if (fd == -1 || read(fd, buf, sizeof(buf)) !=
		    (ssize_t)strlen(MSG))
			return -1;
		close(fd);
		good += (list[i].set.flags & flag) == flag;
	}
	arena_free(&ar);
	return good;
}

static int
add(struct account *a, const char *box, int n)
{
	struct append *ap = append_new(a, box_id(a, box));
	int r = ap == NULL ? -1 : 0;

	for (int i = 0; r == 0 && i < n; i++)
		if (append_begin(ap) == -1 ||
		    append_write(ap, slice_str(MSG)) == -1 ||
		    append_end(ap, NULL, -1, SLICE_NONE) == -1)
			r = -1;
	if (r == 0)
		r = append_commit(ap);
	append_free(ap);
	return r;
}

static int
do_append(struct account *a)
{
	return add(a, "INBOX", 2);
}

static const uint32_t uids[] = { 1, 2 };

static int
do_copy(struct account *a)
{
	struct arena ar = { 0 };
	struct copied c;

	return message_copy(a, box_id(a, "INBOX"), uids, 2,
	    box_id(a, "Archive"), &ar, &c);
}

static int
do_move(struct account *a)
{
	struct arena ar = { 0 };
	struct copied c;

	return message_move(a, box_id(a, "INBOX"), uids, 2,
	    box_id(a, "Archive"), &ar, &c);
}

static int
do_flag(struct account *a)
{
	struct arena ar = { 0 };
	struct flagset set = { FLAG_SEEN, NULL, 0 };
	uint64_t modseq;

	return message_flag(a, box_id(a, "INBOX"), uids, 2, FLAGS_ADD, &set,
	    UINT64_MAX, &ar, NULL, NULL, &modseq);
}

static int
do_expunge(struct account *a)
{
	struct arena ar = { 0 };
	struct uid_list l;
	uint64_t modseq;

	return message_expunge(a, box_id(a, "INBOX"), uids, 2, false, &ar,
	    &l, &modseq);
}

static int
do_rename(struct account *a)
{
	return mailbox_rename(a, box_id(a, "Archive"), S("old/Archive"));
}

static int
do_remove(struct account *a)
{
	return mailbox_remove(a, box_id(a, "Archive"));
}

/* inbox, archive: what is there before and after (-1: anything). */
static bool
is_append(struct account *a, bool acked)
{
	int n = count(a, "INBOX", 0);

	return n == 4 || (!acked && n == 2);
}

static bool
is_copy(struct account *a, bool acked)
{
	int n = count(a, "Archive", 0);

	return count(a, "INBOX", 0) == 2 && (n == 3 || (!acked && n == 1));
}

static bool
is_move(struct account *a, bool acked)
{
	int in = count(a, "INBOX", 0), to = count(a, "Archive", 0);

	return (in == 0 && to == 3) || (!acked && in == 2 && to == 1);
}

static bool
is_flag(struct account *a, bool acked)
{
	int n = count(a, "INBOX", FLAG_SEEN);

	return count(a, "INBOX", 0) == 2 && n >= 0 && (n == 2 || !acked);
}

static bool
is_expunge(struct account *a, bool acked)
{
	int n = count(a, "INBOX", 0);

	return n == 0 || (!acked && n == 2);
}

static bool
is_rename(struct account *a, bool acked)
{
	int old = count(a, "Archive", 0), new = count(a, "old/Archive", 0);

	return (old == 0 && new == 1) || (!acked && old == 1 && new == 0);
}

static bool
is_remove(struct account *a, bool acked)
{
	uint32_t id = box_id(a, "Archive");

	return id == 0 || (!acked && count(a, "Archive", 0) == 1);
}

static const struct {
	const char *name;
	int (*run)(struct account *a);
	bool (*good)(struct account *a, bool acked);
} acts[] = {
	{ "append", do_append, is_append },
	{ "copy", do_copy, is_copy },
	{ "move", do_move, is_move },
	{ "flag", do_flag, is_flag },
	{ "expunge", do_expunge, is_expunge },
	{ "rename", do_rename, is_rename },
	{ "remove", do_remove, is_remove },
};

static void
say(void *ctx, struct slice line)
{
	(void)ctx;
	diag("%.*s", SLICE_ARG(line));
}

/* The act in a child that is killed at that step: its status. */
static int
run_child(const char *path, size_t act, int at)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		struct account *a = account_open(AT_FDCWD, path, 0);

		kill_at = at;
		_exit(a == NULL || acts[act].run(a) == -1);
	}
	if (pid == -1 || waitpid(pid, &status, 0) == -1)
		return -1;
	return status;
}

static bool
kill_once(size_t act, int at, bool *ended)
{
	char path[200];
	struct account *a;
	int status;
	bool good, acked;

	snprintf(path, sizeof(path), "%s/%s.%d", root, acts[act].name, at);
	a = account_open(AT_FDCWD, path, ACCOUNT_CREATE);
	good = a != NULL && add(a, "INBOX", 2) == 0 &&
	    add(a, "Archive", 1) == 0 && mailbox_sync(a, box_id(a, "INBOX")) !=
	    -1 && account_sync(a) != -1;
	account_close(a);
	if (!good)
		return false;
	status = run_child(path, act, at);
	acked = WIFEXITED(status) && WEXITSTATUS(status) == 0;
	*ended = WIFEXITED(status);
	if ((a = account_open(AT_FDCWD, path, 0)) == NULL)
		return false;
	good = account_sync(a) != -1 && acts[act].good(a, acked) &&
	    account_check(a, CHECK_FILES, say, NULL) == 0 &&
	    (!*ended || acked);
	account_close(a);
	remove_tree(path);
	return good;
}

/* No room for a file: an error, and everything as it was. */
static void
test_full(void)
{
	char path[200], big[65536];
	struct account *a;
	struct append *ap;
	struct rlimit was, small = { 20000, RLIM_INFINITY };
	int e;

	memset(big, 'x', sizeof(big));
	snprintf(path, sizeof(path), "%s/full", root);
	a = account_open(AT_FDCWD, path, ACCOUNT_CREATE);
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &was);
	small.rlim_max = was.rlim_max;
	setrlimit(RLIMIT_FSIZE, &small);
	ap = append_new(a, box_id(a, "INBOX"));
	ok(append_begin(ap) == 0 &&
	    append_write(ap, slice_of(big, sizeof(big))) == -1 &&
	    errno == EFBIG, "no room");
	e = errno;
	append_free(ap);
	setrlimit(RLIMIT_FSIZE, &was);
	isnum(e, EFBIG, "errno");
	isnum(count(a, "INBOX", 0), 0, "nothing there");
	ok(add(a, "INBOX", 1) == 0 && count(a, "INBOX", 0) == 1,
	    "and goes on when there is room");
	account_close(a);
}

int
main(void)
{
	plan(0);
	snprintf(root, sizeof(root), "%s/pneu-crash-XXXXXX",
	    access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	if (mkdtemp(root) == NULL)
		return 1;
	for (size_t i = 0; i < sizeof(acts) / sizeof(acts[0]); i++) {
		bool ended = false;
		int at = 0;

		while (!ended && ++at < STEPS_MAX)
			if (!kill_once(i, at, &ended))
				ok(false, "%s, killed at step %d",
				    acts[i].name, at);
		ok(ended && at > 2, "%s: killed at each of %d steps",
		    acts[i].name, at - 1);
	}
	test_full();
	remove_tree(root);
	return done();
}
