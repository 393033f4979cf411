/* Authentication-Results: what is written in our name is known as ours. */
#include "imf/authres.h"

#include "imf/field.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(bool good)
{
	if (!good)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = slice_of(data, size), id, half;
	struct authres_prop prop = { "smtp.mailfrom", in };
	struct authres_result r = { .method = "spf", .props = &prop,
		.count = 1 };
	struct strbuf sb = STRBUF_INIT(1 << 16);
	struct arena ar = { 0 };
	struct field f;

	(void)!authres_id(in, &ar, &id);
	half = slice_sub(in, 0, size / 2);
	r.result = r.reason = half;
	r.comment = slice_skip(in, size / 2);
	authres_write(&sb, S("mx.example.org"), &r, 1);
	in = sb_slice(&sb);
	check(field_next(&in, &f) == 1 && !f.bad && in.n == 0);
	check(authres_id(f.value, &ar, &id) == 0 &&
	    slice_eqs(id, "mx.example.org"));
	arena_free(&ar);
	sb_free(&sb);
	return 0;
}
