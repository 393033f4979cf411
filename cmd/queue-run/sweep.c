/*
 * Files of entries that are over are removed by processes of their own: on
 * some file systems to give back the blocks of one takes milliseconds, as long
 * as it takes to send several. The entry stays in the table until its file is
 * gone, so that nobody takes the file for a new one.
 */
#include "queue-run.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/die.h"
#include "base/fdpass.h"
#include "base/log.h"

/* A packet is the ids one after another; the answer is those whose files are
 * not there any more. */
#define ID_BYTES (RID_LEN + 1)

static void __attribute__((noreturn))
sweeper(int sock, struct queue *q)
{
	char ids[SWEEP_IDS * ID_BYTES];
	size_t n, done, fds;

	while (fd_recv(sock, ids, sizeof(ids), &n, NULL, 0, &fds) == 1) {
		done = 0;
		for (size_t i = 0; i + ID_BYTES <= n; i += ID_BYTES) {
			if (queue_job_remove(q, ids + i) == -1) {
				log_sys("unable to remove queue entry %s",
				    ids + i);
				continue;
			}
			memmove(ids + done, ids + i, ID_BYTES);
			done += ID_BYTES;
		}
		/* An empty packet would be the end. */
		if (done == 0)
			ids[done++] = '\0';
		if (fd_send(sock, slice_of(ids, done), NULL, 0) == -1)
			break;
	}
	_exit(EXIT_DONE);
}

void
sweep_start(struct run *r)
{
	pid_t parent = getpid(), pid;
	int sv[2];

	for (size_t i = 0; i < SWEEPERS; i++) {
		r->sweeper[i].fd = -1;
		if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0,
		    sv) == -1)
			continue;
		if ((pid = fork()) == 0) {
			if (prctl(PR_SET_PDEATHSIG, SIGKILL) == -1 ||
			    getppid() != parent)
				_exit(EXIT_TEMP);
			close(sv[0]);
			close(r->bell);
			close(r->lock); /* the next queue-run waits for it */
			sweeper(sv[1], &r->q);
		}
		close(sv[1]);
		if (pid == -1)
			close(sv[0]);
		else
			r->sweeper[i].fd = sv[0];
	}
}

void
sweep_add(struct run *r, struct qentry *e)
{
	if (r->gone_count == r->gone_cap) {
		r->gone_cap = size_add(size_mul(r->gone_cap, 2), 64);
		r->gone = xrealloc(r->gone,
		    size_mul(r->gone_cap, sizeof(*r->gone)));
	}
	memcpy(r->gone[r->gone_count++], e->id, sizeof(e->id));
}

/* The file is not there any more. */
static void
swept(struct run *r, const char *id)
{
	struct qentry *e = qtable_find(&r->table, slice_str(id));

	if (e != NULL && e->leaving)
		qtable_drop(&r->table, e);
}

static void
remove_here(struct run *r, const char *id)
{
	if (queue_job_remove(&r->q, id) == -1)
		log_sys("unable to remove queue entry %s", id);
	else
		swept(r, id);
}

static void
sweeper_lost(struct run *r, struct sweeper *s)
{
	log_error("a process that removes queue entries has ended");
	close(s->fd);
	s->fd = -1;
	for (; s->count > 0; s->count--)
		remove_here(r, s->id[s->count - 1]);
}

void
sweep_go(struct run *r)
{
	bool some = false;

	for (size_t i = 0; i < SWEEPERS && r->gone_count != 0; i++) {
		struct sweeper *s = &r->sweeper[i];
		struct slice packet;

		some |= s->fd != -1;
		if (s->fd == -1 || s->count != 0)
			continue;
		s->count = r->gone_count < SWEEP_IDS ? r->gone_count :
		    SWEEP_IDS;
		r->gone_count -= s->count;
		memcpy(s->id, r->gone[r->gone_count], s->count * ID_BYTES);
		packet = slice_of(s->id, s->count * ID_BYTES);
		if (fd_send(s->fd, packet, NULL, 0) == -1)
			sweeper_lost(r, s);
	}
	while (!some && r->gone_count != 0)
		remove_here(r, r->gone[--r->gone_count]);
}

void
sweep_read(struct run *r, struct sweeper *s)
{
	char ids[SWEEP_IDS * ID_BYTES];
	size_t n, fds;

	if (fd_recv(s->fd, ids, sizeof(ids), &n, NULL, 0, &fds) != 1 ||
	    s->count == 0) {
		sweeper_lost(r, s);
		return;
	}
	/* One that could not be removed stays: it must not be sent again. The
	 * next start tries once more. */
	for (size_t i = 0; i + ID_BYTES <= n; i += ID_BYTES)
		swept(r, ids + i);
	s->count = 0;
}

bool
sweep_busy(const struct run *r)
{
	for (size_t i = 0; i < SWEEPERS; i++)
		if (r->sweeper[i].count != 0)
			return true;
	return r->gone_count != 0;
}
