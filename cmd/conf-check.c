/*
 * conf-check - check conf/, or list all settings (conf(5))
 * usage   conf-check [-l] [-C root]
 * fd 1    -l: a record for each setting: type, default, limits, meaning
 * fd 2    a line for each mistake: conf/FILE:LINE: ATTRIBUTE: what is wrong
 * exit    0 conf/ is good; 100 it has mistakes; 111 try again
 * rights  the caller's; reads conf/, writes nothing, no network
 */
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/confine.h"
#include "base/die.h"
#include "base/file.h"
#include "base/tuple.h"
#include "conf/build.h"
#include "conf/conf.h"
#include "conf/setting.h"
#include "report.h"

#define LIST_MAX ((size_t)1024 * 1024)

static void
put_setting(struct strbuf *sb, const struct setting *s)
{
	tuple_begin(sb, "setting");
	tuple_puts(sb, "record", s->record);
	tuple_puts(sb, "attr", s->attr);
	tuple_puts(sb, "type", s->choices != NULL ? s->choices :
	    setting_type_name(s->type));
	if (s->initial != NULL)
		tuple_puts(sb, "default", s->initial);
	if (s->most != 0) {
		tuple_putu(sb, "least", s->least);
		tuple_putu(sb, "most", s->most);
	}
	if (s->flags & SET_REQUIRED)
		tuple_puts(sb, "required", "yes");
	if (s->flags & SET_REPEAT)
		tuple_puts(sb, "repeat", "yes");
	tuple_puts(sb, "text", s->text);
	tuple_end(sb);
}

static int
list_settings(void)
{
	struct strbuf sb = STRBUF_INIT(LIST_MAX);

	for (size_t i = 0; i < settings_count; i++)
		put_setting(&sb, &settings[i]);
	if (sb.over || write_all(STDOUT_FILENO, sb_slice(&sb)) == -1)
		die_sys(EXIT_TEMP, "unable to write the list");
	sb_free(&sb);
	return EXIT_DONE;
}

static void
cage(const char *root)
{
	char *conf = xprintf("%s/conf", root);
	struct confine c = { .read = (const char *[]){ conf, NULL } };

	if (confine(&c) == -1)
		die_sys(EXIT_TEMP, "unable to confine itself to %s", conf);
	free(conf);
}

static int
check(const char *root)
{
	struct strbuf report = STRBUF_INIT(CONF_REPORT_MAX);
	int code = EXIT_DONE;

	cage(root);
	if (conf_build(root, false, &report) == -1)
		code = report_failure(&report, root);
	sb_free(&report);
	return code;
}

int
main(int argc, char **argv)
{
	const char *root = NULL;
	bool list = false;
	int ch;

	prog_start(argc, argv, "[-l] [-C root]",
	    "check the configuration, or list all settings",
	    "reads conf/, writes nothing; network: none");
	while ((ch = getopt(argc, argv, "C:l")) != -1)
		switch (ch) {
		case 'C': root = optarg; break;
		case 'l': list = true; break;
		default: usage();
		}
	if (optind != argc)
		usage();
	return list ? list_settings() : check(conf_root(root));
}
