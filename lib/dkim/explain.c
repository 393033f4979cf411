#include "dkim/explain.h"

#include <inttypes.h>

#include "base/alloc.h"
#include "base/tuple.h"
#include "dkim/hunt.h"
#include "dkim/taglist.h"
#include "imf/date.h"

#define TEXT_MAX ((size_t)8192)
#define CHECK "dkim"

static void
step_begin(const struct dkim_explain *x, size_t number)
{
	tuple_begin(x->out, "step");
	tuple_puts(x->out, "check", CHECK);
	tuple_putu(x->out, "n", number);
}

static void
step_end(const struct dkim_explain *x, const char *note)
{
	tuple_puts(x->out, "note", note);
	tuple_end(x->out);
}

static void
put_date(struct strbuf *sb, int64_t t)
{
	date_write(sb, t, 0);
}

static void
step_signature(const struct dkim_explain *x, const struct dkim_evidence *e,
    size_t number)
{
	const struct dkim_sig *sig = &e->sig;

	step_begin(x, number);
	tuple_putu(x->out, "at", e->at);
	tuple_putu(x->out, "len", sig->raw.n);
	tuple_opt(x->out, "d", sig->domain);
	tuple_opt(x->out, "s", sig->selector);
	tuple_opt(x->out, "a", sig->alg_text);
	tuple_opt(x->out, "i", sig->identity);
	if (e->error == NULL) {
		tuple_puts(x->out, "c", sig->header == CANON_SIMPLE ?
		    sig->body == CANON_SIMPLE ? "simple/simple" :
		    "simple/relaxed" : sig->body == CANON_SIMPLE ?
		    "relaxed/simple" : "relaxed/relaxed");
		if (sig->length != DKIM_NO_LENGTH)
			tuple_putu(x->out, "l", sig->length);
		if (sig->made != -1)
			tuple_putu(x->out, "t", (uint64_t)sig->made);
		if (sig->expires != -1)
			tuple_putu(x->out, "x", (uint64_t)sig->expires);
	}
	step_end(x, e->error == NULL ? "the signature at this byte of the "
	    "message" : "a signature that cannot be used");
}

/* Instances of a field's name, and which of them from the top this is. */
static void
put_instance(struct strbuf *sb, const struct dkim_fields *all, int at)
{
	size_t n = 0, which = 0;

	for (size_t i = 0; i < all->count; i++) {
		n += slice_ieq(all->f[i].name, all->f[at].name);
		if ((int)i == at)
			which = n;
	}
	tuple_putu(sb, "instance", which);
	tuple_putu(sb, "of", n);
}

/* Each name of h=. */
static void
step_fields(const struct dkim_explain *x, const struct dkim_evidence *e,
    size_t number)
{
	const struct dkim_fields *all = &x->g->fields;
	struct slice names = e->sig.names, item;
	int *at, n;

	if (e->error != NULL || !x->g->live)
		return;
	n = dkim_select(all, names, e->sig.raw, x->judge->ar, &at);
	for (int i = 0; i < n && taglist_item(&names, ':', &item); i++) {
		step_begin(x, number);
		tuple_put(x->out, "field", item);
		if (at[i] == -1) {
			step_end(x, "there is none left: its absence is "
			    "signed, nobody can add one");
			continue;
		}
		tuple_putu(x->out, "at",
		    (size_t)(all->f[at[i]].raw.p - all->f[0].raw.p));
		tuple_putu(x->out, "len", all->f[at[i]].raw.n);
		put_instance(x->out, all, at[i]);
		step_end(x, "signed");
	}
}

static void
to_strbuf(void *ctx, const void *p, size_t n)
{
	sb_put(ctx, slice_of(p, n));
}

/* The text whose hash is signed. */
static void
step_canonical(const struct dkim_explain *x, const struct dkim_evidence *e,
    size_t number)
{
	struct strbuf sb = STRBUF_INIT(TUPLE_LINE_MAX / 4);
	int *at, n;

	if (!x->detail || e->error != NULL || !x->g->live)
		return;
	n = dkim_select(&x->g->fields, e->sig.names, e->sig.raw, x->judge->ar,
	    &at);
	for (int i = 0; i < n; i++)
		if (at[i] != -1)
			canon_field(e->sig.header, x->g->fields.f[at[i]].raw,
			    true, to_strbuf, &sb);
	canon_signature(e->sig.header, e->sig.raw, to_strbuf, &sb);
	step_begin(x, number);
	tuple_put(x->out, "canonical", sb_slice(&sb));
	tuple_put64(x->out, "sha256", slice_of(e->header_hash, DKIM_HASH_SIZE));
	step_end(x, sb.over ? "the beginning of the canonical header, too long "
	    "to be shown in full" : "the canonical header and its hash");
	sb_free(&sb);
}

