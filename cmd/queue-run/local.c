/*
 * A worker for recipients of our own: looks them up and hands the message to
 * run/local, one job for each recipient, so that each has its own result.
 */
#include "queue-run.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/die.h"
#include "base/fdpass.h"
#include "base/file.h"
#include "base/log.h"
#include "base/rid.h"
#include "base/tuple.h"
#include "stage/submit.h"

/* stages(8) bounds each stage; this only ends a wait for nothing. */
#define LOCAL_WAIT_MS 120000
#define ENVELOPE_MAX ((size_t)256 * 1024)

struct local {
	struct run *r;
	struct service pipeline; /* run/local */
};

struct request {
	struct tuple send;
	uint64_t size, offset;
	bool again;     /* an attempt was made before */
	int msg;        /* memfd with the message alone */
};

/* The message without its envelope: a pipeline takes it from offset 0. */
static int
copy_message(int fd, uint64_t offset, uint64_t size)
{
	int to = memfd_new("message");
	off_t at = (off_t)offset;

	while (to != -1 && size != 0) {
		ssize_t n = sendfile(to, fd, &at, size > 1 << 30 ? 1 << 30 :
		    (size_t)size);

		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0) {
			close(to);
			return -1;
		}
		size -= (uint64_t)n;
	}
	return to;
}

static void
put_rcpt(struct strbuf *sb, struct slice addr, struct slice account,
    struct slice mailbox)
{
	tuple_begin(sb, "rcpt");
	tuple_put(sb, "addr", addr);
	tuple_put(sb, "account", account);
	tuple_opt(sb, "mailbox", mailbox);
	tuple_end(sb);
}

static void
put_members(struct strbuf *sb, struct slice members, struct arena *ar)
{
	struct tuple_reader rd;
	struct tuple t;

	tuple_reader_init(&rd, members);
	while (tuple_next(&rd, ar, &t) == 1)
		if (tuple_is(&t, "member"))
			put_rcpt(sb, tuple_value(&t, "addr"),
			    tuple_value(&t, "account"),
			    tuple_value(&t, "mailbox"));
}

static void
set(struct verdict *v, int code, const char *ecode, const char *text)
{
	v->code = code;
	snprintf(v->ecode, sizeof(v->ecode), "%s", ecode);
	snprintf(v->text, sizeof(v->text), "%s", text);
}

static void
deliver(struct local *l, const struct request *q, struct slice addr,
    const char *id, struct conf_rcpt *to, struct arena *ar, struct verdict *v)
{
	struct strbuf env = STRBUF_INIT(ENVELOPE_MAX);

	tuple_begin(&env, "job");
	tuple_puts(&env, "id", id);
	tuple_putu(&env, "size", q->size);
	tuple_putu(&env, "time", (uint64_t)clock_unix());
	tuple_put(&env, "body", tuple_value(&q->send, "body"));
	tuple_put(&env, "smtputf8", tuple_value(&q->send, "smtputf8"));
	tuple_end(&env);
	tuple_begin(&env, "from");
	tuple_put(&env, "addr", tuple_value(&q->send, "from"));
	tuple_end(&env);
	if (to->kind == RCPT_ALIAS)
		put_members(&env, to->members, ar);
	else
		put_rcpt(&env, addr, to->account, to->mailbox);
	if (env.over)
		set(v, 451, "4.3.0", "too many members");
	else if (pipeline_submit(&l->pipeline, sb_slice(&env), q->msg,
	    q->again, LOCAL_WAIT_MS, v) == -1) {
		log_sys("unable to deliver by %s", l->pipeline.path);
		set(v, 451, "4.3.0", "local delivery is not possible now");
	}
	sb_free(&env);
}

