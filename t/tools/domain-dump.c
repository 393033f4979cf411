/*
 * domain-dump - what lib/addr makes of domain names
 * usage   domain-dump
 * fd 0    a name a line, in hexadecimal
 * fd 1    for each "-" if it is refused, else the canonical form and the form
 *         for people, in hexadecimal
 */
#include <unistd.h>

#include "addr/addr.h"
#include "base/alloc.h"
#include "base/die.h"
#include "base/file.h"

#define ALL_MAX ((size_t)64 << 20)

static void
dump(struct slice line, struct strbuf *out)
{
	struct strbuf text = STRBUF_INIT(ALL_MAX);
	struct arena ar = { 0 };
	struct slice ascii;

	if (sb_unhex(&text, line) == -1)
		die(EXIT_PERM, "not hexadecimal: %.*s", SLICE_ARG(line));
	if (domain_ascii(sb_slice(&text), &ar, &ascii) == -1)
		sb_puts(out, "-\n");
	else {
		sb_hex(out, ascii);
		sb_putc(out, ' ');
		sb_hex(out, domain_unicode(ascii, &ar));
		sb_putc(out, '\n');
	}
	arena_free(&ar);
	sb_free(&text);
}

int
main(int argc, char **argv)
{
	struct strbuf in = STRBUF_INIT(ALL_MAX), out = STRBUF_INIT(ALL_MAX);
	struct slice rest, line;

	(void)argc;
	prog_set(argv[0]);
	if (fd_slurp(STDIN_FILENO, &in) == -1)
		die_sys(EXIT_TEMP, "unable to read");
	rest = sb_slice(&in);
	while (slice_line(&rest, &line))
		dump(line, &out);
	if (out.over || write_all(STDOUT_FILENO, sb_slice(&out)) == -1)
		die_sys(EXIT_TEMP, "unable to write");
	sb_free(&in);
	sb_free(&out);
	return EXIT_DONE;
}
