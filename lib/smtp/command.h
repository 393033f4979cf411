/*
 * command.h - SMTP command lines (RFC 5321 sections 4.1.1 and 4.1.2)
 *
 * Slices are borrowed from the line. No function allocates, except that
 * smtp_xtext() appends to its strbuf.
 */
#ifndef SMTP_COMMAND_H
#define SMTP_COMMAND_H

#include <stdbool.h>

#include "base/slice.h"
#include "base/strbuf.h"

enum smtp_verb {
	SMTP_UNKNOWN,
	SMTP_EHLO,
	SMTP_HELO,
	SMTP_MAIL,
	SMTP_RCPT,
	SMTP_DATA,
	SMTP_RSET,
	SMTP_NOOP,
	SMTP_QUIT,
	SMTP_HELP,
	SMTP_VRFY,
	SMTP_EXPN,
	SMTP_STARTTLS,
	SMTP_AUTH,
};

struct smtp_command {
	enum smtp_verb verb;
	struct slice arg; /* after the first space; trailing blanks removed */
	bool trailing;    /* there were blanks at the end */
};

/*
 * The bytes that a command line may have: no control bytes but HTAB, and
 * valid UTF-8 (RFC 6531 section 3.3).
 */
bool smtp_line_ok(struct slice line);

/* Split a line (without its line end) at the first space. */
void smtp_command(struct slice line, struct smtp_command *c);

/*
 * Take `keyword' ("FROM:", "TO:"), blanks, and a path in angle brackets off
 * *in. *mailbox is what stands in the brackets without a source route, which
 * is checked and ignored (RFC 5321 appendix C); empty for "<>". Quoted
 * strings are honoured, so that "<" and ">" may stand in them. 0, or -1.
 * What follows the bracket must be the end or a space.
 *
 * Lenient: blanks between the colon and the bracket, as several clients send.
 */
int smtp_path(struct slice *in, const char *keyword, struct slice *mailbox)
    __attribute__((warn_unused_result));

struct smtp_param {
	struct slice key, value;
	bool has_value; /* there was a "="; the value is not empty then */
};

/*
 * Take the next " KEY" or " KEY=VALUE" off *in (RFC 5321 section 4.1.2,
 * esmtp-param): 1 and *p, 0 at the end, -1 malformed.
 */
int smtp_param(struct slice *in, struct smtp_param *p)
    __attribute__((warn_unused_result));

/*
 * Decode xtext (RFC 3461 section 4) and append it: 0, or -1 for anything that
 * is not xtext, and for control bytes, which no value needs.
 */
int smtp_xtext(struct slice in, struct strbuf *out)
    __attribute__((warn_unused_result));

/*
 * What EHLO and HELO may say: a domain, or with `literal' also an address
 * literal (RFC 5321 section 4.1.3). Letters, digits, hyphens, dots, and
 * underscores, which many hosts have.
 */
bool smtp_hello_ok(struct slice name, bool literal);

#endif
