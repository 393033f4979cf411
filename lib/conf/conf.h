/*
 * conf.h - the compiled configuration, cdb/conf.cdb (conf(5))
 *
 * conf-build compiles conf/ into cdb/conf.cdb and swaps it in by rename; a
 * running program calls conf_refresh() between units of work. The cdb has a
 * directory of its own so that a confined program can be given that directory
 * and nothing else: Landlock rules hold for a directory, not for a name.
 *
 * Slices are borrowed and valid until the next conf_refresh() or conf_close().
 */
#ifndef CONF_CONF_H
#define CONF_CONF_H

#include <stdbool.h>
#include <stdint.h>

#include "addr/addr.h"
#include "base/arena.h"
#include "base/slice.h"
#include "base/tuple.h"

struct conf;

/* Version of the compiled form; a file of another version is refused. */
#define CONF_VERSION "pneu-conf 1"

/*
 * The instance's root directory: -C operand if given, else $PNEU_ROOT, else
 * /var/lib/pneu. A constant, the argument or the environment's string; never
 * NULL. (The one place in lib/ that reads the environment.)
 */
const char *conf_root(const char *option);

/* Open ROOT/cdb/conf.cdb: NULL with errno (ENOENT: conf-build has not run;
 * EPROTO: of another version). */
struct conf *conf_open(const char *root);
/* 1 if another file was swapped in and is now used, 0 if not, -1 with errno
 * if it could not be opened (the old one stays). Cheap: one fstatat(2), by a
 * descriptor of ROOT/cdb; confine() must allow reading that directory. */
int conf_refresh(struct conf *c);
void conf_close(struct conf *c);

/*
 * Raw access. kind: "host", "listen", "domain", "account", ...; key: "" or
 * the name. 1 and *text (the records of that file as tuple lines), 0 if there
 * is none, -1 if the file is damaged.
 *
 *	host, listen (one record for each service and ip, all attributes set)
 *	domain NAME, account NAME, alias NAME: the records of that file
 *	domain, account, alias with key "": "name name=..." for each file
 *	hostname NAME: found if it is host name= or a listen name=
 *	address LOCAL@DOMAIN: canonical, unquoted; an address record with
 *	    account=, or an alias record and its members
 *	catch-all DOMAIN: a catch-all record with account=
 *
 * Values are checked and in the compiled form of setting.h; what is not set
 * is absent.
 */
int conf_get(struct conf *c, const char *kind, struct slice key,
    struct slice *text) __attribute__((warn_unused_result));

/*
 * Is that one of our names, host name= or a listen name=? For authres_is_ours():
 * conf is a struct conf. A damaged table says yes: rather a field too few.
 */
bool conf_is_hostname(void *conf, struct slice host);

/* An attribute of the `host' record, or its default from conf(5). */
struct slice conf_host(struct conf *c, const char *attr);
uint64_t conf_host_u64(struct conf *c, const char *attr);
/* Most bytes of mail that an account may keep: its own quota=, else that of
 * the host record; 0 = no limit. */
uint64_t conf_quota(struct conf *c, struct slice account);
bool conf_host_bool(struct conf *c, const char *attr);
/* All values of a repeatable attribute: their number, at most `most'. */
size_t conf_host_all(struct conf *c, const char *attr, struct slice *out,
    size_t most);
/* An attribute of any record, or its default (arena memory) from conf(5). */
struct slice conf_value(const struct tuple *t, const char *attr,
    struct arena *ar);

/* What a recipient address is to this host (spec: resolution order). */
enum conf_rcpt_kind {
	RCPT_LOCAL,    /* account and mailbox are set */
	RCPT_REMOTE,   /* domain is not ours */
	RCPT_UNKNOWN,  /* domain is ours, no such address */
	RCPT_DISABLED, /* domain is switched off: 450 4.2.1 */
	RCPT_REFUSED,  /* address has an error of its own: code and text set */
	RCPT_ALIAS,    /* members: the alias record, then
	                  "member addr=... account=... mailbox=..." lines */
};

struct conf_rcpt {
	enum conf_rcpt_kind kind;
	struct slice account, mailbox;
	struct slice address; /* canonical: separator part cut, lower case */
	struct slice members;
	int code;           /* 550 or 421 for RCPT_REFUSED */
	struct slice text;
};

/* 0 and *out, or -1 if the cdb is damaged. */
int conf_rcpt(struct conf *c, const struct addr *a, struct arena *ar,
    struct conf_rcpt *out) __attribute__((warn_unused_result));

/* May the account use this address as sender? 1 yes, 0 no, -1 damaged. */
int conf_may_send(struct conf *c, struct slice account, const struct addr *a,
    struct arena *ar) __attribute__((warn_unused_result));

/*
 * The local part as tables have it: lower case unless the domain record says
 * case-sensitive=yes, cut at its first separator.
 */
struct slice conf_local(const struct tuple *domain, struct slice local,
    struct arena *ar);

#endif
