#include "tls/server.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

#include "addr/addr.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/rid.h"
#include "base/tuple.h"

/* Ticket name, HMAC key and AES key of OpenSSL's default ticket format. */
#define TICKET_KEYS 80
/* Keys are forgotten after a day, so a stolen key opens one day's sessions
 * at most (RFC 9325 section 4.3). */
#define TICKET_KEYS_SECONDS (24 * 60 * 60)
#define SNI_MAX 255
#define EXPORTER_LABEL "EXPORTER-Channel-Binding" /* RFC 9266 section 2 */
#define EXPORTER_SIZE 32
/* A client's certificates: more than chains that are in use have, and few
 * enough bytes that a session with them fits into a ticket. */
#define CLIENT_CHAIN_BYTES (32 * 1024)
#define CLIENT_CHAIN_MAX 10
#define ALERT_MAX 255 /* RFC 8446 section 6: a byte */

struct tls_server {
	SSL_CTX *ctx;
	struct certs *certs;
	struct tls_policy policy;
	int64_t rotate_at; /* Unix time */
};

static struct slice
sni_of(SSL *ssl)
{
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	struct slice s = slice_str(name);

	return s.n <= SNI_MAX ? s : SLICE_NONE;
}

/* A name that a certificate could be for: dotted, and not an IP address. */
static bool
is_host_name(struct slice name)
{
	struct ip ip;

	return slice_chr(name, '.') != -1 && ip_parse(name, &ip) == -1;
}

static int
on_name(SSL *ssl, int *alert, void *arg)
{
	struct tls_server *s = arg;
	struct slice name = sni_of(ssl);

	if (name.n == 0)
		return SSL_TLSEXT_ERR_NOACK;
	if (certs_have(s->certs, name))
		return SSL_TLSEXT_ERR_OK;
	if (s->policy.refuse_names && is_host_name(name)) {
		*alert = SSL_AD_UNRECOGNIZED_NAME;
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	}
	return SSL_TLSEXT_ERR_NOACK;
}

static int
on_certificate(SSL *ssl, void *arg)
{
	struct tls_server *s = arg;

	return certs_use(s->certs, sni_of(ssl), ssl);
}

/*
 * Any certificate is good: who it is for is looked up by its key, which the
 * handshake has the peer prove that it holds. So nobody reads what stands
 * behind the first one, and it is not kept while the session lasts.
 */
static int
on_client_certificate(X509_STORE_CTX *ctx, void *arg)
{
	STACK_OF(X509) *chain = X509_STORE_CTX_get0_untrusted(ctx);

	(void)arg;
	if (sk_X509_num(chain) > CLIENT_CHAIN_MAX) {
		X509_STORE_CTX_set_error(ctx, X509_V_ERR_CERT_CHAIN_TOO_LONG);
		return 0;
	}
	while (sk_X509_num(chain) > 1)
		X509_free(sk_X509_pop(chain));
	return 1;
}

static void
new_ticket_keys(struct tls_server *s)
{
	unsigned char keys[TICKET_KEYS];

	random_bytes(keys, sizeof(keys));
	SSL_CTX_set_tlsext_ticket_keys(s->ctx, keys, sizeof(keys));
	OPENSSL_cleanse(keys, sizeof(keys));
	s->rotate_at = clock_unix() + TICKET_KEYS_SECONDS;
}

void
tls_server_rotate(struct tls_server *s)
{
	if (s->policy.tickets && clock_unix() >= s->rotate_at)
		new_ticket_keys(s);
}

