/*
 * A batch of jobs: all files are written, then synced, then committed mailbox
 * by mailbox; a job is accepted when all its copies are committed.
 */
#include "deliver.h"

#include <errno.h>
#include <stdlib.h>

#include "addr/addr.h"
#include "base/alloc.h"
#include "base/log.h"

/* Received fields after which mail runs in a circle (RFC 5321, 6.3). */
#define HOPS_MAX 100

/* Messages for one mailbox. */
struct group {
	size_t account; /* index into deliver.open */
	uint32_t box;
	struct append *append;
	bool committed;
};

/* One copy of one job. */
struct copy {
	size_t job, group;
	int number; /* in the group's append */
	struct slice addr, account, mailbox;
	uint32_t uid;
	struct slice file; /* made by a worker that died: number is -1 */
};

struct batch {
	struct deliver *d;
	struct job **job;
	int *verdict;
	int *error;   /* errno of a job that failed, 0 */
	bool *ended;  /* verdict is set */
	size_t jobs;
	struct group *group;
	size_t groups, group_cap;
	struct copy *copy;
	size_t copies, copy_cap;
	struct slice host;
};

/* Where one recipient's mail goes. */
struct target {
	struct slice addr, account, mailbox;
};

/* ---- groups ---- */

static int
find_box(struct account *a, struct slice name, bool junk, struct arena *ar,
    uint32_t *id)
{
	struct mailbox *list, mb;
	struct slice one;
	size_t count;
	int r;

	if (junk) {
		if (mailbox_list(a, false, ar, &list, &count) == -1)
			return -1;
		for (size_t i = 0; i < count; i++)
			if ((list[i].special & SPECIAL_JUNK) != 0) {
				*id = list[i].id;
				return 0;
			}
	}
	if (name.n == 0 || mailbox_name(name, ar, &one) == -1)
		one = S("INBOX");
	if ((r = mailbox_find(a, one, ar, &mb)) == 1)
		*id = mb.id;
	else if (r == 0 && mailbox_create(a, one, 0, id) == -1) {
		if (errno != EEXIST || mailbox_find(a, one, ar, &mb) != 1)
			return -1;
		*id = mb.id;
	}
	return r == -1 ? -1 : 0;
}

/* The group for a mailbox: its index, or -1. */
static ssize_t
group_get(struct batch *b, struct open_account *o, uint32_t box)
{
	size_t account = (size_t)(o - b->d->open);
	struct append *ap;

	for (size_t i = 0; i < b->groups; i++)
		if (b->group[i].account == account && b->group[i].box == box)
			return (ssize_t)i;
	if ((ap = append_new(o->account, box)) == NULL)
		return -1;
	if (b->groups == b->group_cap) {
		b->group_cap = b->group_cap != 0 ? b->group_cap * 2 : 16;
		b->group = xrealloc(b->group,
		    size_mul(b->group_cap, sizeof(*b->group)));
	}
	b->group[b->groups] = (struct group){
		.account = account, .box = box, .append = ap,
	};
	return (ssize_t)b->groups++;
}

static struct copy *
copy_new(struct batch *b)
{
	if (b->copies == b->copy_cap) {
		b->copy_cap = b->copy_cap != 0 ? b->copy_cap * 2 : 64;
		b->copy = xrealloc(b->copy,
		    size_mul(b->copy_cap, sizeof(*b->copy)));
	}
	return &b->copy[b->copies++];
}

/* A job failed: none of its copies may stay. */
static void
job_fail(struct batch *b, size_t job, int error)
{
	struct arena ar = { 0 };

	if (b->error[job] == 0)
		b->error[job] = error != 0 ? error : EIO;
	for (size_t i = 0; i < b->copies; i++) {
		struct copy *c = &b->copy[i];
		struct group *g = &b->group[c->group];
		struct uid_list removed;
		uint64_t modseq;

		if (c->job != job || c->number == -1)
			continue;
		if (!g->committed)
			append_drop(g->append, c->number);
		else if (message_expunge(b->d->open[g->account].account,
		    g->box, &c->uid, 1, false, &ar, &removed, &modseq) == -1)
			log_sys("job %s: unable to take back uid %lu of %.*s",
			    b->job[job]->id, (unsigned long)c->uid,
			    SLICE_ARG(c->account));
		c->number = -1;
	}
	arena_free(&ar);
}

