/* A DMARC record. */
#include "dmarc/record.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dmarc_record r;

	if (dmarc_record_parse(slice_of(data, size), &r) == 1 &&
	    r.p == DMARC_UNSET && !r.bad_policy)
		abort();
	return 0;
}
