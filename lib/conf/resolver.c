#include "conf/resolver.h"

#include "conf/conf.h"

/* More than lib/dns takes: too many are an error there. */
#define SERVERS_MAX 16

struct dns *
resolver_open(const char *servers, const char *root)
{
	struct slice list[SERVERS_MAX];
	struct conf *c;
	struct dns *d;

	if (servers != NULL || (c = conf_open(root)) == NULL)
		return dns_open_list(slice_str(servers), false);
	d = dns_open(list, conf_host_all(c, "resolver", list, SERVERS_MAX),
	    conf_host_bool(c, "trust-ad"));
	conf_close(c);
	return d;
}
