/* What an address is to this host. */
#include "conf/conf.h"

#include <errno.h>
#include <stdlib.h>
#include <unicase.h>
#include <uninorm.h>

#define KEY_MAX (ADDR_LOCAL_MAX + ADDR_DOMAIN_MAX + 64)

/* The first record of a text: 1, or -1 (the file is damaged). */
static int
first_record(struct slice text, struct arena *ar, struct tuple *t)
{
	struct tuple_reader r;

	tuple_reader_init(&r, text);
	if (tuple_next(&r, ar, t) == 1)
		return 1;
	errno = EPROTO;
	return -1;
}

static int
get_record(struct conf *c, const char *kind, struct slice key,
    struct arena *ar, struct tuple *t)
{
	struct slice text;
	int r = conf_get(c, kind, key, &text);

	return r == 1 ? first_record(text, ar, t) : r;
}

static struct slice
lower(struct slice s, struct arena *ar)
{
	unsigned char *ascii;
	uint8_t *p;
	size_t n;

	if (!slice_is_ascii(s)) {
		p = u8_tolower(s.p, s.n, NULL, UNINORM_NFC, NULL, &n);
		if (p == NULL)
			return s;
		s = arena_copy(ar, slice_of(p, n));
		free(p);
		return s;
	}
	ascii = arena_alloc(ar, s.n);
	for (size_t i = 0; i < s.n; i++)
		ascii[i] = ascii_lower(s.p[i]);
	return slice_of(ascii, s.n);
}

struct slice
conf_local(const struct tuple *domain, struct slice local, struct arena *ar)
{
	ptrdiff_t at;

	if (!tuple_has(domain, "case-sensitive", "yes"))
		local = lower(local, ar);
	for (size_t i = 0; i < domain->count; i++) {
		if (!slice_eqs(domain->attr[i].name, "separator"))
			continue;
		at = slice_find(local, domain->attr[i].value);
		if (at > 0) /* at 0 nothing would be left */
			local = slice_sub(local, 0, (size_t)at);
	}
	return local;
}

static struct slice
join(struct slice local, struct slice domain, struct arena *ar)
{
	struct strbuf sb = STRBUF_INIT(KEY_MAX);
	struct slice s;

	sb_put(&sb, local);
	sb_putc(&sb, '@');
	sb_put(&sb, domain);
	s = arena_copy(ar, sb_slice(&sb));
	sb_free(&sb);
	return s;
}

static void
to_postmaster(struct conf *c, struct conf_rcpt *out)
{
	out->account = conf_host(c, "postmaster");
	out->mailbox = S("INBOX");
	out->kind = out->account.n != 0 ? RCPT_LOCAL : RCPT_UNKNOWN;
}

/* An address or catch-all record that was found. */
static void
to_account(const struct tuple *t, struct arena *ar, struct conf_rcpt *out)
{
	uint64_t code;
	struct slice error;

	out->kind = RCPT_LOCAL;
	out->account = tuple_value(t, "account");
	out->mailbox = conf_value(t, "mailbox", ar);
	if (!tuple_get(t, "error", &error))
		return;
	out->kind = RCPT_REFUSED;
	out->code = slice_u64(slice_sub(error, 0, 3), 599, &code) == 0 ?
	    (int)code : 550;
	out->text = slice_trim(slice_skip(error, 3));
}

/* Steps 6 of the order: address or alias, then catch-all. 1, 0, -1. */
static int
find_address(struct conf *c, struct slice domain, struct arena *ar,
    struct conf_rcpt *out)
{
	struct slice text;
	struct tuple t;
	int r = conf_get(c, "address", out->address, &text);

	if (r == 1)
		r = first_record(text, ar, &t);
	if (r == 1 && tuple_is(&t, "alias")) {
		out->kind = RCPT_ALIAS;
		out->members = text;
		return 1;
	}
	if (r == 0)
		r = get_record(c, "catch-all", domain, ar, &t);
	if (r == 1)
		to_account(&t, ar, out);
	return r;
}

int
conf_rcpt(struct conf *c, const struct addr *a, struct arena *ar,
    struct conf_rcpt *out)
{
	bool postmaster = slice_ieqs(a->local, "postmaster");
	struct tuple domain;
	struct slice text;
	int r;

	*out = (struct conf_rcpt){ .kind = RCPT_REMOTE };
	out->address = join(a->local, a->domain, ar);
	if (postmaster) {
		r = a->domain.n == 0 ? 1 :
		    conf_get(c, "hostname", a->domain, &text);
		if (r == -1)
			return -1;
		to_postmaster(c, out);
		if (r == 1 && (out->kind == RCPT_LOCAL || a->domain.n == 0))
			return 0;
		*out = (struct conf_rcpt){ .kind = RCPT_REMOTE,
			.address = out->address };
	}
	if (a->literal)
		return 0;
	r = get_record(c, "domain", a->domain, ar, &domain);
	if (r != 1)
		return r;
	if (tuple_has(&domain, "disabled", "yes")) {
		out->kind = RCPT_DISABLED;
		return 0;
	}
	out->address = join(conf_local(&domain, a->local, ar), a->domain, ar);
	out->kind = RCPT_UNKNOWN;
	r = find_address(c, a->domain, ar, out);
	if (r == 0 && postmaster)
		to_postmaster(c, out);
	return r == -1 ? -1 : 0;
}

/* Is the account behind one of the alias's members? */
static bool
is_member(struct slice members, struct slice account, struct arena *ar)
{
	struct tuple_reader r;
	struct tuple t;

	tuple_reader_init(&r, members);
	while (tuple_next(&r, ar, &t) == 1)
		if (tuple_is(&t, "member") &&
		    slice_eq(tuple_value(&t, "account"), account))
			return true;
	return false;
}

int
conf_may_send(struct conf *c, struct slice account, const struct addr *a,
    struct arena *ar)
{
	struct conf_rcpt rcpt = { 0 };
	struct tuple domain, alias;
	int r;

	/* The postmaster fall-back gives no right: look without it. */
	if (a->literal || a->domain.n == 0)
		return 0;
	r = get_record(c, "domain", a->domain, ar, &domain);
	if (r != 1)
		return r;
	rcpt.address = join(conf_local(&domain, a->local, ar), a->domain, ar);
	r = find_address(c, a->domain, ar, &rcpt);
	if (r != 1)
		return r;
	if (rcpt.kind != RCPT_ALIAS)
		return slice_eq(rcpt.account, account);
	return first_record(rcpt.members, ar, &alias) == 1 &&
	    tuple_has(&alias, "allow-from", "yes") &&
	    is_member(rcpt.members, account, ar);
}
