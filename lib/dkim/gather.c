#include "dkim/gather.h"

#include <openssl/evp.h>

#include "base/alloc.h"
#include "dkim/taglist.h"

/* The body goes through both canonical forms in pieces that stay in the
 * processor's cache. */
#define PIECE ((size_t)32 * 1024)

/* A mail program shows or follows the first of these, and h= names count from
 * the last. */
static const char *const once_names[] = {
	"From", "Sender", "Reply-To", "To", "Cc", "Subject", "Date",
	"Content-Type", "Content-Transfer-Encoding",
};

size_t
dkim_gathered_n(const struct dkim_gathered *g)
{
	return g->count < DKIM_SIGNATURES_MAX ? g->count : DKIM_SIGNATURES_MAX;
}

/* Cut the header: NULL, or why nothing can be verified. */
static const char *
read_fields(struct slice msg, struct arena *ar, struct dkim_gathered *g)
{
	struct slice rest = msg;
	struct field f;
	size_t cap = 0;

	while (field_next(&rest, &f) == 1) {
		if (f.bad)
			return "malformed header";
		if (msg.n - rest.n > DKIM_HEADER_MAX)
			return "header over 1 MiB";
		if (g->fields.count == DKIM_FIELDS_MAX)
			return "too many header fields";
		if (g->fields.count == cap) {
			size_t old = size_mul(cap, sizeof(f));

			cap = cap == 0 ? 64 : 2 * cap;
			g->fields.f = arena_grow(ar, g->fields.f, old,
			    size_mul(cap, sizeof(f)));
		}
		g->fields.f[g->fields.count++] = f;
	}
	g->body = rest;
	return NULL;
}

static void
count_fields(const struct dkim_fields *fields, size_t n[COUNTOF(once_names)])
{
	for (size_t i = 0; i < fields->count; i++)
		for (size_t k = 0; k < COUNTOF(once_names); k++)
			n[k] += slice_ieqs(fields->f[i].name, once_names[k]);
}

/* How often h= has each name. */
static void
count_signed(const struct dkim_sig *sig, size_t n[COUNTOF(once_names)])
{
	struct slice names = sig->names, item;

	while (taglist_item(&names, ':', &item))
		for (size_t k = 0; k < COUNTOF(once_names); k++)
			n[k] += slice_ieqs(item, once_names[k]);
}

static void
look_for_added(const size_t have[COUNTOF(once_names)], struct dkim_evidence *e)
{
	size_t named[COUNTOF(once_names)] = { 0 };

	count_signed(&e->sig, named);
	for (size_t k = 0; k < COUNTOF(once_names); k++) {
		if (have[k] == 0)
			continue;
		if (named[k] == 0 && slice_ieqs(S("Subject"), once_names[k]))
			e->subject_unsigned = true;
		if (named[k] != 0 && have[k] > named[k] && e->added == NULL)
			e->added = once_names[k];
	}
}

void
dkim_gather(struct slice msg, struct psl *psl, struct arena *ar,
    struct dkim_gathered *g)
{
	size_t have[COUNTOF(once_names)] = { 0 };

	memset(g, 0, sizeof(*g));
	g->live = true;
	g->damage = read_fields(msg, ar, g);
	if (g->damage != NULL)
		return;
	for (size_t i = 0; i < g->fields.count; i++) {
		const struct field *f = &g->fields.f[i];
		struct dkim_evidence *e;

		if (!slice_ieqs(f->name, "dkim-signature") ||
		    g->count++ >= DKIM_SIGNATURES_MAX)
			continue;
		e = &g->e[g->count - 1];
		if (g->count == 1)
			count_fields(&g->fields, have);
		e->at = (size_t)(f->raw.p - msg.p);
		if (dkim_sig_parse(f, ar, &e->sig, &e->error) == -1)
			continue;
		e->suffix = psl_is_suffix(psl, e->sig.domain);
		look_for_added(have, e);
		e->hashed_header = dkim_hash_header(&g->fields, e->sig.header,
		    e->sig.names, e->sig.raw, ar, e->header_hash) == 0;
	}
}

