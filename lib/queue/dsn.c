#include "queue/dsn.h"

#include "base/tuple.h"
#include "imf/date.h"
#include "imf/field.h"

#define FOLD_AT 72       /* columns of our own folded lines */
#define MSGID_MAX ((size_t)900) /* fits a line of 998 with its field name */

static bool
concerns(const struct dsn *d, const struct qrcpt *r)
{
	if (d->delay)
		return qrcpt_status(r) == Q_WAITING && r->last != NULL &&
		    (r->notify & NOTIFY_DELAY);
	return qrcpt_status(r) == Q_FAILED && !r->reported &&
	    (r->notify & NOTIFY_FAILURE);
}

/*
 * Text of others, on lines of at most FOLD_AT columns where there are blanks,
 * the later ones after `indent'. A piece without blanks is cut, since a line
 * may have no more than 998 bytes.
 */
static void
put_folded(struct strbuf *sb, const char *text, size_t column,
    const char *indent)
{
	struct slice in = slice_str(text), word;
	bool first = true;

	while (slice_word(&in, &word)) {
		word = slice_sub(word, 0, QUEUE_TEXT_MAX);
		if (!first && column + 1 + word.n > FOLD_AT) {
			sb_puts(sb, "\r\n");
			sb_puts(sb, indent);
			column = strlen(indent);
		} else if (!first) {
			sb_putc(sb, ' ');
			column++;
		}
		sb_put(sb, word);
		column += word.n;
		first = false;
	}
	sb_puts(sb, "\r\n");
}

/* "host mx.example.net[192.0.2.1] said: 550 5.1.1 no such user" */
static void
put_reason(struct strbuf *sb, const struct qresult *l)
{
	struct strbuf t = STRBUF_INIT(4096);

	if (l->host != NULL)
		sb_printf(&t, "host %s%s%s%s%s: ", l->host,
		    l->ip != NULL ? " [" : "", l->ip != NULL ? l->ip : "",
		    l->ip != NULL ? "]" : "", l->code != 0 ? " said" : "");
	if (l->code != 0)
		sb_printf(&t, "%d ", l->code);
	if (l->ecode[0] != '\0')
		sb_printf(&t, "%s ", l->ecode);
	sb_puts(&t, l->text);
	sb_puts(sb, "    ");
	put_folded(sb, sb_cstr(&t), 4, "    ");
	sb_free(&t);
}

static void
put_text(struct strbuf *sb, const struct dsn *d, bool utf8)
{
	const struct qentry *e = d->entry;

	sb_printf(sb, "Content-Type: text/plain; charset=%s\r\n"
	    "Content-Transfer-Encoding: %s\r\n\r\n",
	    utf8 ? "utf-8" : "us-ascii", utf8 ? "8bit" : "7bit");
	sb_printf(sb, "This is the mail system at %s.\r\n\r\n", d->host);
	if (d->delay) {
		sb_puts(sb, "Your message could not be delivered yet to:\r\n");
	} else {
		sb_puts(sb, "Your message could not be delivered to:\r\n");
	}
	for (size_t i = 0; i < e->rcpts; i++) {
		if (!concerns(d, &e->rcpt[i]))
			continue;
		sb_printf(sb, "\r\n  %s\r\n", e->rcpt[i].addr);
		put_reason(sb, e->rcpt[i].last);
	}
	if (d->delay) {
		sb_puts(sb, "\r\nYou need not send it again. It will be tried "
		    "until\r\n");
		date_write(sb, d->give_up, 0);
		sb_puts(sb, ".\r\n");
	} else
		sb_puts(sb, "\r\nIt will not be tried again. The header of "
		    "your message follows.\r\n");
}

static void
put_date(struct strbuf *sb, const char *name, int64_t when)
{
	sb_printf(sb, "%s: ", name);
	date_write(sb, when, 0);
	sb_puts(sb, "\r\n");
}

/* RFC 3464 section 2.3.4. Giving up after 4xx keeps that class; what is late
 * has it, whatever a host says (552 for too many recipients). */
static void
put_status(struct strbuf *sb, const struct dsn *d, const struct qresult *l)
{
	if (l->ecode[0] != '\0')
		sb_printf(sb, "Status: %c%s\r\n", d->delay ? '4' :
		    l->ecode[0], l->ecode + 1);
	else
		sb_printf(sb, "Status: %c.0.0\r\n",
		    d->delay || l->code / 100 == 4 ? '4' : '5');
}

static void
put_diagnostic(struct strbuf *sb, const struct qresult *l)
{
	struct strbuf t = STRBUF_INIT(4096);

	if (l->code == 0) /* our own words: no SMTP reply */
		sb_puts(sb, "Diagnostic-Code: x-pneu; ");
	else
		sb_puts(sb, "Diagnostic-Code: smtp; ");
	if (l->code != 0)
		sb_printf(&t, "%d ", l->code);
	if (l->ecode[0] != '\0')
		sb_printf(&t, "%s ", l->ecode);
	sb_puts(&t, l->text);
	put_folded(sb, sb_cstr(&t), 23, "  ");
	sb_free(&t);
}

