#include "body.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/log.h"
#include "imf/decode.h"
#include "imf/field.h"

#define DECODE_STEP ((size_t)64 * 1024) /* decoded at once */

void
opened_init(struct opened *o, struct session *s, uint32_t uid,
    struct arena *ar)
{
	*o = (struct opened){ .s = s, .uid = uid, .fd = -1, .ar = ar };
	sb_init(&o->picked, SIZE_MAX / 2); /* a header has a size */
}

void
opened_close(struct opened *o)
{
	if (o->mapped)
		fd_unmap(o->msg);
	if (o->fd != -1)
		close(o->fd);
	sb_free(&o->picked);
	o->fd = -1;
	o->mapped = o->parsed = false;
}

static bool
opened_fd(struct opened *o)
{
	if (o->fd != -1 || o->gone)
		return !o->gone;
	o->fd = message_open(o->s->store, o->s->view.box, o->uid);
	if (o->fd == -1) {
		o->gone = true;
		if (errno != ENOENT)
			log_sys("open message");
	}
	return !o->gone;
}

int64_t
opened_size(struct opened *o)
{
	struct stat st;

	return opened_fd(o) && fstat(o->fd, &st) == 0 ? st.st_size : -1;
}

bool
opened_map(struct opened *o)
{
	if (o->mapped)
		return true;
	if (!opened_fd(o))
		return false;
	if (fd_map(o->fd, &o->msg) == -1) {
		log_sys("map message");
		o->gone = true;
		return false;
	}
	return o->mapped = true;
}

bool
opened_mime(struct opened *o)
{
	if (o->parsed)
		return true;
	if (!opened_map(o))
		return false;
	mime_parse(o->msg, o->ar, &o->mime);
	return o->parsed = true;
}

/* ---- arguments ---- */

static bool
take_fields(struct session *s, struct slice *in, struct section *sec)
{
	size_t cap = 0;

	if (!imap_sp(in) || !imap_take(in, '('))
		return false;
	do {
		if (sec->fields == cap) {
			size_t grown = cap != 0 ? cap * 2 : 16;

			sec->field = arena_grow(&s->ar, sec->field,
			    cap * sizeof(*sec->field),
			    grown * sizeof(*sec->field));
			cap = grown;
		}
		if (!imap_astring(in, &s->ar, &sec->field[sec->fields++]))
			return false;
	} while (imap_sp(in));
	return imap_take(in, ')');
}

static bool
take_text(struct session *s, struct slice *in, struct section *sec)
{
	if (imap_word(in, "HEADER.FIELDS.NOT")) {
		sec->text = SEC_FIELDS_NOT;
		return take_fields(s, in, sec);
	}
	if (imap_word(in, "HEADER.FIELDS")) {
		sec->text = SEC_FIELDS;
		return take_fields(s, in, sec);
	}
	if (imap_word(in, "HEADER"))
		sec->text = SEC_HEADER;
	else if (imap_word(in, "TEXT"))
		sec->text = SEC_TEXT;
	else if (sec->depth != 0 && imap_word(in, "MIME"))
		sec->text = SEC_MIME;
	else
		return false;
	return true;
}

bool
take_section(struct session *s, struct slice *in, bool binary,
    struct section *sec)
{
	uint64_t n;

	*sec = (struct section){ 0 };
	if (!imap_take(in, '['))
		return false;
	while (in->n != 0 && ascii_isdigit(in->p[0])) {
		if (sec->depth == SECTION_DEPTH ||
		    !imap_number(in, UINT32_MAX, &n) || n == 0)
			return false;
		sec->number[sec->depth++] = (uint32_t)n;
		if (!imap_take(in, '.'))
			return imap_take(in, ']');
	}
	if (sec->depth == 0 && imap_take(in, ']'))
		return true;
	return !binary && take_text(s, in, sec) && imap_take(in, ']');
}

bool
take_partial(struct slice *in, struct partial *p)
{
	*p = (struct partial){ 0 };
	if (!imap_take(in, '<'))
		return true;
	p->given = true;
	return imap_number(in, INT64_MAX, &p->from) && imap_take(in, '.') &&
	    imap_number(in, INT64_MAX, &p->count) && p->count != 0 &&
	    imap_take(in, '>');
}

