/*
 * fdpass.h - packets with descriptors over AF_UNIX SOCK_SEQPACKET
 *
 * A packet is text (usually tuple lines) and up to FDPASS_MAX descriptors.
 * A received descriptor is close-on-exec and belongs to the receiver.
 */
#ifndef BASE_FDPASS_H
#define BASE_FDPASS_H

#include <stddef.h>
#include <sys/types.h>

#include "base/slice.h"

#define FDPASS_MAX 8
/* Largest packet text; fits the default socket buffer. */
#define PACKET_MAX ((size_t)65536)

/* 0, or -1 with errno (EAGAIN on a non-blocking socket that is full). */
int fd_send(int sock, struct slice text, const int *fds, size_t count)
    __attribute__((warn_unused_result));
/* The same, never waiting: EAGAIN if the socket is full. */
int fd_send_now(int sock, struct slice text, const int *fds, size_t count)
    __attribute__((warn_unused_result));

/*
 * Receive one packet: 1, with text in buf (*n bytes) and *count descriptors
 * in fds; 0 when the peer has closed; -1 with errno. A packet with too much
 * text or more descriptors than `most' is refused with EPROTO, its
 * descriptors closed; receiving may go on.
 */
int fd_recv(int sock, void *buf, size_t cap, size_t *n, int *fds, size_t most,
    size_t *count) __attribute__((warn_unused_result));

void fds_close(int *fds, size_t count);

#endif
