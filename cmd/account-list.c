/*
 * account-list - print accounts
 * usage   account-list [-v] [-C root] [account ...]
 * fd 1    an account record for each, as account-add - takes it; with -v also
 *         its address and catch-all records
 * exit    0 printed; 1 no such account; 111 try again
 * rights  reads cdb/
 */
#include "list.h"

static int
key(struct slice name, struct arena *ar, struct slice *to)
{
	(void)ar;
	*to = name;
	return 0;
}

int
main(int argc, char **argv)
{
	static const struct list l = {
		.type = "account",
		.synopsis = "[-v] [-C root] [account ...]",
		.purpose = "print accounts",
		.key = key,
	};

	return list_main(argc, argv, &l);
}
