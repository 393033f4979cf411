/*
 * States and what a byte does to them. "-" takes nothing: the byte is looked
 * at again in the new state. ! makes the message bad.
 *
 *	            CR          LF         "."       other
 *	START       MID -       MID -      DOT       MID -
 *	MID         CR          LF         MID       MID
 *	CR          ! MID -     START      ! MID -   ! MID -
 *	DOT         DOT_CR      ! LF       MID -     MID -
 *	DOT_CR      ! MID -     END        ! MID -   ! MID -
 *	LF          MID -       MID -      LF_DOT    MID -
 *	LF_DOT      LF_DOT_CR   ! LF       MID -     MID -
 *	LF_DOT_CR   ! MID -     ! START    ! MID -   ! MID -
 */
#include "smtp/data.h"

void
smtp_data_init(struct smtp_data *d, void (*put)(void *, struct slice),
    void *ctx)
{
	*d = (struct smtp_data){ .put = put, .ctx = ctx };
}

static void
put(struct smtp_data *d, const unsigned char *from, const unsigned char *to)
{
	struct slice s = slice_of(from, (size_t)(to - from));

	if (s.n == 0 || d->bad)
		return;
	d->size += s.n;
	d->put(d->ctx, s);
}

static void
put_crlf(struct smtp_data *d)
{
	static const unsigned char crlf[] = "\r\n";

	put(d, crlf, crlf + 2);
}

/*
 * From the middle of a line, as far as lines go on without anything special:
 * a run of whole lines is put out at once. Stops at the end of the input, at
 * a dot that begins a line, at a CR whose next byte has not come, and at
 * what is bad. Returns where it stopped.
 */
static const unsigned char *
run(struct smtp_data *d, const unsigned char *p, const unsigned char *end)
{
	const unsigned char *from = p;

	for (;;) {
		const unsigned char *lf = memchr(p, '\n', (size_t)(end - p));
		const unsigned char *stop = lf != NULL ? lf : end;
		const unsigned char *cr = memchr(p, '\r', (size_t)(stop - p));

		if (cr != NULL && cr + 1 < stop)
			d->bad = true;
		if (lf == NULL) {
			d->state = SMTP_DATA_MID;
			if (stop > p && stop[-1] == '\r') {
				d->state = SMTP_DATA_CR;
				stop--;
			}
			put(d, from, stop);
			return end;
		}
		if (lf == p || lf[-1] != '\r') {
			put(d, from, lf);
			put_crlf(d);
			d->bare_lf = true;
			d->state = SMTP_DATA_LF;
			return lf + 1;
		}
		p = lf + 1;
		if (p == end || *p == '.') {
			put(d, from, p);
			d->state = SMTP_DATA_START;
			return p;
		}
	}
}

/* One byte at a line's start, or after a CR: true if it was taken. */
static bool
step(struct smtp_data *d, unsigned char c)
{
	static const unsigned char cr[] = "\r", dot[] = ".";

	switch (d->state) {
	case SMTP_DATA_START:
		d->state = c == '.' ? SMTP_DATA_DOT : SMTP_DATA_MID;
		return c == '.';
	case SMTP_DATA_LF:
		d->state = c == '.' ? SMTP_DATA_LF_DOT : SMTP_DATA_MID;
		if (c == '.')
			put(d, dot, dot + 1);
		return c == '.';
	case SMTP_DATA_DOT:
	case SMTP_DATA_LF_DOT:
		if (c == '\r') {
			d->state = d->state == SMTP_DATA_DOT ?
			    SMTP_DATA_DOT_CR : SMTP_DATA_LF_DOT_CR;
			return true;
		}
		if (c == '\n')
			d->bad = d->bare_lf = true;
		d->state = c == '\n' ? SMTP_DATA_LF : SMTP_DATA_MID;
		return c == '\n';
	case SMTP_DATA_DOT_CR:
		d->state = c == '\n' ? SMTP_DATA_END : SMTP_DATA_MID;
		d->bad |= c != '\n';
		return c == '\n';
	case SMTP_DATA_LF_DOT_CR:
		d->state = c == '\n' ? SMTP_DATA_START : SMTP_DATA_MID;
		d->bad = true;
		return c == '\n';
	case SMTP_DATA_CR:
		if (c == '\n') {
			put(d, cr, cr + 1);
			put(d, &c, &c + 1);
		}
		d->state = c == '\n' ? SMTP_DATA_START : SMTP_DATA_MID;
		d->bad |= c != '\n';
		return c == '\n';
	case SMTP_DATA_MID:
	case SMTP_DATA_END:
		break;
	}
	return false;
}

bool
smtp_data_feed(struct smtp_data *d, struct slice *in)
{
	const unsigned char *p = in->p, *end = in->n != 0 ? p + in->n : p;

	while (p < end && d->state != SMTP_DATA_END) {
		if (d->state == SMTP_DATA_MID)
			p = run(d, p, end);
		else
			p += step(d, *p);
	}
	*in = slice_of(p, (size_t)(end - p));
	return d->state == SMTP_DATA_END;
}
