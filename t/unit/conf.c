/* conf/ compiled and looked up. */
#include "conf/conf.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "conf/build.h"
#include "conf/setting.h"
#include "tap.h"

static char root[] = "/tmp/pneu-conf-XXXXXX";

static void
put(const char *file, const char *text)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", root, file);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0640);
	if (fd == -1 || write_all(fd, slice_str(text)) == -1)
		abort();
	close(fd);
}

static void
drop(const char *file)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", root, file);
	if (unlink(path) == -1)
		abort();
}

static void
good_tree(void)
{
	static const char *const dirs[] = { "conf", "conf/domain",
		"conf/account", "conf/alias", "conf/pipeline", "secret",
		"secret/dkim" };
	char path[256];

	for (size_t i = 0; i < COUNTOF(dirs); i++) {
		snprintf(path, sizeof(path), "%s/%s", root, dirs[i]);
		if (mkdir(path, 0755) == -1 && errno != EEXIST)
			abort();
	}
	put("conf/host", "# me\nhost name=MX.Example.org postmaster=ann\n"
	    "  resolver=127.0.0.1:5300 resolver=[::1]:53 queue-lifetime=2d12h\n"
	    "  max-message-size=2m trust-ad=yes\n");
	put("conf/listen", "listen service=smtp ip=192.0.2.1 ip=2001:db8::1\n"
	    "listen service=imaps ip=127.0.0.1 port=1993 name=imap.example.org\n");
	put("conf/domain/example.org", "domain name=example.org separator=+\n"
	    "dkim selector=a key=k1 alg=ed25519-sha256\n");
	put("conf/domain/b\xc3\xbc" "cher.example",
	    "domain name=b\xc3\xbc" "cher.example\n");
	put("conf/domain/case.example", "domain name=case.example "
	    "case-sensitive=yes separator=- separator=+\n");
	put("conf/domain/off.example",
	    "domain name=off.example disabled=yes\n");
	put("conf/account/ann", "account name=ann\n"
	    "address addr=Ann@Example.org\naddress addr=ann@case.example\n"
	    "address addr=info@example.org mailbox=Info\n"
	    "address addr=gone@example.org error=\"550 moved away\"\n");
	put("conf/account/bob", "account name=bob\n"
	    "address addr=bob@example.org\n"
	    "address addr=\"\xc3\x89va@b\xc3\xbc" "cher.example\"\n"
	    "catch-all addr=@b\xc3\xbc" "cher.example\n");
	put("conf/alias/all", "alias addr=all@example.org allow-from=yes\n"
	    "member addr=ann@example.org\nmember addr=BOB@example.org\n");
	put("conf/alias/some", "alias addr=some@example.org\n"
	    "member addr=bob@example.org\n");
	put("conf/pipeline/inbound", "entry types=job,rcpt\n"
	    "stage name=parse command=imf-parse types=imf\n"
	    "stage name=deliver command=\"deliver -x\" types=deliver\n");
	put("conf/account/bob~", "not read\n");
	put("secret/dkim/k1", "key");
}

