/* The queue on disk: adding, the journal, replay after a crash, filters. */
#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/file.h"
#include "imf/date.h"
#include "queue/entry.h"
#include "queue/filter.h"
#include "queue/queue.h"

static char root[] = "/tmp/queue.XXXXXX";

#define ENV(id, n, rcpts) "job id=" id " size=" n " time=1000 body=8bitmime " \
	"smtputf8=no\nauth account=ann\nfrom addr=ann@example.org\n" rcpts
#define ID1 "aaaaaaaaaaaaaaaa"
#define ID2 "bbbbbbbbbbbbbbbb"
#define RCPTS "rcpt addr=z@b.example\nrcpt addr=y@A.example\n" \
	"rcpt addr=x@b.example notify=never\nrcpt addr=z@b.example\n"

static int
count_ids(void *ctx, const char *id)
{
	(void)id;
	++*(int *)ctx;
	return 0;
}

static void
test_add(struct queue *q)
{
	struct queue_new n[2] = {
		{ ID1, S(ENV(ID1, "5", RCPTS)), { S("he"), S("llo") }, 2, 1 },
		{ ID2, S(ENV(ID2, "0", "rcpt addr=a@b.example\n")), { { 0 } },
		    0, 1 },
	};
	struct strbuf sb = STRBUF_INIT(4096);
	int ids = 0, fd;

	queue_add(q, n, 2);
	ok(n[0].error == 0 && n[1].error == 0, "two entries added");
	ok(queue_job_each(q, count_ids, &ids) == 0 && ids == 2, "both seen");
	fd = queue_job_open(q, ID1);
	ok(fd_slurp(fd, &sb) == 0, "readable");
	close(fd);
	is(sb_slice(&sb), ENV(ID1, "5", RCPTS) "\nhello", "bytes of an entry");
	queue_add(q, n, 1);
	ids = 0;
	ok(n[0].error == 0 && queue_job_each(q, count_ids, &ids) == 0 &&
	    ids == 2, "adding again makes no second one");
	sb_free(&sb);
}

static struct qentry *
load(struct qtable *t, struct queue *q, const char *id)
{
	struct qentry *e = NULL;
	const char *why = NULL;

	if (qtable_load(t, q, id, &e, &why) != 1)
		diag("%s: %s", id, why);
	return e;
}

static void
test_groups(struct queue *q, struct qtable *t)
{
	struct qentry *e = load(t, q, ID1);

	ok(e != NULL, "entry loaded");
	isnum((long long)e->groups, 2, "two domains");
	isnum((long long)e->rcpts, 3, "a repeated recipient counts once");
	ok(strcmp(e->group[0].domain, "a.example") == 0 &&
	    strcmp(e->group[1].domain, "b.example") == 0, "domains sorted");
	ok(e->rcpt[1].notify == NOTIFY_NEVER, "NOTIFY=NEVER");
	ok(qtable_find(t, S(ID1)) == e, "found by id");
}

