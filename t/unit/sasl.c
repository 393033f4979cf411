/* SASL mechanisms: the examples of the RFCs, and what must be refused. */
#include "sasl/sasl.h"

#include "base/alloc.h"
#include "sasl/limit.h"
#include "tap.h"

#define OUT_MAX (2 * SASL_MESSAGE_MAX)

static struct scram_keys
keys_of(enum scram_hash h, const char *password, const char *salt64)
{
	struct strbuf salt = STRBUF_INIT(SCRAM_SALT_MAX + 3);
	struct scram_keys k = { .iterations = 4096 };

	if (sb_unbase64(&salt, slice_str(salt64)) == -1)
		abort();
	k.salt_n = salt.n;
	memcpy(k.salt, salt.p, salt.n);
	sb_free(&salt);
	if (scram_derive(h, slice_str(password), &k) == -1)
		abort();
	return k;
}

/* RFC 5802 section 5 and RFC 7677 section 3: user "user", "pencil". */
static const struct {
	const char *mech, *salt, *nonce, *first, *challenge, *final, *proof,
	    *server;
	enum scram_hash hash;
} rfc[] = {
	{ "SCRAM-SHA-1", "QSXCR+Q6sek8bf92", "3rfcNHYJY1ZVvWVs7j",
	    "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
	    "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,"
	    "s=QSXCR+Q6sek8bf92,i=4096",
	    "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j",
	    ",p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
	    "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=", SCRAM_SHA1 },
	{ "SCRAM-SHA-256", "W22ZaJ0SNY7soEsUEjb6gQ==",
	    "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
	    "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
	    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
	    "s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
	    "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
	    ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
	    "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=", SCRAM_SHA256 },
};

/* Run an RFC exchange; the last result. */
static enum sasl_result
run_rfc(size_t i, const char *proof, bool real, struct strbuf *out,
    bool *challenge)
{
	struct sasl_channel ch = { 0 };
	struct sasl *s = sasl_init(slice_str(rfc[i].mech), &ch,
	    slice_str(rfc[i].nonce));
	struct scram_keys k = keys_of(rfc[i].hash, "pencil", rfc[i].salt);
	struct slice ir = exact(rfc[i].first);
	struct strbuf final = STRBUF_INIT(OUT_MAX);
	enum sasl_result r;

	*challenge = sasl_start(s, &ir, out) == SASL_KEYS &&
	    slice_eqs(sasl_login(s), "user") && sasl_hash(s) == rfc[i].hash &&
	    sasl_keys(s, &k, real, out) == SASL_CONTINUE &&
	    slice_eqs(sb_slice(out), rfc[i].challenge);
	sb_puts(&final, rfc[i].final);
	sb_puts(&final, proof);
	r = sasl_feed(s, sb_slice(&final), out);
	sb_free(&final);
	sasl_free(s);
	free((void *)(uintptr_t)ir.p);
	return r;
}

static void
examples(void)
{
	struct strbuf out = STRBUF_INIT(OUT_MAX);
	bool challenge;

	for (size_t i = 0; i < COUNTOF(rfc); i++) {
		ok(run_rfc(i, rfc[i].proof, true, &out, &challenge) == SASL_OK,
		    "%s: proof", rfc[i].mech);
		ok(challenge, "%s: challenge", rfc[i].mech);
		is(sb_slice(&out), rfc[i].server, "server signature");
		ok(run_rfc(i, rfc[i].proof, false, &out, &challenge) ==
		    SASL_FAIL && challenge, "%s: a stranger with luck",
		    rfc[i].mech);
		is(sb_slice(&out), "e=invalid-proof", "and no signature");
		ok(run_rfc(i, ",p=AAAA", true, &out, &challenge) == SASL_FAIL,
		    "%s: short proof", rfc[i].mech);
		ok(run_rfc(i, "", true, &out, &challenge) == SASL_FAIL,
		    "%s: no proof", rfc[i].mech);
	}
	sb_free(&out);
}

