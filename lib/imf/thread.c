#include "imf/thread.h"

#include <errno.h>
#include <stdlib.h>
#include <unicase.h>

#include "addr/addr.h"
#include "imf/lex.h"

/* Lower case without blanks, and without needless quotes if an address. */
static struct slice
canonical(struct slice id, struct arena *ar)
{
	struct strbuf sb = STRBUF_INIT(2 * THREAD_ID_MAX);
	struct addr a;
	ptrdiff_t at;

	id = lex_lower(id, ar);
	if (addr_parse(id, ADDR_UTF8, ar, &a) == -1)
		return id;
	at = slice_rchr(id, '@');
	a.domain = SLICE_NONE;
	addr_format(&sb, &a);
	sb_put(&sb, slice_skip(id, (size_t)at)); /* as it was spelled */
	id = arena_copy(ar, sb_slice(&sb));
	sb_free(&sb);
	return id;
}

int
thread_msgid(struct slice value, struct arena *ar, struct slice *id)
{
	struct slice rest = slice_trim(value), text;

	*id = SLICE_NONE;
	if (rest.n == 0 || rest.p[0] != '<')
		return -1;
	rest = slice_skip(rest, 1);
	if (!slice_cut(&rest, '>', &text) || text.n == 0 ||
	    text.n > THREAD_ID_MAX)
		return -1;
	if (rest.n != 0 && slice_ltrim(rest).n == rest.n)
		return -1;
	*id = canonical(text, ar);
	return 0;
}

static struct slice
without_blanks(struct slice s, struct arena *ar)
{
	unsigned char *p = arena_alloc(ar, s.n);
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] > ' ')
			p[n++] = s.p[i];
	return slice_of(p, n);
}

/* The next "<id>" off *in; "<" again before ">" starts anew. */
static bool
take_id(struct slice *in, struct slice *id)
{
	struct slice before;
	ptrdiff_t open;

	if (!slice_cut(in, '<', &before) || !slice_cut(in, '>', id))
		return false;
	if ((open = slice_rchr(*id, '<')) != -1)
		*id = slice_skip(*id, (size_t)open + 1);
	return true;
}

size_t
thread_refs(struct slice references, struct slice in_reply_to,
    struct arena *ar, struct slice refs[THREAD_REFS_MAX])
{
	struct slice in = references, id;
	size_t seen = 0, count, first;

	while (take_id(&in, &id))
		refs[seen++ % THREAD_REFS_MAX] = id;
	if (seen == 0 && slice_trim(in_reply_to).n != 0 &&
	    slice_trim(in_reply_to).p[0] == '<' && take_id(&in_reply_to, &id))
		refs[seen++] = id;
	count = seen < THREAD_REFS_MAX ? seen : THREAD_REFS_MAX;
	first = seen % THREAD_REFS_MAX;
	if (seen > THREAD_REFS_MAX && first != 0) {
		struct slice turned[THREAD_REFS_MAX];

		for (size_t i = 0; i < count; i++)
			turned[i] = refs[(first + i) % THREAD_REFS_MAX];
		memcpy(refs, turned, sizeof(turned));
	}
	seen = 0;
	for (size_t i = 0; i < count; i++) {
		if (refs[i].n > THREAD_ID_MAX)
			continue;
		id = canonical(without_blanks(refs[i], ar), ar);
		if (id.n != 0)
			refs[seen++] = id;
	}
	return seen;
}

/* "[...]" and blanks after it off the front. */
static bool
take_blob(struct slice *s)
{
	size_t i = 1;

	if (s->n == 0 || s->p[0] != '[')
		return false;
	while (i < s->n && s->p[i] != '[' && s->p[i] != ']')
		i++;
	if (i == s->n || s->p[i] != ']')
		return false;
	*s = slice_ltrim(slice_skip(*s, i + 1));
	return true;
}

/* "re:", "fw:", "fwd[2] :", with blobs in front. */
static bool
take_refwd(struct slice *s)
{
	struct slice rest = *s;

	while (take_blob(&rest))
		;
	if (slice_istarts(rest, S("re")))
		rest = slice_skip(rest, 2);
	else if (slice_istarts(rest, S("fwd")))
		rest = slice_skip(rest, 3);
	else if (slice_istarts(rest, S("fw")))
		rest = slice_skip(rest, 2);
	else
		return false;
	rest = slice_ltrim(rest);
	(void)take_blob(&rest);
	if (rest.n == 0 || rest.p[0] != ':')
		return false;
	*s = slice_ltrim(slice_skip(rest, 1));
	return true;
}

/* RFC 5256 section 2.1, steps 2 to 6. */
static bool
strip(struct slice *s)
{
	const struct slice fwd = S("(fwd)"), open = S("[fwd:");
	bool response = false, again = true;
	struct slice rest;

	while (again) {
		again = false;
		*s = slice_trim(*s);
		while (slice_iends(*s, fwd)) {
			*s = slice_rtrim(slice_sub(*s, 0, s->n - fwd.n));
			response = true;
		}
		while (take_refwd(s))
			response = again = true;
		rest = *s;
		if (take_blob(&rest) && rest.n != 0) {
			*s = rest;
			again = true;
		}
		if (!again && slice_istarts(*s, open) &&
		    slice_ends(*s, S("]"))) {
			*s = slice_sub(*s, open.n, s->n - open.n - 1);
			response = again = true;
		}
	}
	return response;
}

/* Runs of white space become one blank. */
static struct slice
collapse(struct slice s, struct arena *ar)
{
	struct slice word;
	unsigned char *p = arena_alloc(ar, s.n + 1);
	size_t n = 0;

	while (slice_word(&s, &word)) {
		if (n != 0)
			p[n++] = ' ';
		memcpy(p + n, word.p, word.n);
		n += word.n;
	}
	return slice_of(p, n);
}

bool
thread_subject(struct slice decoded, struct arena *ar, struct slice *base)
{
	struct slice s = collapse(decoded, ar);
	bool response = strip(&s);
	uint8_t *lower;
	size_t n;

	*base = SLICE_NONE;
	if (slice_is_ascii(s))
		*base = lex_lower(s, ar);
	else if ((lower = u8_tolower(s.p, s.n, NULL, NULL, NULL, &n)) != NULL) {
		*base = arena_copy(ar, slice_of(lower, n));
		free(lower);
	}
	return response;
}
