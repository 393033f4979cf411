/*
 * submit.h - hand a job to a pipeline and wait for its verdict
 *
 * For smtp-serve, queue-run (local recipients) and mail-submit. The pipeline
 * listens on a SOCK_SEQPACKET socket (run/inbound, run/outbound, run/local).
 * Packet: "job id=ID [again=yes]", descriptors envelope and message (memfd, or an
 * unnamed file when over 1 MiB). Answer, on the same connection: "reply id=ID
 * code=250 ecode=2.0.0 text=...". One job at a time on a connection.
 */
#ifndef STAGE_SUBMIT_H
#define STAGE_SUBMIT_H

#include <stdbool.h>

#include "base/slice.h"
#include "base/strbuf.h"
#include "net/ask.h"

struct verdict {
	int code;        /* 250, 4xx, 5xx */
	char ecode[12];  /* "2.0.0" */
	char text[512];  /* printable ASCII */
};

/*
 * Submit a job to the pipeline that listens at pipe->path; the connection is
 * kept in it. `envelope' is the job's tuple lines (first: job id=...
 * size=...), msg_fd the message from offset 0. Waits at most wait_ms. 0 with
 * *v, or -1 with errno (the pipeline is gone or too slow): the caller says
 * 451 4.3.0.
 *
 * A pipeline that goes away with the job may have done it already. When it is
 * back within PIPELINE_BACK_MS it is asked again, with again=yes and the same
 * id, so that its last stage says what it knows, and does nothing twice.
 * `again': the caller itself has asked with this id before.
 */
#define PIPELINE_BACK_MS 10000
int pipeline_submit(struct service *pipe, struct slice envelope, int msg_fd,
    bool again, int wait_ms, struct verdict *v)
    __attribute__((warn_unused_result));

#endif
