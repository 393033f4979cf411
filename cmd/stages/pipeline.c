/*
 * The pipeline file: conf/pipeline/NAME, see stages(8).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/die.h"
#include "base/file.h"
#include "base/tuple.h"
#include "stage/types.h"
#include "stages.h"

#define FILE_MAX ((size_t)65536)
#define ARGS_MAX 32
#define DEFAULT_ENTRY "job,client,auth,from,rcpt"

static uint64_t
number(const char *path, const struct tuple *t, const char *attr,
    uint64_t least, uint64_t most, uint64_t preset)
{
	uint64_t n = preset;

	if (tuple_u64(t, attr, most, &n) == -1 && errno != ENOENT)
		n = most + 1;
	if (n < least || n > most)
		die(EXIT_PERM, "%s:%u: %s must be a number from %llu to %llu",
		    path, t->line, attr, (unsigned long long)least,
		    (unsigned long long)most);
	return n;
}

/* A word of a fixed set; `no' is the preset. */
static bool
word(const char *path, const struct tuple *t, const char *attr, const char *yes,
    const char *no)
{
	struct slice v;

	if (!tuple_get(t, attr, &v) || slice_eqs(v, no))
		return false;
	if (!slice_eqs(v, yes))
		die(EXIT_PERM, "%s:%u: %s must be %s or %s", path, t->line,
		    attr, yes, no);
	return true;
}

/* Words of the command; the first is looked for beside this program. */
static char **
split_command(struct slice text, const char *bin, const char *path,
    unsigned line)
{
	char **argv = xcalloc(ARGS_MAX + 2, sizeof(*argv));
	struct slice w;
	size_t n = 0;

	while (slice_word(&text, &w)) {
		if (n == ARGS_MAX)
			die(EXIT_PERM, "%s:%u: more than %d words in command",
			    path, line, ARGS_MAX);
		argv[n++] = slice_dup(w);
	}
	if (n == 0)
		die(EXIT_PERM, "%s:%u: command is missing", path, line);
	if (strchr(argv[0], '/') == NULL) {
		char *full = xprintf("%s/%s", bin, argv[0]);

		if (access(full, X_OK) == 0) {
			free(argv[0]);
			argv[0] = full;
		} else
			free(full);
	}
	return argv;
}

/* A filter is run by this program as a worker. */
static char **
filter_command(char **argv, const struct stage_conf *c, const char *bin)
{
	char **all = xcalloc(ARGS_MAX + 8, sizeof(*all));
	size_t n = 0;

	all[n++] = xprintf("%s/stages", bin);
	all[n++] = xstrdup("-F");
	all[n++] = xstrdup(c->name);
	all[n++] = xstrdup(c->types);
	all[n++] = xprintf("%u", c->time);
	for (size_t i = 0; argv[i] != NULL; i++)
		all[n++] = argv[i];
	free(argv);
	return all;
}

static char **
worker_command(char **argv)
{
	size_t n = 0;

	while (argv[n] != NULL)
		n++;
	memmove(&argv[2], &argv[1], (n - 1) * sizeof(*argv));
	argv[1] = xstrdup("-w");
	return argv;
}

/* append=TYPE, a type of the stage: NULL if it is not given. */
static char *
append_type(const char *path, const struct tuple *t)
{
	struct slice type;

	if (!tuple_get(t, "append", &type))
		return NULL;
	if (!types_have(tuple_value(t, "types"), type))
		die(EXIT_PERM, "%s:%u: append must be one of types", path,
		    t->line);
	for (size_t i = 0; i < type.n; i++)
		if (!ascii_isalnum(type.p[i]) && type.p[i] != '-')
			die(EXIT_PERM, "%s:%u: append is not a record type",
			    path, t->line);
	return slice_dup(type);
}

static struct pool *
stage_line(const char *path, const char *bin, const struct tuple *t)
{
	struct pool *pool = xcalloc(1, sizeof(*pool));
	struct stage_conf *c = &pool->conf;
	struct slice name = tuple_value(t, "name");

	if (name.n == 0 || tuple_value(t, "types").n == 0)
		die(EXIT_PERM, "%s:%u: a stage needs name, command and types",
		    path, t->line);
	c->name = slice_dup(name);
	c->types = slice_dup(tuple_value(t, "types"));
	c->append = append_type(path, t);
	c->filter = word(path, t, "kind", "filter", "worker");
	c->shadow = word(path, t, "shadow", "yes", "no");
	c->on_fail = word(path, t, "fail", "neutral", "temp") ?
	    FAIL_NEUTRAL : FAIL_TEMP;
	c->max = (unsigned)number(path, t, "max", 1, WORKERS_MAX, 20);
	c->min = (unsigned)number(path, t, "min", 0, c->max, 0);
	c->time = (unsigned)number(path, t, "time", 1, 250, 60);
	c->idle = (unsigned)number(path, t, "idle", 1, 86400, 30);
	c->memory = number(path, t, "memory", 0, 1 << 20, 0) * 1024 * 1024;
	c->argv = split_command(tuple_value(t, "command"), bin, path, t->line);
	c->argv = c->filter ? filter_command(c->argv, c, bin) :
	    worker_command(c->argv);
	return pool;
}

/* What may be in the envelope before each stage. */
static void
set_types(struct pipeline *p)
{
	struct strbuf sb = STRBUF_INIT(FILE_MAX);

	sb_puts(&sb, p->entry_types);
	sb_puts(&sb, ",peer,shadow");
	for (size_t i = 0; i < p->count; i++) {
		p->pool[i]->types_before = slice_dup(sb_slice(&sb));
		p->pool[i]->last = i + 1 == p->count;
		sb_printf(&sb, ",%s", p->pool[i]->conf.types);
	}
	sb_free(&sb);
}

void
pipeline_read(struct pipeline *p, const char *path, const char *bin)
{
	struct strbuf text = STRBUF_INIT(FILE_MAX);
	struct tuple_reader r;
	struct arena a = { 0 };
	struct tuple t;
	int got;

	if (file_slurp(AT_FDCWD, path, &text) == -1)
		die_sys(errno == ENOENT ? EXIT_PERM : EXIT_TEMP,
		    "unable to read %s", path);
	p->entry_types = xstrdup(DEFAULT_ENTRY);
	tuple_reader_init(&r, sb_slice(&text));
	while ((got = tuple_next(&r, &a, &t)) == 1) {
		if (tuple_is(&t, "entry")) {
			free(p->entry_types);
			p->entry_types = slice_dup(tuple_value(&t, "types"));
		} else if (!tuple_is(&t, "stage"))
			die(EXIT_PERM, "%s:%u: record must be stage or entry",
			    path, t.line);
		else if (p->count == STAGES_MAX)
			die(EXIT_PERM, "%s:%u: more than %d stages", path,
			    t.line, STAGES_MAX);
		else
			p->pool[p->count++] = stage_line(path, bin, &t);
	}
	if (got == -1)
		die(EXIT_PERM, "%s:%u: %s", path, r.error_line, r.error);
	if (p->count == 0)
		die(EXIT_PERM, "%s: no stages", path);
	arena_free(&a);
	sb_free(&text);
	set_types(p);
}
