#include "spf/record.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "base/alloc.h"

#define VERSION "v=spf1"

static const struct mechanism {
	const char *name;
	enum spf_kind kind;
	bool domain, needs_domain, cidr;
} mechanisms[] = { /* in the order of enum spf_kind */
	{ "all", SPF_ALL, false, false, false },
	{ "include", SPF_INCLUDE, true, true, false },
	{ "a", SPF_A, true, false, true },
	{ "mx", SPF_MX, true, false, true },
	{ "ptr", SPF_PTR, true, false, false },
	{ "ip4", SPF_IP4, false, false, false },
	{ "ip6", SPF_IP6, false, false, false },
	{ "exists", SPF_EXISTS, true, true, false },
};

bool
spf_is_record(struct slice text)
{
	size_t n = sizeof(VERSION) - 1;

	return slice_istarts(text, S(VERSION)) &&
	    (text.n == n || text.p[n] == ' ');
}

/*
 * Take "/N" off the end of *in, with N up to max and without leading zeros: 1
 * and *bits, 0 if there is no such end, -1 if the number is bad.
 */
static int
take_bits(struct slice *in, unsigned max, unsigned *bits)
{
	size_t n = in->n;
	struct slice digits;
	uint64_t v;

	while (n > 0 && ascii_isdigit(in->p[n - 1]))
		n--;
	if (n == in->n || n == 0 || in->p[n - 1] != '/')
		return 0;
	digits = slice_skip(*in, n);
	if ((digits.n > 1 && digits.p[0] == '0') ||
	    slice_u64(digits, max, &v) == -1)
		return -1;
	*bits = (unsigned)v;
	in->n = n - 1;
	return 1;
}

/* dual-cidr-length: [ "/" n ] [ "//" m ] at the end of *in. 0 or -1. */
static int
take_dual(struct slice *in, struct spf_term *t)
{
	struct slice before = *in;
	unsigned bits;
	int got;

	got = take_bits(in, 128, &bits);
	if (got == 1 && in->n > 0 && in->p[in->n - 1] == '/') {
		in->n--;
		t->bits6 = bits;
		return take_bits(in, 32, &t->bits4) == -1 ? -1 : 0;
	}
	*in = before;
	return take_bits(in, 32, &t->bits4) == -1 ? -1 : 0;
}

/*
 * By inet_pton(3), which wants four numbers without leading zeros; ip_parse()
 * would turn a v4-mapped ip6 network, which matches nobody, into an IPv4 one.
 */
static int
take_network(struct slice arg, struct spf_term *t)
{
	bool v4 = t->kind == SPF_IP4;
	char text[INET6_ADDRSTRLEN];

	if (take_bits(&arg, v4 ? 32 : 128, v4 ? &t->bits4 : &t->bits6) == -1 ||
	    slice_cstr(arg, text, sizeof(text)) == -1)
		return -1;
	t->ip = (struct ip){ .family = v4 ? AF_INET : AF_INET6 };
	return inet_pton(t->ip.family, text, t->ip.b) == 1 ? 0 : -1;
}

/* 0, or -1 and which of the two is wrong. */
static int
check_spec(struct slice spec, const char **error)
{
	if (spf_macro_check(spec, 0) == 0)
		return 0;
	*error = spf_macro_check(spec, SPF_EXPLAIN) == -1 ? "bad macro" :
	    "bad domain";
	return -1;
}

static int
parse_mechanism(struct slice text, const struct mechanism *m, struct slice arg,
    struct spf_term *t, const char **error)
{
	t->kind = m->kind;
	t->bits4 = 32;
	t->bits6 = 128;
	t->text = text;
	if (m->kind == SPF_IP4 || m->kind == SPF_IP6) {
		*error = "bad network";
		return slice_starts(arg, S(":")) ?
		    take_network(slice_skip(arg, 1), t) : -1;
	}
	*error = "bad prefix length";
	if (m->cidr && take_dual(&arg, t) == -1)
		return -1;
	*error = "bad domain";
	if (arg.n == 0)
		return m->needs_domain ? -1 : 0;
	if (!m->domain || arg.p[0] != ':')
		return -1;
	t->spec = slice_skip(arg, 1);
	return check_spec(t->spec, error);
}