static const struct {
	const char *name, *mech, *ir;
	size_t n;
	enum sasl_result result;
	const char *reason, *login, *password;
	bool tls;
} first[] = {
#define IR(s) s, sizeof(s) - 1
	{ "PLAIN", "PLAIN", IR("\0ann@x\0secret1"), SASL_CHECK, NULL, "ann@x",
	    "secret1", false },
	{ "PLAIN, own identity", "plain", IR("ann@x\0ann@x\0s"), SASL_CHECK,
	    NULL, "ann@x", "s", false },
	{ "PLAIN, NFD name", "PLAIN", IR("\0e\xcc\x81@x\0s"), SASL_CHECK, NULL,
	    "\xc3\xa9@x", "s", false },
	{ "PLAIN, password prepared", "PLAIN", IR("\0a\0x\xc2\xa0y"),
	    SASL_CHECK, NULL, "a", "x y", false },
	{ "PLAIN, password that cannot be", "PLAIN", IR("\0a\0x\ty"),
	    SASL_CHECK, NULL, "a", "x\ty", false },
	{ "PLAIN, another identity", "PLAIN", IR("bob@x\0ann@x\0s"), SASL_FAIL,
	    "authzid", NULL, NULL, false },
	{ "PLAIN, two fields", "PLAIN", IR("ann@x\0s"), SASL_FAIL, "protocol",
	    NULL, NULL, false },
	{ "PLAIN, four fields", "PLAIN", IR("\0ann@x\0s\0"), SASL_FAIL,
	    "protocol", NULL, NULL, false },
	{ "PLAIN, no password", "PLAIN", IR("\0ann@x\0"), SASL_FAIL, "protocol",
	    NULL, NULL, false },
	{ "PLAIN, no user", "PLAIN", IR("\0\0s"), SASL_FAIL, "protocol", NULL,
	    NULL, false },
	{ "PLAIN, name not UTF-8", "PLAIN", IR("\0\xff\0s"), SASL_FAIL,
	    "protocol", NULL, NULL, false },
	{ "PLAIN, empty", "PLAIN", IR(""), SASL_FAIL, "protocol", NULL, NULL,
	    false },
	{ "LOGIN, user first", "LOGIN", IR("ann@x"), SASL_CONTINUE, NULL,
	    "ann@x", NULL, false },
	{ "LOGIN, empty user", "LOGIN", IR(""), SASL_FAIL, "protocol", NULL,
	    NULL, false },
	{ "SCRAM, escapes", "SCRAM-SHA-1", IR("n,,n=a=2Cb=3D,r=12345678"),
	    SASL_KEYS, NULL, "a,b=", NULL, false },
	{ "SCRAM, own identity", "SCRAM-SHA-1", IR("n,a=u,n=u,r=12345678"),
	    SASL_KEYS, NULL, "u", NULL, false },
	{ "SCRAM, extension", "SCRAM-SHA-1", IR("n,,n=u,r=12345678,x=y"),
	    SASL_KEYS, NULL, "u", NULL, false },
	{ "SCRAM, another identity", "SCRAM-SHA-1", IR("n,a=v,n=u,r=12345678"),
	    SASL_FAIL, "authzid", NULL, NULL, false },
	{ "SCRAM, bad escape", "SCRAM-SHA-1", IR("n,,n=a=2,r=12345678"),
	    SASL_FAIL, "encoding", NULL, NULL, false },
	{ "SCRAM, mandatory extension", "SCRAM-SHA-1",
	    IR("n,,m=x,n=u,r=12345678"), SASL_FAIL, "protocol", NULL, NULL,
	    false },
	{ "SCRAM, short nonce", "SCRAM-SHA-1", IR("n,,n=u,r=1234567"),
	    SASL_FAIL, "protocol", NULL, NULL, false },
	{ "SCRAM, no nonce", "SCRAM-SHA-1", IR("n,,n=u"), SASL_FAIL,
	    "protocol", NULL, NULL, false },
	{ "SCRAM, no header", "SCRAM-SHA-1", IR("n=u,r=12345678"), SASL_FAIL,
	    "protocol", NULL, NULL, false },
	{ "SCRAM, unknown flag", "SCRAM-SHA-1", IR("q,,n=u,r=12345678"),
	    SASL_FAIL, "binding", NULL, NULL, false },
	{ "SCRAM, y without TLS", "SCRAM-SHA-1", IR("y,,n=u,r=12345678"),
	    SASL_KEYS, NULL, "u", NULL, false },
	{ "SCRAM, y with TLS: a downgrade", "SCRAM-SHA-1",
	    IR("y,,n=u,r=12345678"), SASL_FAIL, "binding", NULL, NULL, true },
	{ "PLUS without TLS", "SCRAM-SHA-256-PLUS",
	    IR("p=tls-exporter,,n=u,r=12345678"), SASL_FAIL, "tls", NULL, NULL,
	    false },
	{ "PLUS without binding", "SCRAM-SHA-256-PLUS",
	    IR("n,,n=u,r=12345678"), SASL_FAIL, "binding", NULL, NULL, true },
	{ "PLUS with a binding there is not", "SCRAM-SHA-256-PLUS",
	    IR("p=tls-unique,,n=u,r=12345678"), SASL_FAIL, "binding", NULL,
	    NULL, true },
	{ "PLUS", "SCRAM-SHA-256-PLUS", IR("p=tls-exporter,,n=u,r=12345678"),
	    SASL_KEYS, NULL, "u", NULL, true },
	{ "binding without PLUS", "SCRAM-SHA-256",
	    IR("p=tls-exporter,,n=u,r=12345678"), SASL_KEYS, NULL, "u", NULL,
	    true },
};

