/*
 * job-load - give jobs to a pipeline, many at a time
 * usage   job-load [-n jobs] [-c connections] [-s bytes] [-f reverse-path]
 *         [-r rcpt-record-attrs] [-a account] [-d dir] socket
 * With -d each job is the next file there, named IP,HELO,REVERSE-PATH.
 * fd 1    "load jobs=N seconds=S rate=R us=U code=NNN count=N ..." at the end;
 *         with -v each reply
 * exit    0; 111 when the pipeline is gone
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/die.h"
#include "base/file.h"
#include "base/rid.h"
#include "base/tuple.h"
#include "stage/submit.h"

static const char *from = "a@example.net";
static const char *rcpt = "addr=b@example.org account=b";
static const char *account; /* as whom it is submitted */
static size_t bytes = 1024;
static const char *given; /* id of the job */
static bool again;
static int verbose;
static const char *dir;
static struct dirent **names; /* of dir */
static int names_count;

static int
message(void)
{
	struct strbuf sb = STRBUF_INIT(1 << 28);
	int fd = memfd_new("message");

	sb_printf(&sb, "From: %s\r\nSubject: load\r\n\r\n", from);
	while (sb.n < bytes)
		sb_puts(&sb, "0123456789012345678901234567890123456789\r\n");
	bytes = sb.n;
	if (fd == -1 || write_all(fd, sb_slice(&sb)) == -1)
		die_sys(EXIT_TEMP, "message");
	sb_free(&sb);
	return fd;
}

/* The file of the job, and what its name says. */
static int
file_of(unsigned number, struct slice *ip, struct slice *helo,
    struct slice *path)
{
	struct strbuf sb = STRBUF_INIT(1 << 28);
	const char *name = names[number % (unsigned)names_count]->d_name;
	char *file = xprintf("%s/%s", dir, name);
	int fd = memfd_new("message");

	*path = slice_str(name);
	if (!slice_cut(path, ',', ip) || !slice_cut(path, ',', helo) ||
	    file_slurp(AT_FDCWD, file, &sb) == -1 || fd == -1 ||
	    write_all(fd, sb_slice(&sb)) == -1)
		die_sys(EXIT_TEMP, "message %s", file);
	bytes = sb.n;
	sb_free(&sb);
	free(file);
	return fd;
}

static int
wanted(const struct dirent *e)
{
	return e->d_name[0] != '.';
}

static void
one(struct service *pipe, unsigned number, unsigned codes[600])
{
	struct strbuf env = STRBUF_INIT(65536);
	struct slice ip = S("192.0.2.1"), helo = S("x.example");
	struct slice path = slice_str(from);
	struct verdict v;
	char id[RID_LEN + 1];
	int fd = dir == NULL ? message() : file_of(number, &ip, &helo, &path);

	rid_new(id);
	if (given != NULL && slice_cstr(slice_str(given), id, sizeof(id)) == -1)
		die(EXIT_PERM, "bad id");
	sb_printf(&env, "job id=%s size=%zu time=%lld body=7bit smtputf8=no\n"
	    "client ip=%.*s port=1 helo=%.*s service=smtp\n", id, bytes,
	    (long long)clock_unix(), SLICE_ARG(ip), SLICE_ARG(helo));
	if (account != NULL)
		sb_printf(&env, "auth account=%s login=%s mech=PLAIN\n",
		    account, from);
	sb_printf(&env, "from addr=%.*s\nrcpt %s\n", SLICE_ARG(path), rcpt);
	if (pipeline_submit(pipe, sb_slice(&env), fd, again, 60000, &v) == -1)
		die_sys(EXIT_TEMP, "submit");
	if (verbose)
		printf("reply code=%d ecode=%s text=\"%s\" id=%s\n", v.code,
		    v.ecode, v.text, id);
	codes[v.code]++;
	close(fd);
	sb_free(&env);
}

int
main(int argc, char **argv)
{
	unsigned jobs = 1, conns = 1, codes[600] = { 0 }, part[600];
	int ch, fd[2];
	int64_t t0;
	double s;

	prog_start(argc, argv, "[-Av] [-i id] [-n jobs] [-c connections] [-s bytes] "
	    "[-f from] [-r rcpt] [-a account] [-d dir] socket", "give jobs to a pipeline", "none");
	while ((ch = getopt(argc, argv, "Ai:vn:c:s:f:r:a:d:")) != -1)
		switch (ch) {
		case 'A': again = true; break;
		case 'i': given = optarg; break;
		case 'v': verbose = 1; break;
		case 'n': jobs = (unsigned)atoi(optarg); break;
		case 'c': conns = (unsigned)atoi(optarg); break;
		case 's': bytes = (size_t)atol(optarg); break;
		case 'f': from = optarg; break;
		case 'a': account = optarg; break;
		case 'd': dir = optarg; break;
		case 'r': rcpt = optarg; break;
		default: usage();
		}
	if (optind + 1 != argc || conns == 0 || pipe(fd) == -1)
		usage();
	if (dir != NULL && (names_count = scandir(dir, &names, wanted,
	    alphasort)) < 1)
		die_sys(EXIT_TEMP, "no messages in %s", dir);
	t0 = clock_unix_us();
	for (unsigned c = 0; c < conns; c++) {
		struct service pipe = { .path = argv[optind], .fd = -1 };

		if (fork() != 0)
			continue;
		for (unsigned i = c; i < jobs; i += conns)
			one(&pipe, i, codes);
		fflush(stdout);
		_exit(write(fd[1], codes, sizeof(codes)) == sizeof(codes) ?
		    0 : EXIT_TEMP);
	}
	for (unsigned c = 0; c < conns; c++) {
		int status;

		wait(&status);
		if (status != 0)
			return EXIT_TEMP;
		if (read_full(fd[0], part, sizeof(part)) == -1)
			return EXIT_TEMP;
		for (int i = 0; i < 600; i++)
			codes[i] += part[i];
	}
	s = (double)(clock_unix_us() - t0) / 1e6;
	printf("load jobs=%u seconds=%.3f rate=%.0f us=%.1f", jobs, s,
	    jobs / s, s * 1e6 / jobs);
	for (int i = 0; i < 600; i++)
		if (codes[i] != 0)
			printf(" code%d=%u", i, codes[i]);
	putchar('\n');
	return 0;
}
