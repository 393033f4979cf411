/*
 * reader.h - cut a byte stream into IMAP commands (RFC 9051 section 2.2, 4.3)
 *
 * Push style: any split of the input gives the same commands. A command's text
 * is kept as it came, each literal's bytes behind its "{n}" CRLF, without the
 * last line end; a line may end in CRLF or LF. The scanner (scan.h) reads that
 * text. At each literal the caller chooses what becomes of its bytes, so a
 * message that is appended never stands in memory.
 */
#ifndef IMAP_READER_H
#define IMAP_READER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "base/strbuf.h"

struct imap_limits {
	size_t line;       /* bytes of a command's lines, without literals */
	size_t literal;    /* bytes of one literal that is kept */
	size_t literals;   /* bytes of all kept literals of a command */
	unsigned pieces;   /* kept literals of a command */
};

enum imap_event {
	IMAP_MORE,     /* all input taken, nothing complete */
	IMAP_COMMAND,  /* r->text is a whole command */
	IMAP_LITERAL,  /* r->text ends in the head of r->literal: call one of
	                  the imap_literal_ functions, then go on */
	IMAP_DATA,     /* some bytes of a streamed literal */
	IMAP_DATA_END, /* the streamed literal is complete */
	IMAP_TOOLONG,  /* the command was too long and has been skipped;
	                  r->text is its start. r->lost: a literal may follow
	                  that cannot be told, the stream is useless */
};

struct imap_literal {
	uint64_t size;  /* UINT64_MAX if it does not fit */
	bool sync;      /* the client waits for "+ " */
	bool binary;    /* literal8, RFC 3516 */
};

struct imap_reader {
	struct imap_limits limits;
	struct strbuf text;
	struct imap_literal literal;
	bool lost;
	/* private */
	int state;
	bool refused, done;
	size_t line_bytes, kept_bytes;
	unsigned kept;
	uint64_t left;
	unsigned char last[2];
};

void imap_reader_init(struct imap_reader *r, const struct imap_limits *l);
void imap_reader_free(struct imap_reader *r);
/* Nothing of a command has been read. */
bool imap_reader_idle(const struct imap_reader *r);

/*
 * Take bytes off *in until something is to be told. IMAP_DATA borrows *data
 * from the input. After IMAP_COMMAND and IMAP_TOOLONG r->text stays until the
 * next call.
 */
enum imap_event imap_read(struct imap_reader *r, struct slice *in,
    struct slice *data);

/* The literal's size is within the limits for keeping. */
bool imap_literal_fits(const struct imap_reader *r);
/* Keep its bytes in the text. The caller sends "+ " if it is synchronising. */
void imap_literal_keep(struct imap_reader *r);
/* Get its bytes as IMAP_DATA; the text then starts anew behind it. */
void imap_literal_stream(struct imap_reader *r);
/* The command has been refused: skip what is left of it. */
void imap_literal_refuse(struct imap_reader *r);

#endif