static void
one_rcpt(struct local *l, const struct request *q, struct slice text,
    const char *id, struct arena *ar, struct verdict *v)
{
	struct conf_rcpt to = { 0 };
	struct addr a;

	if (addr_parse(text, ADDR_UTF8, ar, &a) == -1) {
		set(v, 550, "5.1.3", "bad address");
		return;
	}
	if (conf_rcpt(l->r->conf, &a, ar, &to) == -1) {
		set(v, 451, "4.3.5", "the configuration cannot be read");
		return;
	}
	switch (to.kind) {
	case RCPT_LOCAL:
	case RCPT_ALIAS:
		deliver(l, q, text, id, &to, ar, v);
		break;
	case RCPT_UNKNOWN:
		set(v, 550, "5.1.1", "no such user");
		break;
	case RCPT_DISABLED:
		set(v, 450, "4.2.1", "the domain is switched off");
		break;
	case RCPT_REFUSED:
		set(v, to.code, to.code / 100 == 5 ? "5.7.1" : "4.7.1", "");
		(void)!slice_cstr(slice_sub(to.text, 0, sizeof(v->text) - 1),
		    v->text, sizeof(v->text));
		break;
	case RCPT_REMOTE: /* the configuration has changed */
		set(v, 451, "4.3.5", "the domain is not local any more");
		break;
	}
}

static void
put_result(struct strbuf *sb, struct slice addr, const struct verdict *v)
{
	tuple_begin(sb, "result");
	tuple_put(sb, "addr", addr);
	tuple_puts(sb, "status", v->code / 100 == 2 ? "sent" :
	    v->code / 100 == 5 ? "refused" : "deferred");
	tuple_putu(sb, "code", (uint64_t)v->code);
	tuple_puts(sb, "ecode", v->ecode);
	tuple_puts(sb, "text", v->text);
	tuple_end(sb);
}

/*
 * The id of a recipient's job is the same in each attempt, so that deliver(8)
 * knows what a queue-run that was killed has not recorded: the entry's own for
 * its first recipient, else one that begins like it.
 */
static void
job_id(char id[RID_LEN + 1], struct slice entry, uint64_t n)
{
	if (n == 0)
		memcpy(id, entry.p, RID_LEN);
	else
		rid_derive(id, entry, n);
	id[RID_LEN] = '\0';
}

/* One request: 0, or -1 when queue-run has gone. */
static int
handle(struct local *l, int sock, struct slice text, int fd, struct arena *ar)
{
	struct request q = { .msg = -1 };
	struct tuple_reader rd;
	struct tuple t;
	char id[RID_LEN + 1];
	struct strbuf sb = STRBUF_INIT(PACKET_MAX);
	uint64_t n;
	int r = 0;

	tuple_reader_init(&rd, text);
	if (tuple_next(&rd, ar, &q.send) != 1 ||
	    !rid_ok(tuple_value(&q.send, "id")) ||
	    tuple_u64(&q.send, "size", INT64_MAX, &q.size) == -1 ||
	    tuple_u64(&q.send, "offset", INT64_MAX, &q.offset) == -1)
		return -1;
	q.again = tuple_has(&q.send, "again", "yes");
	q.msg = copy_message(fd, q.offset, q.size);
	while (r == 0 && tuple_next(&rd, ar, &t) == 1) {
		struct slice addr = tuple_value(&t, "addr");
		struct verdict v = { 0 };

		if (tuple_u64(&t, "n", UINT32_MAX, &n) == -1) {
			r = -1;
			break;
		}
		job_id(id, tuple_value(&q.send, "id"), n);
		if (q.msg == -1)
			set(&v, 452, "4.3.1", "no room for the message");
		else
			one_rcpt(l, &q, addr, id, ar, &v);
		put_result(&sb, addr, &v);
		r = fd_send(sock, sb_slice(&sb), NULL, 0);
		sb_reset(&sb);
	}
	if (q.msg != -1)
		close(q.msg);
	sb_free(&sb);
	return r == 0 ? fd_send(sock, S("end open=no\n"), NULL, 0) : -1;
}

void
local_worker(int sock, struct run *r)
{
	static char buf[PACKET_MAX];
	char *path = xprintf("%s/run/local", r->root);
	struct local l = { .r = r, .pipeline = { .path = path, .fd = -1 } };
	struct arena ar = { 0 };
	size_t n, fds;
	int fd = -1;

	signal(SIGTERM, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	while (fd_recv(sock, buf, sizeof(buf), &n, &fd, 1, &fds) == 1) {
		(void)conf_refresh(r->conf);
		if (fds != 1 || handle(&l, sock, slice_of(buf, n), fd, &ar) ==
		    -1)
			break;
		close(fd);
		arena_reset(&ar);
	}
	_exit(EXIT_DONE);
}
