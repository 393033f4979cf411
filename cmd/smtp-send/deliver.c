/*
 * One message for one domain: over the open connection if it will do, else
 * over the domain's hosts in turn.
 */
#include "smtp-send.h"

#include <string.h>

static bool
any_open(const struct request *q)
{
	for (size_t i = 0; i < q->rcpts; i++)
		if (q->rcpt[i].state == R_OPEN)
			return true;
	return false;
}

/* Recipients that no host took: refused only if every host said so. */
static void
give_up(struct request *q, const struct failure *f)
{
	for (size_t i = 0; i < q->rcpts; i++)
		if (q->rcpt[i].state == R_OPEN) {
			q->rcpt[i].state = f->permanent ? R_REFUSED :
			    R_DEFERRED;
			q->rcpt[i].why = *f;
		}
}

/* The connection that is open leads to one of the best hosts. */
static bool
reusable(const struct session *s, const struct route *r)
{
	for (size_t i = 0; s->fd != -1 && i < r->count &&
	    r->target[i].level == r->target[0].level; i++)
		if (strcmp(r->target[i].host, s->host) == 0 &&
		    r->target[i].ip.family == s->ip.family &&
		    memcmp(r->target[i].ip.b, s->ip.b, sizeof(s->ip.b)) == 0)
			return true;
	return false;
}

static void
use(struct session *s, struct request *q, struct failure *f)
{
	if (slice_cstr(q->domain, s->domain, sizeof(s->domain)) == -1)
		s->domain[0] = '\0';
	transact(s, q, f);
	if (s->messages >= SESSION_MESSAGES)
		session_quit(s);
}

void
deliver(struct session *s, struct request *q, struct arena *ar)
{
	struct failure f = { 0 }, temporary = { 0 };
	struct route r;
	bool some_temporary = false, tried = false;

	if (s->fd != -1 && slice_ieqs(q->domain, s->domain)) {
		tried = true;
		use(s, q, &f);
		if (!any_open(q))
			return;
	}
	if (route_find(s->sender, q->domain, ar, &r, &f) == -1) {
		give_up(q, &f);
		return;
	}
	if (s->fd != -1 && !tried && reusable(s, &r)) {
		use(s, q, &f);
		if (!any_open(q))
			return;
	}
	session_quit(s);
	for (size_t i = 0; i < r.count && any_open(q); i++) {
		f = (struct failure){ 0 };
		if (session_open(s, &r.target[i], &f) == 0)
			use(s, q, &f);
		if (any_open(q) && !f.permanent) {
			temporary = f;
			some_temporary = true;
		}
	}
	give_up(q, some_temporary ? &temporary : &f);
}
