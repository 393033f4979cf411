#include "smtp/remote.h"

void
remote_init(struct remote_reply *r)
{
	*r = (struct remote_reply){ 0 };
	sb_init(&r->text, REMOTE_TEXT_MAX);
	sb_init(&r->part, REMOTE_LINE_MAX);
}

void
remote_free(struct remote_reply *r)
{
	sb_free(&r->text);
	sb_free(&r->part);
}

void
remote_reset(struct remote_reply *r)
{
	sb_reset(&r->text);
	sb_reset(&r->part);
	r->code = 0;
	r->ecode[0] = '\0';
	r->lines = 0;
	r->error = NULL;
}

static int
bad(struct remote_reply *r, const char *error)
{
	r->error = error;
	return -1;
}

/* The three digits, RFC 5321 section 4.2: %x32-35 %x30-39 %x30-39. */
static int
parse_code(struct slice line)
{
	if (line.n < 3 || line.p[0] < '2' || line.p[0] > '5' ||
	    !ascii_isdigit(line.p[1]) || !ascii_isdigit(line.p[2]))
		return -1;
	return (line.p[0] - '0') * 100 + (line.p[1] - '0') * 10 +
	    (line.p[2] - '0');
}

/* class "." subject "." detail, RFC 3463 section 2: its length, or 0. */
static size_t
ecode_length(struct slice s, int class)
{
	size_t i = 2;

	if (s.n < 5 || s.p[0] != '0' + class || s.p[1] != '.')
		return 0;
	for (int dots = 0; dots < 2; dots++) {
		size_t from = i;

		while (i < s.n && i - from < 3 && ascii_isdigit(s.p[i]))
			i++;
		if (i == from)
			return 0;
		if (dots == 0 && (i == s.n || s.p[i++] != '.'))
			return 0;
	}
	return i == s.n || s.p[i] == ' ' ? i : 0;
}

static void
keep_text(struct remote_reply *r, struct slice text)
{
	size_t n = ecode_length(text, r->code / 100);

	if (n != 0) {
		if (r->lines == 1)
			(void)!slice_cstr(slice_sub(text, 0, n), r->ecode,
			    sizeof(r->ecode));
		text = slice_ltrim(slice_skip(text, n));
	}
	if (r->text.n + text.n + 1 > REMOTE_TEXT_MAX)
		return;
	if (r->lines > 1)
		sb_putc(&r->text, '\n');
	for (size_t i = 0; i < text.n; i++)
		sb_putc(&r->text, text.p[i] >= 0x20 && text.p[i] <= 0x7e ?
		    text.p[i] : '?');
}

/* One line without its end: 1 the last of the reply, 0 not, -1 bad. */
static int
take_line(struct remote_reply *r, struct slice line)
{
	int code = parse_code(line);
	bool more = line.n > 3 && line.p[3] == '-';

	if (code == -1 || (line.n > 3 && !more && line.p[3] != ' '))
		return bad(r, "not an SMTP reply");
	if (r->lines != 0 && code != r->code)
		return bad(r, "reply lines with different codes");
	if (r->lines == REMOTE_LINES_MAX)
		return bad(r, "too many reply lines");
	r->code = code;
	r->lines++;
	keep_text(r, slice_skip(line, 4));
	return more ? 0 : 1;
}

int
remote_feed(struct remote_reply *r, struct slice *in)
{
	int done = 0;

	while (done == 0 && in->n != 0) {
		ptrdiff_t lf = slice_chr(*in, '\n');
		size_t n = lf == -1 ? in->n : (size_t)lf;
		struct slice line;

		sb_put(&r->part, slice_sub(*in, 0, n));
		*in = slice_skip(*in, n + 1);
		if (r->part.over)
			return bad(r, "reply line too long");
		if (lf == -1)
			break;
		line = sb_slice(&r->part);
		if (line.n != 0 && line.p[line.n - 1] == '\r')
			line.n--;
		done = take_line(r, line);
		sb_reset(&r->part);
	}
	return done;
}

bool
remote_has(const struct remote_reply *r, const char *keyword,
    struct slice *args)
{
	struct slice in = sb_slice(&r->text), line, word;

	(void)slice_line(&in, &line); /* the first line is a greeting */
	while (slice_line(&in, &line)) {
		if (!slice_word(&line, &word) || !slice_ieqs(word, keyword))
			continue;
		if (args != NULL)
			*args = slice_trim(line);
		return true;
	}
	return false;
}