static void
first_messages(void)
{
	struct strbuf out = STRBUF_INIT(OUT_MAX);

	for (size_t i = 0; i < COUNTOF(first); i++) {
		struct sasl_channel ch = { first[i].tls,
			first[i].tls ? S("0123456789") : SLICE_NONE, SLICE_NONE };
		struct sasl *s = sasl_init(slice_str(first[i].mech), &ch,
		    S("server-nonce"));
		struct slice ir = slice_of(xmemdup(first[i].ir,
		    first[i].n != 0 ? first[i].n : 1), first[i].n);
		enum sasl_result r = sasl_start(s, &ir, &out);

		ok(r == first[i].result, "%s", first[i].name);
		if (r == SASL_FAIL && first[i].reason != NULL)
			is(slice_str(sasl_reason(s)), first[i].reason,
			    "the reason");
		if (first[i].login != NULL)
			is(sasl_login(s), first[i].login, "the user");
		if (first[i].password != NULL)
			is(sasl_password(s), first[i].password, "the password");
		sasl_free(s);
		free((void *)(uintptr_t)ir.p);
	}
	sb_free(&out);
}

/* What a client proves with this c=, when the channel's value is `ours'. */
static enum sasl_result
bound(const char *ours, const char *theirs, struct strbuf *out)
{
	struct sasl_channel ch = { true, slice_str(ours), SLICE_NONE };
	struct sasl *s = sasl_init(S("SCRAM-SHA-256-PLUS"), &ch, S("SERVER"));
	struct scram_keys k = keys_of(SCRAM_SHA256, "pencil", "QSXCR+Q6sek8bf92");
	unsigned char zeros[32] = { 0 };
	struct strbuf msg = STRBUF_INIT(OUT_MAX), c = STRBUF_INIT(OUT_MAX);
	struct slice ir = S("p=tls-exporter,,n=user,r=CLIENT12");
	enum sasl_result r;

	r = sasl_start(s, &ir, out);
	if (r == SASL_KEYS)
		r = sasl_keys(s, &k, true, out);
	sb_puts(&msg, "p=tls-exporter,,");
	sb_puts(&msg, theirs);
	sb_puts(&c, "c=");
	sb_base64(&c, sb_slice(&msg));
	sb_puts(&c, ",r=CLIENT12SERVER");
	/* A proof of zeros: what fails is what is looked at first. */
	sb_puts(&c, ",p=");
	sb_base64(&c, slice_of(zeros, sizeof(zeros)));
	if (r == SASL_CONTINUE)
		r = sasl_feed(s, sb_slice(&c), out);
	if (r == SASL_FAIL) {
		sb_reset(out);
		sb_puts(out, sasl_reason(s));
	}
	sb_free(&msg);
	sb_free(&c);
	sasl_free(s);
	return r;
}

