/* Tag lists, key records, signature fields. */
#include "dkim/sig.h"

#include "dkim/taglist.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = slice_of(data, size), tag, val;
	struct field f = { .name = S("DKIM-Signature"), .value = in };
	const char *error = NULL;
	struct arena ar = { 0 };
	struct dkim_sig sig;
	struct dkim_key k;

	while (taglist_next(&in, &tag, &val) == 1)
		if (tag.n == 0)
			abort();
	if (dkim_key_parse(f.value, &k, &error) == -1 && error == NULL)
		abort();
	dkim_key_free(&k);
	if (dkim_sig_parse(&f, &ar, &sig, &error) == 0 &&
	    (sig.domain.n == 0 || sig.b.n == 0 || !dkim_signs(&sig, "from")))
		abort();
	arena_free(&ar);
	return 0;
}
