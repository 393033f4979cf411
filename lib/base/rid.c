#include "base/rid.h"

#include <errno.h>
#include <sys/random.h>

#include "base/die.h"

static const char digits[32] = "abcdefghijklmnopqrstuvwxyz234567";

void
random_bytes(void *p, size_t n)
{
	unsigned char *at = p;

	while (n != 0) {
		ssize_t got = getrandom(at, n, 0);

		if (got == -1 && errno == EINTR)
			continue;
		if (got <= 0)
			die_sys(EXIT_TEMP, "no random bytes");
		at += got;
		n -= (size_t)got;
	}
}

void
rid_new(char id[RID_LEN + 1])
{
	unsigned char r[RID_LEN];

	random_bytes(r, sizeof(r));
	id[0] = digits[r[0] % 26]; /* a letter */
	for (int i = 1; i < RID_LEN; i++)
		id[i] = digits[r[i] & 31];
	id[RID_LEN] = '\0';
}

void
rid_derive(char to[RID_LEN + 1], struct slice id, uint64_t n)
{
	uint64_t h = 14695981039346656037u; /* FNV-1a */

	for (size_t i = 0; i < id.n; i++)
		h = (h ^ id.p[i]) * 1099511628211u;
	for (int i = 0; i < 8; i++)
		h = (h ^ (n >> 8 * i & 0xff)) * 1099511628211u;
	for (size_t i = 0; i < RID_LEN; i++)
		to[i] = i < RID_LEN / 2 ? (char)id.p[i] :
		    digits[h >> 5 * (i - RID_LEN / 2) & 31];
	to[RID_LEN] = '\0';
}

bool
rid_ok(struct slice s)
{
	if (s.n != RID_LEN || ascii_isdigit(s.p[0]))
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (memchr(digits, s.p[i], sizeof(digits)) == NULL)
			return false;
	return true;
}
