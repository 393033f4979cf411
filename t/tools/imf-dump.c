/*
 * imf-dump - records of many messages in one run, for tests with vectors
 * usage   imf-dump file ...
 *         imf-dump -f <fields: one folded field value a line, in hexadecimal,
 *         after "address", "date", "type", "text" or "ids" and a blank
 * fd 1    a line "file name=..." before the records of each file; with -f a
 *         line for each line
 */
#include <fcntl.h>
#include <unistd.h>

#include "base/die.h"
#include "base/file.h"
#include "base/tuple.h"
#include "imf/address.h"
#include "imf/date.h"
#include "imf/param.h"
#include "imf/parts.h"
#include "imf/thread.h"
#include "imf/word.h"

static struct strbuf out = STRBUF_INIT((size_t)1 << 30);

static void
dump_file(const char *path)
{
	struct strbuf in = STRBUF_INIT((size_t)1 << 28);
	struct strbuf summary = STRBUF_INIT(65536);
	struct strbuf parts = STRBUF_INIT(IMF_PARTS_BYTES);

	if (file_slurp(AT_FDCWD, path, &in) == -1)
		die_sys(EXIT_PERM, "unable to read %s", path);
	imf_parts(sb_slice(&in), &parts, &summary);
	tuple_begin(&out, "file");
	tuple_puts(&out, "name", path);
	tuple_putu(&out, "size", in.n);
	tuple_end(&out);
	sb_put(&out, sb_slice(&parts));
	sb_free(&in);
	sb_free(&summary);
	sb_free(&parts);
}

static void
dump_addresses(struct slice value, struct arena *ar)
{
	struct address_list l;

	address_list_parse(value, ar, &l);
	for (size_t i = 0; i < l.count; i++) {
		const struct address *a = &l.list[i];

		if (a->kind == ADDRESS_GROUP)
			tuple_put(&out, "group", a->name);
		else if (a->kind == ADDRESS_GROUP_END)
			tuple_puts(&out, "end-group", "yes");
		else {
			tuple_put(&out, "name", a->name);
			tuple_put(&out, "addr", a->addr);
		}
	}
	tuple_puts(&out, "bad", l.bad ? "yes" : "no");
}

static void
dump_date(struct slice value)
{
	int64_t t;
	int zone;

	if (date_parse(value, &t, &zone) == 0) {
		sb_printf(&out, " time=%lld zone=%d", (long long)t, zone);
	}
}

static void
dump_type(struct slice value, struct arena *ar)
{
	struct content_type ct;

	if (content_type_parse(value, ar, &ct) == -1)
		return;
	tuple_put(&out, "type", ct.type);
	tuple_put(&out, "subtype", ct.subtype);
	for (size_t i = 0; i < ct.params.count; i++) {
		tuple_put(&out, "param", ct.params.list[i].name);
		tuple_put(&out, "value", ct.params.list[i].value);
	}
}

static void
dump_field(struct slice line, struct arena *ar)
{
	struct strbuf value = STRBUF_INIT(line.n), text =
	    STRBUF_INIT(4 * line.n + 16);
	struct slice what, refs[THREAD_REFS_MAX];
	size_t count;

	slice_cut(&line, ' ', &what);
	if (sb_unhex(&value, line) == -1)
		die(EXIT_PERM, "not hexadecimal");
	tuple_begin(&out, "value");
	if (slice_eqs(what, "address"))
		dump_addresses(sb_slice(&value), ar);
	else if (slice_eqs(what, "date"))
		dump_date(sb_slice(&value));
	else if (slice_eqs(what, "type"))
		dump_type(sb_slice(&value), ar);
	else if (slice_eqs(what, "text")) {
		word_decode(&text, sb_slice(&value));
		tuple_put(&out, "text", sb_slice(&text));
	} else {
		count = thread_refs(sb_slice(&value), SLICE_NONE, ar, refs);
		for (size_t i = 0; i < count; i++)
			tuple_put(&out, "id", refs[i]);
	}
	tuple_end(&out);
	sb_free(&value);
	sb_free(&text);
}

static void
dump_fields(void)
{
	struct strbuf in = STRBUF_INIT((size_t)1 << 26);
	struct arena ar = { 0 };
	struct slice lines, line;

	if (fd_slurp(STDIN_FILENO, &in) == -1)
		die_sys(EXIT_PERM, "unable to read standard input");
	lines = sb_slice(&in);
	while (slice_line(&lines, &line)) {
		dump_field(line, &ar);
		arena_reset(&ar);
	}
	arena_free(&ar);
	sb_free(&in);
}

int
main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "-f") == 0)
		dump_fields();
	else
		for (int i = 1; i < argc; i++)
			dump_file(argv[i]);
	if (write_all(STDOUT_FILENO, sb_slice(&out)) == -1)
		die_sys(EXIT_TEMP, "unable to write");
	sb_free(&out);
	return EXIT_DONE;
}
