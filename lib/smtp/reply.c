#include "smtp/reply.h"

/* Where a long line is split: at the last space after this column. */
#define SPLIT_FROM 400

static void
put_text(struct strbuf *sb, struct slice s)
{
	unsigned char *to = sb_room(sb, s.n);

	if (to == NULL)
		return;
	for (size_t i = 0; i < s.n; i++)
		to[i] = s.p[i] >= 0x20 && s.p[i] <= 0x7e ? s.p[i] : '?';
	sb_grew(sb, s.n);
}

/* Take what fits on one line off *text. */
static struct slice
take_line(struct slice *text, size_t room)
{
	struct slice line;
	ptrdiff_t lf = slice_chr(*text, '\n');
	size_t n = lf != -1 ? (size_t)lf : text->n, skip = lf != -1;

	if (n > room) {
		ptrdiff_t sp = slice_rchr(slice_sub(*text, 0, room), ' ');

		n = sp > SPLIT_FROM ? (size_t)sp : room;
		skip = sp > SPLIT_FROM;
	}
	line = slice_sub(*text, 0, n);
	*text = slice_skip(*text, n + skip);
	return line;
}

void
smtp_reply(struct strbuf *sb, int code, const char *ecode, struct slice text)
{
	size_t prefix = 4;
	bool coded = ecode != NULL && ecode[0] != '\0';

	if (coded)
		prefix += strlen(ecode) + 1;
	do {
		struct slice line =
		    take_line(&text, SMTP_REPLY_LINE_MAX - 2 - prefix);

		sb_printf(sb, "%03d%c", code, text.n != 0 ? '-' : ' ');
		if (coded) {
			sb_puts(sb, ecode);
			sb_putc(sb, ' ');
		}
		put_text(sb, line);
		sb_puts(sb, "\r\n");
	} while (text.n != 0);
}
