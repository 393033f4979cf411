/* The password file: set, find, change, remove, damage. */
#include "sasl/passwd.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "sasl/prep.h"
#include "tap.h"

static char root[] = "/tmp/pneu-passwd.XXXXXX";

static int
in_root(const char *path, int flags)
{
	int dir = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd;

	fd = openat(dir, path, flags, 0600);
	close(dir);
	return fd;
}

static void
clean(void)
{
	int dir = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	unlinkat(dir, "secret/auth/passwd", 0);
	unlinkat(dir, "secret/auth/passwd.new", 0);
	unlinkat(dir, "secret/auth/key", 0);
	unlinkat(dir, "secret/auth/lock", 0);
	unlinkat(dir, "secret/auth", AT_REMOVEDIR);
	unlinkat(dir, "secret", AT_REMOVEDIR);
	close(dir);
	rmdir(root);
}

static void
refusals(void)
{
	static const struct {
		const char *name, *password;
		int error;
	} bad[] = {
		{ "short", "1234567", ERANGE },
		{ "short in characters", "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9",
			ERANGE },
		{ "empty", "", EINVAL },
		{ "control byte", "12345678\t", EINVAL },
		{ "not UTF-8", "12345678\xff", EILSEQ },
	};
	char big[PASSWORD_MAX + 2];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct slice password = exact(bad[i].password);

		ok(passwd_set(root, S("ann"), password) == -1 &&
		    errno == bad[i].error, "refused: %s", bad[i].name);
		free((void *)(uintptr_t)password.p);
	}
	memset(big, 'x', sizeof(big));
	ok(passwd_set(root, S("ann"), slice_of(big, PASSWORD_MAX + 1)) == -1 &&
	    errno == E2BIG, "refused: too long");
	ok(passwd_set(root, S(""), S("long enough")) == -1 && errno == EINVAL,
	    "refused: no account");
}

static void
scram_matches(const struct passwd *p, const char *password, bool want)
{
	for (int h = 0; h < SCRAM_HASHES; h++) {
		struct scram_keys k = p->scram[h];

		ok(scram_derive(h, slice_str(password), &k) == 0 &&
		    (memcmp(k.stored, p->scram[h].stored, scram_size(h)) == 0 &&
		    memcmp(k.server, p->scram[h].server, scram_size(h)) == 0) ==
		    want, "SCRAM keys of hash %d", h);
	}
}

static void
set_and_find(void)
{
	struct passwd_file *f;
	struct passwd p, other;
	struct stat st;
	char dummy[PASSWD_ARGON_MAX];
	int fd;

	ok(passwd_set(root, S("ann"), S("caf\xc3\xa9 au lait")) == 0, "set");
	f = passwd_open(root);
	ok(f != NULL, "open");
	ok(passwd_find(f, S("ann"), &p) == 1, "find");
	ok(passwd_find(f, S("an"), &other) == 0, "a prefix is no account");
	ok(passwd_check(p.argon, S("caf\xc3\xa9 au lait")) == 1, "right password");
	ok(passwd_check(p.argon, S("cafe au lait")) == 0, "wrong password");
	scram_matches(&p, "caf\xc3\xa9 au lait", true);
	ok(passwd_refresh(f) == 0, "nothing new");
	/* The same in NFD, with a no-break space: the same password. */
	ok(passwd_set(root, S("bob \"x\""),
	    S("cafe\xcc\x81\xc2\xa0" "au lait")) == 0, "set in NFD");
	ok(passwd_refresh(f) == 1 && passwd_find(f, S("bob \"x\""), &other) == 1,
	    "seen by the reader");
	ok(passwd_check(other.argon, S("caf\xc3\xa9 au lait")) == 1,
	    "prepared alike");
	ok(strcmp(p.argon, other.argon) != 0, "another salt");
	ok(passwd_set(root, S("ann"), S("another one")) == 0 &&
	    passwd_refresh(f) == 1 && passwd_find(f, S("ann"), &p) == 1,
	    "change");
	scram_matches(&p, "another one", true);
	scram_matches(&p, "another two", false);
	fd = in_root("secret/auth/passwd", O_RDONLY);
	ok(fstat(fd, &st) == 0 && (st.st_mode & 0007) == 0,
	    "not readable by all");
	close(fd);
	isnum(passwd_remove(root, S("ann")), 1, "remove");
	isnum(passwd_remove(root, S("ann")), 0, "nothing to remove");
	ok(passwd_refresh(f) == 1 && passwd_find(f, S("ann"), &p) == 0 &&
	    passwd_find(f, S("bob \"x\""), &p) == 1, "the other stays");
	passwd_close(f);
	passwd_dummy(dummy);
	ok(crypto_pwhash_str_needs_rehash(dummy, PASSWD_PASSES,
	    PASSWD_MEMORY) == 0, "the dummy costs what a real one costs");
	ok(passwd_check(dummy, S("another one")) == 0, "and never matches");
}

static void
damage(void)
{
	struct passwd_file *f;
	struct passwd p;
	int fd = in_root("secret/auth/passwd", O_WRONLY | O_APPEND);

	ok(write_all(fd, S("passwd account=eve argon2id=\n"
	    "passwd account=mal argon2id=x scram-sha-1=1:AA==\n")) == 0,
	    "records without keys");
	f = passwd_open(root);
	ok(passwd_find(f, S("eve"), &p) == -1 && errno == EPROTO, "eve");
	ok(passwd_find(f, S("mal"), &p) == -1 && errno == EPROTO, "mal");
	ok(passwd_find(f, S("bob \"x\""), &p) == 1, "others are found");
	ok(write_all(fd, S("half a \"rec")) == 0, "a broken record");
	ok(passwd_refresh(f) == 1 && passwd_find(f, S("bob \"x\""), &p) == 1,
	    "others are still found");
	ok(passwd_set(root, S("ann"), S("long enough")) == -1 &&
	    errno == EPROTO, "a damaged file is not rewritten");
	passwd_close(f);
	close(fd);
}

int
main(void)
{
	plan(0);
	if (sodium_init() == -1 || mkdtemp(root) == NULL)
		return 1;
	refusals();
	set_and_find();
	damage();
	clean();
	return done();
}
