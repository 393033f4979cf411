#include "dns/server.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>

#include "base/file.h"

#define RESOLV_CONF "/etc/resolv.conf"
#define RESOLV_CONF_MAX ((size_t)64 * 1024)

static bool
is_loopback(const struct ip *ip)
{
	static const struct ip v4 = { AF_INET, { 127 } };
	static const struct ip v6 = { AF_INET6, { [15] = 1 } };

	return ip_in(ip, &v4, 8) || ip_in(ip, &v6, 128);
}

int
dns_server_parse(struct slice text, bool trust_ad, struct dns_server *s)
{
	struct sockaddr_in *in4 = (struct sockaddr_in *)&s->sa;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&s->sa;
	struct slice host = text, port = SLICE_NONE;
	struct ip ip;
	uint64_t number = 53;
	ptrdiff_t colon = slice_rchr(text, ':');

	*s = (struct dns_server){ 0 };
	if (slice_starts(text, S("["))) {
		ptrdiff_t end = slice_chr(text, ']');

		if (end == -1)
			return -1;
		host = slice_sub(text, 1, (size_t)end - 1);
		port = slice_skip(text, (size_t)end + 1);
		if (port.n > 0 && port.p[0] != ':')
			return -1;
		port = slice_skip(port, 1);
	} else if (colon != -1 && slice_chr(text, ':') == colon) {
		host = slice_sub(text, 0, (size_t)colon);
		port = slice_skip(text, (size_t)colon + 1);
	}
	if (ip_parse(host, &ip) == -1 || (port.n > 0 &&
	    (slice_u64(port, 65535, &number) == -1 || number == 0)))
		return -1;
	s->loopback = is_loopback(&ip);
	s->trusted = trust_ad || s->loopback;
	if (ip.family == AF_INET) {
		in4->sin_family = AF_INET;
		in4->sin_port = htons((uint16_t)number);
		memcpy(&in4->sin_addr, ip.b, 4);
		s->sa_n = sizeof(*in4);
	} else {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons((uint16_t)number);
		memcpy(&in6->sin6_addr, ip.b, 16);
		s->sa_n = sizeof(*in6);
	}
	return 0;
}

/* resolv.conf(5): nameserver lines and options trust-ad; what this program
 * does not know is skipped. */
int
dns_servers_of_system(bool trust_ad, struct dns_server server[DNS_SERVERS_MAX],
    size_t *count)
{
	struct strbuf text = STRBUF_INIT(RESOLV_CONF_MAX);
	struct slice in, line, word;

	*count = 0;
	if (file_slurp(AT_FDCWD, RESOLV_CONF, &text) == -1 && errno != ENOENT) {
		sb_free(&text);
		return -1;
	}
	in = sb_slice(&text);
	while (slice_line(&in, &line) == 1)
		if (slice_word(&line, &word) && slice_eqs(word, "options"))
			while (slice_word(&line, &word))
				if (slice_eqs(word, "trust-ad"))
					trust_ad = true;
	in = sb_slice(&text);
	while (*count < DNS_SERVERS_MAX && slice_line(&in, &line) == 1)
		if (slice_word(&line, &word) && slice_eqs(word, "nameserver") &&
		    slice_word(&line, &word) &&
		    dns_server_parse(word, trust_ad, &server[*count]) == 0)
			(*count)++;
	sb_free(&text);
	if (*count == 0)
		return dns_server_parse(S("127.0.0.1"), trust_ad,
		    &server[(*count)++]);
	return 0;
}
