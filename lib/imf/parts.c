#include "imf/parts.h"

#include "base/tuple.h"
#include "imf/address.h"
#include "imf/date.h"
#include "imf/describe.h"
#include "imf/field.h"
#include "imf/message.h"
#include "imf/mime.h"
#include "imf/preview.h"
#include "imf/thread.h"
#include "imf/word.h"

#define FIELD_NAME_MAX 100 /* bytes of a name recorded */
#define TOKEN_MAX 100      /* of a charset and the like */
#define SUBJECT_IN_MAX 4000 /* of a Subject field looked at */
#define SUBJECT_MAX 1000   /* of a decoded subject */
#define PATH_MAX_BYTES (11 * IMF_DEPTH_MAX) /* "1.2.3" */
#define FROM_FIELDS_MAX 20 /* From fields whose addresses are counted */

struct writer {
	struct strbuf *out;
	struct arena ar;
	struct slice msg, header, body;
	struct mime mime;
	struct message first; /* the first field of each name */
	size_t mark;          /* start of the record being written */
	/* counted */
	size_t fields, good, bad, from_count, from_addrs, received;
	size_t addresses;
	struct address_list from; /* of the first From field */
	struct slice subject;     /* decoded */
};

static void
begin(struct writer *w, const char *type)
{
	w->mark = w->out->n;
	tuple_begin(w->out, type);
}

/* A record that does not fit any more is left out as a whole. */
static void
end(struct writer *w)
{
	tuple_end(w->out);
	if (w->out->over) {
		sb_cut(w->out, w->mark);
		w->out->over = false;
	}
}

static void
put_yes(struct strbuf *sb, const char *name, bool yes)
{
	tuple_puts(sb, name, yes ? "yes" : "no");
}

/* At most n bytes of UTF-8, no character cut. */
static struct slice
utf8_cut(struct slice s, size_t n)
{
	if (s.n <= n)
		return s;
	while (n > 0 && (s.p[n] & 0xc0) == 0x80)
		n--;
	return slice_sub(s, 0, n);
}

static bool
has_eight_bit(struct slice s)
{
	uint64_t all = 0, word;
	size_t i = 0;

	for (; i + sizeof(word) <= s.n; i += sizeof(word)) {
		memcpy(&word, s.p + i, sizeof(word));
		all |= word;
	}
	for (; i < s.n; i++)
		all |= s.p[i];
	return (all & 0x8080808080808080u) != 0;
}

static bool
has_bare_lf(struct slice s)
{
	for (size_t i = 0; i < s.n; i++) {
		const unsigned char *lf = memchr(s.p + i, '\n', s.n - i);

		if (lf == NULL)
			return false;
		i = (size_t)(lf - s.p);
		if (i == 0 || s.p[i - 1] != '\r')
			return true;
	}
	return false;
}

static void
put_field(struct writer *w, const struct field *f)
{
	begin(w, "field");
	tuple_put(w->out, "name", slice_sub(f->name, 0, FIELD_NAME_MAX));
	tuple_putu(w->out, "at", (size_t)(f->raw.p - w->msg.p));
	tuple_putu(w->out, "len", f->raw.n);
	tuple_putu(w->out, "value-at", (size_t)(f->value.p - w->msg.p));
	tuple_putu(w->out, "value-len", f->value.n);
	end(w);
}

static void
count_from(struct writer *w, struct slice value)
{
	struct address_list l;

	if (w->from_count++ >= FROM_FIELDS_MAX)
		return;
	address_list_parse(value, &w->ar, &l);
	w->from_addrs += l.addresses;
	if (w->from_count == 1)
		w->from = l;
}

static void
put_fields(struct writer *w)
{
	struct slice in = slice_sub(w->header, 0, IMF_HEADER_MAX);
	struct field f;

	while (field_next(&in, &f) == 1) {
		if (w->fields++ < IMF_FIELDS_MAX)
			put_field(w, &f);
		if (f.bad)
			w->bad++;
		else
			w->good++;
		if (slice_ieq(f.name, S("from")))
			count_from(w, f.value);
		else if (slice_ieq(f.name, S("received")))
			w->received++;
	}
}

static void
put_address(struct writer *w, const char *field, const struct address *a)
{
	if (w->addresses++ >= ADDRESS_LIST_MAX)
		return;
	begin(w, "address");
	tuple_puts(w->out, "field", field);
	if (a->kind == ADDRESS_GROUP)
		tuple_put(w->out, "group", a->name);
	else if (a->kind == ADDRESS_GROUP_END)
		tuple_puts(w->out, "end-group", "yes");
	else {
		tuple_put(w->out, "name", a->name);
		tuple_put(w->out, "addr", a->addr);
	}
	end(w);
}

