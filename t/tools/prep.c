/*
 * prep - PRECIS OpaqueString for tests: hex lines on stdin; for each one hex
 * line, or "-" if it is refused
 */
#include "sasl/prep.h"

#include "base/die.h"
#include "base/file.h"

int
main(void)
{
	struct strbuf in = STRBUF_INIT((size_t)1 << 20);
	struct strbuf raw = STRBUF_INIT(4096), out = STRBUF_INIT(4096);
	struct strbuf all = STRBUF_INIT((size_t)1 << 20);
	struct slice rest, line;

	if (fd_slurp(0, &in) == -1)
		return EXIT_TEMP;
	rest = sb_slice(&in);
	while (slice_line(&rest, &line) == 1) {
		sb_reset(&raw);
		sb_reset(&out);
		if (sb_unhex(&raw, line) == -1)
			return EXIT_PERM;
		if (password_prepare(sb_slice(&raw), &out, NULL) == -1)
			sb_puts(&all, "-");
		else
			sb_hex(&all, sb_slice(&out));
		sb_putc(&all, '\n');
	}
	if (write_all(1, sb_slice(&all)) == -1)
		return EXIT_TEMP;
	sb_free(&in);
	sb_free(&raw);
	sb_free(&out);
	sb_free(&all);
	return 0;
}
