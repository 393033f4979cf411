/*
 * job-worker - run a stage as a worker with one job
 * usage   job-worker program [argument ...]
 * fd 0    a job
 * fd 1    the envelope as the worker left it; or, if it ended the job, its
 *         reply line
 * exit    0; 100 bad job; 111 the worker died or took more than 30 s
 *
 * The program is given -w and the descriptors and environment that stages(8)
 * gives a worker. With this a test compares the two faces of a stage.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/die.h"
#include "base/fdpass.h"
#include "base/file.h"
#include "stage/job.h"
#include "stage/stage.h"

#define WAIT_MS 30000
#define INPUT_MAX ((size_t)64 * 1024 * 1024)

static int
file_with(const char *name, struct slice bytes)
{
	int fd = memfd_new(name);

	if (fd == -1 || write_all(fd, bytes) == -1)
		die_sys(EXIT_TEMP, "memfd");
	return fd;
}

/* Types that are in the envelope, for PNEU_TYPES. */
static void
set_types(const struct job *j)
{
	struct strbuf sb = STRBUF_INIT(65536);

	for (size_t i = 0; i < j->count; i++) {
		if (i > 0)
			sb_putc(&sb, ',');
		sb_put(&sb, j->rec[i].type);
	}
	setenv("PNEU_TYPES", sb_cstr(&sb), 1);
	setenv("PNEU_SEAT", "0", 1);
	sb_free(&sb);
}

static pid_t
start(char **argv, int in, int out, int reply, int seats)
{
	pid_t pid = fork();
	char *args[64];
	int n = 0;

	if (pid != 0)
		return pid;
	/* Out of the way of 0 to 4 before they are set. */
	in = fcntl(in, F_DUPFD, 10);
	out = fcntl(out, F_DUPFD, 10);
	reply = fcntl(reply, F_DUPFD, 10);
	seats = fcntl(seats, F_DUPFD, 10);
	if (dup2(in, 0) == -1 || dup2(out, 1) == -1 || dup2(reply, 3) == -1 ||
	    dup2(seats, 4) == -1)
		_exit(EXIT_TEMP);
	args[n++] = argv[0];
	args[n++] = (char *)(uintptr_t)"-w";
	for (char **a = argv + 1; *a != NULL && n < 63; a++)
		args[n++] = *a;
	args[n] = NULL;
	execv(argv[0], args);
	_exit(EXIT_TEMP);
}

static void
finish(int out, int reply, int envelope)
{
	struct pollfd p[2] = { { .fd = out, .events = POLLIN },
		{ .fd = reply, .events = POLLIN } };
	struct strbuf text = STRBUF_INIT(JOB_ENVELOPE_MAX);
	unsigned char buf[PACKET_MAX];
	int fds[FDPASS_MAX];
	size_t n, count;

	if (poll(p, 2, WAIT_MS) <= 0)
		die(EXIT_TEMP, "no answer of the worker");
	if (p[0].revents & POLLIN) {
		if (fd_recv(out, buf, sizeof(buf), &n, fds, FDPASS_MAX,
		    &count) != 1 || count != 3)
			die(EXIT_TEMP, "the worker died");
		if (lseek(envelope, 0, SEEK_SET) == -1 ||
		    fd_slurp(envelope, &text) == -1)
			die_sys(EXIT_TEMP, "envelope");
	} else {
		if (fd_recv(reply, buf, sizeof(buf), &n, fds, FDPASS_MAX,
		    &count) != 1)
			die(EXIT_TEMP, "the worker died");
		sb_put(&text, slice_of(buf, n));
	}
	if (write_all(STDOUT_FILENO, sb_slice(&text)) == -1)
		die_sys(EXIT_TEMP, "write");
	sb_free(&text);
}

int
main(int argc, char **argv)
{
	struct strbuf in = STRBUF_INIT(INPUT_MAX), packet = STRBUF_INIT(256);
	struct arena ar = { 0 };
	struct job j = { .arena = &ar };
	const char *error;
	int a[2], b[2], c[2], fds[3], seats, status;
	ptrdiff_t at;
	pid_t pid;

	prog_set(argv[0]);
	if (argc < 2 || fd_slurp(STDIN_FILENO, &in) == -1)
		return EXIT_PERM;
	at = slice_find(sb_slice(&in), S("\n\n"));
	if (at == -1 ||
	    job_parse(&j, slice_of(in.p, (size_t)at + 1), &error) == -1)
		die(EXIT_PERM, "bad job");
	set_types(&j);
	fds[0] = file_with("envelope", slice_of(in.p, (size_t)at + 1));
	fds[1] = file_with("message", slice_skip(sb_slice(&in), (size_t)at + 2));
	fds[2] = file_with("parts", SLICE_NONE);
	if (memfd_seal(fds[1]) == -1 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, a) == -1 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, b) == -1 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, c) == -1 ||
	    (seats = memfd_new("seats")) == -1 ||
	    ftruncate(seats, sizeof(struct stage_seat)) == -1)
		die_sys(EXIT_TEMP, "unable to set up");
	pid = start(argv + 1, a[1], b[1], c[1], seats);
	close(a[1]);
	close(b[1]);
	close(c[1]);
	sb_printf(&packet, "job id=%s slot=0\n", j.id);
	if (pid == -1 || fd_send(a[0], sb_slice(&packet), fds, 3) == -1)
		die_sys(EXIT_TEMP, "unable to give the job");
	finish(b[0], c[0], fds[0]);
	close(a[0]);
	if (waitpid(pid, &status, 0) == -1 || status != 0)
		die(EXIT_TEMP, "the worker's exit status is %d", status);
	arena_free(&ar);
	sb_free(&in);
	sb_free(&packet);
	return EXIT_DONE;
}