static void
put_status_part(struct strbuf *sb, const struct dsn *d, bool utf8)
{
	const struct qentry *e = d->entry;

	sb_printf(sb, "Content-Type: message/%sdelivery-status\r\n%s\r\n",
	    utf8 ? "global-" : "",
	    utf8 ? "Content-Transfer-Encoding: 8bit\r\n" : "");
	if (e->envid != NULL)
		sb_printf(sb, "Original-Envelope-Id: %s\r\n", e->envid);
	sb_printf(sb, "Reporting-MTA: dns; %s\r\n", d->host);
	put_date(sb, "Arrival-Date", e->time);
	for (size_t i = 0; i < e->rcpts; i++) {
		const struct qrcpt *r = &e->rcpt[i];
		const struct qresult *l = r->last;
		bool wide = !slice_is_ascii(slice_str(r->addr));

		if (!concerns(d, r))
			continue;
		sb_puts(sb, "\r\n");
		if (r->orcpt != NULL) /* "rfc822;ann@example.org" */
			sb_printf(sb, "Original-Recipient: %s\r\n", r->orcpt);
		sb_printf(sb, "Final-Recipient: %s; %s\r\n",
		    wide ? "utf-8" : "rfc822", r->addr);
		sb_printf(sb, "Action: %s\r\n", d->delay ? "delayed" : "failed");
		put_status(sb, d, l);
		if (l->host != NULL)
			sb_printf(sb, "Remote-MTA: dns; %s%s%s%s\r\n", l->host,
			    l->ip != NULL ? " (" : "", l->ip != NULL ? l->ip : "",
			    l->ip != NULL ? ")" : "");
		put_diagnostic(sb, l);
		put_date(sb, "Last-Attempt-Date", l->time);
		if (d->delay)
			put_date(sb, "Will-Retry-Until", d->give_up);
	}
}

/* The original header, whole fields up to DSN_HEADER_MAX, with CRLF. */
static void
put_header(struct strbuf *sb, struct slice original)
{
	struct slice in = original, line;
	struct field f;
	size_t room = DSN_HEADER_MAX;

	while (field_next(&in, &f) == 1 && f.raw.n <= room) {
		room -= f.raw.n;
		if (f.bad) /* would end the header for some readers */
			continue;
		while (slice_line(&f.raw, &line)) {
			for (size_t i = 0; i < line.n; i++)
				sb_putc(sb, line.p[i] == '\r' ||
				    line.p[i] == '\0' ? '?' : line.p[i]);
			sb_puts(sb, "\r\n");
		}
	}
}

/* The original's Message-ID if it is one that may stand in References. */
static void
put_references(struct strbuf *sb, struct slice original)
{
	struct strbuf id = STRBUF_INIT(MSGID_MAX);
	struct slice in = slice_sub(original, 0, DSN_HEADER_MAX);
	struct field f;

	while (field_next(&in, &f) == 1)
		if (slice_ieqs(f.name, "message-id")) {
			field_unfold(&id, f.value);
			break;
		}
	if (!id.over && id.n > 2 && id.p[0] == '<' &&
	    id.p[id.n - 1] == '>' && slice_is_print(sb_slice(&id)) &&
	    slice_chr(sb_slice(&id), ' ') == -1)
		sb_printf(sb, "References: %s\r\nIn-Reply-To: %s\r\n",
		    sb_cstr(&id), sb_cstr(&id));
	sb_free(&id);
}

static bool
needs_utf8(const struct dsn *d, struct slice header)
{
	const struct qentry *e = d->entry;

	if (!slice_is_ascii(header) || !slice_is_ascii(slice_str(e->from)))
		return true;
	for (size_t i = 0; i < e->rcpts; i++)
		if (concerns(d, &e->rcpt[i]) &&
		    (!slice_is_ascii(slice_str(e->rcpt[i].addr)) ||
		    !slice_is_ascii(slice_str(e->rcpt[i].last->text))))
			return true;
	return false;
}

static void
put_envelope(const struct dsn *d, struct strbuf *env, size_t size, bool utf8)
{
	tuple_begin(env, "job");
	tuple_puts(env, "id", d->id);
	tuple_putu(env, "size", size);
	tuple_putu(env, "time", (uint64_t)d->now);
	tuple_puts(env, "body", utf8 ? "8bitmime" : "7bit");
	/* RFC 6533: only an address forces the extension on the way back. */
	tuple_puts(env, "smtputf8",
	    slice_is_ascii(slice_str(d->entry->from)) ? "no" : "yes");
	tuple_end(env);
	tuple_begin(env, "from");
	tuple_puts(env, "addr", "");
	tuple_end(env);
	tuple_begin(env, "rcpt");
	tuple_puts(env, "addr", d->entry->from);
	tuple_end(env);
}

void
dsn_build(const struct dsn *d, struct strbuf *env, struct strbuf *msg)
{
	struct strbuf header = STRBUF_INIT(2 * DSN_HEADER_MAX);
	bool utf8;

	put_header(&header, d->original);
	utf8 = needs_utf8(d, sb_slice(&header));
	sb_puts(msg, "Date: ");
	date_write(msg, d->now, 0);
	sb_printf(msg, "\r\nFrom: Mail Delivery <postmaster@%s>\r\n"
	    "To: <%s>\r\nSubject: Mail delivery %s\r\n"
	    "Message-ID: <%s@%s>\r\n", d->host, d->entry->from,
	    d->delay ? "delayed" : "failed", d->id, d->host);
	put_references(msg, d->original);
	sb_printf(msg, "Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n"
	    "Content-Type: multipart/report; report-type=delivery-status;\r\n"
	    "\tboundary=\"=_%s\"\r\n\r\n--=_%s\r\n", d->id, d->id);
	put_text(msg, d, utf8);
	sb_printf(msg, "\r\n--=_%s\r\n", d->id);
	put_status_part(msg, d, utf8);
	sb_printf(msg, "\r\n--=_%s\r\nContent-Type: %s\r\n%s\r\n", d->id,
	    utf8 ? "message/global-headers" : "text/rfc822-headers",
	    utf8 ? "Content-Transfer-Encoding: 8bit\r\n" : "");
	sb_put(msg, sb_slice(&header));
	sb_printf(msg, "\r\n--=_%s--\r\n", d->id);
	put_envelope(d, env, msg->n, utf8);
	sb_free(&header);
}