static void
bindings(void)
{
	struct strbuf out = STRBUF_INIT(OUT_MAX);

	ok(bound("channel-1", "channel-1", &out) == SASL_FAIL, "same channel");
	is(sb_slice(&out), "credentials", "gets as far as the proof");
	ok(bound("channel-1", "channel-2", &out) == SASL_FAIL, "other channel");
	is(sb_slice(&out), "binding", "is found out");
	sb_free(&out);
}

static void
login(void)
{
	struct sasl_channel ch = { 0 };
	struct strbuf out = STRBUF_INIT(OUT_MAX);
	struct sasl *s = sasl_init(S("LOGIN"), &ch, SLICE_NONE);

	ok(sasl_start(s, NULL, &out) == SASL_CONTINUE, "LOGIN asks");
	is(sb_slice(&out), "Username:", "for the user");
	ok(sasl_feed(s, S("ann"), &out) == SASL_CONTINUE, "and");
	is(sb_slice(&out), "Password:", "for the password");
	ok(sasl_feed(s, S("sesame"), &out) == SASL_CHECK, "has both");
	is(sasl_password(s), "sesame", "as given");
	ok(sasl_feed(s, S("more"), &out) == SASL_FAIL, "nothing may follow");
	sasl_free(s);
	ok(sasl_init(S("CRAM-MD5"), &ch, SLICE_NONE) == NULL, "no CRAM-MD5");
	sb_free(&out);
}

static struct ip
ip_of(const char *text)
{
	struct ip ip;

	if (ip_parse(slice_str(text), &ip) == -1)
		abort();
	return ip;
}

static void
limits(void)
{
	struct login_limit *l = login_limit_new();
	struct ip a = ip_of("192.0.2.7"), near = ip_of("192.0.2.8");
	struct ip far = ip_of("198.51.100.1"), six = ip_of("2001:db8::1");
	struct ip same64 = ip_of("2001:db8::ffff"), next;
	char name[64];

	for (int i = 1; i <= 10; i++)
		if (!login_limit_ok(l, &a, 6000) ||
		    login_limit_fail(l, &a, 6000) != (unsigned)i)
			ok(false, "failure %d", i);
	ok(!login_limit_ok(l, &a, 6000), "ten a minute");
	ok(login_limit_ok(l, &near, 6000), "a neighbour may try");
	ok(login_limit_ok(l, &a, 6060), "the next minute");
	login_limit_reset(l, &a, 6000);
	ok(login_limit_ok(l, &a, 6000), "a success resets");
	for (int i = 0; i < 30; i++) {
		snprintf(name, sizeof(name), "192.0.2.%d", 10 + i);
		next = ip_of(name);
		login_limit_fail(l, &next, 6000);
	}
	ok(!login_limit_ok(l, &near, 6000), "thirty a /26 a minute");
	ok(login_limit_ok(l, &far, 6000), "others may try");
	for (int i = 0; i < 50; i++)
		login_limit_fail(l, &far, 86400 * 10 + i * 60);
	ok(!login_limit_ok(l, &far, 86400 * 10 + 50 * 60), "fifty a day");
	ok(login_limit_ok(l, &far, 86400 * 11), "the next day");
	for (int i = 0; i < 10; i++)
		login_limit_fail(l, &six, 6000);
	ok(!login_limit_ok(l, &same64, 6000), "IPv6 counts by /64");
	login_limit_free(l);
}

int
main(void)
{
	plan(0);
	examples();
	first_messages();
	bindings();
	login();
	limits();
	return done();
}
