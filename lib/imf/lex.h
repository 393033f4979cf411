/*
 * lex.h - the lexical tokens of structured fields (RFC 5322 section 3.2)
 *
 * All take their token off *in and work on folded values. Comments nest to
 * any depth without recursion. What is not terminated ends with the input and
 * makes the result false.
 */
#ifndef IMF_LEX_H
#define IMF_LEX_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/slice.h"

/*
 * Skip white space and comments; *comment (may be NULL) becomes the raw text
 * in the last comment, and stays as it is if there was none.
 */
bool lex_cfws(struct slice *in, struct slice *comment);

/* The quoted string that *in starts with; *raw is what is in the quotes. */
bool lex_quoted(struct slice *in, struct slice *raw);

/* A domain literal, with its brackets. */
bool lex_literal(struct slice *in, struct slice *raw);

/* Raw text of a quoted string or comment without backslashes and folds. */
struct slice lex_unquote(struct slice raw, struct arena *ar);

/* Token of RFC 2045 section 5.1; bytes above 0x7f belong to it. May be empty. */
struct slice lex_token(struct slice *in);

/* Atoms with dots of RFC 5322 section 3.2.3; bytes above 0x7f belong to it. */
struct slice lex_atom(struct slice *in);

/* Lower case, in the arena. */
struct slice lex_lower(struct slice s, struct arena *ar);

#endif