/* One mistake: the file with it, and what the report must have. */
static const struct {
	const char *file, *text, *report;
} mistakes[] = {
	{ "host", "host name=a.example nam=x\n",
	    "conf/host:1: nam: no such attribute\n" },
	{ "host", "host trust-ad=yes\n", "conf/host:1: name: missing\n" },
	{ "host", "# nothing\n",
	    "conf/host:1: host: this record is missing\n" },
	{ "host", "host name=a.example\nhost name=b.example\n",
	    "conf/host:2: host: second such record\n" },
	{ "host", "host name=a.example postmaster=eve\n",
	    "conf/host:1: postmaster: no such account\n" },
	{ "host", "host name=a.example\n  case-days=many\n",
	    "conf/host:1: case-days: not a number\n" },
	{ "host", "host name=a.example max-recipients=0\n",
	    "conf/host:1: max-recipients: too small\n" },
	{ "host", "host name=a.example queue-lifetime=5x\n",
	    "conf/host:1: queue-lifetime: not a time such as 90 or 1h30m\n" },
	{ "host", "host name=a.example max-message-size=99t\n",
	    "conf/host:1: max-message-size: too large\n" },
	{ "host", "host name=a.example resolver=ns.example\n",
	    "conf/host:1: resolver: not an address such as 192.0.2.1, "
	    "192.0.2.1:53, [2001:db8::1]:53\n" },
	{ "host", "host name=\"a b\"\n",
	    "conf/host:1: name: not a domain name\n" },
	{ "host", "host name=a.example name=b.example\n",
	    "conf/host:1: name: given twice\n" },
	{ "host", "\n\nhost name=a.example x\n", "conf/host:3: " },
	{ "listen", "listen service=gopher ip=::\n",
	    "conf/listen:1: service: not one of the choices (conf-check -l)\n" },
	{ "listen", "listen service=smtp\n", "conf/listen:1: ip: missing\n" },
	{ "listen", "account name=x\n",
	    "conf/listen:1: account: no such record here\n" },
	{ "domain/example.org", "domain name=example.com\n",
	    "conf/domain/example.org:1: name: is not the file's name\n" },
	{ "domain/example.org", "domain name=example.org\n"
	    "dkim selector=a key=k2 alg=rsa-sha256\n",
	    "conf/domain/example.org:2: key: no file secret/dkim/k2\n" },
	{ "account/bob", "account name=rob\n",
	    "conf/account/bob:1: name: is not the file's name\n" },
	{ "account/bob", "account name=bob\naddress addr=bob\n",
	    "conf/account/bob:2: addr: not an address\n" },
	{ "account/bob", "account name=bob\naddress addr=bob@example.net\n",
	    "conf/account/bob:2: addr: no such domain here\n" },
	{ "account/bob", "account name=bob\n\naddress addr=ANN@example.org\n",
	    "conf/account/bob:3: addr: also in conf/account/ann:2\n" },
	{ "account/bob", "account name=bob\naddress addr=b+c@example.org\n",
	    "conf/account/bob:2: addr: has the domain's separator\n" },
	{ "account/bob", "account name=bob\n"
	    "address addr=bob@example.org mailbox=X error=\"550 x\"\n",
	    "conf/account/bob:2: mailbox: not together with error\n" },
	{ "account/bob", "account name=bob\n"
	    "address addr=bob@example.org error=\"250 ok\"\n",
	    "conf/account/bob:2: error: does not start with 550 or 421\n" },
	{ "alias/some", "alias addr=some@example.org\n"
	    "member addr=bob@example.net\n",
	    "conf/alias/some:2: addr: no such domain here\n" },
	{ "alias/some", "alias addr=some@example.org\n"
	    "member addr=all@example.org\n",
	    "conf/alias/some:2: addr: not an address of an account\n" },
	{ "alias/some", "alias addr=ann@example.org\n",
	    "addr: also in conf/" },
	{ "pipeline/inbound", "stage name=a types=imf\n",
	    "conf/pipeline/inbound:1: command: missing\n" },
	{ "pipeline/inbound", "stage name=x types=x command=x fail=maybe\n",
	    "conf/pipeline/inbound:1: fail: not one of the choices" },
};

static void
each_mistake(void)
{
	struct strbuf report = STRBUF_INIT(CONF_REPORT_MAX);
	char path[256];

	for (size_t i = 0; i < COUNTOF(mistakes); i++) {
		good_tree();
		snprintf(path, sizeof(path), "conf/%s", mistakes[i].file);
		put(path, mistakes[i].text);
		sb_reset(&report);
		ok(conf_build(root, true, &report) == -1 && errno == EINVAL &&
		    slice_find(sb_slice(&report),
		    slice_str(mistakes[i].report)) != -1, "%.*s",
		    (int)strcspn(mistakes[i].report, "\n"), mistakes[i].report);
		if (slice_find(sb_slice(&report),
		    slice_str(mistakes[i].report)) == -1)
			diag("report: %s", sb_cstr(&report));
	}
	sb_free(&report);
}

static const struct {
	const char *addr;
	enum conf_rcpt_kind kind;
	const char *account, *mailbox, *canonical;
} rcpts[] = {
	{ "ann@example.org", RCPT_LOCAL, "ann", "INBOX", "ann@example.org" },
	{ "ANN+x@EXAMPLE.org", RCPT_LOCAL, "ann", "INBOX", "ann@example.org" },
	{ "info+a+b@example.org", RCPT_LOCAL, "ann", "Info",
	    "info@example.org" },
	{ "gone@example.org", RCPT_REFUSED, "ann", "INBOX",
	    "gone@example.org" },
	{ "nobody@example.org", RCPT_UNKNOWN, "", "", "nobody@example.org" },
	{ "+x@example.org", RCPT_UNKNOWN, "", "", "+x@example.org" },
	{ "ann@example.net", RCPT_REMOTE, "", "", "ann@example.net" },
	{ "ann@sub.example.org", RCPT_REMOTE, "", "", "ann@sub.example.org" },
	{ "ann@[192.0.2.1]", RCPT_REMOTE, "", "", "ann@[192.0.2.1]" },
	{ "x@off.example", RCPT_DISABLED, "", "", "x@off.example" },
	{ "ann@case.example", RCPT_LOCAL, "ann", "INBOX", "ann@case.example" },
	{ "Ann@case.example", RCPT_UNKNOWN, "", "", "Ann@case.example" },
	{ "ann-a+b@case.example", RCPT_LOCAL, "ann", "INBOX",
	    "ann@case.example" },
	{ "any@xn--bcher-kva.example", RCPT_LOCAL, "bob", "INBOX",
	    "any@xn--bcher-kva.example" },
	{ "\xc3\xa9" "va@B\xc3\xbc" "cher.example", RCPT_LOCAL, "bob", "INBOX",
	    "\xc3\xa9va@xn--bcher-kva.example" },
	{ "postmaster@example.org", RCPT_LOCAL, "ann", "INBOX",
	    "postmaster@example.org" },
	{ "PostMaster@mx.example.org", RCPT_LOCAL, "ann", "INBOX",
	    "PostMaster@mx.example.org" },
	{ "postmaster@imap.example.org", RCPT_LOCAL, "ann", "INBOX",
	    "postmaster@imap.example.org" },
	{ "postmaster", RCPT_LOCAL, "ann", "INBOX", "postmaster@" },
	{ "x@mx.example.org", RCPT_REMOTE, "", "", "x@mx.example.org" },
	{ "all@example.org", RCPT_ALIAS, "", "", "all@example.org" },
};

