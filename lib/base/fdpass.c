#include "base/fdpass.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

static int
send_packet(int sock, struct slice text, const int *fds, size_t count,
    int flags)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(int) * FDPASS_MAX)];
	} ctl;
	struct iovec iov = { (void *)(uintptr_t)text.p, text.n };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	if (count > FDPASS_MAX || text.n == 0) {
		errno = EINVAL;
		return -1;
	}
	if (count != 0) {
		struct cmsghdr *c;

		memset(&ctl, 0, sizeof(ctl));
		m.msg_control = ctl.buf;
		m.msg_controllen = CMSG_SPACE(sizeof(int) * count);
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * count);
		memcpy(CMSG_DATA(c), fds, sizeof(int) * count);
	}
	do
		n = sendmsg(sock, &m, MSG_NOSIGNAL | flags);
	while (n == -1 && errno == EINTR);
	return n == -1 ? -1 : 0;
}

int
fd_send(int sock, struct slice text, const int *fds, size_t count)
{
	return send_packet(sock, text, fds, count, 0);
}

int
fd_send_now(int sock, struct slice text, const int *fds, size_t count)
{
	return send_packet(sock, text, fds, count, MSG_DONTWAIT);
}

/* Take the descriptors out of the control data: how many there were. */
static size_t
take_fds(struct msghdr *m, int *fds, size_t most)
{
	size_t total = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c != NULL;
	    c = CMSG_NXTHDR(m, c)) {
		size_t n;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++, total++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
			if (total < most)
				fds[total] = fd;
			else
				close(fd);
		}
	}
	return total;
}

int
fd_recv(int sock, void *buf, size_t cap, size_t *n, int *fds, size_t most,
    size_t *count)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(int) * FDPASS_MAX)];
	} ctl;
	struct iovec iov = { buf, cap };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t got;
	size_t total;

	*n = *count = 0;
	m.msg_control = ctl.buf;
	m.msg_controllen = sizeof(ctl.buf);
	do
		got = recvmsg(sock, &m, MSG_CMSG_CLOEXEC);
	while (got == -1 && errno == EINTR);
	if (got <= 0)
		return (int)got;
	total = take_fds(&m, fds, most);
	if (total > most || (m.msg_flags & (MSG_TRUNC | MSG_CTRUNC))) {
		fds_close(fds, total < most ? total : most);
		errno = EPROTO;
		return -1;
	}
	*n = (size_t)got;
	*count = total;
	return 1;
}

void
fds_close(int *fds, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (fds[i] >= 0)
			close(fds[i]);
		fds[i] = -1;
	}
}
