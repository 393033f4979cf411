/*
 * submit-check - may this account send this message? (RFC 6409 section 8)
 * usage   submit-check [-vw] [-n] [-C root] [-a account] [-f reverse-path]
 * fd 0    a job that imf-parse has seen, or a bare message; with -w, a
 *         SOCK_SEQPACKET socket of jobs
 * fd 1    the job with submit and prepend lines added
 * exit    0 it may; 100 refused, or bad usage; 111 temporary
 * rights  reads cdb/; network: none
 */
#include <unistd.h>

#include "addr/addr.h"
#include "base/alloc.h"
#include "base/confine.h"
#include "base/die.h"
#include "base/log.h"
#include "conf/conf.h"
#include "imf/date.h"
#include "imf/field.h"
#include "stage/stage.h"

struct check {
	struct conf *conf;
	const char *account; /* -a: for jobs without a login */
};

/* Who sends: an account, or with `all' anyone who runs this system. */
struct sender {
	struct slice account;
	bool all;
};

/* The account with that uid= in conf/account: 1, 0 none, -1 damaged. */
static int
account_of_uid(struct conf *c, uint64_t uid, struct arena *ar,
    struct slice *account)
{
	struct slice list, text;
	struct tuple_reader names, r;
	struct tuple name, t;
	uint64_t n;

	if (conf_get(c, "account", SLICE_NONE, &list) == -1)
		return -1;
	tuple_reader_init(&names, list);
	while (tuple_next(&names, ar, &name) == 1) {
		struct slice value = tuple_value(&name, "name");

		if (conf_get(c, "account", value, &text) != 1)
			continue;
		tuple_reader_init(&r, text);
		if (tuple_next(&r, ar, &t) == 1 &&
		    tuple_u64(&t, "uid", UINT32_MAX, &n) == 0 && n == uid) {
			*account = value;
			return 1;
		}
	}
	return 0;
}

/* The login; else the user who ran mail-submit. 1, 0 nobody, -1 damaged. */
static int
find_sender(struct check *ck, struct job *j, struct sender *s)
{
	const struct tuple *peer = job_find(j, "peer");
	uint64_t uid = getuid();

	*s = (struct sender){ .account = job_get(j, "auth", "account") };
	if (s->account.n != 0)
		return 1;
	if (peer == NULL && ck->account != NULL) {
		s->account = slice_str(ck->account);
		return 1;
	}
	if (peer != NULL && tuple_u64(peer, "uid", UINT32_MAX, &uid) == -1)
		return 0;
	/* root, and the user of this system's own services. */
	s->all = uid == 0 || uid == geteuid();
	return s->all ? 1 :
	    account_of_uid(ck->conf, uid, j->arena, &s->account);
}

/* An address of this host, whoever's it is: 1, 0, -1. */
static int
is_ours(struct conf *c, const struct addr *a, struct arena *ar)
{
	struct conf_rcpt r;

	if (a->literal)
		return 0;
	if (slice_ieq(a->domain, conf_host(c, "name")))
		return 1; /* MAILER-DAEMON and the like */
	if (conf_rcpt(c, a, ar, &r) == -1)
		return -1;
	return r.kind != RCPT_REMOTE;
}

/* 0, or the verdict of a refusal. `what' is "From" or "reverse-path". */
static int
check_address(struct check *ck, struct job *j, const struct sender *s,
    struct slice text, const char *what)
{
	struct conf_rcpt r;
	struct addr a;
	int may;

	if (addr_parse(text, ADDR_UTF8, j->arena, &a) == -1)
		return job_refuse(j, 550, "5.6.0", "%s is no address", what);
	if (conf_rcpt(ck->conf, &a, j->arena, &r) == -1)
		return job_refuse(j, 451, "4.3.0", "configuration is damaged");
	if (r.kind == RCPT_DISABLED)
		return job_refuse(j, 451, "4.3.0",
		    "the domain of the %s is disabled", what);
	may = s->all ? is_ours(ck->conf, &a, j->arena) :
	    conf_may_send(ck->conf, s->account, &a, j->arena);
	if (may == -1)
		return job_refuse(j, 451, "4.3.0", "configuration is damaged");
	if (may == 0)
		return job_refuse(j, 550, "5.7.1", "not your address in %s",
		    what);
	return 0;
}

