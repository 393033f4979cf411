#include "conf/conf.h"

#include <stdlib.h>

/* The environment is read here and nowhere else in lib/. */
const char *
conf_root(const char *option)
{
	const char *env = getenv("PNEU_ROOT");

	if (option != NULL)
		return option;
	return env != NULL && env[0] != '\0' ? env : "/var/lib/pneu";
}
