/*
 * pneu - run a program of the suite
 * usage   pneu program [argument ...]
 *         pneu help [program]
 * fd 0-2  the program's
 * exit    the program's; 100 if there is no such program
 * rights  none of its own
 */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/die.h"
#include "base/file.h"

static int
wanted(const struct dirent *d)
{
	return d->d_name[0] != '.' && strcmp(d->d_name, "pneu") != 0 &&
	    strcmp(d->d_name, "sendmail") != 0;
}

/* The first line of `program -h' is its name and purpose. */
static void
purpose(const char *dir, const char *name)
{
	char *path = xprintf("%s/%s", dir, name), *end;
	char text[512];
	int fd[2];
	ssize_t n;
	pid_t pid;

	if (pipe(fd) == -1 || (pid = fork()) == -1)
		die_sys(EXIT_TEMP, "unable to run %s", path);
	if (pid == 0) {
		dup2(fd[1], STDOUT_FILENO);
		close(fd[0]);
		close(fd[1]);
		execl(path, name, "-h", (char *)NULL);
		_exit(EXIT_PERM);
	}
	close(fd[1]);
	n = read(fd[0], text, sizeof(text) - 1);
	close(fd[0]);
	waitpid(pid, NULL, 0);
	text[n > 0 ? n : 0] = '\0';
	if ((end = strchr(text, '\n')) != NULL)
		*end = '\0';
	printf("  %s\n", text[0] != '\0' ? text : name);
	free(path);
}

static int
help(const char *dir)
{
	struct dirent **list;
	int n = scandir(dir, &list, wanted, alphasort);

	if (n == -1)
		die_sys(EXIT_TEMP, "unable to read %s", dir);
	printf("usage: pneu program [argument ...]\n"
	    "Each program also runs under its own name; NAME -h shows how, and "
	    "there is a page\nfor each. The programs:\n");
	for (int i = 0; i < n; i++) {
		fflush(stdout);
		purpose(dir, list[i]->d_name);
		free(list[i]);
	}
	free(list);
	return fflush(stdout) == 0 ? EXIT_DONE : EXIT_TEMP;
}

int
main(int argc, char **argv)
{
	const char *dir;
	char *path;

	prog_start(argc, argv, "program [argument ...] | help [program]",
	    "run a program of the suite", "nothing kept: runs other programs");
	if (argc < 2 || argv[1][0] == '-' || strchr(argv[1], '/') != NULL)
		usage();
	if ((dir = program_dir()) == NULL)
		die_sys(EXIT_TEMP, "unable to find this program's directory");
	if (strcmp(argv[1], "help") == 0) {
		if (argc == 2)
			return help(dir);
		path = xprintf("%s/%s", dir, argv[2]);
		execl(path, argv[2], "-h", (char *)NULL);
		die(EXIT_PERM, "no program %s; pneu help lists them", argv[2]);
	}
	path = xprintf("%s/%s", dir, argv[1]);
	execv(path, argv + 1);
	if (errno == ENOENT)
		die(EXIT_PERM, "no program %s; pneu help lists them", argv[1]);
	die_sys(EXIT_TEMP, "unable to run %s", path);
}
