#include "conf/resolver.h"

/* More than lib/dns takes: too many are an error there. */
#define SERVERS_MAX 16

struct dns *
resolver_of(struct conf *c)
{
	struct slice list[SERVERS_MAX];

	return dns_open(list, conf_host_all(c, "resolver", list, SERVERS_MAX),
	    conf_host_bool(c, "trust-ad"));
}

struct dns *
resolver_open(const char *servers, const char *root)
{
	struct conf *c;
	struct dns *d;

	if (servers != NULL || (c = conf_open(root)) == NULL)
		return dns_open_list(slice_str(servers), false);
	d = resolver_of(c);
	conf_close(c);
	return d;
}