static void
each_rcpt(struct conf *c)
{
	struct arena ar = { 0 };
	struct conf_rcpt out;
	struct addr a;

	for (size_t i = 0; i < COUNTOF(rcpts); i++) {
		const char *name = rcpts[i].addr;

		if (addr_parse(slice_str(name), ADDR_UTF8 | ADDR_POSTMASTER,
		    &ar, &a) == -1)
			abort();
		ok(conf_rcpt(c, &a, &ar, &out) == 0 &&
		    out.kind == rcpts[i].kind, "%s: kind %d", name, out.kind);
		is(out.account, rcpts[i].account, name);
		is(out.mailbox, rcpts[i].mailbox, name);
		is(out.address, rcpts[i].canonical, name);
		if (out.kind == RCPT_REFUSED) {
			isnum(out.code, 550, "code");
			is(out.text, "moved away", "text");
		}
		if (out.kind == RCPT_ALIAS)
			is(out.members, "alias addr=all@example.org "
			    "allow-from=yes\n"
			    "member addr=Ann@example.org account=ann\n"
			    "member addr=bob@example.org account=bob\n",
			    "members");
	}
	arena_free(&ar);
}

static void
each_sender(struct conf *c)
{
	static const struct {
		const char *account, *addr;
		int may;
	} senders[] = {
		{ "ann", "ann@example.org", 1 },
		{ "ann", "Ann+list@example.org", 1 },
		{ "bob", "ann@example.org", 0 },
		{ "bob", "x@b\xc3\xbc" "cher.example", 1 },
		{ "bob", "all@example.org", 1 },
		{ "bob", "some@example.org", 0 },
		{ "eve", "all@example.org", 0 },
		{ "ann", "postmaster@example.org", 0 },
		{ "ann", "ann@example.net", 0 },
		{ "ann", "ann@[192.0.2.1]", 0 },
	};
	struct arena ar = { 0 };
	struct addr a;

	for (size_t i = 0; i < COUNTOF(senders); i++) {
		if (addr_parse(slice_str(senders[i].addr), ADDR_UTF8, &ar,
		    &a) == -1)
			abort();
		ok(conf_may_send(c, slice_str(senders[i].account), &a, &ar) ==
		    senders[i].may, "%s as %s: %d", senders[i].account,
		    senders[i].addr, senders[i].may);
	}
	arena_free(&ar);
}

static void
values(struct conf *c)
{
	struct slice text, all[4];
	struct arena ar = { 0 };
	struct tuple_reader r;
	struct tuple t;

	is(conf_host(c, "name"), "mx.example.org", "host name is canonical");
	isnum((long long)conf_host_u64(c, "queue-lifetime"), 216000, "time");
	isnum((long long)conf_host_u64(c, "max-message-size"), 2 << 20, "size");
	isnum((long long)conf_host_u64(c, "case-days"), 14, "default number");
	isnum((long long)conf_host_u64(c, "queue-retry"), 300, "default time");
	is(conf_host(c, "case-days"), "14", "default");
	is(conf_host(c, "no-such"), "", "no such setting");
	ok(conf_host_bool(c, "trust-ad"), "yes");
	isnum((long long)conf_host_all(c, "resolver", all, 4), 2, "two");
	is(all[1], "[::1]:53", "second resolver");
	ok(conf_get(c, "listen", SLICE_NONE, &text) == 1, "listen");
	is(text, "listen service=smtp ip=192.0.2.1 port=25 "
	    "name=mx.example.org tls-tickets=no require-tls=no "
	    "client-cert=no\n"
	    "listen service=smtp ip=2001:db8::1 port=25 "
	    "name=mx.example.org tls-tickets=no require-tls=no "
	    "client-cert=no\n"
	    "listen service=imaps ip=127.0.0.1 port=1993 "
	    "name=imap.example.org tls-tickets=yes require-tls=yes "
	    "client-cert=no\n",
	    "one record an address");
	ok(conf_get(c, "account", SLICE_NONE, &text) == 1, "accounts");
	is(text, "name name=ann\nname name=bob\n", "without leftovers");
	ok(conf_get(c, "domain", S("example.org"), &text) == 1, "domain");
	tuple_reader_init(&r, text);
	ok(tuple_next(&r, &ar, &t) == 1 && tuple_next(&r, &ar, &t) == 1,
	    "two records");
	is(conf_value(&t, "sign", &ar), "yes", "default of a record");
	ok(conf_get(c, "account", S("eve"), &text) == 0, "no such account");
	arena_free(&ar);
}

