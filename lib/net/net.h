/*
 * net.h - sockets
 *
 * Descriptors are close-on-exec. -1 with errno on failure.
 */
#ifndef NET_NET_H
#define NET_NET_H

#include <stdint.h>
#include <sys/types.h>

#include "addr/addr.h"
#include "base/strbuf.h"

/* Listen on a TCP address: SO_REUSEADDR, v6-only for IPv6. */
int net_listen(const struct ip *ip, uint16_t port, int backlog)
    __attribute__((warn_unused_result));
/* Connect within ms milliseconds; TCP_NODELAY. `from' may be NULL. */
int net_connect(const struct ip *ip, uint16_t port, const struct ip *from,
    int ms) __attribute__((warn_unused_result));
/* Address and port of the peer (local = 0) or of our end (local = 1). */
int net_name(int fd, int local, struct ip *ip, uint16_t *port)
    __attribute__((warn_unused_result));

/*
 * AF_UNIX SOCK_SEQPACKET. Listening replaces a stale socket file that nobody
 * listens on; EADDRINUSE if someone does. Paths longer than sun_path are
 * reached through a descriptor of the directory.
 */
int unix_listen(const char *path, mode_t mode)
    __attribute__((warn_unused_result));
int unix_connect(const char *path) __attribute__((warn_unused_result));
/* uid of the peer of an AF_UNIX socket. */
int unix_peer_uid(int fd, uid_t *uid) __attribute__((warn_unused_result));

#endif
