#include "serve.h"

#include <string.h>

#include "addr/addr.h"
#include "base/tuple.h"

void
identity_init(struct identity *id)
{
	memset(id, 0, sizeof(*id));
	sb_init(&id->account, 256);
	sb_init(&id->login, 1024);
	sb_init(&id->text, 512);
}

void
identity_free(struct identity *id)
{
	sb_free(&id->account);
	sb_free(&id->login);
	sb_free(&id->text);
	explicit_bzero(&id->record, sizeof(id->record));
}

/* The account record's login attribute says why nobody may log in. */
static void
find_disabled(struct serve *s, struct arena *ar, struct identity *id)
{
	struct tuple_reader r;
	struct slice text;
	struct tuple t;

	if (conf_get(s->conf, "account", sb_slice(&id->account), &text) != 1)
		return;
	tuple_reader_init(&r, text);
	while (tuple_next(&r, ar, &t) == 1)
		if (tuple_is(&t, "account"))
			sb_put(&id->text, tuple_value(&t, "login"));
	id->disabled = id->text.n != 0;
}

/*
 * A user name is an address of the account, in any of the spellings that mail
 * to it may have; a name that is not one of ours keeps a canonical spelling
 * too, from which the keys for strangers are made.
 */
int
identify(struct serve *s, struct slice login, struct identity *id)
{
	struct arena ar = { 0 };
	struct conf_rcpt rcpt = { 0 };
	struct addr a;
	int r = 0;

	if (passwd_refresh(s->passwd) == -1 || conf_refresh(s->conf) == -1)
		r = -1;
	else if (addr_parse(login, ADDR_UTF8, &ar, &a) == -1)
		sb_put(&id->login, login);
	else if ((r = conf_rcpt(s->conf, &a, &ar, &rcpt)) == 0) {
		addr_format(&id->login, &a);
		if (rcpt.kind == RCPT_LOCAL) {
			sb_put(&id->account, rcpt.account);
			id->known = passwd_find(s->passwd,
			    sb_slice(&id->account), &id->record) == 1;
			find_disabled(s, &ar, id);
		}
	}
	arena_free(&ar);
	return r;
}

int
identity_keys(struct serve *s, const struct identity *id, enum scram_hash h,
    struct scram_keys *k)
{
	struct slice secret = slice_of(s->secret, sizeof(s->secret));
	unsigned char mac[SCRAM_KEY_MAX];
	struct strbuf name = STRBUF_INIT(1100);
	int r;

	if (id->known) {
		*k = id->record.scram[h];
		return 0;
	}
	/* The same name gets the same salt each time, as a real one does. */
	*k = (struct scram_keys){ .iterations = SCRAM_ITERATIONS,
		.salt_n = SCRAM_SALT };
	sb_putc(&name, (unsigned char)h);
	for (size_t i = 0; i < id->login.n; i++)
		sb_putc(&name, ascii_lower(id->login.p[i]));
	r = scram_hmac(SCRAM_SHA256, secret, sb_slice(&name), mac);
	memcpy(k->salt, mac, k->salt_n);
	sb_free(&name);
	return r;
}