void
put_section(struct strbuf *sb, const struct section *sec)
{
	static const char *const text[] = {
		[SEC_ALL] = "", [SEC_HEADER] = "HEADER",
		[SEC_FIELDS] = "HEADER.FIELDS",
		[SEC_FIELDS_NOT] = "HEADER.FIELDS.NOT",
		[SEC_TEXT] = "TEXT", [SEC_MIME] = "MIME",
	};

	sb_putc(sb, '[');
	for (size_t i = 0; i < sec->depth; i++)
		sb_printf(sb, "%s%u", i != 0 ? "." : "", sec->number[i]);
	if (sec->depth != 0 && sec->text != SEC_ALL)
		sb_putc(sb, '.');
	sb_puts(sb, text[sec->text]);
	if (sec->fields != 0) {
		for (size_t i = 0; i < sec->fields; i++) {
			sb_puts(sb, i == 0 ? " (" : " ");
			imap_put_astring(sb, sec->field[i], true);
		}
		sb_putc(sb, ')');
	}
	sb_putc(sb, ']');
}

/* ---- finding ---- */

const struct mime_part *
section_part(const struct mime *m, const struct section *sec)
{
	const struct mime_part *p = m->top;
	bool root = true; /* p is a message, not yet a numbered part of one */

	for (size_t i = 0; i < sec->depth; i++) {
		uint32_t n = sec->number[i];

		if (!root && p->kind == MIME_MESSAGE) {
			p = p->child;
			root = true;
		}
		if (p == NULL)
			return NULL;
		if (p->kind == MIME_MULTIPART) {
			for (p = p->child; p != NULL && p->number != n;)
				p = p->next;
			if (p == NULL)
				return NULL;
		} else if (!root || n != 1)
			return NULL;
		root = false;
	}
	return p;
}

static bool
field_wanted(const struct section *sec, struct slice name)
{
	for (size_t i = 0; i < sec->fields; i++)
		if (slice_ieq(sec->field[i], name))
			return sec->text == SEC_FIELDS;
	return sec->text == SEC_FIELDS_NOT;
}

/* HEADER.FIELDS: the chosen fields and an empty line, until the next call. */
static struct slice
pick_fields(struct opened *o, const struct section *sec, struct slice header)
{
	struct strbuf *sb = &o->picked;
	struct field f;

	sb_reset(sb);
	while (field_next(&header, &f) == 1)
		if (!f.bad && field_wanted(sec, f.name))
			sb_put(sb, f.raw);
	if (sb->n != 0 && sb->p[sb->n - 1] != '\n')
		sb_puts(sb, "\r\n");
	sb_puts(sb, "\r\n");
	return sb_slice(sb);
}

/* What a section of a mapped message is: false if there is no such part. */
static bool
section_bytes(struct opened *o, const struct section *sec, struct slice *out)
{
	struct slice header, body;

	if (sec->depth == 0) {
		header = header_of(o->msg, &body);
	} else {
		const struct mime_part *p;

		if (!opened_mime(o))
			return false;
		p = section_part(&o->mime, sec);
		if (p == NULL)
			return false;
		if (sec->text == SEC_ALL || sec->text == SEC_MIME) {
			*out = sec->text == SEC_ALL ? mime_body(&o->mime, p) :
			    mime_header(&o->mime, p);
			return true;
		}
		if (p->kind != MIME_MESSAGE || p->child == NULL)
			return false;
		header = mime_header(&o->mime, p->child);
		body = mime_body(&o->mime, p->child);
	}
	switch (sec->text) {
	case SEC_HEADER:
		*out = header;
		break;
	case SEC_TEXT:
		*out = body;
		break;
	case SEC_FIELDS:
	case SEC_FIELDS_NOT:
		*out = pick_fields(o, sec, header);
		break;
	default:
		*out = o->msg;
	}
	return true;
}

/* ---- values ---- */

static void
clip(const struct partial *p, uint64_t size, uint64_t *from, uint64_t *n)
{
	*from = p->given ? p->from : 0;
	if (*from > size)
		*from = size;
	*n = size - *from;
	if (p->given && p->count < *n)
		*n = p->count;
}

