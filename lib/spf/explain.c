#include <string.h>

#include "spf/spf.h"

#define SHOWN_MAX 300 /* bytes of a stranger's text in a sentence */

static void
put(struct strbuf *out, struct slice s)
{
	sb_put(out, slice_sub(s, 0, SHOWN_MAX));
}

static void
put_quoted(struct strbuf *out, const char *before, struct slice s,
    const char *after)
{
	sb_puts(out, before);
	sb_putc(out, '"');
	put(out, s);
	sb_putc(out, '"');
	sb_puts(out, after);
}

static bool
is_helo(const struct spf_ask *ask)
{
	return strcmp(ask->identity, "helo") == 0;
}

/* "192.0.2.7 (mx.example.net)" */
static void
put_client(struct strbuf *out, const struct spf_ask *ask)
{
	ip_format(out, &ask->ip);
	if (ask->client.n > 0) {
		sb_puts(out, " (");
		put(out, ask->client);
		sb_putc(out, ')');
	}
}

/* The record that decided, which a redirect may have moved elsewhere. */
static void
put_record(struct strbuf *out, const struct spf_ask *ask,
    const struct spf_answer *a)
{
	sb_puts(out, "the SPF record of ");
	put(out, a->domain);
	if (!slice_ieq(a->domain, ask->domain)) {
		sb_puts(out, ", which that of ");
		put(out, ask->domain);
		sb_puts(out, " leads to");
	}
}

static bool
is_all(const struct spf_answer *a)
{
	return slice_iends(a->mech, S("all")) && a->mech.n <= 4;
}

static void
pass(const struct spf_ask *ask, const struct spf_answer *a, struct strbuf *out)
{
	put_client(out, ask);
	sb_puts(out, is_helo(ask) ? " may call itself " : " may send for ");
	put(out, ask->domain);
	put_quoted(out, ": it matches ", a->mech, " in ");
	put_record(out, ask, a);
	sb_puts(out, is_all(a) ? ". Every host of the world does, so this "
	    "pass says nothing about who sent it." : ".");
}

/* fail and softfail. */
static void
not_listed(const struct spf_ask *ask, const struct spf_answer *a,
    struct strbuf *out)
{
	sb_puts(out, "The host that sent this, ");
	put_client(out, ask);
	if (is_all(a)) {
		sb_puts(out, ", is not among the hosts that ");
		put(out, ask->domain);
		put_quoted(out, " names: ", a->mech, " in ");
	} else
		put_quoted(out, ", is shut out by ", a->mech, " in ");
	put_record(out, ask, a);
	if (is_all(a))
		sb_puts(out, a->result == SPF_FAIL ? " refuses all others. " :
		    " says that others are most likely not allowed. ");
	else
		sb_puts(out, ". ");
	if (is_helo(ask)) {
		sb_puts(out, "It must give its own name in HELO, or the owner "
		    "of ");
		put(out, ask->domain);
		sb_puts(out, " must add its address to the record.");
		return;
	}
	sb_puts(out, "If it forwards mail, it must rewrite the envelope sender "
	    "(SRS); if it sends for ");
	put(out, ask->domain);
	sb_puts(out, ", the owner of that domain must add its address to the "
	    "record.");
}

static void
neutral(const struct spf_ask *ask, const struct spf_answer *a,
    struct strbuf *out)
{
	if (slice_eqs(a->mech, "default"))
		sb_puts(out, "No term matches ");
	else
		put_quoted(out, "Only ", a->mech, " matches ");
	put_client(out, ask);
	sb_puts(out, " in ");
	put_record(out, ask, a);
	sb_puts(out, ": the domain does not say whether this host may use it.");
}

static void
no_record(const struct spf_ask *ask, const struct spf_answer *a,
    struct strbuf *out)
{
	switch (a->why) {
	case SPF_WHY_NO_CLIENT:
		sb_puts(out, "The address of the client is not known, so there "
		    "is nothing to compare.");
		return;
	case SPF_WHY_BAD_DOMAIN:
		if (ask->domain.n == 0) {
			sb_puts(out, is_helo(ask) ? "The client gave no name "
			    "in HELO." : "The sender has no domain.");
			return;
		}
		put_quoted(out, "", ask->domain, is_helo(ask) ?
		    ", the name given in HELO," : ", the sender's domain,");
		sb_puts(out, " is not a domain name of two labels or more, so "
		    "it can have no SPF record.");
		return;
	default: break;
	}
	put(out, ask->domain);
	sb_puts(out, " has no SPF record (");
	sb_put(out, slice_sub(a->reason, 0, slice_find(a->reason, S(": ")) != -1 ?
	    (size_t)slice_find(a->reason, S(": ")) : SHOWN_MAX));
	sb_puts(out, "), so SPF can say nothing about ");
	put_client(out, ask);
	sb_puts(out, ". Its owner can publish one.");
}

static void
temporary(const struct spf_ask *ask, const struct spf_answer *a,
    struct strbuf *out)
{
	sb_puts(out, "The DNS gave no answer that is needed to judge ");
	put_client(out, ask);
	sb_puts(out, " by ");
	put_record(out, ask, a);
	sb_puts(out, " (");
	put(out, a->reason);
	sb_puts(out, "). Asked later it may: look at the name servers of that "
	    "name, and at the resolver of this host.");
}

static void
permanent(const struct spf_ask *ask, const struct spf_answer *a,
    struct strbuf *out)
{
	if (a->why == SPF_WHY_TWO_RECORDS) {
		put(out, a->domain);
		sb_puts(out, " has more than one SPF record, so none counts. ");
	} else if (a->why == SPF_WHY_SYNTAX) {
		sb_puts(out, "There is an error in ");
		put_record(out, ask, a);
		sb_printf(out, ", at character %zu, ", a->at + 1);
		put_quoted(out, "", a->term, " (");
		sb_put(out, slice_sub(a->reason, 0,
		    (size_t)slice_find(a->reason, S(": "))));
		sb_puts(out, "). ");
	} else if (a->why == SPF_WHY_LOOKUPS || a->why == SPF_WHY_VOIDS) {
		bool voids = a->why == SPF_WHY_VOIDS;

		sb_puts(out, "To judge by ");
		put_record(out, ask, a);
		sb_printf(out, voids ? ", more than %u names had to be asked "
		    "for that have no answer: " : ", more than %u lookups "
		    "would be needed: ", voids ? SPF_VOIDS_MAX : SPF_TERMS_MAX);
		sb_put(out, voids ? a->void_names : a->costs);
		sb_puts(out, ". ");
	} else {
		put_quoted(out, "", a->term, " in ");
		put_record(out, ask, a);
		sb_puts(out, a->why == SPF_WHY_HOSTS ? " leads to more than 10 "
		    "MX hosts. " : " leads to a domain that has no SPF record. ");
	}
	sb_puts(out, "Its owner must correct this; until then SPF says nothing "
	    "about ");
	put(out, ask->domain);
	sb_putc(out, '.');
}

void
spf_because(const struct spf_ask *ask, const struct spf_answer *a,
    struct strbuf *out)
{
	switch (a->result) {
	case SPF_PASS: pass(ask, a, out); break;
	case SPF_FAIL:
	case SPF_SOFTFAIL: not_listed(ask, a, out); break;
	case SPF_NEUTRAL: neutral(ask, a, out); break;
	case SPF_NONE: no_record(ask, a, out); break;
	case SPF_TEMPERROR: temporary(ask, a, out); break;
	case SPF_PERMERROR: permanent(ask, a, out); break;
	}
}