/* ---- writing ---- */

static int
write_message(struct batch *b, struct append *ap, const struct job *j,
    struct slice rcpt, const struct ranges *ranges)
{
	struct strbuf head = STRBUF_INIT(HEAD_MAX);
	int r;

	head_write(&head, b->d->conf, j, b->host, rcpt);
	errno = EMSGSIZE;
	r = head.over ? -1 : append_write(ap, sb_slice(&head));
	sb_free(&head);
	for (size_t i = 0; r == 0 && i < ranges->strip.count; i++) {
		struct slice p = ranges->strip.part[i];

		r = j->msg_fd != -1 ? append_fd(ap, j->msg_fd,
		    p.p - j->msg.p, p.n) : append_write(ap, p);
	}
	return r;
}

/* The mark of a job's next copy: the same when the job is done again. */
static struct slice
copy_mark(const struct batch *b, size_t job)
{
	struct strbuf sb = STRBUF_INIT(64);
	unsigned n = 0;
	struct slice mark;

	for (size_t i = 0; i < b->copies; i++)
		n += b->copy[i].job == job;
	sb_printf(&sb, "%s-%u", b->job[job]->id, n);
	mark = arena_copy(b->job[job]->arena, sb_slice(&sb));
	sb_free(&sb);
	return mark;
}

static int
write_copy(struct batch *b, size_t job, const struct target *t, bool junk)
{
	struct job *j = b->job[job];
	struct flagset set = { .flags = junk ? FLAG_JUNK : 0 };
	struct open_account *o = accounts_get(b->d, t->account);
	struct ranges *ranges = arena_alloc(j->arena, sizeof(*ranges));
	struct slice mark = copy_mark(b, job);
	struct message made;
	struct append *ap;
	struct copy *c;
	uint32_t box = 0;
	ssize_t g;
	int number = -1, before = 0;

	if (o == NULL)
		return -1;
	if (find_box(o->account, t->mailbox, junk, j->arena, &box) == -1 ||
	    (g = group_get(b, o, box)) == -1)
		return -1;
	ap = b->group[g].append;
	if (j->again && (before = append_made(o->account, box, mark, j->arena,
	    &made)) == -1)
		return -1;
	if (before == 0 && o->quota != 0 &&
	    o->bytes + j->msg.n > o->quota) {
		errno = EDQUOT;
		return -1;
	}
	if (before == 0 && (number = append_begin_marked(ap, mark)) == -1)
		return -1;
	c = copy_new(b);
	*c = (struct copy){
		.job = job, .group = (size_t)g, .number = number,
		.addr = t->addr, .account = t->account,
		.mailbox = t->mailbox,
	};
	if (before == 1) {
		c->uid = made.uid;
		c->file = made.file;
		return 0;
	}
	head_ranges(b->d->conf, j, t->addr, ranges);
	if (write_message(b, ap, j, t->addr, ranges) == -1)
		return -1;
	o->bytes += j->msg.n;
	return append_end(ap, &set, j->time, j->parts);
}

/* ---- recipients ---- */

/* A copy for each member of an alias. */
static int
write_members(struct batch *b, size_t job, struct slice members, bool junk)
{
	struct arena *ar = b->job[job]->arena;
	struct tuple_reader rd;
	struct tuple t;
	size_t n = 0;
	int r;

	tuple_reader_init(&rd, arena_copy(ar, members));
	while ((r = tuple_next(&rd, ar, &t)) == 1) {
		struct target to = {
			tuple_value(&t, "addr"), tuple_value(&t, "account"),
			tuple_value(&t, "mailbox"),
		};

		if (!tuple_is(&t, "member") || to.account.n == 0)
			continue;
		if (write_copy(b, job, &to, junk) == -1)
			return -1;
		n++;
	}
	errno = EINVAL;
	return r == -1 || n == 0 ? -1 : 0;
}