static void
step_record(const struct dkim_explain *x, struct slice text, size_t number)
{
	const char *error = NULL;
	struct dkim_key k;
	int r = dkim_key_parse(text, &k, &error);

	step_begin(x, number);
	tuple_put(x->out, "record", text);
	tuple_opt(x->out, "v", k.v);
	tuple_opt(x->out, "k", k.k);
	tuple_opt(x->out, "h", k.h);
	tuple_opt(x->out, "s", k.s);
	tuple_opt(x->out, "t", k.t);
	tuple_opt(x->out, "n-tag", k.n);
	if (k.bits != 0)
		tuple_putu(x->out, "bits", k.bits);
	step_end(x, r != 1 ? error : k.public == NULL ?
	    "a key that was revoked" : "a key record");
	dkim_key_free(&k);
}

static void
step_key(const struct dkim_explain *x, const struct dkim_result *r,
    size_t number)
{
	const struct dns_answer *a = r->answer;

	if (a == NULL)
		return;
	step_begin(x, number);
	tuple_put(x->out, "query", r->query);
	tuple_puts(x->out, "type", "TXT");
	tuple_puts(x->out, "status", dns_status_name(a->status));
	tuple_puts(x->out, "dnssec", a->authentic ? "yes" : "no");
	tuple_putu(x->out, "records", a->count);
	if (a->cnames != 0)
		tuple_opt(x->out, "cname", a->canonical);
	step_end(x, "asked for the key");
	for (size_t i = 0; i < a->count; i++)
		step_record(x, a->rr[i].text, number);
}

static void
step_hashes(const struct dkim_explain *x, const struct dkim_result *r,
    size_t number)
{
	const struct dkim_evidence *e = r->e;

	if (!e->hashed_header)
		return;
	step_begin(x, number);
	tuple_put64(x->out, "header-hash", slice_of(e->header_hash,
	    DKIM_HASH_SIZE));
	step_end(x, r->header_good ? "b= is the key's signature over it" :
	    r->record.n == 0 ? "there is no key to compare b= with" :
	    "b= is not the key's signature over it");
	if (!e->hashed_body)
		return;
	step_begin(x, number);
	tuple_put64(x->out, "body-hash", slice_of(e->body_hash,
	    DKIM_HASH_SIZE));
	tuple_putu(x->out, "body-size", e->body_size);
	if (e->sig.bh.n == DKIM_HASH_SIZE)
		tuple_put64(x->out, "bh", slice_of(e->sig.bh.p,
		    DKIM_HASH_SIZE));
	step_end(x, slice_eq(slice_of(e->body_hash, DKIM_HASH_SIZE),
	    e->sig.bh) ? "the body has the hash that was signed" :
	    "the body has another hash than the one that was signed");
}

/*
 * Sentences by reason. {d} {s} {a} {i} {q} {h}: tags and the name asked;
 * {x} {t} {now}: dates; {l} {size}: octets; {r}: the reason itself; {bits}.
 */
