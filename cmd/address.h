/*
 * address.h - records of addresses in the text of conf/account/NAME
 */
#ifndef CMD_ADDRESS_H
#define CMD_ADDRESS_H

#include "addr/addr.h"
#include "base/die.h"
#include "conf/conf.h"
#include "edit.h"

/* Is this record of an account an address of it? */
static inline bool
is_address(const struct tuple *t)
{
	return tuple_is(t, "address") || tuple_is(t, "catch-all");
}

/*
 * The form under which an address is found: lower case where its domain says
 * so, "@domain" for a catch-all. In arena memory; ends the program if it is
 * no address.
 */
static inline struct slice
address_canonical(struct conf *c, struct slice text, struct arena *ar)
{
	struct conf_rcpt rcpt;
	struct slice domain;
	struct addr a;

	if (text.n > 1 && text.p[0] == '@' &&
	    domain_ascii(slice_skip(text, 1), ar, &domain) == 0) {
		struct strbuf sb = STRBUF_INIT(512);

		sb_putc(&sb, '@');
		sb_put(&sb, domain);
		domain = arena_copy(ar, sb_slice(&sb));
		sb_free(&sb);
		return domain;
	}
	if (addr_parse(text, ADDR_UTF8, ar, &a) == -1)
		die(EXIT_PERM, "not an address: %.*s", SLICE_ARG(text));
	if (conf_rcpt(c, &a, ar, &rcpt) == -1)
		die_sys(EXIT_TEMP, "conf.cdb is damaged; run conf-build");
	return rcpt.address;
}

#endif
