#include "sasl/sasl.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "sasl/prep.h"

/* A client's nonce: at least what is worth the name, at most what is sane. */
#define CLIENT_NONCE_MIN 8
#define CLIENT_NONCE_MAX 256

enum state {
	PLAIN_MESSAGE,
	LOGIN_USER,
	LOGIN_PASSWORD,
	SCRAM_FIRST,
	SCRAM_WAIT_KEYS,
	SCRAM_FINAL,
	FINISHED,
};

static const struct mech {
	const char *name, *prompt;
	enum state start;
	enum scram_hash hash;
	bool plus;
} mechs[] = {
	{ "PLAIN", "", PLAIN_MESSAGE, 0, false },
	{ "LOGIN", "Username:", LOGIN_USER, 0, false },
	{ "SCRAM-SHA-1", "", SCRAM_FIRST, SCRAM_SHA1, false },
	{ "SCRAM-SHA-1-PLUS", "", SCRAM_FIRST, SCRAM_SHA1, true },
	{ "SCRAM-SHA-256", "", SCRAM_FIRST, SCRAM_SHA256, false },
	{ "SCRAM-SHA-256-PLUS", "", SCRAM_FIRST, SCRAM_SHA256, true },
};

struct sasl {
	const struct mech *mech;
	enum state state;
	const char *reason;
	struct strbuf login, password;
	bool tls;
	struct strbuf exporter, unique;
	/* SCRAM */
	struct strbuf nonce;    /* the server's part, then the whole */
	struct strbuf binding;  /* what c= must be: GS2 header and channel */
	struct strbuf messages; /* AuthMessage as far as it is known */
	struct scram_keys keys;
	bool real;
};

struct sasl *
sasl_init(struct slice name, const struct sasl_channel *ch, struct slice nonce)
{
	const struct mech *m = NULL;
	struct sasl *s;

	for (size_t i = 0; i < COUNTOF(mechs); i++)
		if (slice_ieqs(name, mechs[i].name))
			m = &mechs[i];
	if (m == NULL)
		return NULL;
	s = xcalloc(1, sizeof(*s));
	s->mech = m;
	s->state = m->start;
	s->tls = ch->tls;
	sb_init(&s->login, SASL_MESSAGE_MAX);
	sb_init(&s->password, SASL_MESSAGE_MAX);
	sb_init(&s->exporter, SASL_MESSAGE_MAX);
	sb_init(&s->unique, SASL_MESSAGE_MAX);
	sb_init(&s->nonce, SASL_NONCE_MAX + CLIENT_NONCE_MAX);
	sb_init(&s->binding, 3 * SASL_MESSAGE_MAX);
	sb_init(&s->messages, 3 * SASL_MESSAGE_MAX);
	sb_put(&s->exporter, ch->exporter);
	sb_put(&s->unique, ch->unique);
	sb_put(&s->nonce, slice_sub(nonce, 0, SASL_NONCE_MAX));
	return s;
}

void
sasl_free(struct sasl *s)
{
	if (s == NULL)
		return;
	if (s->password.p != NULL)
		explicit_bzero(s->password.p, s->password.n);
	sb_free(&s->login);
	sb_free(&s->password);
	sb_free(&s->exporter);
	sb_free(&s->unique);
	sb_free(&s->nonce);
	sb_free(&s->binding);
	sb_free(&s->messages);
	explicit_bzero(&s->keys, sizeof(s->keys));
	free(s);
}

static enum sasl_result
fail(struct sasl *s, const char *reason)
{
	s->state = FINISHED;
	s->reason = reason;
	return SASL_FAIL;
}

/* RFC 5802 section 7, server-error. */
static enum sasl_result
scram_fail(struct sasl *s, const char *reason, const char *error,
    struct strbuf *out)
{
	sb_reset(out);
	sb_printf(out, "e=%s", error);
	return fail(s, reason);
}

/*
 * A password that cannot be prepared belongs to nobody. It is checked as it
 * is, so that this answer takes as long as any other.
 */
static enum sasl_result
check_password(struct sasl *s, struct slice password)
{
	if (sb_room(&s->password, PASSWORD_MAX) == NULL ||
	    password_prepare(password, &s->password, NULL) == -1) {
		sb_reset(&s->password);
		sb_put(&s->password, password);
	}
	s->state = FINISHED;
	return SASL_CHECK;
}

static bool
set_login(struct sasl *s, struct slice name)
{
	return name.n != 0 && memchr(name.p, '\0', name.n) == NULL &&
	    username_prepare(name, &s->login) == 0;
}

/* An authorization identity is absent, or the user's own name. */
static bool
own_identity(const struct sasl *s, struct slice authzid)
{
	struct strbuf sb = STRBUF_INIT(SASL_MESSAGE_MAX);
	bool own;

	own = authzid.n == 0 || (username_prepare(authzid, &sb) == 0 &&
	    slice_eq(sb_slice(&sb), sb_slice(&s->login)));
	sb_free(&sb);
	return own;
}

