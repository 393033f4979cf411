/*
 * mutate - send random and mutated sessions to a port
 * usage   mutate [-t seconds] [-c connections] [-r seed] seeds-file host port
 *         seeds-file: sessions, one after another, each ended by a line "%%";
 *         a line "~" in a session means: wait for an answer first
 * fd 1    "mutate sessions=N bytes=N answered=N" at the end
 * exit    0; 111 when the port refuses connections for more than 5 seconds
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/die.h"
#include "base/file.h"

#define SEEDS_MAX 256
#define SESSION_MAX ((size_t)65536)

static struct slice seeds[SEEDS_MAX];
static size_t seed_count;
static struct sockaddr_storage to;
static socklen_t to_len;
static uint64_t state;

struct counts {
	uint64_t sessions, bytes, answered;
};

/* splitmix64: the same seed gives the same sessions. */
static uint64_t
next(void)
{
	uint64_t z = (state += 0x9e3779b97f4a7c15u);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static size_t
below(size_t n)
{
	return n != 0 ? (size_t)(next() % n) : 0;
}

static void
read_seeds(const char *path)
{
	static struct strbuf text = STRBUF_INIT(1 << 22);
	struct slice in, line;
	const unsigned char *start;

	if (file_slurp(AT_FDCWD, path, &text) == -1)
		die_sys(EXIT_PERM, "unable to read %s", path);
	in = sb_slice(&text);
	start = in.p;
	while (slice_line(&in, &line) == 1)
		if (slice_eqs(line, "%%")) {
			if (seed_count < SEEDS_MAX)
				seeds[seed_count++] = slice_of(start,
				    (size_t)(line.p - start));
			start = in.p;
		}
	if (seed_count == 0)
		die(EXIT_PERM, "%s holds no session", path);
}

/* One change at a random place. */
static void
change(struct strbuf *sb)
{
	static const char *const bits[] = { "\r\n", "\n", "\r", ".\r\n", "\0",
		"{99999999999}\r\n", "{5+}\r\n", "\"", "(((((((((", "<>", "@",
		"\xff\xfe", "BODY[", "=?utf-8?q?", ";", " ", "=" };
	size_t at = below(sb->n), n;
	struct slice all, from;
	struct strbuf to_sb = STRBUF_INIT(2 * SESSION_MAX);

	all = sb_slice(sb);
	if (sb->n == 0)
		return;
	switch (below(6)) {
	case 0: /* a flipped bit */
		sb->p[at] ^= (unsigned char)(1u << below(8));
		return;
	case 1: /* a random byte */
		sb->p[at] = (unsigned char)next();
		return;
	case 2: /* cut out */
		n = below(64);
		sb_put(&to_sb, slice_sub(all, 0, at));
		sb_put(&to_sb, slice_skip(all, at + n));
		break;
	case 3: /* said again, up to many times */
		n = below(200);
		from = slice_sub(all, at, below(128));
		sb_put(&to_sb, slice_sub(all, 0, at));
		while (n-- != 0 && to_sb.n < SESSION_MAX)
			sb_put(&to_sb, from);
		sb_put(&to_sb, slice_skip(all, at));
		break;
	case 4: /* something that matters to a parser */
		sb_put(&to_sb, slice_sub(all, 0, at));
		sb_puts(&to_sb, bits[below(COUNTOF(bits))]);
		sb_put(&to_sb, slice_skip(all, at));
		break;
	default: /* the end of another session */
		from = seeds[below(seed_count)];
		sb_put(&to_sb, slice_sub(all, 0, at));
		sb_put(&to_sb, slice_skip(from, below(from.n)));
	}
	sb_reset(sb);
	sb_put(sb, slice_sub(sb_slice(&to_sb), 0, SESSION_MAX));
	sb_free(&to_sb);
}

static void
make(struct strbuf *sb)
{
	sb_reset(sb);
	if (below(16) == 0) {
		for (size_t n = below(2048); n != 0; n--)
			sb_putc(sb, (unsigned char)next());
		return;
	}
	sb_put(sb, seeds[below(seed_count)]);
	for (size_t n = below(8); n != 0; n--)
		change(sb);
}

/* Read what there is, for at most ms. False: closed. */
static bool
drain(int fd, int ms, struct counts *c)
{
	char buf[16384];
	struct pollfd p = { .fd = fd, .events = POLLIN };
	ssize_t n;

	while (poll(&p, 1, ms) == 1) {
		n = read(fd, buf, sizeof(buf));
		if (n <= 0)
			return false;
		c->answered++;
		ms = 0;
	}
	return true;
}

static void
talk(int fd, struct slice s, struct counts *c)
{
	struct slice line;

	if (below(8) != 0 && !drain(fd, 200, c))
		return;
	while (s.n != 0) {
		struct slice piece;

		if (slice_starts(s, S("~\n"))) {
			s = slice_skip(s, 2);
			if (!drain(fd, 50, c))
				return;
			continue;
		}
		/* By lines, so that waits are found; or at any place. */
		if (below(4) == 0)
			piece = slice_sub(s, 0, 1 + below(400));
		else {
			struct slice rest = s;

			(void)slice_line(&rest, &line);
			piece = slice_sub(s, 0, s.n - rest.n);
		}
		if (send(fd, piece.p, piece.n, MSG_NOSIGNAL) == -1)
			return;
		c->bytes += piece.n;
		s = slice_skip(s, piece.n);
	}
	(void)drain(fd, 20, c);
}

static int
connect_to(void)
{
	int64_t end = clock_ms() + 5000;

	for (;;) {
		int fd = socket(to.ss_family, SOCK_STREAM, 0);
		struct timeval tv = { .tv_sec = 2 };

		if (fd == -1)
			die_sys(EXIT_TEMP, "socket");
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
		if (connect(fd, (struct sockaddr *)&to, to_len) == 0)
			return fd;
		close(fd);
		if (clock_ms() > end)
			die_sys(EXIT_TEMP, "port does not answer");
		poll(NULL, 0, 50);
	}
}

static void
child(unsigned seconds, int out)
{
	int64_t end = clock_ms() + (int64_t)seconds * 1000;
	struct strbuf sb = STRBUF_INIT(2 * SESSION_MAX);
	struct counts c = { 0 };

	while (clock_ms() < end) {
		int fd = connect_to();

		make(&sb);
		talk(fd, sb_slice(&sb), &c);
		close(fd);
		c.sessions++;
	}
	_exit(write(out, &c, sizeof(c)) == sizeof(c) ? 0 : EXIT_TEMP);
}

static void
set_address(const char *host, const char *port)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)&to;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&to;
	in_port_t p = htons((in_port_t)atoi(port));

	if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = p;
		to_len = sizeof(*v4);
	} else if (inet_pton(AF_INET6, host, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = p;
		to_len = sizeof(*v6);
	} else
		usage();
}

