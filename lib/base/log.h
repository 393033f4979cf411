/*
 * log.h - log lines of daemons: tuples on stderr, without a clock
 *
 *	struct strbuf *l = log_begin("accept");
 *	tuple_put(l, "ip", ip);
 *	log_end();
 *
 * The line is "EVENT prog=NAME attr=value ...", written at once; the
 * supervisor's logger stamps and keeps it. Bodies, passwords and keys are
 * never logged. A logger that does not read (its disk is full) costs lines, and
 * does not stop the program: "log-lost lines=N" says how many.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/strbuf.h"
#include "base/tuple.h"

struct strbuf *log_begin(const char *event);
void log_end(void);
/* A line with one text attribute, "error prog=... text=...". */
void log_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* The same with strerror(errno); keeps errno. */
void log_sys(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
