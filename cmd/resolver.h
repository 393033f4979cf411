/*
 * resolver.h - how programs that only ask DNS begin
 */
#ifndef CMD_RESOLVER_H
#define CMD_RESOLVER_H

#include "base/confine.h"
#include "base/die.h"
#include "conf/conf.h"
#include "conf/resolver.h"

/*
 * The resolver of option -s (NULL: not given), else of the instance, and from
 * here on no file and no network but DNS. Ends the program if it cannot.
 */
static inline struct dns *
resolver_begin(const char *servers, const char *root)
{
	struct dns *d = resolver_open(servers, conf_root(root));
	uint16_t ports[DNS_SERVERS_MAX + 1];
	const struct confine cage = { .flags = CONFINE_DNS, .ports = ports };

	if (d == NULL)
		die_sys(EXIT_PERM, "unable to use resolver %s",
		    servers != NULL ? servers : "of conf or resolv.conf");
	dns_ports(d, ports);
	if (confine(&cage) == -1)
		die_sys(EXIT_TEMP, "unable to confine");
	return d;
}

#endif
