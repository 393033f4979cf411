/*
 * certs.h - certificates and their keys, chosen by name (RFC 6066 section 3)
 *
 * A directory of pairs NAME.crt (PEM: certificate, then its chain) and
 * NAME.key (PEM). Which names a pair is for stands in the certificate's
 * dNSName entries; "*.example.org" stands for one label. A name may have
 * several pairs of different key types, and the peer takes the one it can.
 */
#ifndef TLS_CERTS_H
#define TLS_CERTS_H

#include <openssl/ssl.h>
#include <stdbool.h>

#include "base/slice.h"
#include "base/strbuf.h"

struct certs;

/*
 * Read all pairs. `host' names the pair for peers that name nothing; without
 * a pair for it, the first in order of file names is taken. NULL with errno if
 * the directory cannot be read. *error gets a line about each pair that could
 * not be used.
 */
struct certs *certs_open(const char *dir, struct slice host,
    struct strbuf *error);
/*
 * Look for changed files, at most once a second: 1 read again, 0 nothing new,
 * -1 something changed but is not usable now (see *error): the old ones stay.
 */
int certs_refresh(struct certs *c, struct strbuf *error)
    __attribute__((warn_unused_result));
void certs_close(struct certs *c);
size_t certs_count(const struct certs *c);
/* Is there a pair for this name (lower or upper case)? */
bool certs_have(const struct certs *c, struct slice name);
/* Give the session the pairs for a name, or the host's if there is none or
 * name is empty: 1, or 0 if there is no certificate at all or an error. */
int certs_use(const struct certs *c, struct slice name, SSL *ssl);

#endif
