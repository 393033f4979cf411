/* An SPF record: parsed, and every domain-spec and text expanded. */
#include <netinet/in.h>
#include <sys/socket.h>

#include "spf/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct slice
names(void *ctx)
{
	(void)ctx;
	return S("mx.example.org");
}

static const struct spf_macros macros = {
	.local = { (const unsigned char *)"strong-bad+x", 12 },
	.sender_domain = { (const unsigned char *)"email.example.com", 17 },
	.domain = { (const unsigned char *)"email.example.com", 17 },
	.helo = { (const unsigned char *)"[192.0.2.1]", 11 },
	.ip = { AF_INET6, { 0x20, 1, 0xd, 0xb8 } },
	.validated = names,
};

static void
expand(struct slice spec, unsigned flags)
{
	struct strbuf sb = STRBUF_INIT(SPF_EXPAND_MAX);
	struct slice name;

	if (spf_macro_check(spec, flags) == 0 &&
	    spf_expand(spec, flags, &macros, &sb) == 1) {
		name = spf_name_fit(sb_slice(&sb));
		if (name.n > SPF_NAME_MAX && slice_chr(name, '.') != -1)
			abort();
	}
	sb_free(&sb);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = slice_of(data, size), where;
	struct spf_record r;
	struct arena ar = { 0 };
	const char *error;

	expand(text, SPF_EXPLAIN);
	if (!spf_is_record(text))
		return 0;
	if (spf_record_parse(text, &ar, &r, &error, &where) == 0) {
		for (size_t i = 0; i < r.count; i++)
			if (r.term[i].spec.n > 0)
				expand(r.term[i].spec, 0);
		expand(r.redirect, 0);
		expand(r.exp, 0);
	}
	arena_free(&ar);
	return 0;
}
