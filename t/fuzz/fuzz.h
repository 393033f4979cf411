/*
 * What fuzz targets share: libFuzzer's entry, and check(), which ends the run
 * with the input kept if what must hold does not.
 */
#ifndef FUZZ_FUZZ_H
#define FUZZ_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline void
check(bool good)
{
	if (!good)
		abort();
}

#endif
