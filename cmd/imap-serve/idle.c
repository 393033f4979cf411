/*
 * idle.c - IDLE (RFC 9051 section 6.3.13)
 *
 * A session that idles is soon handed to imap-park(8), which watches for
 * changes with one inotify instance for all. Without imap-park the process
 * stays and looks once a second.
 */
#include "base/clock.h"
#include "session.h"

#define LOOK_MS 1000

static void
end_idle(struct session *s)
{
	s->idling = false;
	sb_put(&s->o, sb_slice(&s->idle_tag));
	sb_puts(&s->o, " OK done\r\n");
}

/* Input has come: true while idling goes on. */
static bool
read_done(struct session *s)
{
	struct slice data;
	enum imap_event ev = imap_read(&s->reader, &s->input, &data);

	if (ev == IMAP_MORE)
		return true;
	if (ev == IMAP_COMMAND &&
	    slice_ieqs(slice_trim(sb_slice(&s->reader.text)), "DONE"))
		end_idle(s);
	else
		session_bye(s, "DONE expected");
	return false;
}

void
idle_loop(struct session *s)
{
	int64_t end = clock_ms() + READ_MS;

	while (!s->dead && !s->bye && s->idling && read_done(s)) {
		bool park = s->park != NULL && !s->view.unfinished &&
		    imap_reader_idle(&s->reader);
		int r = session_fill(s, park ? PARK_IDLE_MS : LOOK_MS);

		if (r != 0)
			continue;
		if (park && session_park(s))
			return;
		view_sync(s);
		arena_reset(&s->ar);
		if (clock_left(end) == 0)
			session_bye(s, "idle for 30 minutes");
	}
	flush(s);
}

enum result
cmd_idle(struct session *s, struct slice args)
{
	if (args.n != 0)
		return bad(s, "no arguments expected");
	sb_reset(&s->idle_tag);
	sb_put(&s->idle_tag, s->tag);
	s->idling = true;
	sb_puts(&s->o, "+ idling\r\n");
	view_sync(s);
	idle_loop(s);
	return R_GONE;
}
