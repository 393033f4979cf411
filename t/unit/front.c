/* The pool of processes: a connection outlives children that die. */
#include "net/front.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fdpass.h"
#include "net/net.h"
#include "tap.h"

#define PATIENCE_MS 20000

static const struct ip loop4 = { AF_INET, { 127, 0, 0, 1 } };

static struct slice
refusal(const char *service)
{
	(void)service;
	return S("no\r\n");
}

/* How often this was called for that file, now included. */
static off_t
turn(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	off_t n;

	if (fd == -1 || write(fd, "x", 1) != 1 ||
	    (n = lseek(fd, 0, SEEK_CUR)) == -1)
		abort();
	close(fd);
	return n;
}

/*
 * This program as the child. The first dies with a connection that it has not
 * taken, the second before it is ready; the others serve.
 */
static int
child(const char *path)
{
	char text[FRONT_PACKET_MAX];
	off_t n = turn(path);
	size_t len, fds;
	int fd;

	if (n == 1)
		return fd_send(0, S("idle\n"), NULL, 0) == -1 ||
		    fd_recv(0, text, sizeof(text), &len, &fd, 1, &fds) != 1;
	if (n == 2)
		return 1;
	while (front_take(text, &len, &fd) == 1) {
		if (write(fd, "hello\r\n", 7) != 7)
			return 1;
		close(fd);
	}
	return 0;
}

static pid_t
serve(char *self, char *path, uint16_t port)
{
	char *argv[] = { self, path, NULL };
	struct front_config c = { .argv = argv, .processes = 4, .per_ip = 10,
		.rate = 100, .refusal = refusal };
	struct front *f;
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	f = front_new(&c);
	if (front_listen(f, "smtp", &loop4, port, SLICE_NONE) == -1)
		_exit(1);
	_exit(front_run(f) == -1);
}

static uint16_t
free_port(void)
{
	int fd = net_listen(&loop4, 0, 1);
	struct ip ip;
	uint16_t port;

	if (fd == -1 || net_name(fd, 1, &ip, &port) == -1)
		abort();
	close(fd);
	return port;
}

static int
reach(uint16_t port)
{
	int64_t by = clock_ms() + PATIENCE_MS;
	int fd;

	while ((fd = net_connect(&loop4, port, NULL, 1000)) == -1 &&
	    clock_left(by) > 0)
		usleep(10000);
	return fd;
}

int
main(int argc, char **argv)
{
	char path[] = "/tmp/front.XXXXXX", text[16];
	uint16_t port;
	int fd, status;
	pid_t pid;

	if (argc == 2)
		return child(argv[1]);
	plan(3);
	if ((fd = mkstemp(path)) == -1)
		abort();
	close(fd);
	port = free_port();
	pid = serve(argv[0], path, port);
	fd = reach(port);
	ok(fd != -1 && poll_until(fd, 1, clock_ms() + PATIENCE_MS) != 0 &&
	    read(fd, text, sizeof(text)) == 7,
	    "a connection goes to the third child when two have died");
	close(fd);
	fd = reach(port);
	ok(fd != -1 && poll_until(fd, 1, clock_ms() + PATIENCE_MS) != 0 &&
	    read(fd, text, sizeof(text)) == 7, "and so does the next");
	close(fd);
	kill(pid, SIGTERM);
	ok(waitpid(pid, &status, 0) == pid && status == 0, "it ends");
	unlink(path);
	return done();
}
