/*
 * setting.h - every setting of conf/, in one table (conf(5))
 *
 * To add a setting, add a line to the table in setting.c: conf-check then
 * accepts and checks it, conf_host() and conf_value() know its default, and
 * conf-check -l prints it.
 */
#ifndef CONF_SETTING_H
#define CONF_SETTING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/slice.h"
#include "base/tuple.h"

/* What a value may be; the compiled form, where it differs, after the arrow. */
enum setting_type {
	SET_TEXT,    /* least to most bytes, no control bytes */
	SET_NAME,    /* fit for a file name: no slash, no leading dot */
	SET_BOOL,    /* yes, no */
	SET_NUMBER,  /* least to most */
	SET_SIZE,    /* number with k, m, g or t (powers of 1024) -> bytes */
	SET_TIME,    /* 90, 1d2h3m4s -> seconds */
	SET_TIMES,   /* the same, separated by commas -> seconds */
	SET_CHOICE,  /* one of `choices' */
	SET_DOMAIN,  /* -> lower-case A-labels */
	SET_ADDRESS, /* local@domain -> canonical */
	SET_CATCHALL, /* @domain -> canonical */
	SET_IP,      /* -> canonical */
	SET_SERVER,  /* 192.0.2.1, 192.0.2.1:53, [2001:db8::1]:53 */
	SET_MAILBOX, /* a name that the store takes: store.h, mailbox_name() */
	SET_REFUSAL, /* "550 text" or "421 text" */
	SET_FIELDS,  /* a choice, or names of header fields by commas */
	SET_SENDERS, /* local@domain, @domain, @*.domain by commas -> canonical */
	SET_LIST,    /* zone, or zone/127.0.0.2,127.0.0.4-127.0.0.7: dnsxl.h */
};

enum setting_flags {
	SET_REQUIRED = 1,
	SET_REPEAT = 2, /* may be given several times in a record */
};

struct setting {
	const char *record, *attr;
	enum setting_type type;
	unsigned flags;
	const char *initial; /* the default, as people write it; NULL: none */
	uint64_t least, most;
	const char *choices; /* "a|b|c" */
	const char *text;
};

extern const struct setting settings[];
extern const size_t settings_count;

/* The setting, or NULL. */
const struct setting *setting_find(struct slice record, struct slice attr);
/* Is this a record type of conf/? */
bool setting_record(struct slice record);
const char *setting_type_name(enum setting_type t);

/*
 * Check a value and give its compiled form (borrowed from it or from the
 * arena): NULL, or a constant text that says what is wrong with it.
 */
const char *setting_normal(const struct setting *s, struct slice value,
    struct arena *ar, struct slice *out);
/* The default in compiled form; empty if there is none. */
struct slice setting_default(const struct setting *s, struct arena *ar);

/* "account", "domain" ...: may this be the name of a file there? */
bool setting_name_ok(struct slice name);

#endif
