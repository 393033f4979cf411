/*
 * word.h - encoded words (RFC 2047) in field values
 */
#ifndef IMF_WORD_H
#define IMF_WORD_H

#include <stdbool.h>

#include "base/slice.h"
#include "base/strbuf.h"

/*
 * Append a value without folds and with its encoded words decoded, as UTF-8.
 * Bytes above 0x7f outside of encoded words are taken as UTF-8 if all the
 * value is, else as windows-1252. Blanks between encoded words vanish, and a
 * character may be split between two words of one charset. Leniency: blanks
 * in Q words, wrong base64 padding and words over 75 bytes are accepted.
 */
void word_decode(struct strbuf *out, struct slice value);

/*
 * Append text (UTF-8) as ASCII: as it is if it has no byte above 0x7e or
 * below 0x20, else as encoded words of at most 75 bytes, with a blank between.
 */
void word_encode(struct strbuf *out, struct slice text);

/* There may be an encoded word in it. */
bool word_maybe(struct slice value);

/* Decode Q text (RFC 2047 section 4.2) and base64 with leniency. */
void word_unq(struct strbuf *out, struct slice text);
void word_unb(struct strbuf *out, struct slice text);

#endif