/* name "=" value, the name as section 12 wants it. */
static bool
is_modifier(struct slice term, struct slice *name, struct slice *value)
{
	*value = term;
	if (!slice_cut(value, '=', name) || name->n == 0 ||
	    !ascii_isalpha(name->p[0]))
		return false;
	for (size_t i = 0; i < name->n; i++)
		if (!ascii_isalnum(name->p[i]) && name->p[i] != '-' &&
		    name->p[i] != '_' && name->p[i] != '.')
			return false;
	return true;
}

static int
parse_directive(struct slice text, struct spf_term *t, const char **error)
{
	struct slice in = text, name;
	size_t n = 0;

	t->qualifier = '+';
	if (in.n > 0 && slice_chr(S("+-?~"), in.p[0]) != -1) {
		t->qualifier = (char)in.p[0];
		in = slice_skip(in, 1);
	}
	while (n < in.n && in.p[n] != ':' && in.p[n] != '/')
		n++;
	name = slice_sub(in, 0, n);
	for (size_t i = 0; i < COUNTOF(mechanisms); i++)
		if (slice_ieqs(name, mechanisms[i].name))
			return parse_mechanism(text, &mechanisms[i],
			    slice_skip(in, n), t, error);
	*error = "unknown mechanism";
	return -1;
}

struct slice
spf_terms(struct slice text)
{
	return slice_skip(text, sizeof(VERSION) - 1);
}

int
spf_item_next(struct slice *in, struct spf_item *i, const char **error)
{
	bool known;

	*i = (struct spf_item){ .text = SLICE_NONE };
	while (i->text.n == 0) {
		if (in->n == 0)
			return 0;
		slice_cut(in, ' ', &i->text);
	}
	i->modifier = is_modifier(i->text, &i->name, &i->value);
	if (!i->modifier)
		return parse_directive(i->text, &i->term, error) == -1 ? -1 : 1;
	known = slice_ieqs(i->name, "redirect") || slice_ieqs(i->name, "exp");
	*error = "bad macro";
	/* Of an unknown one any macro-string, section 6. */
	return (known ? check_spec(i->value, error) :
	    spf_macro_check(i->value, SPF_EXPLAIN)) == -1 ? -1 : 1;
}

static int
keep_modifier(const struct spf_item *i, struct spf_record *r,
    const char **error)
{
	struct slice *known = slice_ieqs(i->name, "redirect") ? &r->redirect :
	    slice_ieqs(i->name, "exp") ? &r->exp : NULL;

	if (known == NULL)
		return 0;
	*error = "modifier twice";
	if (known->n > 0)
		return -1;
	*known = i->value;
	if (known == &r->redirect)
		r->redirect_text = i->text;
	return 0;
}

static void
keep_term(const struct spf_term *t, struct arena *ar, struct spf_record *r,
    size_t *cap)
{
	size_t size = sizeof(*r->term);

	if (r->count == *cap) {
		r->term = arena_grow(ar, r->term, *cap * size,
		    (*cap * 2 + 8) * size);
		*cap = *cap * 2 + 8;
	}
	r->term[r->count++] = *t;
	r->all = r->all || t->kind == SPF_ALL;
}

int
spf_record_parse(struct slice text, struct arena *ar, struct spf_record *r,
    const char **error, struct slice *where)
{
	struct slice in = spf_terms(text);
	struct spf_item i;
	size_t cap = 0;
	int got;

	*r = (struct spf_record){ 0 };
	while ((got = spf_item_next(&in, &i, error)) == 1) {
		if (!i.modifier)
			keep_term(&i.term, ar, r, &cap);
		else if ((got = keep_modifier(&i, r, error)) == -1)
			break;
	}
	*where = i.text;
	return got;
}

const char *
spf_kind_name(enum spf_kind kind)
{
	return mechanisms[kind].name;
}

bool
spf_kind_asks(enum spf_kind kind)
{
	return mechanisms[kind].domain;
}
