/*
 * submit.h - hand a job to a pipeline and wait for its verdict
 *
 * For smtp-serve, queue-run (local recipients) and mail-submit. The pipeline
 * listens on a SOCK_SEQPACKET socket (run/inbound, run/outbound, run/local).
 * Packet: "job id=ID", descriptors envelope and message (memfd, or an
 * unnamed file when over 1 MiB). Answer, on the same connection: "reply id=ID
 * code=250 ecode=2.0.0 text=...". One job at a time on a connection.
 */
#ifndef STAGE_SUBMIT_H
#define STAGE_SUBMIT_H

#include "base/slice.h"
#include "base/strbuf.h"

struct verdict {
	int code;        /* 250, 4xx, 5xx */
	char ecode[12];  /* "2.0.0" */
	char text[512];  /* printable ASCII */
};

/* Connect to the pipeline's socket: the descriptor, or -1. */
int pipeline_connect(const char *path) __attribute__((warn_unused_result));

/*
 * Submit a job. `envelope' is its tuple lines (first: job id=... size=...),
 * msg_fd the message from offset 0. Waits at most wait_ms. 0 with *v, or -1
 * with errno (the pipeline is gone or too slow): the caller says 451 4.3.0.
 */
int pipeline_submit(int sock, struct slice envelope, int msg_fd, int wait_ms,
    struct verdict *v) __attribute__((warn_unused_result));

#endif