/* RFC 4616 section 2: [authzid] NUL authcid NUL passwd. */
static enum sasl_result
plain(struct sasl *s, struct slice in)
{
	struct slice authzid, authcid;

	if (!slice_cut(&in, '\0', &authzid) || !slice_cut(&in, '\0', &authcid) ||
	    slice_chr(in, '\0') != -1 || in.n == 0 || !set_login(s, authcid))
		return fail(s, "protocol");
	if (!own_identity(s, authzid))
		return fail(s, "authzid");
	return check_password(s, in);
}

/* Take "x=value" up to a comma off *in. */
static bool
take_attr(struct slice *in, unsigned char name, struct slice *value)
{
	struct slice part;

	slice_cut(in, ',', &part);
	if (part.n < 2 || part.p[0] != name || part.p[1] != '=')
		return false;
	*value = slice_skip(part, 2);
	return true;
}

/* RFC 5802 section 5.1: "=2C" and "=3D" stand for "," and "=". */
static bool
unescape_name(struct slice in, struct strbuf *out)
{
	for (size_t i = 0; i < in.n; i++) {
		if (in.p[i] != '=') {
			sb_putc(out, in.p[i]);
			continue;
		}
		if (slice_ieq(slice_sub(in, i, 3), S("=2c")))
			sb_putc(out, ',');
		else if (slice_ieq(slice_sub(in, i, 3), S("=3d")))
			sb_putc(out, '=');
		else
			return false;
		i += 2;
	}
	return !out->over;
}

/*
 * The channel binding flag: NULL if all is well, otherwise the server-error.
 * What a client says about binding is believed over the mechanism's name.
 */
static const char *
bind_channel(struct sasl *s, struct slice flag, struct slice *channel)
{
	*channel = SLICE_NONE;
	if (slice_eqs(flag, "n"))
		return s->mech->plus ? "server-does-support-channel-binding" :
		    NULL;
	if (slice_eqs(flag, "y")) /* someone hid our -PLUS from the client */
		return s->tls || s->mech->plus ?
		    "server-does-support-channel-binding" : NULL;
	if (slice_eqs(flag, "p=tls-exporter"))
		*channel = sb_slice(&s->exporter);
	else if (slice_eqs(flag, "p=tls-unique"))
		*channel = sb_slice(&s->unique);
	return channel->n != 0 ? NULL : "unsupported-channel-binding-type";
}

/* user name and authorization identity, escaped as in RFC 5802: the reason
 * of a failure, or NULL. */
static const char *
take_names(struct sasl *s, struct slice user, struct slice authzid)
{
	struct strbuf sb = STRBUF_INIT(SASL_MESSAGE_MAX);
	const char *reason = NULL;

	if (!unescape_name(user, &sb) || !set_login(s, sb_slice(&sb)))
		reason = "encoding";
	sb_reset(&sb);
	if (reason == NULL && !unescape_name(authzid, &sb))
		reason = "encoding";
	if (reason == NULL && !own_identity(s, sb_slice(&sb)))
		reason = "authzid";
	sb_free(&sb);
	return reason;
}

static bool
nonce_ok(struct slice nonce)
{
	return nonce.n >= CLIENT_NONCE_MIN && nonce.n <= CLIENT_NONCE_MAX &&
	    slice_is_print(nonce) && slice_chr(nonce, ' ') == -1;
}

/* gs2-header client-first-message-bare */
static enum sasl_result
scram_first(struct sasl *s, struct slice in, struct strbuf *out)
{
	struct slice all = in, bare, flag, authzid, user, nonce, channel;
	struct strbuf whole = STRBUF_INIT(s->nonce.max);
	const char *error;

	if (!slice_cut(&in, ',', &flag) || !slice_cut(&in, ',', &authzid) ||
	    (authzid.n != 0 && !slice_starts(authzid, S("a="))))
		return scram_fail(s, "protocol", "other-error", out);
	if ((error = bind_channel(s, flag, &channel)) != NULL)
		return scram_fail(s, s->mech->plus && !s->tls ? "tls" : "binding",
		    error, out);
	bare = in;
	if (slice_starts(in, S("m=")))
		return scram_fail(s, "protocol", "extensions-not-supported", out);
	if (!take_attr(&in, 'n', &user) || !take_attr(&in, 'r', &nonce) ||
	    !nonce_ok(nonce))
		return scram_fail(s, "protocol", "other-error", out);
	if ((error = take_names(s, user, slice_skip(authzid, 2))) != NULL)
		return scram_fail(s, error, error[0] == 'e' ?
		    "invalid-username-encoding" : "other-error", out);
	sb_put(&s->binding, slice_sub(all, 0, all.n - bare.n));
	sb_put(&s->binding, channel);
	sb_put(&s->messages, bare);
	sb_put(&whole, nonce);
	sb_put(&whole, sb_slice(&s->nonce));
	sb_free(&s->nonce);
	s->nonce = whole;
	s->state = SCRAM_WAIT_KEYS;
	return SASL_KEYS;
}

