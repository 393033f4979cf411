#include "net/loop.h"

#include <signal.h>

static void
on_term(evutil_socket_t sig, short what, void *base)
{
	(void)sig;
	(void)what;
	event_base_loopbreak(base);
}

int
loop_run(struct event_base *base, int fd, event_callback_fn on_connection,
    void *arg)
{
	struct event *ev = event_new(base, fd, EV_READ | EV_PERSIST,
	    on_connection, arg);
	struct event *term = evsignal_new(base, SIGTERM, on_term, base);
	int r = -1;

	if (ev != NULL && term != NULL && event_add(ev, NULL) == 0 &&
	    event_add(term, NULL) == 0)
		r = event_base_dispatch(base);
	if (ev != NULL)
		event_free(ev);
	if (term != NULL)
		event_free(term);
	return r == -1 ? -1 : 0;
}