static void
put_origin(struct strbuf *sb, const struct partial *p)
{
	if (p->given)
		sb_printf(sb, "<%llu>", (unsigned long long)p->from);
}

void
put_body(struct opened *o, const struct section *sec, const struct partial *p)
{
	struct strbuf *sb = &o->s->o;
	struct slice bytes;
	uint64_t from, n;

	put_origin(sb, p);
	sb_putc(sb, ' ');
	if (sec->depth == 0 && sec->text == SEC_ALL) {
		/* Of the file as it is: another program may have cut it. */
		int64_t size = opened_size(o);

		if (size == -1) {
			sb_puts(sb, "NIL");
			return;
		}
		clip(p, (uint64_t)size, &from, &n);
		sb_printf(sb, "{%llu}\r\n", (unsigned long long)n);
		if (n < OUT_FLUSH && sb_room(sb, n) != NULL) {
			if (pread_full(o->fd, sb_room(sb, n), n,
			    (off_t)from) == -1)
				o->s->dead = true;
			else
				sb_grew(sb, n);
		} else
			out_file(o->s, o->fd, from, n);
		return;
	}
	if (!opened_map(o) || !section_bytes(o, sec, &bytes)) {
		sb_puts(sb, "NIL");
		return;
	}
	clip(p, bytes.n, &from, &n);
	sb_printf(sb, "{%llu}\r\n", (unsigned long long)n);
	out_bytes(o->s, slice_sub(bytes, from, n));
}

/* Decode; hand over what lies in from .. from + n. The decoded size. */
static uint64_t
decode_window(struct session *s, enum encoding enc, struct slice in,
    uint64_t from, uint64_t n)
{
	struct strbuf sb = STRBUF_INIT(2 * DECODE_STEP + 4096);
	struct decode d;
	uint64_t at = 0;
	bool end = false;

	decode_init(&d, enc);
	while (!end) {
		uint64_t lo = from > at ? from - at : 0;

		sb_reset(&sb);
		if (in.n != 0)
			decode_feed(&d, slice_sub(in, 0, DECODE_STEP), &sb);
		else {
			decode_end(&d, &sb);
			end = true;
		}
		in = slice_skip(in, DECODE_STEP);
		if (n != 0 && lo < sb.n) {
			struct slice out = slice_sub(sb_slice(&sb), lo, n);

			out_bytes(s, out);
			n -= out.n;
		}
		at += sb.n;
	}
	sb_free(&sb);
	return at;
}

/* 1 and the part's encoded bytes; 0 no leaf there; -1 unknown encoding. */
static int
binary_part(struct opened *o, const struct section *sec, struct slice *bytes,
    enum encoding *enc)
{
	const struct mime_part *p;

	if (!opened_mime(o) || (p = section_part(&o->mime, sec)) == NULL)
		return 0;
	*enc = ENC_IDENTITY;
	if (sec->depth == 0) {
		*bytes = o->msg;
		return 1;
	}
	*bytes = mime_body(&o->mime, p);
	if (p->kind == MIME_LEAF)
		*enc = p->encoding;
	return *enc == ENC_UNKNOWN ? -1 : 1;
}

bool
put_binary(struct opened *o, const struct section *sec,
    const struct partial *p)
{
	struct slice bytes;
	enum encoding enc;
	uint64_t size, from, n;
	int r = binary_part(o, sec, &bytes, &enc);

	put_origin(&o->s->o, p);
	if (r != 1) {
		sb_puts(&o->s->o, " NIL");
		return r == 0;
	}
	size = decode_window(o->s, enc, bytes, 0, 0);
	clip(p, size, &from, &n);
	sb_printf(&o->s->o, " ~{%llu}\r\n", (unsigned long long)n);
	decode_window(o->s, enc, bytes, from, n);
	return true;
}

bool
put_binary_size(struct opened *o, const struct section *sec)
{
	struct slice bytes;
	enum encoding enc;
	int r = binary_part(o, sec, &bytes, &enc);

	sb_printf(&o->s->o, " %llu", r != 1 ? 0ull : (unsigned long long)
	    decode_window(o->s, enc, bytes, 0, 0));
	return r != -1;
}
