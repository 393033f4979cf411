#include "addr/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>

int
ip_parse(struct slice text, struct ip *ip)
{
	static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };
	char s[INET6_ADDRSTRLEN];

	*ip = (struct ip){ 0 };
	if (slice_cstr(text, s, sizeof(s)) == 0) {
		if (inet_pton(AF_INET, s, ip->b) == 1) {
			ip->family = AF_INET;
			return 0;
		}
		if (inet_pton(AF_INET6, s, ip->b) == 1) {
			ip->family = AF_INET6;
			if (memcmp(ip->b, mapped, sizeof(mapped)) == 0) {
				ip->family = AF_INET;
				memmove(ip->b, ip->b + 12, 4);
				memset(ip->b + 4, 0, 12);
			}
			return 0;
		}
	}
	errno = EINVAL;
	return -1;
}

void
ip_format(struct strbuf *sb, const struct ip *ip)
{
	char s[INET6_ADDRSTRLEN];

	if (ip->family != 0 &&
	    inet_ntop(ip->family, ip->b, s, sizeof(s)) != NULL)
		sb_puts(sb, s);
}

bool
ip_in(const struct ip *a, const struct ip *net, unsigned bits)
{
	unsigned most = a->family == AF_INET ? 32 : 128;
	unsigned char mask;

	if (a->family == 0 || a->family != net->family || bits > most)
		return false;
	if (memcmp(a->b, net->b, bits / 8) != 0)
		return false;
	if (bits % 8 == 0)
		return true;
	mask = (unsigned char)(0xff << (8 - bits % 8));
	return ((a->b[bits / 8] ^ net->b[bits / 8]) & mask) == 0;
}
