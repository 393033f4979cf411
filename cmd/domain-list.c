/*
 * domain-list - print domains
 * usage   domain-list [-v] [-C root] [domain ...]
 * fd 1    a domain record for each; with -v also its dkim records
 * exit    0 printed; 1 no such domain; 111 try again
 * rights  reads cdb/
 */
#include "list.h"

#include "addr/addr.h"

int
main(int argc, char **argv)
{
	static const struct list l = {
		.type = "domain",
		.synopsis = "[-v] [-C root] [domain ...]",
		.purpose = "print domains",
		.key = domain_ascii,
	};

	return list_main(argc, argv, &l);
}
