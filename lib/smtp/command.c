#include "smtp/command.h"

#include "base/alloc.h"

#define HELLO_MAX 255 /* octets of a domain, RFC 5321 section 4.5.3.1.2 */
#define LABEL_MAX 63  /* RFC 1035 section 2.3.4 */

static const struct {
	const char *name;
	enum smtp_verb verb;
} verbs[] = {
	{ "MAIL", SMTP_MAIL },
	{ "RCPT", SMTP_RCPT },
	{ "DATA", SMTP_DATA },
	{ "EHLO", SMTP_EHLO },
	{ "HELO", SMTP_HELO },
	{ "QUIT", SMTP_QUIT },
	{ "RSET", SMTP_RSET },
	{ "NOOP", SMTP_NOOP },
	{ "STARTTLS", SMTP_STARTTLS },
	{ "AUTH", SMTP_AUTH },
	{ "HELP", SMTP_HELP },
	{ "VRFY", SMTP_VRFY },
	{ "EXPN", SMTP_EXPN },
};

bool
smtp_line_ok(struct slice line)
{
	for (size_t i = 0; i < line.n; i++)
		if ((line.p[i] < 0x20 && line.p[i] != '\t') ||
		    line.p[i] == 0x7f)
			return false;
	return slice_is_ascii(line) || slice_is_utf8(line);
}

void
smtp_command(struct slice line, struct smtp_command *c)
{
	struct slice word;

	*c = (struct smtp_command){ .verb = SMTP_UNKNOWN };
	if (!slice_cut(&line, ' ', &word))
		word = slice_rtrim(word);
	c->arg = slice_rtrim(line);
	c->trailing = c->arg.n != line.n;
	for (size_t i = 0; i < COUNTOF(verbs); i++)
		if (slice_ieqs(word, verbs[i].name)) {
			c->verb = verbs[i].verb;
			return;
		}
}

/* RFC 5321 section 4.1.2, A-d-l: "@a,@b:" before a mailbox. 0, or -1. */
static int
skip_route(struct slice *path)
{
	struct slice route, hop;

	if (path->n == 0 || path->p[0] != '@')
		return 0;
	if (!slice_cut(path, ':', &route))
		return -1;
	while (route.n != 0) {
		bool more = slice_cut(&route, ',', &hop);

		if (hop.n < 2 || hop.p[0] != '@' ||
		    !smtp_hello_ok(slice_skip(hop, 1), false) ||
		    (more && route.n == 0))
			return -1;
	}
	return path->n != 0 ? 0 : -1;
}

/* Length up to the ">" that ends a path, or -1. */
static ptrdiff_t
path_end(struct slice in)
{
	bool quoted = false;

	for (size_t i = 0; i < in.n; i++) {
		unsigned char c = in.p[i];

		if (quoted && c == '\\')
			i++;
		else if (c == '"')
			quoted = !quoted;
		else if (!quoted && c == '>')
			return (ptrdiff_t)i;
		else if (!quoted && (c == '<' || ascii_isblank(c)))
			return -1;
	}
	return -1;
}

int
smtp_path(struct slice *in, const char *keyword, struct slice *mailbox)
{
	struct slice rest = *in;
	ptrdiff_t end;

	if (!slice_istarts(rest, slice_str(keyword)))
		return -1;
	rest = slice_ltrim(slice_skip(rest, strlen(keyword)));
	if (rest.n == 0 || rest.p[0] != '<')
		return -1;
	rest = slice_skip(rest, 1);
	if ((end = path_end(rest)) == -1)
		return -1;
	*mailbox = slice_sub(rest, 0, (size_t)end);
	*in = slice_skip(rest, (size_t)end + 1);
	if (in->n != 0 && in->p[0] != ' ')
		return -1;
	return skip_route(mailbox);
}

static bool
is_keyword(struct slice key)
{
	if (key.n == 0 || key.p[0] == '-')
		return false;
	for (size_t i = 0; i < key.n; i++)
		if (!ascii_isalnum(key.p[i]) && key.p[i] != '-')
			return false;
	return true;
}

static bool
is_value(struct slice v)
{
	for (size_t i = 0; i < v.n; i++)
		if (v.p[i] <= ' ' || v.p[i] == '=' || v.p[i] == 0x7f)
			return false;
	return v.n != 0;
}

int
smtp_param(struct slice *in, struct smtp_param *p)
{
	struct slice word;

	while (in->n != 0 && in->p[0] == ' ')
		*in = slice_skip(*in, 1);
	if (slice_trim(*in).n == 0)
		return 0;
	slice_cut(in, ' ', &word);
	p->has_value = slice_cut(&word, '=', &p->key);
	p->value = p->has_value ? word : SLICE_NONE;
	if (!is_keyword(p->key) || (p->has_value && !is_value(p->value)))
		return -1;
	return 1;
}

/* RFC 3461: the two digits of "+HH" are upper case. */
static int
upper_hex(unsigned char c)
{
	return c >= 'a' ? -1 : ascii_hex(c);
}

int
smtp_xtext(struct slice in, struct strbuf *out)
{
	for (size_t i = 0; i < in.n; i++) {
		unsigned char c = in.p[i];

		if (c <= ' ' || c > '~' || c == '=')
			return -1;
		if (c == '+') {
			int hi, lo;

			if (in.n - i < 3 || (hi = upper_hex(in.p[i + 1])) == -1 ||
			    (lo = upper_hex(in.p[i + 2])) == -1)
				return -1;
			c = (unsigned char)(hi << 4 | lo);
			if (c < ' ' || c == 0x7f)
				return -1;
			i += 2;
		}
		sb_putc(out, c);
	}
	return out->over ? -1 : 0;
}

/* "[1.2.3.4]" or "[IPv6:...]", by its bytes; who uses it parses it. */
static bool
is_literal(struct slice s)
{
	if (s.n < 4 || s.p[0] != '[' || s.p[s.n - 1] != ']')
		return false;
	for (size_t i = 1; i + 1 < s.n; i++)
		if (!ascii_isalnum(s.p[i]) && s.p[i] != '.' &&
		    s.p[i] != ':' && s.p[i] != '-')
			return false;
	return true;
}

bool
smtp_hello_ok(struct slice name, bool literal)
{
	size_t label = 0;

	if (name.n == 0 || name.n > HELLO_MAX)
		return false;
	if (name.p[0] == '[')
		return literal && is_literal(name);
	for (size_t i = 0; i < name.n; i++) {
		unsigned char c = name.p[i];

		if (c == '.') {
			if (label == 0)
				return false;
			label = 0;
		} else if ((!ascii_isalnum(c) && c != '-' && c != '_') ||
		    ++label > LABEL_MAX)
			return false;
	}
	return true;
}