static const struct {
	const char *reason, *text;
} told[] = {
	{ "expired", "The signature was good until {x}, and the message came "
	    "on {now}: it was too long on its way, or an old message was sent "
	    "again." },
	{ "d= is a public suffix", "{d} is a public suffix: no one owner "
	    "stands behind it, so a signature of it says nothing." },
	{ "sha1 is not secure", "a=rsa-sha1: RFC 8301 forbids to accept "
	    "SHA-1, with which signatures can be forged. The signer must use "
	    "rsa-sha256." },
	{ "bh= is no SHA-256 hash", "bh= does not have the 32 octets of a "
	    "SHA-256 hash, which a= promises: the signer's software is wrong." },
	{ "t= is in the future", "The signature says that it was made on {t}, "
	    "more than a day after now ({now}): the signer's clock is wrong, "
	    "or ours." },
	{ "Subject is not signed", "h= does not name Subject, so anybody could "
	    "have put another one into this message. The signer should sign "
	    "it; host dkim-subject=optional accepts such signatures." },
	{ "more than one key record", "{q} has more than one key record, and "
	    "nothing says which one counts: the owner must take all but one "
	    "away." },
	{ "RSA key under 1024 bits", "The key at {q} is an RSA key of {bits} "
	    "bits. Such short keys can be broken and are never accepted (RFC "
	    "8301): the owner must publish one of 2048 bits." },
	{ "RSA key over 8192 bits", "The key at {q} is an RSA key of {bits} "
	    "bits; more than 8192 cost a verifier too much." },
	{ "key was revoked", "The owner of {d} revoked the key {s}: its record "
	    "{q} has an empty p=. The message is old, or its signer still uses "
	    "a key that it should not." },
	{ "key is of another type", "a= is {a}, but the key at {q} is of "
	    "another type: the signer uses another key than the one that is "
	    "published under this selector." },
	{ "key is not for sha256", "The key record {q} allows other hashes "
	    "than SHA-256 only (its h=), so it allows nothing that is still "
	    "accepted." },
	{ "key is not for mail", "The key record {q} is for other services "
	    "than mail (its s=)." },
	{ "i= is not exactly at d=", "i= is {i}, but the key record {q} has "
	    "t=s, which allows only addresses at {d} itself." },
	{ "l= leaves part of the body unsigned", "The signature covers {l} of "
	    "the {size} octets of the body (l=); anybody could have written "
	    "the rest." },
	{ "body is shorter than l=", "The signature covers {l} octets of the "
	    "body (l=), but only {size} are left: the end was cut off." },
	{ "the body was not hashed", "The signature over the header is good, "
	    "but the hash of the body was not kept." },
	{ "no signature", "The message has no DKIM-Signature field: no domain "
	    "vouches for it." },
	{ "malformed header", "After byte {damage} stands a line of the header "
	    "that is no field: it has no colon, or a bad name. Programs read "
	    "such a header in different ways, so no signature is looked at." },
	{ "more than 8 signatures", "Only the 8 topmost signatures are looked "
	    "at; this one and any below it are not." },
};

static void
put_place(struct strbuf *sb, const struct dkim_explain *x,
    const struct dkim_result *r, struct slice name)
{
	static const struct dkim_sig none;
	const struct dkim_sig *sig = r->e != NULL ? &r->e->sig : &none;
	const struct dkim_fields *all = &x->g->fields;

	if (slice_eqs(name, "d"))
		sb_put(sb, sig->domain);
	else if (slice_eqs(name, "s"))
		sb_put(sb, sig->selector);
	else if (slice_eqs(name, "a"))
		sb_put(sb, sig->alg_text);
	else if (slice_eqs(name, "i"))
		sb_put(sb, sig->identity);
	else if (slice_eqs(name, "q"))
		sb_put(sb, r->query);
	else if (slice_eqs(name, "x"))
		put_date(sb, sig->expires);
	else if (slice_eqs(name, "t"))
		put_date(sb, sig->made);
	else if (slice_eqs(name, "now"))
		put_date(sb, x->judge->now);
	else if (slice_eqs(name, "l"))
		sb_putu(sb, sig->length);
	else if (slice_eqs(name, "size"))
		sb_putu(sb, r->e != NULL ? r->e->body_size : 0);
	else if (slice_eqs(name, "damage"))
		sb_putu(sb, all->count == 0 ? 0 :
		    (uint64_t)(all->f[all->count - 1].raw.p +
		    all->f[all->count - 1].raw.n - all->f[0].raw.p));
	else if (slice_eqs(name, "bits")) {
		const char *error;
		struct dkim_key k;

		(void)!dkim_key_parse(r->record, &k, &error);
		sb_putu(sb, k.bits);
		dkim_key_free(&k);
	}
}

static void
put_told(struct strbuf *sb, const struct dkim_explain *x,
    const struct dkim_result *r, const char *text)
{
	struct slice in = slice_str(text), part, name;

	while (slice_cut(&in, '{', &part)) {
		sb_put(sb, part);
		slice_cut(&in, '}', &name);
		put_place(sb, x, r, name);
	}
	sb_put(sb, part);
}

/* The name was asked for and gave no key. */
static void
tell_no_key(struct strbuf *sb, const struct dkim_explain *x,
    const struct dkim_result *r)
{
	const char *error = NULL;
	struct dkim_key k;

	switch (r->answer->status) {
	case DNS_NXDOMAIN:
		put_told(sb, x, r, "There is no key: the name {q} does not "
		    "exist. The selector {s} was never published, or was taken "
		    "away since.");
		return;
	case DNS_OK:
		break;
	default:
		put_told(sb, x, r, "There is no key: the name {q} has no TXT "
		    "record.");
		return;
	}
	(void)!dkim_key_parse(r->answer->rr[0].text, &k, &error);
	dkim_key_free(&k);
	put_told(sb, x, r, "There is no key: {q} has TXT records, but none is "
	    "a DKIM key (");
	sb_puts(sb, error != NULL ? error : "unknown");
	sb_puts(sb, ").");
}