int
main(int argc, char **argv)
{
	unsigned seconds = 10, conns = 4, bad = 0;
	struct counts sum = { 0 }, c;
	uint64_t seed = (uint64_t)clock_unix_us();
	int ch, fd[2];

	prog_start(argc, argv, "[-t seconds] [-c connections] [-r seed] "
	    "seeds host port", "send mutated sessions to a port", "none");
	while ((ch = getopt(argc, argv, "t:c:r:")) != -1)
		switch (ch) {
		case 't': seconds = (unsigned)atoi(optarg); break;
		case 'c': conns = (unsigned)atoi(optarg); break;
		case 'r': seed = strtoull(optarg, NULL, 10); break;
		default: usage();
		}
	if (optind + 3 != argc || conns == 0 || pipe(fd) == -1)
		usage();
	read_seeds(argv[optind]);
	set_address(argv[optind + 1], argv[optind + 2]);
	for (unsigned i = 0; i < conns; i++) {
		state = seed + i;
		if (fork() == 0)
			child(seconds, fd[1]);
	}
	for (unsigned i = 0; i < conns; i++) {
		int status;

		wait(&status);
		if (status != 0) {
			bad++;
			continue;
		}
		if (read_full(fd[0], &c, sizeof(c)) == -1)
			return EXIT_TEMP;
		sum.sessions += c.sessions;
		sum.bytes += c.bytes;
		sum.answered += c.answered;
	}
	printf("mutate sessions=%llu bytes=%llu answered=%llu seed=%llu\n",
	    (unsigned long long)sum.sessions, (unsigned long long)sum.bytes,
	    (unsigned long long)sum.answered, (unsigned long long)seed);
	return bad != 0 ? EXIT_TEMP : EXIT_DONE;
}