static void
test_journal(struct queue *q, struct qtable *t)
{
	struct qentry *e = qtable_find(t, S(ID1));
	struct strbuf sb = STRBUF_INIT(65536), back = STRBUF_INIT(65536);
	struct qtable fresh = { 0 };
	struct qentry *f;

	e->group[1].attempts = 3;
	e->group[1].last = 2000;
	e->group[1].next = 2600;
	qrec_attempt(&sb, &e->group[1]);
	qrcpt_set(&e->rcpt[1], Q_FAILED, 550, S("5.1.1"),
	    S("no\r\nRCPT TO:<x>\033[2J \xff"), S("mx.example"), S("::1"), 2001);
	qrec_result(&sb, e, &e->rcpt[1]);
	ok(strchr(e->rcpt[1].last->text, '\n') == NULL &&
	    strchr(e->rcpt[1].last->text, 033) == NULL, "control bytes gone");
	ok(queue_append(q, sb_slice(&sb)) == 0, "appended");
	/* A record that a crash cut off, then a good one. */
	ok(write_all(q->journal, S("done how=sent id=bbbbbb")) == 0, "torn");
	sb_reset(&sb);
	qrec_next(&sb, e, 2222);
	ok(queue_append(q, sb_slice(&sb)) == 0, "appended after it");

	f = load(&fresh, q, ID1);
	ok(load(&fresh, q, ID2) != NULL, "second entry loaded");
	q->seen = 0;
	ok(queue_read(q, &back) == 0, "read back");
	qtable_apply(&fresh, sb_slice(&back), NULL, NULL);
	ok(f->group[1].attempts == 3 && f->group[1].last == 2000,
	    "attempts survive");
	isnum(f->group[1].next, 2222, "queue-retry's time survives");
	ok(qrcpt_status(&f->rcpt[1]) == Q_FAILED &&
	    f->rcpt[1].last->code == 550 &&
	    strcmp(f->rcpt[1].last->ecode, "5.1.1") == 0 &&
	    strcmp(f->rcpt[1].last->ip, "::1") == 0, "result survives");
	ok(!qtable_find(&fresh, S(ID2))->ended, "a torn record is skipped");
	ok(!qgroup_ended(&f->group[1]) && !qentry_unreported(f),
	    "NOTIFY=NEVER needs no report");
	sb_reset(&sb);
	qrec_state(&sb, f);
	sb_reset(&back);
	qrec_state(&back, e);
	e->group[0].next = e->group[1].next = 2222;
	sb_reset(&back);
	qrec_state(&back, e);
	is(sb_slice(&sb), sb_cstr(&back), "the same state in both");
	sb_reset(&sb);
	qrec_done(&sb, ID2, "sent");
	qtable_apply(&fresh, sb_slice(&sb), NULL, NULL);
	ok(qtable_find(&fresh, S(ID2))->ended, "done");
	qtable_free(&fresh);
	sb_free(&sb);
	sb_free(&back);
}

static void
render(void *ctx, struct slice tail, struct strbuf *out)
{
	*(size_t *)ctx = tail.n;
	sb_puts(out, "next at=7 id=" ID1 "\n");
}

static void
test_compact(struct queue *q)
{
	struct strbuf tail = STRBUF_INIT(65536);
	struct queue other;
	size_t n = 0;

	ok(queue_open(&other, root) == 0, "a second process opens it");
	q->seen = 0;
	ok(queue_compact(q, &tail, render, &n) == 0 && n > 0, "replaced");
	sb_reset(&tail);
	ok(queue_append(&other, S("next at=9 id=" ID2 "\n")) == 0,
	    "the other appends");
	ok(queue_read(q, &tail) == 0, "read");
	is(sb_slice(&tail), "\nnext at=9 id=" ID2 "\n",
	    "its record is in the new journal");
	queue_close(&other);
	sb_free(&tail);
}

static void
test_bad(struct queue *q)
{
	static const char *const bad[] = {
		"", "job id=" ID1 " size=0 time=1\n",
		"job id=short size=0 time=1\nfrom addr=a@b\nrcpt addr=c@d\n",
		"job id=" ID1 " size=x time=1\nfrom addr=a@b\nrcpt addr=c@d\n",
		"job id=" ID1 " size=0 time=1\nfrom addr=a@b\nrcpt addr=c\n",
		"job id=" ID1 " size=0 time=1\nfrom addr=a@b\nrcpt addr=c@\n",
		"job id=" ID1 " size=0 time=1\nfrom addr=\"a\nrcpt addr=c@d\n",
	};
	struct qtable t = { 0 };
	struct qentry e, *p;
	const char *why;
	int good = 0, fd;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct slice in = exact(bad[i]);

		good += qentry_parse(&e, in, &why) == 0;
		qentry_free(&e);
		free((void *)(uintptr_t)in.p);
	}
	isnum(good, 0, "bad envelopes are refused");
	fd = openat(q->dir, "job/cccccccccccccccc", O_WRONLY | O_CREAT, 0600);
	ok(write_all(fd, S(ENV("cccccccccccccccc", "9", "rcpt addr=a@b\n")
	    "\nshort")) == 0, "a cut file");
	close(fd);
	ok(qtable_load(&t, q, "cccccccccccccccc", &p, &why) == -1 &&
	    errno == EPROTO, "is refused");
	ok(qtable_load(&t, q, "dddddddddddddddd", &p, &why) == 0,
	    "a missing file is none");
	ok(queue_job_remove(q, "cccccccccccccccc") == 0 &&
	    queue_job_remove(q, "cccccccccccccccc") == 0, "removed, twice");
}

