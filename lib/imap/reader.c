#include "imap/reader.h"

/*
 * LINE -- "{n}" at a line's end --> HEAD -- keep --> KEEP --> LINE
 *                                       -- stream --> STREAM --> LINE
 *                                       -- refuse, "+" --> SKIP --> LINE
 * In a refused command LINE reports nothing and goes from head to SKIP.
 */
enum { LINE, HEAD, KEEP, STREAM, SKIP };

void
imap_reader_init(struct imap_reader *r, const struct imap_limits *l)
{
	*r = (struct imap_reader){ .limits = *l };
	sb_init(&r->text, l->line + l->literals + 2 * (size_t)l->pieces + 2);
}

void
imap_reader_free(struct imap_reader *r)
{
	sb_free(&r->text);
}

static void
start(struct imap_reader *r)
{
	sb_reset(&r->text);
	r->state = LINE;
	r->refused = r->done = r->lost = false;
	r->line_bytes = r->kept_bytes = 0;
	r->kept = 0;
	r->last[0] = r->last[1] = 0;
}

bool
imap_reader_idle(const struct imap_reader *r)
{
	return r->done || (r->state == LINE && r->line_bytes == 0 &&
	    r->kept == 0 && !r->refused);
}

/* Does the text end in a literal's head, "{n}", "{n+}" or "~{n}"? */
static bool
literal_head(struct slice text, struct imap_literal *lit)
{
	ptrdiff_t at = slice_rchr(text, '{');
	struct slice num;

	if (at == -1 || text.p[text.n - 1] != '}')
		return false;
	num = slice_sub(text, (size_t)at + 1, text.n - (size_t)at - 2);
	lit->sync = true;
	if (num.n != 0 && num.p[num.n - 1] == '+') {
		lit->sync = false;
		num.n--;
	}
	if (num.n == 0)
		return false;
	for (size_t i = 0; i < num.n; i++)
		if (!ascii_isdigit(num.p[i]))
			return false;
	if (slice_u64(num, UINT64_MAX - 1, &lit->size) == -1)
		lit->size = UINT64_MAX;
	lit->binary = at > 0 && text.p[at - 1] == '~';
	return true;
}

/* A line has ended, its bytes are in r->text. */
static enum imap_event
line_end(struct imap_reader *r)
{
	if (r->line_bytes > r->limits.line) {
		r->done = true;
		r->lost = r->last[0] == '+' && r->last[1] == '}';
		return IMAP_TOOLONG;
	}
	if (r->text.n != 0 && r->text.p[r->text.n - 1] == '\r')
		sb_cut(&r->text, r->text.n - 1);
	if (!literal_head(sb_slice(&r->text), &r->literal)) {
		r->done = true;
		return r->refused ? IMAP_MORE : IMAP_COMMAND;
	}
	if (!r->refused) {
		r->state = HEAD;
		return IMAP_LITERAL;
	}
	imap_literal_refuse(r);
	return IMAP_MORE;
}

/* Remember the last two bytes of a line, without its CR. */
static void
note_last(struct imap_reader *r, struct slice s)
{
	for (size_t i = s.n > 3 ? s.n - 3 : 0; i < s.n; i++)
		if (s.p[i] != '\r') {
			r->last[0] = r->last[1];
			r->last[1] = s.p[i];
		}
}

static enum imap_event
read_line(struct imap_reader *r, struct slice *in)
{
	ptrdiff_t lf = slice_chr(*in, '\n');
	struct slice part = slice_sub(*in, 0, lf == -1 ? in->n : (size_t)lf);

	*in = slice_skip(*in, part.n + (lf != -1));
	note_last(r, part);
	if (r->line_bytes <= r->limits.line &&
	    part.n <= r->limits.line - r->line_bytes)
		sb_put(&r->text, part);
	else
		part.n = r->limits.line + 1 - (r->line_bytes >
		    r->limits.line ? r->limits.line + 1 : r->line_bytes);
	r->line_bytes += part.n;
	return lf != -1 ? line_end(r) : IMAP_MORE;
}

static enum imap_event
read_literal(struct imap_reader *r, struct slice *in, struct slice *data)
{
	struct slice part = slice_sub(*in, 0,
	    r->left < in->n ? (size_t)r->left : in->n);

	if (r->left == 0) {
		int was = r->state;

		r->state = LINE;
		return was == STREAM ? IMAP_DATA_END : IMAP_MORE;
	}
	*in = slice_skip(*in, part.n);
	r->left -= part.n;
	if (r->state == KEEP)
		sb_put(&r->text, part);
	if (r->state != STREAM)
		return IMAP_MORE;
	*data = part;
	return IMAP_DATA;
}

enum imap_event
imap_read(struct imap_reader *r, struct slice *in, struct slice *data)
{
	enum imap_event ev = IMAP_MORE;

	if (r->done)
		start(r);
	while (ev == IMAP_MORE) {
		if (r->state == HEAD)
			return IMAP_LITERAL; /* the caller made no choice */
		if (in->n == 0 && (r->state == LINE || r->left != 0))
			break;
		ev = r->state == LINE ? read_line(r, in) :
		    read_literal(r, in, data);
		if (r->done && ev == IMAP_MORE)
			start(r);
	}
	return ev;
}

bool
imap_literal_fits(const struct imap_reader *r)
{
	return r->literal.size <= r->limits.literal &&
	    r->kept < r->limits.pieces &&
	    r->literal.size <= r->limits.literals - r->kept_bytes;
}

void
imap_literal_keep(struct imap_reader *r)
{
	sb_puts(&r->text, "\r\n");
	r->left = r->literal.size;
	r->kept_bytes += (size_t)r->literal.size;
	r->kept++;
	r->state = KEEP;
}

void
imap_literal_stream(struct imap_reader *r)
{
	sb_reset(&r->text);
	r->left = r->literal.size;
	r->state = STREAM;
}

void
imap_literal_refuse(struct imap_reader *r)
{
	sb_reset(&r->text);
	r->refused = true;
	if (r->literal.sync) {
		r->done = true; /* the client sends no more of it */
		return;
	}
	r->left = r->literal.size;
	r->state = SKIP;
}
