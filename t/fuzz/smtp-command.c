/* A command line: verb, path, parameters, xtext, hello. */
#include <stdint.h>

#include "base/strbuf.h"
#include "smtp/command.h"
#include "smtp/reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct slice line = slice_of(p, n), rest, mailbox;
	struct strbuf out = STRBUF_INIT(1 << 20);
	struct smtp_command c;
	struct smtp_param param;

	(void)smtp_line_ok(line);
	smtp_command(line, &c);
	rest = c.arg;
	if (smtp_path(&rest, "FROM:", &mailbox) == 0 ||
	    smtp_path(&rest, "TO:", &mailbox) == 0)
		while (smtp_param(&rest, &param) == 1) {
			if (param.key.n == 0 ||
			    (param.has_value && param.value.n == 0))
				__builtin_trap();
			if (smtp_xtext(param.value, &out) == 0 &&
			    memchr(sb_cstr(&out), '\n', out.n) != NULL)
				__builtin_trap();
		}
	(void)smtp_hello_ok(c.arg, true);
	sb_reset(&out);
	smtp_reply(&out, 500, "5.5.2", line);
	if (!out.over && out.p[out.n - 1] != '\n')
		__builtin_trap();
	sb_free(&out);
	return 0;
}