static const struct {
	const char *text;
	int r;
	int64_t s;
} durations[] = {
	{ "90", 0, 90 }, { "2h30m", 0, 9000 }, { "-5m", 0, -300 },
	{ "+1d", 0, 86400 }, { "", -1, 0 }, { "-", -1, 0 }, { "h", -1, 0 },
	{ "5x", -1, 0 }, { "99999999999999999999", -1, 0 },
	{ "999999999w", -1, 0 },
};

static void
test_filter(struct qtable *t)
{
	struct qentry *e = qtable_find(t, S(ID1));
	struct qfilter f = { 0 };
	char when[] = "<-1h";
	int good = 0;

	for (size_t i = 0; i < sizeof(durations) / sizeof(durations[0]); i++) {
		struct slice in = exact(durations[i].text);
		int64_t s = 0;
		int r = qduration(in, &s);

		good += r == durations[i].r && s == durations[i].s;
		free((void *)(uintptr_t)in.p);
	}
	isnum(good, sizeof(durations) / sizeof(durations[0]), "durations");
	ok(qfilter_match(&f, e, 5000), "no filter matches");
	f.to = "@B.EXAMPLE";
	ok(qfilter_match(&f, e, 5000), "-to domain");
	f.to = "@example";
	ok(!qfilter_match(&f, e, 5000), "-to another domain");
	f = (struct qfilter){ .from = "NN@ex", .account = "ann" };
	ok(qfilter_match(&f, e, 5000), "-from part, -account");
	f.account = "bob";
	ok(!qfilter_match(&f, e, 5000), "-account of another");
	f = (struct qfilter){ 0 };
	ok(qfilter_set(&f, 'n', when) == -1, "-n needs a number");
	for (const struct option *o = qfilter_options; o->name != NULL; o++)
		if (strcmp(o->name, "submitted") == 0)
			ok(qfilter_set(&f, o->val, when) == 1, "-submitted");
	ok(qfilter_match(&f, e, 5000) && !qfilter_match(&f, e, 4000),
	    "an hour ago");
	ok(qfilter_id(&f, ID2) == 0 && !qfilter_match(&f, e, 5000), "by id");
	ok(qfilter_id(&f, "../../etc/passwd") == -1, "a path is no id");
	qfilter_free(&f);
}

int
main(void)
{
	struct qtable t = { 0 };
	struct strbuf date = STRBUF_INIT(64);
	struct queue q;

	plan(0);
	if (mkdtemp(root) == NULL)
		return 1;
	ok(queue_open(&q, root) == 0, "queue made");
	test_add(&q);
	test_groups(&q, &t);
	test_journal(&q, &t);
	test_filter(&t);
	test_bad(&q);
	test_compact(&q);
	queue_ring(root, S(ID1)); /* nobody listens: nothing happens */
	date_write(&date, 1795241886, 0);
	is(sb_slice(&date), "Sat, 21 Nov 2026 06:18:06 +0000", "date");
	sb_free(&date);
	qtable_free(&t);
	ok(queue_job_remove(&q, ID1) == 0 && queue_job_remove(&q, ID2) == 0,
	    "entries removed");
	unlinkat(q.dir, "journal", 0);
	unlinkat(q.dir, "lock", 0);
	unlinkat(q.dir, "job", AT_REMOVEDIR);
	unlinkat(q.dir, "tmp", AT_REMOVEDIR);
	queue_close(&q);
	if (chdir(root) == 0 && rmdir("queue") == 0)
		rmdir(root);
	return done();
}
