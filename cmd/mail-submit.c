/*
 * mail-submit - submit a message for a local program (sendmail)
 * usage   mail-submit [-ti] [-C root] [-f from] [-F name] [rcpt ...]
 * fd 0    the message, with LF or CRLF line ends
 * exit    those of sysexits.h, as callers of sendmail expect: 0 accepted, 64
 *         usage, 65 bad message, 67 refused recipient, 75 try again
 * rights  the caller's; writes to $HOME when the message is not accepted;
 *         network: none, but run/outbound
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "addr/addr.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/confine.h"
#include "base/die.h"
#include "base/file.h"
#include "base/rid.h"
#include "base/tuple.h"
#include "conf/conf.h"
#include "imf/address.h"
#include "imf/date.h"
#include "imf/field.h"
#include "stage/submit.h"

#define MESSAGE_MAX ((size_t)256 * 1024 * 1024)
#define ENVELOPE_MAX ((size_t)1024 * 1024)
#define RCPTS_MAX 1000
#define WAIT_MS 300000
/* Directory below $HOME for what was not accepted. */
#define FAILURES "mail-submit.failures"

struct mail {
	struct arena arena;
	char *host;          /* our name */
	char *from;          /* reverse-path; "" = null */
	char *name;          /* -F */
	struct strbuf in;    /* as read */
	struct strbuf head;  /* the new header */
	struct strbuf msg;   /* as submitted */
	struct strbuf env;
	struct slice rcpt[RCPTS_MAX];
	size_t rcpts;
	bool from_header;    /* -t */
	bool dots;           /* -i: a lone dot is no end */
	bool wide;           /* an address is not ASCII */
};

static bool
add_rcpt(struct mail *m, struct slice text)
{
	struct strbuf sb = STRBUF_INIT(1024);
	struct addr a;

	sb_put(&sb, text);
	if (slice_rchr(text, '@') == -1)
		sb_printf(&sb, "@%s", m->host);
	if (addr_parse(arena_copy(&m->arena, sb_slice(&sb)), ADDR_UTF8,
	    &m->arena, &a) == -1 || m->rcpts == RCPTS_MAX) {
		sb_free(&sb);
		return false;
	}
	sb_reset(&sb);
	addr_format(&sb, &a);
	m->wide |= a.utf8;
	m->rcpt[m->rcpts++] = arena_copy(&m->arena, sb_slice(&sb));
	sb_free(&sb);
	return true;
}

static void
add_list(struct mail *m, struct slice value)
{
	struct address_list l;

	address_list_parse(value, &m->arena, &l);
	for (size_t i = 0; i < l.count; i++) {
		struct address *a = &l.list[i];

		if (a->kind != ADDRESS_ONE)
			continue;
		if (!add_rcpt(m, a->addr.n != 0 ? a->addr : a->local))
			die(EX_DATAERR, "bad recipient in the header: %.*s",
			    SLICE_ARG(slice_trim(value)));
	}
}

/* Line ends become CRLF; a lone dot ends the message unless -i was given. */
static void
put_lines(struct strbuf *sb, struct slice in, bool dots)
{
	struct slice line;

	while (slice_line(&in, &line)) {
		if (!dots && slice_eqs(line, "."))
			break;
		/* A bare CR is no line end for us, and must be none for
		 * those who come after. */
		for (ptrdiff_t cr; (cr = slice_chr(line, '\r')) != -1;
		    line = slice_skip(line, (size_t)cr + 1)) {
			sb_put(sb, slice_sub(line, 0, (size_t)cr));
			sb_puts(sb, "\r\n");
		}
		sb_put(sb, line);
		sb_puts(sb, "\r\n");
	}
}

static void
put_from(struct mail *m)
{
	sb_puts(&m->head, "From: ");
	if (m->name != NULL && m->name[0] != '\0') {
		sb_putc(&m->head, '"');
		for (const char *p = m->name; *p != '\0'; p++) {
			if (*p == '"' || *p == '\\')
				sb_putc(&m->head, '\\');
			if ((unsigned char)*p >= 0x20 && *p != 0x7f)
				sb_putc(&m->head, (unsigned char)*p);
		}
		sb_puts(&m->head, "\" ");
	}
	sb_printf(&m->head, "<%s>\r\n", m->from);
}

/* Copy the header: recipients taken (-t), Bcc left out, From, Date and
 * Message-ID completed (RFC 6409 section 8). */
