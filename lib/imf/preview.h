/*
 * preview.h - the first words of a message (RFC 8970)
 */
#ifndef IMF_PREVIEW_H
#define IMF_PREVIEW_H

#include "base/strbuf.h"
#include "imf/mime.h"

#define PREVIEW_CHARS 256 /* RFC 8970 section 3.1 */

/*
 * Append the preview: text of the first text/plain or text/html leaf that is
 * no attachment, nothing of multipart/encrypted, only the first part of
 * multipart/signed. Quoted blocks become "[...]", "On ... wrote:" before them,
 * signatures and empty lines are left out. At most 1 MiB is read. UTF-8, at
 * most PREVIEW_CHARS characters.
 */
void preview(const struct mime *m, struct strbuf *out);

/* The same for UTF-8 text alone. */
void preview_text(struct slice text, struct strbuf *out);

/*
 * Append what people read of HTML (UTF-8), at most 4 KiB, lines of a
 * blockquote with "> " in front. No state but a counter: linear.
 */
void html_text(struct slice html, struct strbuf *out);

#endif