static void
put_addresses(struct writer *w)
{
	for (size_t i = 0; i < F_LISTS; i++) {
		struct address_list l;

		if (w->first.list[i].p == NULL)
			continue;
		if (i == F_FROM)
			l = w->from;
		else
			address_list_parse(w->first.list[i], &w->ar, &l);
		for (size_t j = 0; j < l.count; j++)
			put_address(w, message_list_name[i], &l.list[j]);
	}
}

static void
put_part(struct writer *w, const struct mime_part *p, struct slice path)
{
	bool message = p->number == 0 && p->parent != NULL;

	begin(w, "part");
	tuple_put(w->out, "n", path);
	if (message)
		tuple_puts(w->out, "inner", "yes");
	tuple_put(w->out, "type", p->ct.type);
	tuple_put(w->out, "subtype", p->ct.subtype);
	tuple_opt(w->out, "charset", utf8_cut(params_get(&p->ct.params,
	    "charset"), TOKEN_MAX));
	tuple_put(w->out, "encoding", p->encoding_name.n == 0 ? S("7bit") :
	    slice_sub(p->encoding_name, 0, TOKEN_MAX));
	tuple_putu(w->out, "at", p->at);
	tuple_putu(w->out, "header-len", p->body - p->at);
	tuple_putu(w->out, "body-at", p->body);
	tuple_putu(w->out, "body-len", p->end - p->body);
	tuple_putu(w->out, "lines", p->lines);
	tuple_opt(w->out, "disposition", p->disposition.type);
	tuple_opt(w->out, "filename", param_filename(&p->disposition, &p->ct,
	    &w->ar));
	end(w);
}

/* path is that of the part, or of the message/rfc822 part around it. */
static void
put_parts(struct writer *w, const struct mime_part *p, struct strbuf *path)
{
	size_t n = path->n;

	put_part(w, p, sb_slice(path));
	for (const struct mime_part *c = p->child; c != NULL; c = c->next) {
		if (c->number != 0)
			sb_printf(path, n != 0 ? ".%u" : "%u", c->number);
		put_parts(w, c, path);
		sb_cut(path, n);
	}
}

static void
put_structure(struct writer *w)
{
	struct strbuf path = STRBUF_INIT(PATH_MAX_BYTES);

	put_parts(w, w->mime.top, &path);
	sb_free(&path);
}

static void
put_envelope(struct writer *w)
{
	struct strbuf ascii = STRBUF_INIT(2 * DESCRIBE_MAX);
	struct strbuf utf8 = STRBUF_INIT(2 * DESCRIBE_MAX);

	describe_envelope(&w->first, false, &w->ar, &ascii);
	begin(w, "envelope");
	tuple_put(w->out, "text", sb_slice(&ascii));
	end(w);
	if (has_eight_bit(slice_sub(w->header, 0, IMF_HEADER_MAX))) {
		describe_envelope(&w->first, true, &w->ar, &utf8);
		begin(w, "envelope-utf8");
		tuple_put(w->out, "text", sb_slice(&utf8));
		end(w);
	}
	sb_free(&ascii);
	sb_free(&utf8);
}

static void
put_body(struct writer *w)
{
	/* Room for what describe_body() writes before it sees that it is
	 * too much: one part with all its parameters. */
	struct strbuf text = STRBUF_INIT(8 * DESCRIBE_MAX);

	describe_body(&w->mime, &w->ar, &text);
	begin(w, "body");
	tuple_put(w->out, "text", sb_slice(&text));
	end(w);
	sb_free(&text);
}

static void
put_preview(struct writer *w)
{
	struct strbuf text = STRBUF_INIT(65536);

	preview(&w->mime, &text);
	begin(w, "preview");
	tuple_put(w->out, "text", sb_slice(&text));
	end(w);
	sb_free(&text);
}

static struct slice
message_id(struct writer *w)
{
	struct slice id;

	if (thread_msgid(w->first.message_id, &w->ar, &id) == -1)
		return SLICE_NONE;
	return id;
}