static void
swapped(struct conf *c)
{
	struct strbuf report = STRBUF_INIT(CONF_REPORT_MAX);
	const struct conf_change good[] = {
		{ .file = "account/eve", .text = S("account name=eve\n") },
		{ .file = "domain/off.example", .remove = true },
	};
	const struct conf_change bad[] = {
		{ .file = "domain/case.example", .remove = true },
		{ .file = "account/eve", .text = S("account name=e\n") },
		{ .file = "account/new", .text = S("account name=new\n") },
	};
	struct arena ar = { 0 };
	struct slice text;

	isnum(conf_refresh(c), 0, "nothing new");
	ok(conf_change(root, good, 2, &report) == 0, "two changes");
	isnum(conf_refresh(c), 1, "picked up");
	ok(conf_get(c, "account", S("eve"), &text) == 1, "new account");
	ok(conf_get(c, "domain", S("off.example"), &text) == 0, "gone");
	ok(conf_change(root, bad, 3, &report) == -1 && errno == EINVAL,
	    "bad changes");
	isnum(conf_refresh(c), 0, "nothing new");
	ok(conf_read(root, "account/eve", &ar, &text) == 1, "put back");
	is(text, "account name=eve\n", "as it was");
	ok(conf_read(root, "account/new", &ar, &text) == 0, "not there");
	ok(conf_read(root, "domain/case.example", &ar, &text) == 1, "kept");
	drop("cdb/conf.cdb");
	put("cdb/conf.cdb", "damaged");
	ok(conf_refresh(c) == -1 && errno != 0, "a damaged file");
	is(conf_host(c, "name"), "mx.example.org", "the old one stays");
	drop("cdb/conf.cdb");
	isnum(conf_refresh(c), -1, "no file");
	ok(conf_open(root) == NULL && errno == ENOENT, "nothing to open");
	arena_free(&ar);
	sb_free(&report);
}

/* Every default is one that its own setting accepts. */
static void
defaults(void)
{
	struct arena ar = { 0 };
	struct slice out;

	for (size_t i = 0; i < settings_count; i++) {
		const struct setting *s = &settings[i];

		if (s->initial != NULL)
			ok(setting_normal(s, slice_str(s->initial), &ar, &out)
			    == NULL, "%s %s=%s", s->record, s->attr, s->initial);
		for (size_t k = 0; k < i; k++)
			if (strcmp(s->record, settings[k].record) == 0 &&
			    strcmp(s->attr, settings[k].attr) == 0)
				ok(false, "%s is there twice", s->attr);
	}
	arena_free(&ar);
}

static int
remove_it(const char *path, const struct stat *st, int type, struct FTW *f)
{
	(void)st;
	(void)type;
	(void)f;
	return remove(path);
}

int
main(void)
{
	struct strbuf report = STRBUF_INIT(CONF_REPORT_MAX);
	struct conf *c;

	plan(0);
	if (mkdtemp(root) == NULL)
		return 1;
	defaults();
	good_tree();
	ok(conf_open(root) == NULL && errno == ENOENT, "not built yet");
	ok(conf_build(root, false, &report) == 0, "check");
	ok(conf_open(root) == NULL, "writes nothing");
	ok(conf_build(root, true, &report) == 0, "build");
	is(sb_slice(&report), "", "nothing to report");
	c = conf_open(root);
	if (!ok(c != NULL, "open"))
		return done();
	values(c);
	each_rcpt(c);
	each_sender(c);
	each_mistake();
	isnum(conf_refresh(c), 0, "mistakes change nothing");
	good_tree();
	swapped(c);
	conf_close(c);
	sb_free(&report);
	nftw(root, remove_it, 16, FTW_DEPTH | FTW_PHYS);
	return done();
}
