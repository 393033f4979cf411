#include "stage/submit.h"

#include <errno.h>
#include <poll.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/fdpass.h"
#include "base/file.h"
#include "base/rid.h"
#include "base/tuple.h"
#include "net/net.h"
#include "stage/job.h"

#include <unistd.h>

/* How often a pipeline that went away is looked for. */
#define BACK_STEP_MS 20

/* The id of the job record that starts the envelope. */
static int
envelope_id(struct slice envelope, char id[RID_LEN + 1])
{
	struct tuple_reader r;
	struct arena a = { 0 };
	struct tuple t;
	int result = -1;

	tuple_reader_init(&r, envelope);
	if (tuple_next(&r, &a, &t) == 1 && tuple_is(&t, "job") &&
	    rid_ok(tuple_value(&t, "id")))
		result = slice_cstr(tuple_value(&t, "id"), id, RID_LEN + 1);
	arena_free(&a);
	if (result == -1)
		errno = EINVAL;
	return result;
}

static int
parse_verdict(struct slice text, const char *id, struct verdict *v)
{
	struct tuple_reader r;
	struct arena a = { 0 };
	struct tuple t;
	uint64_t code = 0;
	int result = -1;

	tuple_reader_init(&r, text);
	if (tuple_next(&r, &a, &t) == 1 && tuple_is(&t, "reply") &&
	    tuple_has(&t, "id", id) && tuple_u64(&t, "code", 599, &code) == 0 &&
	    (code == 250 || code >= 400) &&
	    ecode_ok(tuple_value(&t, "ecode")) &&
	    slice_cstr(tuple_value(&t, "ecode"), v->ecode, sizeof(v->ecode)) ==
	    0 &&
	    slice_is_print(tuple_value(&t, "text")) &&
	    slice_cstr(tuple_value(&t, "text"), v->text, sizeof(v->text)) == 0) {
		v->code = (int)code;
		result = 0;
	}
	arena_free(&a);
	if (result == -1)
		errno = EPROTO;
	return result;
}

static int
send_job(int sock, const char *id, bool again, struct slice envelope,
    int msg_fd)
{
	char text[64 + RID_LEN];
	int n = snprintf(text, sizeof(text), "job id=%s%s\n", id,
	    again ? " again=yes" : "");
	int fds[2] = { memfd_new("envelope"), msg_fd };
	int e, r;

	if (fds[0] == -1)
		return -1;
	r = write_all(fds[0], envelope);
	if (r == 0)
		r = fd_send(sock, slice_of(text, (size_t)n), fds, 2);
	e = errno;
	close(fds[0]);
	errno = e;
	return r;
}

static int
hear(int sock, const char *id, int64_t deadline, struct verdict *v)
{
	char buf[2048];
	size_t n, count;
	int got = poll_until(sock, POLLIN, deadline);

	if (got <= 0) {
		if (got == 0)
			errno = ETIMEDOUT;
		return -1;
	}
	got = fd_recv(sock, buf, sizeof(buf), &n, NULL, 0, &count);
	if (got <= 0) {
		if (got == 0)
			errno = EPIPE;
		return -1;
	}
	return parse_verdict(slice_of(buf, n), id, v);
}

/* Once; *sent if the pipeline may have taken it. */
static int
ask(struct service *pipe, const char *id, bool again, struct slice envelope,
    int msg_fd, int64_t deadline, struct verdict *v, bool *sent)
{
	int e, sock = service_fd(pipe);

	if (sock == -1)
		return -1;
	if (send_job(sock, id, again, envelope, msg_fd) == 0) {
		*sent = true;
		if (hear(sock, id, deadline, v) == 0)
			return 0;
	}
	e = errno;
	service_close(pipe);
	errno = e;
	return -1;
}

static bool
is_gone(int error)
{
	return error == EPIPE || error == ECONNRESET ||
	    error == ECONNREFUSED || error == ENOENT;
}

int
pipeline_submit(struct service *pipe, struct slice envelope, int msg_fd,
    bool again, int wait_ms, struct verdict *v)
{
	char id[RID_LEN + 1];
	int64_t deadline = clock_ms() + wait_ms, back = 0;
	bool sent = false;

	if (envelope_id(envelope, id) == -1)
		return -1;
	for (;;) {
		bool now = false;

		if (ask(pipe, id, again || sent, envelope, msg_fd, deadline, v,
		    &now) == 0)
			return 0;
		/* Who has never had the job need not be waited for. */
		if (!is_gone(errno) || (!now && !sent))
			return -1;
		if (now)
			back = clock_ms() + PIPELINE_BACK_MS;
		sent = true;
		if (clock_ms() >= back || clock_ms() >= deadline)
			return -1;
		poll(NULL, 0, BACK_STEP_MS);
	}
}