/* The job ends with a verdict of its own; nothing of it stays. */
static int
job_end(struct batch *b, size_t job, int verdict)
{
	job_fail(b, job, ECANCELED);
	b->verdict[job] = verdict;
	b->ended[job] = true;
	return 0;
}

/* An address without an account (the face for people, or mail from the
 * queue): ask the configuration. */
static int
write_address(struct batch *b, size_t job, struct target *t, bool junk)
{
	struct job *j = b->job[job];
	struct conf_rcpt r;
	struct addr a;

	if (addr_parse(t->addr, ADDR_UTF8 | ADDR_POSTMASTER, j->arena, &a) ==
	    -1)
		return job_end(b, job, job_refuse(j, 553, "5.1.3",
		    "bad recipient address"));
	if (conf_rcpt(b->d->conf, &a, j->arena, &r) == -1)
		return -1;
	switch (r.kind) {
	case RCPT_LOCAL:
		t->account = arena_copy(j->arena, r.account);
		t->mailbox = arena_copy(j->arena, r.mailbox);
		return write_copy(b, job, t, junk);
	case RCPT_ALIAS:
		return write_members(b, job, r.members, junk);
	case RCPT_DISABLED:
		return job_end(b, job, job_refuse(j, 450, "4.2.1",
		    "domain disabled"));
	case RCPT_REFUSED:
		return job_end(b, job, r.code == 421 ?
		    job_refuse(j, 451, "4.3.0", "recipient refused") :
		    job_refuse(j, 550, "5.1.1", "recipient refused"));
	default:
		return job_end(b, job, job_refuse(j, 550, "5.1.1",
		    "no account has this address"));
	}
}

static int
write_job(struct batch *b, size_t job)
{
	struct job *j = b->job[job];
	bool junk = slice_eqs(job_get(j, "dmarc", "disposition"),
	    "quarantine");
	const struct tuple *rcpt = NULL;

	while (!b->ended[job] && (rcpt = job_next(j, "rcpt", rcpt)) != NULL) {
		struct target t = {
			tuple_value(rcpt, "addr"),
			tuple_value(rcpt, "account"),
			tuple_value(rcpt, "mailbox"),
		};
		int r = t.account.n != 0 ? write_copy(b, job, &t, junk) :
		    write_address(b, job, &t, junk);

		if (r == -1)
			return -1;
	}
	return 0;
}

/*
 * What the policy of the domain in From asks for: true if the job was ended.
 * What the DNS did not say is not refused for good; an administrator may
 * choose to take such mail (RFC 9989 section 5.3.5 leaves it to the receiver).
 */
static bool
dmarc_refuses(struct batch *b, size_t job)
{
	struct job *j = b->job[job];

	if (!slice_eqs(job_get(j, "dmarc", "disposition"), "reject"))
		return false;
	if (!slice_eqs(job_get(j, "dmarc", "result"), "temperror"))
		b->verdict[job] = job_refuse(j, 550, "5.7.26",
		    "the policy of the domain in From refuses this message");
	else if (slice_eqs(conf_host(b->d->conf, "dmarc-temperror"), "accept"))
		return false;
	else
		b->verdict[job] = job_refuse(j, 451, "4.7.26",
		    "the policy of the domain in From cannot be looked up");
	return true;
}

/* What ends a job before anything is written. */
static void
judge(struct batch *b, size_t job)
{
	struct job *j = b->job[job];
	struct ranges *ranges = arena_alloc(j->arena, sizeof(*ranges));

	head_ranges(b->d->conf, j, SLICE_NONE, ranges);
	if (dmarc_refuses(b, job)) {
		b->ended[job] = true;
		return;
	}
	if (ranges->received > HOPS_MAX)
		b->verdict[job] = job_refuse(j, 550, "5.4.6",
		    "mail loop: %u Received fields", ranges->received);
	else if (ranges->strip.full)
		b->verdict[job] = job_refuse(j, 550, "5.6.0",
		    "too many fields that only this host may write");
	else if (job_find(j, "rcpt") == NULL)
		b->verdict[job] = job_refuse(j, 554, "5.5.1",
		    "no recipient");
	else
		return;
	b->ended[job] = true;
}

