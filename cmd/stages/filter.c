/*
 * A foreign one-shot filter as a stage: for each job the command gets the job
 * on stdin and writes it to stdout with lines of its types added. Exit 0: the
 * lines are taken; 100: refused; anything else: try again later.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/die.h"
#include "base/file.h"
#include "base/log.h"
#include "stages.h"

/* Before stages(8) ends a worker that is over its time, the worker ends what
 * the command has started. */
#define SPARE_MS 250
#define EXIT_STEP_MS 2 /* between looks whether the command has ended */

struct filter {
	char **argv;
	unsigned seconds;
};

/* The job as a stream, in a file that becomes the command's stdin. */
static int
stream_file(const struct job *j)
{
	int fd = memfd_new("job");

	if (fd == -1)
		return -1;
	if (write_all(fd, j->envelope) == -1 ||
	    write_all(fd, S("\n")) == -1 || write_all(fd, j->msg) == -1 ||
	    lseek(fd, 0, SEEK_SET) == -1) {
		close(fd);
		return -1;
	}
	return fd;
}

static pid_t
start(struct filter *f, int in, int out)
{
	pid_t parent = getpid(), pid = fork();

	if (pid != 0)
		return pid;
	/* A group, so that what it started ends with it. */
	setpgid(0, 0);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) == -1 || getppid() != parent)
		_exit(EXIT_TEMP);
	if (dup2(in, STDIN_FILENO) == -1 || dup2(out, STDOUT_FILENO) == -1)
		_exit(EXIT_TEMP);
	/* Not the worker's sockets: they are not for strangers. */
	close(3);
	execvp(f->argv[0], f->argv);
	log_sys("unable to run %s", f->argv[0]);
	_exit(EXIT_TEMP);
}

/*
 * Read the envelope back, up to the empty line, until the deadline; the rest
 * is read and thrown away so that the command is not stopped by a full pipe.
 */
static int
read_back(int fd, struct strbuf *env, int64_t deadline)
{
	char buf[65536];
	bool ended = false;

	for (;;) {
		ssize_t n;

		if (poll_until(fd, POLLIN, deadline) <= 0)
			return -1;
		n = read(fd, buf, sizeof(buf));
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			return n == 0 && ended ? 0 : -1;
		if (!ended) {
			ptrdiff_t end;

			sb_put(env, slice_of(buf, (size_t)n));
			end = slice_find(sb_slice(env), S("\n\n"));
			if (end != -1) {
				sb_cut(env, (size_t)end + 1);
				ended = true;
			}
			if (env->over)
				return -1;
		}
	}
}

/*
 * The exit status. *late: it was over its time, and has been ended with all
 * that it started.
 */
static int
await(pid_t pid, int64_t deadline, bool failed, bool *late)
{
	int status = 0;
	pid_t got = 0;

	while (!failed && got == 0 && clock_left(deadline) > 0)
		if ((got = waitpid(pid, &status, WNOHANG)) == 0)
			poll(NULL, 0, EXIT_STEP_MS);
	if (got == pid)
		return status;
	*late = clock_left(deadline) == 0;
	kill(-pid, SIGKILL);
	kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) == -1 && errno == EINTR)
		;
	return status;
}

static int
filter_run(void *ctx, struct job *j, struct strbuf *out)
{
	struct filter *f = ctx;
	struct strbuf env = STRBUF_INIT(JOB_ENVELOPE_MAX);
	int64_t deadline = clock_ms() + (int64_t)f->seconds * 1000 - SPARE_MS;
	bool late = false;
	int in = stream_file(j), fd[2] = { -1, -1 }, status = 0, r;
	pid_t pid;

	if (in == -1 || pipe2(fd, O_CLOEXEC) == -1) {
		log_sys("job %s: unable to start %s", j->id, f->argv[0]);
		if (in != -1)
			close(in);
		return EXIT_TEMP;
	}
	pid = start(f, in, fd[1]);
	close(in);
	close(fd[1]);
	r = pid != -1 ? read_back(fd[0], &env, deadline) : -1;
	close(fd[0]);
	if (pid != -1)
		status = await(pid, deadline, r == -1, &late);
	/* The pipeline file says what that means: stages ends us in a moment. */
	if (late)
		poll(NULL, 0, 4 * SPARE_MS);
	/* New lines stand behind the ones that it was given. */
	if (r == 0 && slice_starts(sb_slice(&env), j->envelope))
		sb_put(out, slice_skip(sb_slice(&env), j->envelope.n));
	else if (r == 0)
		r = -1;
	sb_free(&env);
	if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_PERM)
		return job_refuse(j, 550, "5.7.1", "refused by local policy");
	if (r == -1 || !WIFEXITED(status) || WEXITSTATUS(status) != EXIT_DONE) {
		log_error("job %s: filter %s failed", j->id, f->argv[0]);
		return EXIT_TEMP;
	}
	return EXIT_DONE;
}

int
filter_main(int argc, char **argv)
{
	struct filter f = { 0 };
	struct stage s = { .run = filter_run, .ctx = &f, .skip_parts = true };
	struct stage_opts o = { .worker = true };
	uint64_t seconds;

	if (argc < 4 || slice_u64(slice_str(argv[2]), 3600, &seconds) == -1)
		usage();
	s.name = argv[0];
	s.types = argv[1];
	f.seconds = (unsigned)seconds;
	f.argv = &argv[3];
	return stage_main(&s, &o);
}
