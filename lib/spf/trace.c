#include "spf/eval.h"

#include "base/tuple.h"

static void
put_ip(struct strbuf *out, const char *name, const struct ip *ip)
{
	struct strbuf sb = STRBUF_INIT(64);

	ip_format(&sb, ip);
	tuple_put(out, name, sb_slice(&sb));
	sb_free(&sb);
}

static struct strbuf *
begin(const struct state *s, const struct frame *f)
{
	struct strbuf *t = s->ask->trace;

	tuple_begin(t, "step");
	tuple_puts(t, "check", "spf");
	tuple_putu(t, "depth", f->depth);
	tuple_put(t, "domain", f->domain);
	return t;
}

static void
counters(const struct state *s, struct strbuf *t)
{
	tuple_putu(t, "lookups", s->answer->lookups);
	tuple_putu(t, "voids", s->answer->voids);
}

void
trace_start(struct state *s)
{
	const struct spf_ask *ask = s->ask;
	struct strbuf *t = ask->trace;

	if (t == NULL)
		return;
	tuple_begin(t, "step");
	tuple_puts(t, "check", "spf");
	tuple_puts(t, "identity", ask->identity);
	tuple_put(t, "domain", ask->domain);
	put_ip(t, "ip", &ask->ip);
	tuple_puts(t, "note", strcmp(ask->identity, "helo") == 0 ?
	    "may this client call itself so in HELO?" :
	    "may this client send with this domain in MAIL FROM?");
	tuple_end(t);
}

void
trace_dns(struct state *s, struct slice name, enum dns_type type,
    const struct dns_answer *a)
{
	struct strbuf *t = s->ask->trace;

	if (t == NULL)
		return;
	tuple_begin(t, "step");
	tuple_puts(t, "check", "dns");
	tuple_puts(t, "type", dns_type_name(type));
	tuple_put(t, "name", name);
	tuple_puts(t, "status", dns_status_name(a->status));
	tuple_putu(t, "records", a->count);
	tuple_puts(t, "dnssec", a->authentic ? "yes" : "no");
	tuple_end(t);
}

void
trace_record(struct state *s, const struct frame *f)
{
	struct strbuf *t;

	if (s->ask->trace == NULL)
		return;
	t = begin(s, f);
	tuple_put(t, "record", f->text);
	counters(s, t);
	tuple_end(t);
}

void
trace_term(struct state *s, const struct frame *f, int match)
{
	struct strbuf *t;

	if (s->ask->trace == NULL)
		return;
	t = begin(s, f);
	tuple_put(t, "term", f->term);
	tuple_puts(t, "match", match == MATCH ? "yes" :
	    match == NO_MATCH ? "no" : "error");
	counters(s, t);
	if (match == ENDED)
		trace_note(s, "", s->answer->reason);
	tuple_opt(t, "note", sb_slice(&s->note));
	tuple_end(t);
	sb_reset(&s->note);
}

void
trace_redirect(struct state *s, const struct frame *f, struct slice to)
{
	struct strbuf *t;

	if (s->ask->trace == NULL)
		return;
	t = begin(s, f);
	tuple_put(t, "redirect", to);
	counters(s, t);
	tuple_puts(t, "note", "no term matched: the record of that domain "
	    "decides");
	tuple_end(t);
}

void
trace_note(struct state *s, const char *before, struct slice what)
{
	if (s->ask->trace == NULL)
		return;
	if (s->note.n > 0)
		sb_puts(&s->note, ", ");
	sb_puts(&s->note, before);
	sb_put(&s->note, what);
}

void
trace_addresses(struct state *s, const struct dns_answer *a, struct slice name)
{
	struct strbuf sb = STRBUF_INIT(64);

	if (s->ask->trace == NULL)
		return;
	for (size_t i = 0; i < a->count; i++) {
		ip_format(&sb, &a->rr[i].ip);
		trace_note(s, i == 0 ? "compared with " : "",
		    sb_slice(&sb));
		sb_reset(&sb);
	}
	if (a->count == 0)
		trace_note(s, "no address of the client's kind at ", name);
	else {
		sb_puts(&s->note, " of ");
		sb_put(&s->note, name);
	}
	sb_free(&sb);
}

void
trace_list(struct strbuf *list, struct slice what, struct slice domain)
{
	if (list->n > 0)
		sb_puts(list, ", ");
	sb_put(list, what);
	sb_puts(list, " (");
	sb_put(list, domain);
	sb_putc(list, ')');
}
