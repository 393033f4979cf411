/* Address lists: what comes out is valid, and groups are closed. */
#include "imf/address.h"

#include "addr/addr.h"
#include "fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena ar = { 0 };
	struct address_list l;
	struct addr parsed;
	size_t ones = 0;
	bool open = false;

	address_list_parse(slice_of(data, size), &ar, &l);
	check(l.count <= ADDRESS_LIST_MAX);
	for (size_t i = 0; i < l.count; i++) {
		const struct address *a = &l.list[i];

		check(slice_is_utf8(a->name));
		if (a->kind == ADDRESS_ONE) {
			ones++;
			check(a->addr.n == 0 || addr_parse(a->addr, ADDR_UTF8,
			    &ar, &parsed) == 0);
		} else {
			check(open == (a->kind == ADDRESS_GROUP_END));
			open = !open;
		}
	}
	check(ones == l.addresses && (!open || l.cut));
	arena_free(&ar);
	return 0;
}