static void
tell_header(struct strbuf *sb, const struct dkim_explain *x,
    const struct dkim_result *r)
{
	bool want[DKIM_SIGNATURES_MAX] = { false };
	const char *error;
	struct dkim_key k;

	if (!x->g->live) {
		sb_puts(sb, "The header is not the one that was signed, or the "
		    "key is another one; with the message at hand more could "
		    "be said.");
		return;
	}
	if (dkim_key_parse(r->record, &k, &error) == 1 && k.public != NULL)
		(void)dkim_hunt_header(x->g, &r->e->sig, &k, x->judge->ar, sb);
	dkim_key_free(&k);
	want[r->e - x->g->e] = true;
	if (dkim_gather_body(x->g, want) == 0)
		sb_puts(sb, slice_eq(slice_of(r->e->body_hash, DKIM_HASH_SIZE),
		    r->e->sig.bh) ? " The body is as it was signed." :
		    " The body has another hash than bh=, too.");
}

static void
tell_pass(struct strbuf *sb, const struct dkim_explain *x,
    const struct dkim_result *r)
{
	put_told(sb, x, r, "{d} signed this message with its key {s}: the "
	    "header fields in h= and the whole body are as they were then");
	sb_puts(sb, r->dnssec ? ", and DNSSEC vouches for the key." : ".");
}

static bool
tell_by_table(struct strbuf *sb, const struct dkim_explain *x,
    const struct dkim_result *r)
{
	for (size_t i = 0; i < COUNTOF(told); i++)
		if (strcmp(told[i].reason, r->reason) == 0) {
			put_told(sb, x, r, told[i].text);
			return true;
		}
	return false;
}

static void
tell(struct strbuf *sb, const struct dkim_explain *x,
    const struct dkim_result *r)
{
	struct slice why = slice_str(r->reason);

	if (r->reason == NULL)
		tell_pass(sb, x, r);
	else if (r->e == NULL || r->e->error == NULL ?
	    tell_by_table(sb, x, r) : false)
		;
	else if (r->e == NULL)
		sb_printf(sb, "No signature is looked at: %s.", r->reason);
	else if (r->e->error != NULL)
		sb_printf(sb, "The DKIM-Signature at byte %zu cannot be used: "
		    "%s. The signer's software is wrong, or the field was "
		    "damaged on the way.", r->e->at, r->reason);
	else if (r->e->added != NULL && r->answer == NULL)
		sb_printf(sb, "The message has more %s fields than the "
		    "signature covers: the one on top, which mail programs "
		    "show, may be anybody's (RFC 6376 section 8.15).",
		    r->e->added);
	else if (slice_eqs(why, "no key record"))
		tell_no_key(sb, x, r);
	else if (slice_eqs(why, "body was changed") && !x->g->live)
		sb_puts(sb, "The body is not the one that was signed; with the "
		    "message at hand more could be said.");
	else if (slice_eqs(why, "body was changed"))
		(void)dkim_hunt_body(x->g, &r->e->sig, sb);
	else if (slice_starts(why, S("header was changed")))
		tell_header(sb, x, r);
	else if (r->answer != NULL && r->answer->status != DNS_OK &&
	    r->answer->status != DNS_LARGE) {
		put_told(sb, x, r, "The DNS did not say whether there is a key "
		    "at {q} (");
		sb_printf(sb, "%s): ask again later.", r->reason);
	} else {
		put_told(sb, x, r, "The key at {q} cannot be used: ");
		sb_printf(sb, "%s.", r->reason);
	}
	if (r->status == DKIM_NONE && r->answer != NULL)
		sb_puts(sb, " The key record says that its owner is testing "
		    "(t=y), so the result is none.");
}

void
dkim_explain(const struct dkim_explain *x, const struct dkim_result *r,
    size_t number)
{
	struct strbuf text = STRBUF_INIT(TEXT_MAX);

	if (r->e != NULL) {
		step_signature(x, r->e, number);
		step_fields(x, r->e, number);
		step_canonical(x, r->e, number);
		step_key(x, r, number);
		step_hashes(x, r, number);
	}
	tell(&text, x, r);
	tuple_begin(x->out, "because");
	tuple_puts(x->out, "check", CHECK);
	tuple_putu(x->out, "n", number);
	tuple_puts(x->out, "result", dkim_status_name(r->status));
	if (r->e != NULL)
		tuple_opt(x->out, "domain", r->e->sig.domain);
	tuple_put(x->out, "text", sb_slice(&text));
	tuple_end(x->out);
	sb_free(&text);
}