struct tls_server *
tls_server_new(const char *service, const struct tls_policy *policy,
    struct certs *certs)
{
	struct tls_server *s = xcalloc(1, sizeof(*s));
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	s->ctx = ctx;
	s->certs = certs;
	s->policy = *policy;
	if (ctx == NULL || SSL_CTX_set_min_proto_version(ctx,
	    TLS1_2_VERSION) != 1 || SSL_CTX_set_session_id_context(ctx,
	    (const unsigned char *)service, (unsigned)strlen(service)) != 1) {
		tls_server_free(s);
		return NULL;
	}
	/* Sessions live in tickets or not at all; idle ones hold no buffers. */
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS |
	    SSL_MODE_ENABLE_PARTIAL_WRITE |
	    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION |
	    SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
	    SSL_OP_PRIORITIZE_CHACHA);
	if (policy->tickets)
		new_ticket_keys(s);
	else
		SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
	SSL_CTX_set_num_tickets(ctx, policy->tickets ? 1 : 0);
	if (policy->client_cert) {
		SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
		SSL_CTX_set_max_cert_list(ctx, CLIENT_CHAIN_BYTES);
		SSL_CTX_set_cert_verify_callback(ctx, on_client_certificate,
		    NULL);
	}
	SSL_CTX_set_tlsext_servername_callback(ctx, on_name);
	SSL_CTX_set_tlsext_servername_arg(ctx, s);
	SSL_CTX_set_cert_cb(ctx, on_certificate, s);
	return s;
}

void
tls_server_free(struct tls_server *s)
{
	if (s == NULL)
		return;
	SSL_CTX_free(s->ctx);
	free(s);
}

SSL *
tls_session_new(struct tls_server *s, int fd)
{
	SSL *ssl = SSL_new(s->ctx);

	if (ssl != NULL && SSL_set_fd(ssl, fd) == 1) {
		SSL_set_accept_state(ssl);
		return ssl;
	}
	SSL_free(ssl);
	return NULL;
}

static void
put_hex(struct strbuf *sb, const char *name, struct slice bytes)
{
	struct strbuf hex = STRBUF_INIT(256);

	sb_hex(&hex, bytes);
	tuple_put(sb, name, sb_slice(&hex));
	sb_free(&hex);
}

/*
 * Channel bindings. On TLS 1.2 both need the extended master secret, without
 * which two sessions can be made to share theirs (RFC 7627, RFC 9266 section
 * 3); tls-unique is the first Finished message (RFC 5929 section 3), which is
 * the client's unless the session was resumed; then it is not offered.
 */
static void
put_bindings(SSL *ssl, struct strbuf *sb)
{
	unsigned char exporter[EXPORTER_SIZE], finished[EVP_MAX_MD_SIZE];
	struct slice unique = SLICE_NONE;
	bool v13 = SSL_version(ssl) >= TLS1_3_VERSION;
	bool safe = v13 || SSL_get_extms_support(ssl) == 1;

	if (safe && SSL_export_keying_material(ssl, exporter, sizeof(exporter),
	    EXPORTER_LABEL, strlen(EXPORTER_LABEL), (const unsigned char *)"",
	    0, 1) == 1)
		put_hex(sb, "exporter", slice_of(exporter, sizeof(exporter)));
	else
		tuple_puts(sb, "exporter", "");
	if (safe && !v13 && !SSL_session_reused(ssl))
		unique = slice_of(finished, SSL_get_peer_finished(ssl, finished,
		    sizeof(finished)));
	put_hex(sb, "unique", unique);
}

/*
 * Which client key this is: base64url (RFC 4648 section 5) without padding of
 * SHA-256 over the certificate's SubjectPublicKeyInfo; empty without one. A
 * resumed session has its certificate from the ticket.
 */
static void
put_client_cert(SSL *ssl, struct strbuf *sb)
{
	unsigned char digest[EVP_MAX_MD_SIZE], *der = NULL;
	struct strbuf text = STRBUF_INIT(128);
	X509 *x = SSL_get0_peer_certificate(ssl);
	unsigned n;
	int len;

	len = x != NULL ? i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &der) : -1;
	if (len > 0 && EVP_Digest(der, (size_t)len, digest, &n, EVP_sha256(),
	    NULL) == 1)
		sb_base64(&text, slice_of(digest, n));
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] == '+')
			text.p[i] = '-';
		else if (text.p[i] == '/')
			text.p[i] = '_';
		else if (text.p[i] == '=')
			sb_cut(&text, i);
	tuple_put(sb, "client-cert", sb_slice(&text));
	sb_free(&text);
	OPENSSL_free(der);
}