static void
header(struct mail *m, struct slice *rest)
{
	bool from = false, date = false, id = false;
	char rid[RID_LEN + 1];
	struct field f;
	struct slice before = *rest;

	if (slice_starts(*rest, S("From ")) && slice_line(rest, &before))
		before = *rest; /* the separator line of an mbox */
	while (field_next(rest, &f) == 1) {
		bool bcc = slice_ieqs(f.name, "bcc");

		if (f.bad) { /* no header: all of it is the body */
			*rest = before;
			break;
		}
		before = *rest;
		if (m->from_header && (bcc || slice_ieqs(f.name, "to") ||
		    slice_ieqs(f.name, "cc")))
			add_list(m, f.value);
		from |= slice_ieqs(f.name, "from");
		date |= slice_ieqs(f.name, "date");
		id |= slice_ieqs(f.name, "message-id");
		if (!bcc)
			put_lines(&m->head, f.raw, true);
	}
	if (!from)
		put_from(m);
	if (!date) {
		sb_puts(&m->head, "Date: ");
		date_write(&m->head, clock_unix(), 0);
		sb_puts(&m->head, "\r\n");
	}
	if (!id) {
		rid_new(rid);
		sb_printf(&m->head, "Message-ID: <%s@%s>\r\n", rid, m->host);
	}
}

static void
compose(struct mail *m)
{
	struct slice rest = sb_slice(&m->in);

	header(m, &rest);
	sb_put(&m->msg, sb_slice(&m->head));
	sb_puts(&m->msg, "\r\n");
	put_lines(&m->msg, rest, m->dots);
	if (m->msg.over || m->head.over)
		die(EX_DATAERR, "message too large");
	if (m->rcpts == 0)
		die(EX_USAGE, "no recipients");
}

static void
envelope(struct mail *m, const char *id)
{
	bool wide = m->wide || !slice_is_ascii(sb_slice(&m->head)) ||
	    !slice_is_ascii(slice_str(m->from));
	struct strbuf *sb = &m->env;

	tuple_begin(sb, "job");
	tuple_puts(sb, "id", id);
	tuple_putu(sb, "size", m->msg.n);
	tuple_putu(sb, "time", (uint64_t)clock_unix());
	tuple_puts(sb, "body", slice_is_ascii(sb_slice(&m->msg)) ? "7bit" :
	    "8bitmime");
	tuple_puts(sb, "smtputf8", wide ? "yes" : "no");
	tuple_end(sb);
	tuple_begin(sb, "from");
	tuple_puts(sb, "addr", m->from);
	tuple_end(sb);
	for (size_t i = 0; i < m->rcpts; i++) {
		tuple_begin(sb, "rcpt");
		tuple_put(sb, "addr", m->rcpt[i]);
		tuple_end(sb);
	}
}

/* Not accepted: the message must not be lost. Its file, or NULL. */
static char *
keep(const struct mail *m, const char *home, const char *id)
{
	char *tmp, *to, *path = NULL;
	int dir;

	if (home == NULL || (dir = open(home,
	    O_RDONLY | O_DIRECTORY | O_CLOEXEC)) == -1)
		return NULL;
	tmp = xprintf(FAILURES "/%s.tmp", id);
	to = xprintf(FAILURES "/%s", id);
	if (dir_make(dir, FAILURES, 0700) == 0 &&
	    file_commit(dir, tmp, to, sb_slice(&m->msg), 0600) == 0)
		path = xprintf("%s/%s", home, to);
	free(tmp);
	free(to);
	close(dir);
	return path;
}

static int
submit(struct mail *m, const char *path, const char *id, struct verdict *v)
{
	struct service pipe = { .path = path, .fd = -1 };
	int fd = memfd_new("message");

	if (fd == -1 || write_all(fd, sb_slice(&m->msg)) == -1)
		die_sys(EX_OSERR, "unable to hold the message");
	if (service_fd(&pipe) == -1) {
		snprintf(v->text, sizeof(v->text), "%s: %s%s", path,
		    strerror(errno), errno == EACCES ?
		    " (only its group may submit)" : "");
		return -1;
	}
	envelope(m, id);
	if (m->env.over || pipeline_submit(&pipe, sb_slice(&m->env), fd, false,
	    WAIT_MS, v) == -1) {
		snprintf(v->text, sizeof(v->text), "no answer: %s",
		    strerror(errno));
		return -1;
	}
	return 0;
}

static char *
host_name(const char *root)
{
	struct conf *c = conf_open(root);
	char name[HOST_NAME_MAX + 1];
	char *host;

	if (c != NULL) {
		host = slice_dup(conf_host(c, "name"));
		conf_close(c);
		return host;
	}
	if (gethostname(name, sizeof(name)) == -1)
		return xstrdup("localhost");
	name[HOST_NAME_MAX] = '\0';
	return xstrdup(name);
}