enum sasl_result
sasl_keys(struct sasl *s, const struct scram_keys *k, bool real,
    struct strbuf *out)
{
	sb_reset(out);
	if (s->state != SCRAM_WAIT_KEYS)
		return fail(s, "protocol");
	s->keys = *k;
	s->real = real;
	sb_puts(out, "r=");
	sb_put(out, sb_slice(&s->nonce));
	sb_puts(out, ",s=");
	sb_base64(out, slice_of(k->salt, k->salt_n));
	sb_printf(out, ",i=%u", k->iterations);
	sb_putc(&s->messages, ',');
	sb_put(&s->messages, sb_slice(out));
	s->state = SCRAM_FINAL;
	return SASL_CONTINUE;
}

/* c= is the base64 of the GS2 header and the channel's data. */
static bool
binding_matches(const struct sasl *s, struct slice c)
{
	struct strbuf sb = STRBUF_INIT(s->binding.max);
	bool same;

	same = sb_unbase64(&sb, c) == 0 &&
	    slice_eq(sb_slice(&sb), sb_slice(&s->binding));
	sb_free(&sb);
	return same;
}

static bool
proof_matches(const struct sasl *s, struct slice p, unsigned char *sig)
{
	struct strbuf sb = STRBUF_INIT(SASL_MESSAGE_MAX);
	bool good;

	good = sb_unbase64(&sb, p) == 0 && scram_check(s->mech->hash, &s->keys,
	    sb_slice(&s->messages), sb_slice(&sb), sig);
	sb_free(&sb);
	return good && s->real;
}

/* channel-binding "," nonce ["," extensions] "," proof */
static enum sasl_result
scram_final(struct sasl *s, struct slice in, struct strbuf *out)
{
	unsigned char sig[SCRAM_KEY_MAX];
	ptrdiff_t last = slice_rchr(in, ',');
	struct slice before = slice_sub(in, 0, last > 0 ? (size_t)last : 0);
	struct slice tail = slice_skip(in, before.n + 1), c, r, p;

	sb_putc(&s->messages, ',');
	sb_put(&s->messages, before);
	if (!take_attr(&before, 'c', &c) || !take_attr(&before, 'r', &r) ||
	    !take_attr(&tail, 'p', &p) ||
	    !slice_eq(r, sb_slice(&s->nonce)) || s->messages.over)
		return scram_fail(s, "protocol", "other-error", out);
	if (!binding_matches(s, c))
		return scram_fail(s, "binding", "channel-bindings-dont-match",
		    out);
	if (!proof_matches(s, p, sig))
		return scram_fail(s, "credentials", "invalid-proof", out);
	sb_puts(out, "v=");
	sb_base64(out, slice_of(sig, scram_size(s->mech->hash)));
	s->state = FINISHED;
	return SASL_OK;
}

enum sasl_result
sasl_start(struct sasl *s, const struct slice *ir, struct strbuf *out)
{
	sb_reset(out);
	if (s->mech->plus && !s->tls)
		return fail(s, "tls");
	if (ir != NULL)
		return sasl_feed(s, *ir, out);
	sb_puts(out, s->mech->prompt);
	return SASL_CONTINUE;
}

enum sasl_result
sasl_feed(struct sasl *s, struct slice data, struct strbuf *out)
{
	sb_reset(out);
	if (data.n > SASL_MESSAGE_MAX)
		return fail(s, "protocol");
	switch (s->state) {
	case PLAIN_MESSAGE:
		return plain(s, data);
	case LOGIN_USER:
		if (!set_login(s, data))
			return fail(s, "protocol");
		s->state = LOGIN_PASSWORD;
		sb_puts(out, "Password:");
		return SASL_CONTINUE;
	case LOGIN_PASSWORD:
		return data.n != 0 ? check_password(s, data) :
		    fail(s, "protocol");
	case SCRAM_FIRST:
		return scram_first(s, data, out);
	case SCRAM_FINAL:
		return scram_final(s, data, out);
	case SCRAM_WAIT_KEYS:
	case FINISHED:
		break;
	}
	return fail(s, "protocol");
}

const char *
sasl_mech(const struct sasl *s)
{
	return s->mech->name;
}

struct slice
sasl_login(const struct sasl *s)
{
	return sb_slice(&s->login);
}

struct slice
sasl_password(const struct sasl *s)
{
	return sb_slice(&s->password);
}

enum scram_hash
sasl_hash(const struct sasl *s)
{
	return s->mech->hash;
}

const char *
sasl_reason(const struct sasl *s)
{
	return s->reason;
}