static void
put_thread(struct writer *w)
{
	struct slice refs[THREAD_REFS_MAX], base;
	size_t count = thread_refs(w->first.references, w->first.in_reply_to,
	    &w->ar, refs);
	bool reply = thread_subject(w->subject, &w->ar, &base);

	begin(w, "thread");
	tuple_opt(w->out, "msgid", message_id(w));
	for (size_t i = 0; i < count; i++)
		tuple_put(w->out, "ref", refs[i]);
	tuple_put(w->out, "subject", base);
	put_yes(w->out, "reply", reply);
	end(w);
}

static void
decode_subject(struct writer *w)
{
	struct strbuf sb = STRBUF_INIT(4 * SUBJECT_IN_MAX);

	word_decode(&sb, slice_sub(w->first.subject, 0, SUBJECT_IN_MAX));
	w->subject = arena_copy(&w->ar, utf8_cut(sb_slice(&sb), SUBJECT_MAX));
	sb_free(&sb);
}

/* Why the message is not well-formed, or NULL. */
static const char *
trouble(const struct writer *w)
{
	if (w->header.n > IMF_HEADER_MAX)
		return "header too large";
	if (w->good == 0)
		return "no header field";
	if (w->bad != 0)
		return "a line in the header that is no field";
	if (w->from_count != 1)
		return w->from_count == 0 ? "no From field" :
		    "several From fields";
	if (w->from_addrs == 0 || w->from.bad)
		return "From is no address list";
	return NULL;
}

/* The first address of the first From field. */
static const struct address *
author(const struct writer *w)
{
	for (size_t i = 0; i < w->from.count; i++)
		if (w->from.list[i].kind == ADDRESS_ONE)
			return &w->from.list[i];
	return NULL;
}

/*
 * How many different domains the addresses of From have: 0 if one has none, or
 * if there are more addresses than are kept.
 */
static unsigned
from_domains(const struct writer *w)
{
	struct slice first = SLICE_NONE;
	unsigned n = 0;

	if (w->from_count != 1 || w->from.cut)
		return 0;
	for (size_t i = 0; i < w->from.count; i++) {
		const struct address *a = &w->from.list[i];

		if (a->kind != ADDRESS_ONE)
			continue;
		if (a->addr_domain.n == 0)
			return 0;
		if (n == 0 || !slice_eq(a->addr_domain, first))
			n++;
		if (n == 1)
			first = a->addr_domain;
	}
	return n;
}

static void
put_summary(struct writer *w, struct strbuf *sb)
{
	const struct address *from = author(w);
	const char *reason = trouble(w);
	int64_t date;

	tuple_begin(sb, "imf");
	tuple_puts(sb, "result", reason != NULL ? "bad" : "ok");
	if (reason != NULL)
		tuple_puts(sb, "reason", reason);
	if (from != NULL) {
		tuple_put(sb, "from", from->addr);
		tuple_put(sb, "from-domain", from->addr_domain);
	}
	tuple_putu(sb, "from-count", w->from_count);
	tuple_putu(sb, "from-addrs", w->from_addrs);
	if (w->from_addrs > 1)
		tuple_putu(sb, "from-domains", from_domains(w));
	if (w->first.date.n != 0 &&
	    date_parse(w->first.date, &date, NULL) == 0 && date >= 0)
		tuple_putu(sb, "date", (uint64_t)date);
	tuple_opt(sb, "msgid", message_id(w));
	tuple_put(sb, "subject", w->subject);
	tuple_putu(sb, "received", w->received);
	put_yes(sb, "eight-bit", has_eight_bit(w->header));
	put_yes(sb, "body-eight-bit", has_eight_bit(w->body));
	put_yes(sb, "bare-lf", has_bare_lf(w->msg));
	tuple_end(sb);
}

void
imf_parts(struct slice msg, struct strbuf *parts, struct strbuf *summary)
{
	struct writer w = { .out = parts, .msg = msg };
	struct strbuf fields = STRBUF_INIT(parts->max);
	struct strbuf line = STRBUF_INIT(TUPLE_LINE_MAX);

	w.header = header_of(msg, &w.body);
	message_fields(w.header, &w.first);
	/* The summary comes first, and needs what the fields tell. */
	w.out = &fields;
	put_fields(&w);
	w.out = parts;
	decode_subject(&w);
	put_summary(&w, &line);
	sb_put(summary, sb_slice(&line));
	sb_put(parts, sb_slice(&line));
	sb_put(parts, sb_slice(&fields));
	put_addresses(&w);
	mime_parse(msg, &w.ar, &w.mime);
	put_structure(&w);
	put_envelope(&w);
	put_body(&w);
	put_preview(&w);
	put_thread(&w);
	sb_free(&fields);
	sb_free(&line);
	arena_free(&w.ar);
}
