/*
 * tls-peer - a TLS client for tests
 * usage   tls-peer [-2] [-c FILE] [-s NAME] [-t FILE] [-n COUNT] PORT MODE
 *   -2  TLS 1.2   -s NAME  SNI   -t FILE  keep the session there; resume it
 *   -c FILE  certificate, its chain and key, in PEM, if asked for one
 * MODE
 *   text   send stdin and close_notify, print what comes, then how it ended
 *   still  the same without close_notify: the other side ends first
 *   cut    send stdin, then close TCP without a word
 *   slow   wait until stdin ends, then read and print the number of bytes
 *   idle   COUNT sessions, "idle COUNT", then wait until stdin ends
 * First line of output: "version=... subject=... resumed=... asked=...
 * exporter=... unique=...", or "fail REASON" and exit 1.
 */
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/die.h"
#include "base/file.h"
#include "net/net.h"

static SSL_CTX *ctx;
static const char *sni, *ticket_file;
static bool asked; /* for a certificate */

static int
on_asked(SSL *ssl, void *arg)
{
	(void)ssl;
	(void)arg;
	asked = true;
	return 1;
}

static int
on_session(SSL *ssl, SSL_SESSION *session)
{
	FILE *f = ticket_file != NULL ? fopen(ticket_file, "w") : NULL;

	(void)ssl;
	if (f != NULL) {
		PEM_write_SSL_SESSION(f, session);
		fclose(f);
	}
	return 0;
}

static SSL *
dial(uint16_t port)
{
	struct ip ip = { AF_INET, { 127, 0, 0, 1 } };
	int fd = net_connect(&ip, port, NULL, 5000);
	SSL *ssl = SSL_new(ctx);
	FILE *f = ticket_file != NULL ? fopen(ticket_file, "r") : NULL;
	SSL_SESSION *old;

	if (fd == -1 || ssl == NULL || SSL_set_fd(ssl, fd) != 1)
		die_sys(EXIT_TEMP, "connect");
	if (sni != NULL)
		SSL_set_tlsext_host_name(ssl, sni);
	if (f != NULL) {
		if ((old = PEM_read_SSL_SESSION(f, NULL, NULL, NULL)) != NULL)
			SSL_set_session(ssl, old);
		SSL_SESSION_free(old);
		fclose(f);
	}
	if (SSL_connect(ssl) != 1) {
		printf("fail %s\n",
		    ERR_reason_error_string(ERR_peek_error()));
		fflush(stdout);
		_exit(1);
	}
	return ssl;
}

static void
describe(SSL *ssl)
{
	unsigned char key[32], fin[64];
	struct strbuf sb = STRBUF_INIT(1024);
	X509 *x = SSL_get0_peer_certificate(ssl);
	char cn[256] = "";

	if (x != NULL)
		X509_NAME_get_text_by_NID(X509_get_subject_name(x),
		    NID_commonName, cn, sizeof(cn));
	if (SSL_export_keying_material(ssl, key, sizeof(key),
	    "EXPORTER-Channel-Binding", 24, (const unsigned char *)"", 0,
	    1) != 1)
		abort();
	sb_hex(&sb, slice_of(key, sizeof(key)));
	sb_puts(&sb, " unique=");
	if (SSL_version(ssl) < TLS1_3_VERSION)
		sb_hex(&sb, slice_of(fin, SSL_get_finished(ssl, fin,
		    sizeof(fin))));
	printf("version=%s subject=%s resumed=%s asked=%s exporter=%s\n",
	    SSL_get_version(ssl), cn, SSL_session_reused(ssl) ? "yes" : "no",
	    asked ? "yes" : "no", sb_cstr(&sb));
	fflush(stdout);
	sb_free(&sb);
}

/* Read to the end: bytes, and printed unless `quiet'. */
static unsigned long long
hear(SSL *ssl, bool quiet)
{
	static unsigned char buf[16384];
	unsigned long long total = 0;
	int n;

	while ((n = SSL_read(ssl, buf, sizeof(buf))) > 0) {
		total += (unsigned long long)n;
		if (!quiet && write_all(1, slice_of(buf, (size_t)n)) == -1)
			die_sys(EXIT_TEMP, "write");
	}
	printf("%s\n", SSL_get_error(ssl, n) == SSL_ERROR_ZERO_RETURN ?
	    "closed" : "broken");
	return total;
}

static void
idle(uint16_t port, int count)
{
	struct strbuf in = STRBUF_INIT(1024);

	for (int i = 0; i < count; i++) {
		SSL *ssl = dial(port);

		(void)ssl; /* until the end */
	}
	printf("idle %d\n", count);
	fflush(stdout);
	if (fd_slurp(0, &in) == -1)
		die_sys(EXIT_TEMP, "read");
}

static void
talk(SSL *ssl, const char *mode)
{
	struct strbuf in = STRBUF_INIT((size_t)64 << 20);

	describe(ssl);
	if (fd_slurp(0, &in) == -1)
		die_sys(EXIT_TEMP, "read");
	if (in.n != 0 && strcmp(mode, "slow") != 0 &&
	    SSL_write(ssl, in.p, (int)in.n) != (int)in.n)
		die(EXIT_TEMP, "SSL_write");
	sb_free(&in);
	if (strcmp(mode, "cut") == 0)
		return;
	if (strcmp(mode, "text") == 0 && SSL_shutdown(ssl) < 0)
		die(EXIT_TEMP, "SSL_shutdown");
	if (strcmp(mode, "slow") == 0)
		printf("%llu\n", hear(ssl, true));
	else
		hear(ssl, false);
}

int
main(int argc, char **argv)
{
	struct rlimit rl;
	int ch, version = TLS1_3_VERSION, count = 1;
	const char *mode, *cert = NULL;
	uint16_t port;

	prog_set(argv[0]);
	while ((ch = getopt(argc, argv, "2c:s:t:n:")) != -1)
		switch (ch) {
		case '2': version = TLS1_2_VERSION; break;
		case 'c': cert = optarg; break;
		case 's': sni = optarg; break;
		case 't': ticket_file = optarg; break;
		case 'n': count = atoi(optarg); break;
		default: return EXIT_PERM;
		}
	if (argc - optind != 2)
		return EXIT_PERM;
	port = (uint16_t)atoi(argv[optind]);
	mode = argv[optind + 1];
	if (getrlimit(RLIMIT_NOFILE, &rl) == 0) {
		rl.rlim_cur = rl.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &rl) == -1)
			warn_sys("setrlimit");
	}
	ctx = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_min_proto_version(ctx, version);
	SSL_CTX_set_max_proto_version(ctx, version);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT);
	SSL_CTX_sess_set_new_cb(ctx, on_session);
	SSL_CTX_set_cert_cb(ctx, on_asked, NULL);
	if (cert != NULL && (SSL_CTX_use_certificate_chain_file(ctx,
	    cert) != 1 || SSL_CTX_use_PrivateKey_file(ctx, cert,
	    SSL_FILETYPE_PEM) != 1))
		die(EXIT_PERM, "no certificate and key in %s", cert);
	if (strcmp(mode, "idle") == 0)
		idle(port, count);
	else
		talk(dial(port), mode);
	fflush(stdout);
	_exit(0); /* without freeing, and without a word to the other side */
}