/* One canonical form of the body on its way into the hash. */
struct form {
	struct canon_body canon;
	EVP_MD_CTX *md, *cut;
	uint64_t seen;
	struct dkim_evidence *want[DKIM_SIGNATURES_MAX];
	size_t n;
	bool failed;
};

static bool
finish(struct form *f, struct dkim_evidence *e)
{
	e->hashed_body = EVP_MD_CTX_copy_ex(f->cut, f->md) == 1 &&
	    EVP_DigestFinal_ex(f->cut, e->body_hash, NULL) == 1;
	f->failed |= !e->hashed_body;
	return e->hashed_body;
}

/* The signature whose l= ends next, within n bytes; or NULL. */
static struct dkim_evidence *
next_cut(const struct form *f, size_t n)
{
	struct dkim_evidence *next = NULL;

	for (size_t i = 0; i < f->n; i++) {
		struct dkim_evidence *e = f->want[i];

		if (!e->hashed_body && e->sig.length <= f->seen + n &&
		    (next == NULL || e->sig.length < next->sig.length))
			next = e;
	}
	return next;
}

static void
form_take(void *ctx, const void *bytes, size_t n)
{
	struct form *f = ctx;
	const unsigned char *p = bytes;
	struct dkim_evidence *e;
	size_t part;

	while (!f->failed && (e = next_cut(f, n)) != NULL) {
		part = (size_t)(e->sig.length - f->seen);
		f->failed = EVP_DigestUpdate(f->md, p, part) != 1;
		p += part;
		n -= part;
		f->seen += part;
		if (f->failed || !finish(f, e))
			return;
	}
	f->failed |= EVP_DigestUpdate(f->md, p, n) != 1;
	f->seen += n;
}

static int
form_start(struct form *f, enum canon how)
{
	f->md = EVP_MD_CTX_new();
	f->cut = EVP_MD_CTX_new();
	canon_body_init(&f->canon, how, form_take, f);
	return f->md != NULL && f->cut != NULL &&
	    EVP_DigestInit_ex(f->md, dkim_sha256(), NULL) == 1 ? 0 : -1;
}

static int
form_end(struct form *f)
{
	canon_body_end(&f->canon);
	for (size_t i = 0; i < f->n && !f->failed; i++) {
		if (!f->want[i]->hashed_body)
			finish(f, f->want[i]);
		f->want[i]->body_size = f->seen;
	}
	return f->failed ? -1 : 0;
}

int
dkim_gather_body(struct dkim_gathered *g, const bool want[DKIM_SIGNATURES_MAX])
{
	struct form form[2] = { { .n = 0 }, { .n = 0 } };
	struct slice rest = g->body;
	int r = 0;

	for (size_t i = 0; i < dkim_gathered_n(g); i++) {
		struct form *f = &form[g->e[i].sig.body];

		if (want[i] && !g->e[i].hashed_body)
			f->want[f->n++] = &g->e[i];
	}
	for (int how = CANON_SIMPLE; how <= CANON_RELAXED; how++)
		if (form[how].n != 0 && form_start(&form[how], how) == -1)
			r = -1;
	for (; rest.n != 0 && r == 0; rest = slice_skip(rest, PIECE))
		for (int how = CANON_SIMPLE; how <= CANON_RELAXED; how++)
			if (form[how].n != 0)
				canon_body_feed(&form[how].canon,
				    slice_sub(rest, 0, PIECE));
	for (int how = CANON_SIMPLE; how <= CANON_RELAXED; how++) {
		if (form[how].n != 0 && r == 0)
			r = form_end(&form[how]);
		EVP_MD_CTX_free(form[how].md);
		EVP_MD_CTX_free(form[how].cut);
	}
	return r;
}