/* -f, or the caller's name at this host. */
static char *
sender(struct mail *m, const char *given)
{
	struct strbuf sb = STRBUF_INIT(1024);
	struct passwd *pw;
	struct addr a;

	if (given == NULL) {
		pw = getpwuid(getuid());
		given = pw != NULL ? pw->pw_name : "nobody";
		m->name = m->name == NULL && pw != NULL ? xstrdup(pw->pw_gecos) :
		    m->name;
		if (m->name != NULL)
			m->name[strcspn(m->name, ",")] = '\0';
	}
	if (given[0] == '\0' || strcmp(given, "<>") == 0)
		return xstrdup("");
	sb_puts(&sb, given);
	if (strchr(given, '@') == NULL)
		sb_printf(&sb, "@%s", m->host);
	if (addr_parse(arena_copy(&m->arena, sb_slice(&sb)), ADDR_UTF8,
	    &m->arena, &a) == -1)
		die(EX_USAGE, "bad sender: %s", given);
	sb_reset(&sb);
	addr_format(&sb, &a);
	return sb_take(&sb);
}

/* Options of sendmail that mean nothing here are taken, so that no caller
 * breaks: -o and -B with their letters, -O, -N, -R, -V, -X with operands. */
static void
options(int argc, char **argv, struct mail *m, const char **root,
    const char **from)
{
	int ch;

	while ((ch = getopt(argc, argv, "C:f:r:F:tivmnA:B:L:N:O:R:X:V:h:o:b:")) !=
	    -1)
		switch (ch) {
		case 'C': *root = optarg; break;
		case 'r': /* the old name of -f */
		case 'f': *from = optarg; break;
		case 'F': m->name = xstrdup(optarg); break;
		case 't': m->from_header = true; break;
		case 'i': m->dots = true; break;
		case 'o':
			if (strcmp(optarg, "i") == 0)
				m->dots = true;
			break;
		case 'b':
			if (strcmp(optarg, "m") != 0)
				die(EX_UNAVAILABLE, "-b%s is not supported",
				    optarg);
			break;
		case '?':
			exit(EX_USAGE);
		default: break;
		}
}

static int
report(struct mail *m, const struct verdict *v, int r, const char *id)
{
	char *path;

	if (r == 0 && v->code / 100 == 2)
		return EX_OK;
	path = keep(m, getenv("HOME"), id);
	if (r == -1)
		warn("not submitted: %s", v->text);
	else
		warn("not accepted: %d %s %s", v->code, v->ecode, v->text);
	if (path != NULL)
		warn("the message is kept in %s", path);
	free(path);
	if (r == -1 || v->code / 100 != 5)
		return EX_TEMPFAIL;
	return strncmp(v->ecode, "5.1.", 4) == 0 ? EX_NOUSER : EX_UNAVAILABLE;
}

int
main(int argc, char **argv)
{
	static struct mail m;
	const char *root = NULL, *from = NULL, *home = getenv("HOME");
	struct verdict v = { 0 };
	char id[RID_LEN + 1], *path;

	prog_start(argc, argv, "[-ti] [-C root] [-f from] [-F name] [rcpt ...]",
	    "submit a message for a local program (sendmail)",
	    "files: writes $HOME when a message is not accepted; "
	    "network: none");
	sb_init(&m.in, MESSAGE_MAX);
	sb_init(&m.head, MESSAGE_MAX);
	sb_init(&m.msg, 2 * MESSAGE_MAX);
	sb_init(&m.env, ENVELOPE_MAX);
	options(argc, argv, &m, &root, &from);
	root = conf_root(root);
	m.host = host_name(root);
	m.from = sender(&m, from);
	path = xprintf("%s/run/outbound", root);
	for (; optind < argc; optind++)
		if (!add_rcpt(&m, slice_str(argv[optind])))
			die(EX_NOUSER, "bad recipient: %s", argv[optind]);
	if (home == NULL || access(home, W_OK) == -1)
		home = NULL;
	if (confine(&(struct confine){ .flags = CONFINE_UNIX,
	    .write = home != NULL ? (const char *[]){ home, NULL } : NULL }) ==
	    -1)
		die_sys(EX_OSERR, "unable to confine");
	if (fd_slurp(STDIN_FILENO, &m.in) == -1)
		die_sys(errno == EMSGSIZE ? EX_DATAERR : EX_IOERR,
		    "unable to read the message");
	compose(&m);
	rid_new(id);
	return report(&m, &v, submit(&m, path, id, &v), id);
}
