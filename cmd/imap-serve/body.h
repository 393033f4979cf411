/*
 * body.h - sections of a message: BODY[...], BINARY[...] (RFC 9051 section
 * 6.4.5)
 */
#ifndef BODY_H
#define BODY_H

#include "imf/mime.h"
#include "session.h"


enum section_text {
	SEC_ALL, SEC_HEADER, SEC_FIELDS, SEC_FIELDS_NOT, SEC_TEXT, SEC_MIME
};

struct section {
	uint32_t number[SECTION_DEPTH];
	size_t depth;
	enum section_text text;
	struct slice *field; /* of SEC_FIELDS */
	size_t fields;
};

struct partial {
	bool given;
	uint64_t from, count;
};

/* A message that is looked into: opened and cut into parts on demand. */
struct opened {
	struct session *s;
	uint32_t uid;
	int fd;              /* -1: not opened yet */
	bool gone;
	struct slice msg;    /* mapped */
	bool mapped, parsed;
	struct mime mime;
	struct arena *ar;    /* the parts live there */
	struct strbuf picked; /* of the section that is being written */
};

void opened_init(struct opened *o, struct session *s, uint32_t uid,
    struct arena *ar);
void opened_close(struct opened *o);
/* Bytes of the message, or -1: it is gone. */
int64_t opened_size(struct opened *o);
/* The message mapped, or its parts: false if it is gone. */
bool opened_map(struct opened *o);
bool opened_mime(struct opened *o);

/* "[...]" after BODY or BINARY; for BINARY numbers only. */
bool take_section(struct session *s, struct slice *in, bool binary,
    struct section *sec);
/* "<from.count>" or nothing; size: BINARY.SIZE takes none. */
bool take_partial(struct slice *in, struct partial *p);
void put_section(struct strbuf *sb, const struct section *sec);

/* The entity that the numbers name, or NULL. */
const struct mime_part *section_part(const struct mime *m,
    const struct section *sec);
/* Write the value: NIL, "" or a literal. */
void put_body(struct opened *o, const struct section *sec,
    const struct partial *p);
/* The same decoded, as literal8; false: unknown transfer encoding. */
bool put_binary(struct opened *o, const struct section *sec,
    const struct partial *p);
bool put_binary_size(struct opened *o, const struct section *sec);

/* BODY from BODYSTRUCTURE: without extension data. */
void put_plain_structure(struct strbuf *sb, struct slice text);

#endif
