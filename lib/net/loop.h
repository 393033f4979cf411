/*
 * loop.h - the event loop of a program that serves one listening socket
 */
#ifndef NET_LOOP_H
#define NET_LOOP_H

#include <event2/event.h>

/*
 * Call on_connection (to accept one) whenever a connection waits at `fd',
 * until SIGTERM: 0, or -1.
 */
int loop_run(struct event_base *base, int fd, event_callback_fn on_connection,
    void *arg) __attribute__((warn_unused_result));

#endif
