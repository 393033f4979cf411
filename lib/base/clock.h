/*
 * clock.h - deadlines, wall time and time from text
 *
 * Deadlines are milliseconds on the monotonic clock; wall time is Unix
 * seconds (UTC).
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

/* Milliseconds on the monotonic clock, never 0. */
int64_t clock_ms(void);
/* Milliseconds left until `deadline' (from clock_ms() + n), at least 0. */
int64_t clock_left(int64_t deadline);
/* Unix time; microseconds for file names. */
int64_t clock_unix(void);
int64_t clock_unix_us(void);

/*
 * poll(2) one descriptor for `events' until the deadline: the revents, 0 on
 * time-out, -1 on error. Restarts after EINTR.
 */
int poll_until(int fd, int events, int64_t deadline);

#endif
