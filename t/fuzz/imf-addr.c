/* Addresses and domains: a canonical form is read back as itself. */
#include "addr/addr.h"
#include "fuzz/fuzz.h"

static void
address(struct slice in, struct arena *ar)
{
	struct strbuf sb = STRBUF_INIT(4096);
	struct addr a, b;

	if (addr_parse(in, ADDR_UTF8 | ADDR_POSTMASTER, ar, &a) == 0) {
		addr_format(&sb, &a);
		check(addr_parse(sb_slice(&sb), ADDR_UTF8 | ADDR_POSTMASTER,
		    ar, &b) == 0 && addr_eq(&a, &b));
		check(a.local.n <= ADDR_LOCAL_MAX &&
		    a.domain.n <= ADDR_DOMAIN_MAX);
		check(slice_is_utf8(a.local) && slice_is_print(a.domain));
	}
	sb_free(&sb);
}

static void
domain(struct slice in, struct arena *ar)
{
	struct slice a, b, u;

	if (domain_ascii(in, ar, &a) == 0) {
		check(domain_ascii(a, ar, &b) == 0 && slice_eq(a, b));
		u = domain_unicode(a, ar);
		check(domain_ascii(u, ar, &b) == 0 && slice_eq(a, b));
	}
}

static void
ip(struct slice in)
{
	struct strbuf sb = STRBUF_INIT(64);
	struct ip a, b;

	if (ip_parse(in, &a) == 0) {
		ip_format(&sb, &a);
		check(ip_parse(sb_slice(&sb), &b) == 0 &&
		    memcmp(&a, &b, sizeof(a)) == 0);
	}
	sb_free(&sb);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = slice_of(data, size), out;
	struct arena ar = { 0 };

	address(in, &ar);
	domain(in, &ar);
	ip(in);
	if (nfc(in, &ar, &out) == 0)
		check(slice_is_utf8(out));
	arena_free(&ar);
	return 0;
}
