#include "sasl/passwd.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/rid.h"
#include "base/tuple.h"
#include "sasl/prep.h"

/* A hundred thousand accounts; a record has some 350 bytes. */
#define PASSWD_FILE_MAX ((size_t)48 * 1024 * 1024)
#define PASSWD_RECORD_MAX 1024
#define PASSWD_NAME "passwd"
#define PASSWD_NEW "passwd.new"

static const char *const scram_names[SCRAM_HASHES] = {
	[SCRAM_SHA1] = "scram-sha-1",
	[SCRAM_SHA256] = "scram-sha-256",
};

struct entry {
	struct slice account, record;
};

struct passwd_file {
	int dir;
	struct stat st; /* of the file that was read; st_ino 0 = none */
	struct strbuf text;
	struct arena arena;
	struct entry *entry;
	size_t count;
};

int
passwd_dir(const char *root)
{
	int dir, fd, e;

	dir = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir == -1)
		return -1;
	if (dir_make(dir, "secret", 0711) == -1 ||
	    dir_make(dir, "secret/auth", 0700) == -1)
		fd = -1;
	else
		fd = openat(dir, "secret/auth",
		    O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	e = errno;
	close(dir);
	errno = e;
	return fd;
}

/* Lock, and read the file as it stands: the lock's descriptor, or -1. */
static int
lock_and_read(int dir, struct strbuf *text)
{
	int e, lock;

	lock = openat(dir, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (lock == -1)
		return -1;
	if (flock(lock, LOCK_EX) == 0 &&
	    (file_slurp(dir, PASSWD_NAME, text) == 0 || errno == ENOENT) &&
	    (unlinkat(dir, PASSWD_NEW, 0) == 0 || errno == ENOENT))
		return lock;
	e = errno;
	close(lock);
	errno = e;
	return -1;
}

/*
 * Copy all records but that of the account: 1 if it was among them, 0 if
 * not, -1 (EPROTO) if the file is damaged, since a rewrite would lose lines.
 */
static int
copy_others(struct slice text, struct slice account, struct strbuf *out)
{
	struct arena ar = { 0 };
	struct tuple_reader r;
	struct tuple t;
	int found = 0, more;

	tuple_reader_init(&r, text);
	while ((more = tuple_next(&r, &ar, &t)) == 1) {
		if (tuple_is(&t, "passwd") &&
		    slice_eq(tuple_value(&t, "account"), account))
			found = 1;
		else
			sb_put(out, t.raw);
		arena_reset(&ar);
	}
	arena_free(&ar);
	if (more == 0)
		return found;
	errno = EPROTO;
	return -1;
}

static int
key_in(int dir, unsigned char *key)
{
	struct strbuf sb = STRBUF_INIT(PASSWD_KEY);
	int r = file_slurp(dir, "key", &sb);

	if (r == 0 && sb.n == PASSWD_KEY)
		memcpy(key, sb.p, PASSWD_KEY);
	else if (r == 0 || errno == ENOENT) {
		random_bytes(key, PASSWD_KEY);
		r = unlinkat(dir, "key.new", 0);
		if (r == 0 || errno == ENOENT)
			r = file_commit(dir, "key.new", "key",
			    slice_of(key, PASSWD_KEY), 0640);
	}
	sb_free(&sb);
	return r;
}

int
passwd_key(const char *root, unsigned char key[PASSWD_KEY])
{
	int e, r, dir = passwd_dir(root);

	if (dir == -1)
		return -1;
	r = key_in(dir, key);
	e = errno;
	close(dir);
	errno = e;
	return r;
}

/* Replace (or with an empty record: remove) the record of an account. */
static int
replace(const char *root, struct slice account, struct slice record)
{
	struct strbuf text = STRBUF_INIT(PASSWD_FILE_MAX);
	struct strbuf out = STRBUF_INIT(PASSWD_FILE_MAX);
	unsigned char key[PASSWD_KEY];
	int dir, lock, e, r = -1;

	if ((dir = passwd_dir(root)) == -1)
		return -1;
	lock = lock_and_read(dir, &text);
	if (lock != -1 && key_in(dir, key) == 0)
		r = copy_others(sb_slice(&text), account, &out);
	sb_put(&out, record);
	if (r != -1 && out.over) {
		errno = EFBIG;
		r = -1;
	}
	if (r != -1 && (r == 1 || record.n != 0) &&
	    file_commit(dir, PASSWD_NEW, PASSWD_NAME, sb_slice(&out),
	    0640) == -1)
		r = -1;
	e = errno;
	if (lock != -1)
		close(lock);
	close(dir);
	sb_free(&text);
	sb_free(&out);
	errno = e;
	return r;
}

/* The record for a prepared password: 0, or -1 with errno. */
static int
make_record(struct slice account, struct slice password, struct strbuf *sb)
{
	char argon[crypto_pwhash_STRBYTES];
	struct strbuf keys = STRBUF_INIT(PASSWD_RECORD_MAX);
	int r = 0;

	if (sodium_init() == -1 || crypto_pwhash_str_alg(argon,
	    (const char *)password.p, password.n, PASSWD_PASSES, PASSWD_MEMORY,
	    crypto_pwhash_ALG_ARGON2ID13) == -1) {
		errno = ENOMEM;
		return -1;
	}
	tuple_begin(sb, "passwd");
	tuple_put(sb, "account", account);
	tuple_putu(sb, "set", (uint64_t)clock_unix());
	tuple_puts(sb, "argon2id", argon);
	for (int h = 0; r == 0 && h < SCRAM_HASHES; h++) {
		struct scram_keys k = { .iterations = SCRAM_ITERATIONS,
			.salt_n = SCRAM_SALT };

		random_bytes(k.salt, k.salt_n);
		r = scram_derive(h, password, &k);
		sb_reset(&keys);
		scram_format(&keys, h, &k);
		tuple_put(sb, scram_names[h], sb_slice(&keys));
	}
	tuple_end(sb);
	sb_free(&keys);
	if (r == -1)
		errno = ENOMEM;
	return r;
}

int
passwd_set(const char *root, struct slice account, struct slice password)
{
	struct strbuf prepared = STRBUF_INIT(PASSWORD_MAX);
	struct strbuf record = STRBUF_INIT(PASSWD_RECORD_MAX);
	size_t chars = 0;
	int e, r = -1;

	/* Grown once, so that no copy is left behind. */
	if (sb_room(&prepared, PASSWORD_MAX) == NULL)
		return -1;
	if (account.n == 0 || account.n > 255)
		errno = EINVAL;
	else if (password_prepare(password, &prepared, &chars) == 0 &&
	    chars < PASSWORD_MIN)
		errno = ERANGE;
	else if (chars != 0 &&
	    make_record(account, sb_slice(&prepared), &record) == 0)
		r = replace(root, account, sb_slice(&record));
	e = errno;
	explicit_bzero(prepared.p, prepared.n);
	sb_free(&prepared);
	sb_free(&record);
	errno = e;
	return r == -1 ? -1 : 0;
}

int
passwd_remove(const char *root, struct slice account)
{
	return replace(root, account, SLICE_NONE);
}

/* An index over the records of f->text; a damaged one is left out. */
static void
index_records(struct passwd_file *f)
{
	struct tuple_reader r;
	struct arena scratch = { 0 };
	struct tuple t;
	size_t cap = 0;
	int more;

	arena_reset(&f->arena);
	f->entry = NULL;
	f->count = 0;
	tuple_reader_init(&r, sb_slice(&f->text));
	while ((more = tuple_next(&r, &scratch, &t)) != 0) {
		struct entry *e;

		if (more == -1 || !tuple_is(&t, "passwd"))
			continue;
		if (f->count == cap) {
			size_t old = size_mul(cap, sizeof(*e));

			cap = cap == 0 ? 16 : size_mul(cap, 2);
			f->entry = arena_grow(&f->arena, f->entry, old,
			    size_mul(cap, sizeof(*e)));
		}
		e = &f->entry[f->count++];
		e->account = arena_copy(&f->arena, tuple_value(&t, "account"));
		e->record = t.raw;
		arena_reset(&scratch);
	}
	arena_free(&scratch);
}

int
passwd_refresh(struct passwd_file *f)
{
	struct strbuf text = STRBUF_INIT(PASSWD_FILE_MAX);
	struct stat st;

	if (fstatat(f->dir, PASSWD_NAME, &st, 0) == -1) {
		if (errno != ENOENT)
			return -1;
		memset(&st, 0, sizeof(st));
	}
	if (st.st_ino == f->st.st_ino && st.st_size == f->st.st_size &&
	    st.st_mtim.tv_sec == f->st.st_mtim.tv_sec &&
	    st.st_mtim.tv_nsec == f->st.st_mtim.tv_nsec)
		return 0;
	if (st.st_ino != 0 && file_slurp(f->dir, PASSWD_NAME, &text) == -1) {
		sb_free(&text);
		return -1;
	}
	sb_free(&f->text);
	f->text = text;
	f->st = st;
	index_records(f);
	return 1;
}

struct passwd_file *
passwd_open(const char *root)
{
	struct passwd_file *f;
	int dir = passwd_dir(root);

	if (dir == -1)
		return NULL;
	f = xcalloc(1, sizeof(*f));
	f->dir = dir;
	if (passwd_refresh(f) != -1)
		return f;
	passwd_close(f);
	return NULL;
}

int
passwd_find(const struct passwd_file *f, struct slice account,
    struct passwd *p)
{
	struct arena ar = { 0 };
	struct tuple_reader r;
	struct tuple t;
	size_t i;
	int found = -1;

	for (i = 0; i < f->count; i++)
		if (slice_eq(f->entry[i].account, account))
			break;
	if (i == f->count)
		return 0;
	tuple_reader_init(&r, f->entry[i].record);
	if (tuple_next(&r, &ar, &t) == 1 &&
	    slice_cstr(tuple_value(&t, "argon2id"), p->argon,
	    sizeof(p->argon)) == 0) {
		found = 1;
		for (int h = 0; h < SCRAM_HASHES; h++)
			if (scram_parse(tuple_value(&t, scram_names[h]), h,
			    &p->scram[h]) == -1)
				found = -1;
	}
	arena_free(&ar);
	if (found == -1)
		errno = EPROTO;
	return found;
}

void
passwd_close(struct passwd_file *f)
{
	int e = errno;

	if (f == NULL)
		return;
	close(f->dir);
	sb_free(&f->text);
	arena_free(&f->arena);
	free(f);
	errno = e;
}

int
passwd_check(const char *argon, struct slice password)
{
	errno = 0;
	if (crypto_pwhash_str_verify(argon, (const char *)password.p,
	    password.n) == 0)
		return 1;
	return errno == ENOMEM ? -1 : 0;
}

void
passwd_dummy(char argon[PASSWD_ARGON_MAX])
{
	unsigned char salt[crypto_pwhash_SALTBYTES], hash[32];
	char salt64[32], hash64[64];

	random_bytes(salt, sizeof(salt));
	random_bytes(hash, sizeof(hash));
	sodium_bin2base64(salt64, sizeof(salt64), salt, sizeof(salt),
	    sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
	sodium_bin2base64(hash64, sizeof(hash64), hash, sizeof(hash),
	    sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
	snprintf(argon, PASSWD_ARGON_MAX, "$argon2id$v=19$m=%zu,t=%d,p=1$%s$%s",
	    PASSWD_MEMORY / 1024, PASSWD_PASSES, salt64, hash64);
}
