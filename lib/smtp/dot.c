#include "smtp/dot.h"

/* Bytes up to the next CR or LF. */
static size_t
line_length(struct slice in)
{
	const unsigned char *lf = memchr(in.p, '\n', in.n);
	size_t n = lf != NULL ? (size_t)(lf - in.p) : in.n;
	const unsigned char *cr = memchr(in.p, '\r', n);

	return cr != NULL ? (size_t)(cr - in.p) : n;
}

void
dot_feed(struct dot *d, struct slice in, struct strbuf *out)
{
	while (in.n != 0) {
		size_t n;

		if (d->cr && in.p[0] == '\n') {
			in = slice_skip(in, 1); /* its CRLF stands already */
			d->cr = false;
			continue;
		}
		d->cr = false;
		if (!d->inside && in.p[0] == '.')
			sb_putc(out, '.');
		n = line_length(in);
		sb_put(out, slice_sub(in, 0, n));
		d->inside = n == in.n;
		if (d->inside)
			return;
		sb_puts(out, "\r\n");
		d->cr = in.p[n] == '\r';
		in = slice_skip(in, n + 1);
	}
}

void
dot_end(struct dot *d, struct strbuf *out)
{
	sb_puts(out, d->inside ? "\r\n.\r\n" : ".\r\n");
	*d = (struct dot){ 0 };
}
