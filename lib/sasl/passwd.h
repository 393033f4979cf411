/*
 * passwd.h - the passwords of an instance, ROOT/secret/auth/passwd
 *
 * One record an account, made by programs only:
 *
 *	passwd account=NAME set=UNIX argon2id="$argon2id$..."
 *	    scram-sha-1=ITER:SALT$STORED:SERVER scram-sha-256=...
 *
 * The file has a directory of its own, so that a Landlock rule gives a program
 * this directory and no other secret. Its mode is 0640: make the directory
 * setgid to let the group of sasl-serve read it. Changes are made under a lock
 * (secret/auth/lock) and are durable when the call returns.
 */
#ifndef SASL_PASSWD_H
#define SASL_PASSWD_H

#include <stdint.h>

#include "base/slice.h"
#include "sasl/scram.h"

/*
 * Argon2id for checking a plain password: 19 MiB and two passes, one lane
 * (OWASP's first choice; RFC 9106 section 4 explains the trade). About 25 ms
 * of one core. Two checks at a time bound the memory of sasl-serve.
 */
#define PASSWD_MEMORY ((size_t)19456 * 1024)
#define PASSWD_PASSES 2
#define PASSWD_ARGON_MAX 128 /* crypto_pwhash_STRBYTES */

struct passwd {
	char argon[PASSWD_ARGON_MAX];
	struct scram_keys scram[SCRAM_HASHES];
};

/*
 * Set the password of an account (made if there is none): 0, or -1 with
 * errno: EINVAL the password has a character that is not allowed or the
 * account is empty, EILSEQ it is not UTF-8, ERANGE it has under PASSWORD_MIN
 * characters, E2BIG it is over PASSWORD_MAX; otherwise of the file system.
 * Takes about 100 ms.
 */
int passwd_set(const char *root, struct slice account, struct slice password)
    __attribute__((warn_unused_result));
/* Remove an account: 1, 0 if there was none, -1 with errno. */
int passwd_remove(const char *root, struct slice account)
    __attribute__((warn_unused_result));

/* Reading: the file as it was at the last passwd_refresh(). */
struct passwd_file;

/* NULL with errno. A file that is not there yet is an empty one. */
struct passwd_file *passwd_open(const char *root);
/* 1 if the file changed and was read again, 0 if not, -1 with errno (the old
 * records stay). */
int passwd_refresh(struct passwd_file *f) __attribute__((warn_unused_result));
/* 1 and *p, 0 if there is none (or its record is damaged: -1, EPROTO). */
int passwd_find(const struct passwd_file *f, struct slice account,
    struct passwd *p) __attribute__((warn_unused_result));
void passwd_close(struct passwd_file *f);

/*
 * Does this prepared password belong to the argon2id string? PASSWD_MEMORY
 * is in use while it works and given back after. 1 yes, 0 no, -1 ENOMEM.
 */
int passwd_check(const char *argon, struct slice password)
    __attribute__((warn_unused_result));
/*
 * An argon2id string that no password belongs to and that costs as much to
 * check as a new one.
 */
void passwd_dummy(char argon[PASSWD_ARGON_MAX]);
/*
 * secret/auth/key: random, kept, for values that must stay the same, such as
 * the salt shown for a user who does not exist. Made with the first password.
 * 0, or -1 with errno.
 */
#define PASSWD_KEY 32
int passwd_key(const char *root, unsigned char key[PASSWD_KEY])
    __attribute__((warn_unused_result));
/* ROOT/secret/auth, made if need be with mode 0700; the descriptor, or -1. */
int passwd_dir(const char *root) __attribute__((warn_unused_result));

#endif
