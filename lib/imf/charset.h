/*
 * charset.h - text of any charset to UTF-8
 *
 * Conversion is by iconv(3), whose tables glibc loads from files. A confined
 * program calls charset_preload() before confine(): it opens all charsets of
 * the table in charset.c, and after it no file is opened any more. Without it
 * charsets are opened when first used. UTF-8, ASCII and windows-1252 (which
 * stands for ISO-8859-1 too, as on the web) need no table.
 *
 * The handles are the module's only state; it is not for threads.
 */
#ifndef IMF_CHARSET_H
#define IMF_CHARSET_H

#include <stdbool.h>

#include "base/slice.h"
#include "base/strbuf.h"

void charset_preload(void);

/*
 * Append `bytes' as UTF-8. What is no character in the charset becomes
 * U+FFFD; in an unknown charset ASCII stays, and valid UTF-8 as a whole. The
 * result is always valid UTF-8.
 */
void charset_put(struct strbuf *out, struct slice charset, struct slice bytes);

/* A name that charset_put() knows. */
bool charset_known(struct slice charset);

#endif