void
tls_describe(SSL *ssl, struct strbuf *sb)
{
	const SSL_CIPHER *cipher = SSL_get_current_cipher(ssl);

	tuple_puts(sb, "version", SSL_get_version(ssl));
	tuple_puts(sb, "cipher", SSL_CIPHER_get_name(cipher));
	tuple_putu(sb, "bits", (uint64_t)SSL_CIPHER_get_bits(cipher, NULL));
	tuple_put(sb, "sni", sni_of(ssl));
	tuple_puts(sb, "resumed", SSL_session_reused(ssl) ? "yes" : "no");
	put_bindings(ssl, sb);
	put_client_cert(ssl, sb);
}

static void
put_alert(struct strbuf *sb, int number)
{
	const char *name = SSL_alert_desc_string_long(number);

	sb_printf(sb, "alert-%d-", number);
	for (; *name != '\0'; name++)
		sb_putc(sb, *name == ' ' ? '-' : (unsigned char)*name);
}

/* What TLS itself calls it; before that stands what another library found. */
static int
take_reason(void)
{
	unsigned long e;

	do
		e = ERR_get_error();
	while (e != 0 && ERR_GET_LIB(e) != ERR_LIB_SSL);
	ERR_clear_error();
	return ERR_GET_REASON(e);
}

void
tls_failure(int ssl_error, int saved_errno, struct strbuf *sb)
{
	static const struct {
		int reason;
		const char *name;
	} reasons[] = {
		{ SSL_R_UNEXPECTED_EOF_WHILE_READING, "eof" },
		{ SSL_R_HTTP_REQUEST, "not-tls" },
		{ SSL_R_HTTPS_PROXY_REQUEST, "not-tls" },
		{ SSL_R_WRONG_VERSION_NUMBER, "not-tls" },
		{ SSL_R_BAD_RECORD_TYPE, "not-tls" },
		{ SSL_R_UNEXPECTED_MESSAGE, "not-tls" },
		{ SSL_R_UNKNOWN_PROTOCOL, "not-tls" },
		{ SSL_R_PACKET_LENGTH_TOO_LONG, "not-tls" },
		{ SSL_R_UNSUPPORTED_SSL_VERSION, "sslv2" },
		{ SSL_R_NO_PROTOCOLS_AVAILABLE, "version" },
		{ SSL_R_UNSUPPORTED_PROTOCOL, "version" },
		{ SSL_R_VERSION_TOO_LOW, "version" },
		{ SSL_R_NO_SHARED_CIPHER, "no-shared-cipher" },
		{ SSL_R_NO_SHARED_GROUPS, "no-shared-cipher" },
		{ SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS, "no-shared-cipher" },
		{ SSL_R_NO_SUITABLE_KEY_SHARE, "no-shared-cipher" },
		{ SSL_R_CERT_CB_ERROR, "no-certificate" },
		{ SSL_R_NO_CERTIFICATE_SET, "no-certificate" },
		{ SSL_R_CERTIFICATE_VERIFY_FAILED, "client-cert" },
		{ SSL_R_EXCESSIVE_MESSAGE_SIZE, "client-cert" },
		{ SSL_R_CERT_LENGTH_MISMATCH, "client-cert" },
		{ SSL_R_UNKNOWN_CERTIFICATE_TYPE, "client-cert" },
		{ SSL_R_BAD_SIGNATURE, "client-cert" },
		{ ERR_R_ASN1_LIB, "client-cert" },
		{ SSL_R_CALLBACK_FAILED, "unknown-name" },
		{ SSL_R_CLIENTHELLO_TLSEXT, "unknown-name" },
	};
	int reason = take_reason();

	if (ssl_error == SSL_ERROR_SYSCALL && reason == 0)
		sb_puts(sb, saved_errno == 0 || saved_errno == ECONNRESET ||
		    saved_errno == EPIPE ? "eof" : "other");
	else if (reason > SSL_AD_REASON_OFFSET &&
	    reason <= SSL_AD_REASON_OFFSET + ALERT_MAX)
		put_alert(sb, reason - SSL_AD_REASON_OFFSET);
	else {
		for (size_t i = 0; i < COUNTOF(reasons); i++)
			if (reasons[i].reason == reason) {
				sb_puts(sb, reasons[i].name);
				return;
			}
		sb_puts(sb, "other");
	}
}
