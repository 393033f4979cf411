/* passwd-set - set a password for tests: passwd-set ROOT ACCOUNT PASSWORD */
#include "base/die.h"
#include "sasl/passwd.h"

int
main(int argc, char **argv)
{
	if (argc != 4)
		return EXIT_PERM;
	return passwd_set(argv[1], slice_str(argv[2]), slice_str(argv[3])) == 0 ?
	    0 : EXIT_TEMP;
}
