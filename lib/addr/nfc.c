#include "addr/addr.h"

#include <errno.h>
#include <stdlib.h>
#include <uninorm.h>

int
nfc(struct slice text, struct arena *ar, struct slice *out)
{
	uint8_t *p;
	size_t n;

	*out = text;
	if (slice_is_ascii(text))
		return 0;
	if (!slice_is_utf8(text)) {
		errno = EILSEQ;
		return -1;
	}
	if ((p = u8_normalize(UNINORM_NFC, text.p, text.n, NULL, &n)) == NULL)
		return -1;
	*out = arena_copy(ar, slice_of(p, n));
	free(p);
	return 0;
}
