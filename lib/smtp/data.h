/*
 * data.h - the bytes after DATA, as they come (RFC 5321 sections 4.1.1.4,
 * 4.5.2)
 *
 * A push parser: any split of the input gives the same message and the same
 * result. Its output has CRLF line ends only, and no stuffed dots.
 *
 * The end is CRLF "." CRLF, or "." CRLF at the very start, and nothing else.
 * What another server might take for the end, or for a line end, makes the
 * message bad: SMTP smuggling (CVE-2023-51764 and its kin) needs two servers
 * that disagree here. Bad are
 *
 *	CR without LF behind it		CRLF "." LF
 *	LF "." LF			LF "." CRLF     (LF: without CR)
 *
 * A bad message is read to its real end and then refused as a whole
 * (500 5.5.2), so the connection stays in step. Any other LF without CR is a
 * line end and comes out as CRLF: hand-made clients send it and none of the
 * known attacks works with it. A dot is removed only behind CRLF, since only
 * there does a sender add one.
 */
#ifndef SMTP_DATA_H
#define SMTP_DATA_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

enum smtp_data_state {
	SMTP_DATA_START,   /* after CRLF, or at the start */
	SMTP_DATA_MID,     /* in a line */
	SMTP_DATA_CR,      /* in a line, after CR */
	SMTP_DATA_DOT,     /* START, then "." */
	SMTP_DATA_DOT_CR,  /* START, then "." CR */
	SMTP_DATA_LF,      /* after LF without CR */
	SMTP_DATA_LF_DOT,  /* LF, then "." */
	SMTP_DATA_LF_DOT_CR,
	SMTP_DATA_END,     /* the end has been read */
};

struct smtp_data {
	enum smtp_data_state state;
	bool bad;      /* to be refused */
	bool bare_lf;  /* had an LF without CR */
	uint64_t size; /* bytes put out so far */
	/* Takes the next bytes of the message; borrowed from the input. */
	void (*put)(void *ctx, struct slice s);
	void *ctx;
};

void smtp_data_init(struct smtp_data *d, void (*put)(void *, struct slice),
    void *ctx);

/*
 * Take bytes off *in: true when the end has been read; what is left in *in is
 * the next command then. Nothing is put out once the message is bad.
 */
bool smtp_data_feed(struct smtp_data *d, struct slice *in);

#endif
