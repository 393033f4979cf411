/*
 * scram - a SCRAM server for tests
 * usage   scram MECH USER PASSWORD SALT64 ITERATIONS NONCE
 * Client messages on stdin, a line each; what the server says on stdout, then
 * "ok" or "fail REASON".
 */
#include <stdio.h>

#include "base/die.h"
#include "base/file.h"
#include "sasl/prep.h"
#include "sasl/sasl.h"

static struct scram_keys
keys_from(char **argv, enum scram_hash h)
{
	struct strbuf sb = STRBUF_INIT(2048);
	struct scram_keys k = { 0 };

	if (sb_unbase64(&sb, slice_str(argv[4])) == -1 ||
	    sb.n > SCRAM_SALT_MAX)
		die(EXIT_PERM, "bad salt");
	memcpy(k.salt, sb.p, sb.n);
	k.salt_n = sb.n;
	k.iterations = (unsigned)strtoul(argv[5], NULL, 10);
	sb_reset(&sb);
	if (password_prepare(slice_str(argv[3]), &sb, NULL) == -1 ||
	    scram_derive(h, sb_slice(&sb), &k) == -1)
		die(EXIT_PERM, "bad password");
	sb_free(&sb);
	return k;
}

int
main(int argc, char **argv)
{
	struct strbuf in = STRBUF_INIT(65536), out = STRBUF_INIT(16384);
	struct strbuf user = STRBUF_INIT(1024);
	struct sasl_channel ch = { 0 };
	struct slice rest, line;
	struct sasl *s;
	enum sasl_result r = SASL_CONTINUE;

	if (argc != 7 || fd_slurp(0, &in) == -1 ||
	    (s = sasl_init(slice_str(argv[1]), &ch,
	    slice_str(argv[6]))) == NULL ||
	    username_prepare(slice_str(argv[2]), &user) == -1)
		return EXIT_PERM;
	rest = sb_slice(&in);
	while (r == SASL_CONTINUE && slice_line(&rest, &line) == 1) {
		r = sasl_feed(s, line, &out);
		if (r == SASL_KEYS) {
			struct scram_keys k = keys_from(argv, sasl_hash(s));

			r = sasl_keys(s, &k, slice_eq(sasl_login(s),
			    sb_slice(&user)), &out);
		}
		printf("%s\n", sb_cstr(&out));
	}
	if (r == SASL_FAIL)
		printf("fail %s\n", sasl_reason(s));
	else
		puts(r == SASL_OK ? "ok" : "more");
	sasl_free(s);
	sb_free(&in);
	sb_free(&out);
	sb_free(&user);
	return 0;
}
