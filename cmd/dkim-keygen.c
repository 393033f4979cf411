/*
 * dkim-keygen - make a private key for DKIM (RFC 6376, 8463)
 * usage   dkim-keygen [-t rsa|ed25519] [-b bits]
 * fd 0    not used
 * fd 1    the key, PKCS#8 in PEM
 * exit    0 done; 100 usage; 111 it cannot be made or written
 * rights  no files, no network
 */
#include <string.h>
#include <unistd.h>

#include "base/confine.h"
#include "base/die.h"
#include "base/file.h"
#include "dkim/key.h"

int
main(int argc, char **argv)
{
	static const struct confine cage = { 0 };
	struct strbuf pem = STRBUF_INIT(64 * 1024);
	uint64_t bits = DKIM_RSA_NEW;
	bool ed25519 = false;
	EVP_PKEY *key;
	int ch;

	prog_start(argc, argv, "[-t rsa|ed25519] [-b bits]",
	    "make a private key for DKIM", "files: none; network: none");
	while ((ch = getopt(argc, argv, "t:b:")) != -1)
		switch (ch) {
		case 't':
			ed25519 = strcmp(optarg, "ed25519") == 0;
			if (!ed25519 && strcmp(optarg, "rsa") != 0)
				usage();
			break;
		case 'b':
			if (slice_u64(slice_str(optarg), DKIM_RSA_MAX,
			    &bits) == -1 || bits < DKIM_RSA_MIN)
				die(EXIT_PERM, "bits: %u to %u", DKIM_RSA_MIN,
				    DKIM_RSA_MAX);
			break;
		default:
			usage();
		}
	if (argc != optind)
		usage();
	if (confine(&cage) == -1)
		die_sys(EXIT_TEMP, "unable to confine");
	if ((key = dkim_key_new(ed25519, (unsigned)bits)) == NULL ||
	    dkim_key_write(key, &pem) == -1)
		die(EXIT_TEMP, "unable to make a key");
	if (write_all(STDOUT_FILENO, sb_slice(&pem)) == -1)
		die_sys(EXIT_TEMP, "unable to write");
	explicit_bzero(pem.p, pem.n);
	EVP_PKEY_free(key);
	return EXIT_DONE;
}
