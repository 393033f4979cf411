/* A DMARC record, and the URIs in it. */
#include "dmarc/record.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* How many URIs; each is a part of the list, without a size. */
static size_t
uris(struct slice list)
{
	const struct slice all = list;
	struct slice uri;
	size_t n = 0;

	while (dmarc_uri_next(&list, &uri)) {
		if (uri.n == 0)
			continue;
		n++;
		if (uri.p < all.p || uri.n > all.n ||
		    (size_t)(uri.p - all.p) > all.n - uri.n ||
		    slice_chr(uri, ':') <= 0 || slice_chr(uri, ',') != -1 ||
		    slice_chr(uri, '!') != -1)
			abort();
	}
	return n;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const unsigned once = 1u << DMARC_T_P;
	struct dmarc_record r;

	if (dmarc_record_parse(slice_of(data, size), &r) == 0)
		return 0;
	if (r.p == DMARC_UNSET && !r.bad_policy)
		abort();
	if ((r.invalid & once) != 0 && r.p != DMARC_UNSET)
		abort();
	if (r.psd != 'y' && r.psd != 'n' && r.psd != 'u')
		abort();
	if ((uris(r.rua) > 0) != r.reports)
		abort();
	uris(r.ruf);
	return 0;
}
