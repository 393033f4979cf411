/*
 * park.c - a session as a tuple, to imap-park(8) and back
 *
 * What the client knows of its mailbox is (mailbox, UIDVALIDITY, modseq): the
 * store can say which UIDs lived at that modseq. `stamp' is when the watched
 * things last changed, read before the client was told all; imap-park compares
 * after it has set its watches, so nothing falls in between.
 */
#include <errno.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fdpass.h"
#include "base/log.h"
#include "base/tuple.h"
#include "net/net.h"
#include "park.h"

#define PARK_WAIT_MS 2000 /* for imap-park's answer */
#define SAVED_MAX 4096    /* bytes of `$' that are parked */

static void
put_watch(struct session *s, struct strbuf *out, const char *path)
{
	struct stat st;
	char stamp[64];

	if (fstatat(account_dir(s->store), path, &st, 0) == -1)
		return;
	snprintf(stamp, sizeof(stamp), "%lld.%09ld",
	    (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
	tuple_puts(out, "watch", path);
	tuple_puts(out, "stamp", stamp);
}

static void
put_watches(struct session *s, struct strbuf *out)
{
	struct strbuf new_path = STRBUF_INIT(4096);
	struct strbuf cur_path = STRBUF_INIT(4096);

	put_watch(s, out, STORE_BELL);
	if (s->view.box != 0 && mailbox_paths(s->store, s->view.box, &new_path,
	    &cur_path) == 0) {
		put_watch(s, out, sb_cstr(&new_path));
		put_watch(s, out, sb_cstr(&cur_path));
	}
	sb_free(&new_path);
	sb_free(&cur_path);
}

static void
put_state(struct session *s, struct strbuf *out)
{
	const struct selected *v = &s->view;
	struct strbuf set = STRBUF_INIT(SAVED_MAX);

	tuple_putu(out, "enabled", s->enabled);
	if (s->idling)
		tuple_put(out, "idle", sb_slice(&s->idle_tag));
	if (v->box != 0) {
		tuple_putu(out, "box", v->box);
		tuple_put(out, "name", sb_slice(&v->name));
		tuple_putu(out, "uidvalidity", v->uidvalidity);
		tuple_putu(out, "modseq", v->modseq);
		tuple_puts(out, "readonly", v->readonly ? "yes" : "no");
		tuple_putu(out, "keywords", v->keywords);
		numset_put(&set, &s->saved);
		tuple_opt(out, "saved", sb_slice(&set));
		out->over |= set.over;
	}
	sb_free(&set);
}

bool
session_park(struct session *s)
{
	struct strbuf out = STRBUF_INIT(PACKET_MAX);
	struct strbuf watches = STRBUF_INIT(PACKET_MAX);
	char answer[256];
	size_t n, fds;
	int sock = -1, fd = s->in;

	put_watches(s, &watches);
	if (s->idling) {
		view_sync(s);
		flush(s);
	}
	if (s->dead || (s->idling && s->view.unfinished))
		goto out;
	tuple_begin(&out, "park");
	tuple_puts(&out, "id", s->id);
	tuple_put(&out, "account", s->account);
	tuple_opt(&out, "login", s->login);
	tuple_opt(&out, "ip", s->ip);
	tuple_opt(&out, "tls", s->tls);
	sb_put(&out, sb_slice(&watches));
	put_state(s, &out);
	tuple_end(&out);
	if (out.over)
		goto out;
	sock = unix_connect(s->park);
	if (sock == -1 || fd_send(sock, sb_slice(&out), &fd, 1) == -1 ||
	    poll_until(sock, POLLIN, clock_ms() + PARK_WAIT_MS) <= 0 ||
	    fd_recv(sock, answer, sizeof(answer), &n, NULL, 0, &fds) != 1 ||
	    !slice_starts(slice_of(answer, n), S("ok"))) {
		log_sys("park session");
		s->park = NULL; /* stay; once is enough to try */
	} else
		s->parked = true;
out:
	if (sock != -1)
		close(sock);
	sb_free(&out);
	sb_free(&watches);
	return s->parked;
}

static bool
restore_box(struct session *s, const struct tuple *t)
{
	struct slice name = tuple_value(t, "name"), set;
	uint64_t box, validity, modseq, keywords;
	struct mailbox mb;
	struct view then;
	struct numset saved;

	if (tuple_u64(t, "box", UINT32_MAX, &box) == -1 ||
	    tuple_u64(t, "uidvalidity", UINT32_MAX, &validity) == -1 ||
	    tuple_u64(t, "modseq", INT64_MAX, &modseq) == -1 ||
	    tuple_u64(t, "keywords", SIZE_MAX, &keywords) == -1)
		return false;
	if (mailbox_get(s->store, (uint32_t)box, &s->ar, &mb) != 1 &&
	    mailbox_find(s->store, name, &s->ar, &mb) != 1)
		return false;
	if (mb.removed || mb.uidvalidity != validity ||
	    message_view(s->store, mb.id, modseq, &s->ar, &then) == -1)
		return false;
	s->view.box = mb.id;
	s->view.uidvalidity = mb.uidvalidity;
	s->view.readonly = tuple_has(t, "readonly", "yes");
	s->view.keywords = (size_t)keywords;
	sb_put(&s->view.name, mb.name);
	view_set(s, then.uid, then.count, modseq);
	s->cond_told = true;
	set = tuple_value(t, "saved");
	if (set.n != 0 && numset_take(&set, &s->saved_ar, &saved)) {
		numset_resolve(&saved, 0);
		s->saved = saved;
	}
	return true;
}

bool
session_restore(struct session *s, const struct tuple *t)
{
	struct slice tag;
	uint64_t enabled;

	if (tuple_u64(t, "enabled", EN_ALL, &enabled) == -1)
		return false;
	s->enabled = (unsigned)enabled;
	s->spoke = true;
	if (tuple_get(t, "idle", &tag)) {
		s->idling = true;
		sb_put(&s->idle_tag, tag);
	}
	return !tuple_get(t, "box", &tag) || restore_box(s, t);
}