/* ---- the batch ---- */

static void
fail_group(struct batch *b, size_t group, int error)
{
	for (size_t i = 0; i < b->copies; i++)
		if (b->copy[i].group == group && b->copy[i].number != -1)
			job_fail(b, b->copy[i].job, error);
}

static void
commit_groups(struct batch *b)
{
	for (size_t i = 0; i < b->groups; i++)
		append_start(b->group[i].append);
	for (size_t i = 0; i < b->groups; i++)
		if (append_count(b->group[i].append) != 0 &&
		    append_sync(b->group[i].append) == -1)
			fail_group(b, i, errno);
	for (size_t i = 0; i < b->groups; i++) {
		struct group *g = &b->group[i];

		if (append_count(g->append) == 0)
			continue;
		if (append_commit(g->append) == -1) {
			fail_group(b, i, errno);
			continue;
		}
		g->committed = true;
		for (size_t k = 0; k < b->copies; k++)
			if (b->copy[k].group == i && b->copy[k].number != -1)
				b->copy[k].uid = append_uid(g->append,
				    b->copy[k].number);
	}
}

static int
refusal(struct job *j, int error)
{
	switch (error) {
	case EDQUOT:
		return job_refuse(j, 452, "4.2.2", "mailbox is full");
	case ENOSPC:
	case EFBIG:
		return job_refuse(j, 452, "4.3.1",
		    "insufficient system storage");
	default:
		return job_refuse(j, 451, "4.3.0", "unable to deliver now");
	}
}

static void
answer(struct batch *b, size_t job, struct strbuf *out)
{
	struct job *j = b->job[job];

	if (b->error[job] != 0) {
		log_error("job %s: unable to deliver: %s", j->id,
		    strerror(b->error[job]));
		b->verdict[job] = refusal(j, b->error[job]);
		return;
	}
	for (size_t i = 0; i < b->copies; i++) {
		struct copy *c = &b->copy[i];

		if (c->job != job)
			continue;
		tuple_begin(out, "deliver");
		tuple_put(out, "addr", c->addr);
		tuple_put(out, "account", c->account);
		tuple_put(out, "mailbox", c->mailbox.n != 0 ? c->mailbox :
		    S("INBOX"));
		tuple_putu(out, "uid", c->uid);
		if (c->number == -1)
			tuple_put(out, "file", c->file);
		else
			tuple_puts(out, "file", append_file(
			    b->group[c->group].append, c->number));
		tuple_end(out);
	}
	b->verdict[job] = job_accept(j, "2.0.0", "delivered as %s", j->id);
}

void
deliver_batch(void *ctx, struct job **jobs, struct strbuf *out, int *verdict,
    size_t count)
{
	struct batch b = { .d = ctx, .job = jobs, .verdict = verdict,
		.jobs = count };

	b.d->turn++;
	b.host = conf_host(b.d->conf, "name");
	b.error = xcalloc(count, sizeof(*b.error));
	b.ended = xcalloc(count, sizeof(*b.ended));
	for (size_t i = 0; i < count; i++) {
		judge(&b, i);
		if (!b.ended[i] && write_job(&b, i) == -1)
			job_fail(&b, i, errno);
	}
	commit_groups(&b);
	for (size_t i = 0; i < count; i++)
		if (!b.ended[i])
			answer(&b, i, &out[i]);
	for (size_t i = 0; i < b.groups; i++)
		append_free(b.group[i].append);
	accounts_trim(b.d);
	free(b.group);
	free(b.copy);
	free(b.error);
	free(b.ended);
}