static bool
has_field(struct slice msg, const char *name)
{
	struct field f;

	while (field_next(&msg, &f) == 1)
		if (!f.bad && slice_ieqs(f.name, name))
			return true;
	return false;
}

static void
put_prepend(struct strbuf *out, const struct strbuf *text)
{
	tuple_begin(out, "prepend");
	tuple_put(out, "text", sb_slice(text));
	tuple_end(out);
}

/*
 * RFC 6409 section 8.1 and 8.2. Both are made from the job, so that the same
 * job always gives the same lines.
 */
static void
add_missing(struct check *ck, const struct job *j, struct strbuf *out)
{
	struct strbuf text = STRBUF_INIT(1024);

	if (!has_field(j->msg, "Message-ID")) {
		sb_printf(&text, "Message-ID: <%s@", j->id);
		sb_put(&text, conf_host(ck->conf, "name"));
		sb_putc(&text, '>');
		put_prepend(out, &text);
		sb_reset(&text);
	}
	if (!has_field(j->msg, "Date")) {
		sb_puts(&text, "Date: ");
		date_write(&text, j->time, 0);
		put_prepend(out, &text);
	}
	sb_free(&text);
}

static int
check_from(struct check *ck, struct job *j, const struct sender *s)
{
	const struct tuple *imf = job_find(j, "imf");

	if (imf == NULL)
		return job_refuse(j, 451, "4.3.0",
		    "the message has not been parsed");
	/* RFC 5322 knows several; who of them would be responsible? */
	if (!tuple_has(imf, "from-count", "1") ||
	    !tuple_has(imf, "from-addrs", "1") ||
	    tuple_value(imf, "from").n == 0)
		return job_refuse(j, 550, "5.6.0",
		    "needs one From field with one address");
	return check_address(ck, j, s, tuple_value(imf, "from"), "From");
}

static int
run(void *ctx, struct job *j, struct strbuf *out)
{
	struct check *ck = ctx;
	struct slice path = job_get(j, "from", "addr");
	struct sender s;
	int r = find_sender(ck, j, &s);

	if (r == -1)
		return job_refuse(j, 451, "4.3.0", "configuration is damaged");
	if (r == 0)
		return job_refuse(j, 550, "5.7.1",
		    "no account belongs to this user");
	if ((r = check_from(ck, j, &s)) != 0)
		return r;
	if (path.n != 0 &&
	    (r = check_address(ck, j, &s, path, "reverse-path")) != 0)
		return r;
	tuple_begin(out, "submit");
	tuple_puts(out, "result", "pass");
	tuple_opt(out, "account", s.account);
	tuple_end(out);
	add_missing(ck, j, out);
	return EXIT_DONE;
}

static void
refresh(void *ctx)
{
	struct check *ck = ctx;

	if (conf_refresh(ck->conf) == -1)
		log_sys("unable to open the new conf.cdb");
}

int
main(int argc, char **argv)
{
	struct check ck = { 0 };
	struct stage s = { .name = "submit-check", .types = "submit,prepend",
		.run = run, .refresh = refresh, .ctx = &ck,
		.skip_parts = true };
	struct stage_opts o = { 0 };
	const char *root = NULL;
	struct confine c = { 0 };
	char *cdb;
	int ch;

	prog_start(argc, argv,
	    "[-vw] [-n] [-C root] [-a account] [-f reverse-path]",
	    "may this account send this message?",
	    "reads cdb/; network: none");
	while ((ch = getopt(argc, argv, "C:a:" STAGE_OPTS)) != -1)
		switch (ch) {
		case 'C': root = optarg; break;
		case 'a': ck.account = optarg; break;
		default:
			if (!stage_option(&o, ch, optarg))
				usage();
		}
	if (argc != optind)
		usage();
	root = conf_root(root);
	if ((ck.conf = conf_open(root)) == NULL)
		die_sys(EXIT_TEMP, "unable to open %s/cdb/conf.cdb", root);
	cdb = xprintf("%s/cdb", root);
	c.read = (const char *[]){ cdb, NULL };
	if (confine(&c) == -1)
		die_sys(EXIT_TEMP, "unable to confine to %s", cdb);
	free(cdb);
	return stage_main(&s, &o);
}
