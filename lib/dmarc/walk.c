#include "dmarc/walk.h"

/* Labels that are left after the first step of a long walk. */
#define WALK_LABELS 7

bool
dmarc_unknown(const struct dns_answer *a)
{
	return a->status == DNS_TEMP || a->status == DNS_BOGUS ||
	    a->status == DNS_LIMIT || a->status == DNS_LARGE;
}

static size_t
labels(struct slice domain)
{
	size_t n = 1;

	for (size_t i = 0; i < domain.n; i++)
		n += domain.p[i] == '.';
	return n;
}

/* Steps 4 and 7: the next target; empty at the end. */
static struct slice
parent(struct slice domain)
{
	size_t left = labels(domain);
	struct slice label;

	do {
		if (!slice_cut(&domain, '.', &label))
			return SLICE_NONE;
	} while (--left > WALK_LABELS);
	return domain;
}

static struct slice
query_name(const struct dmarc_ask *ask, struct slice domain)
{
	struct strbuf sb = STRBUF_INIT(512);
	struct slice name;

	sb_puts(&sb, "_dmarc.");
	sb_put(&sb, domain);
	name = arena_copy(ask->arena, sb_slice(&sb));
	sb_free(&sb);
	return name;
}

int
dmarc_step(const struct dmarc_ask *ask, struct slice domain,
    struct dmarc_step *s, bool *authentic, const char **trouble)
{
	struct slice name = query_name(ask, domain);
	const struct dns_answer *a = dns_query(ask->dns, ask->budget, name,
	    DNS_TXT, ask->arena);
	struct dmarc_record r;
	size_t records = 0;

	*authentic = *authentic && a->authentic;
	for (size_t i = 0; !dmarc_unknown(a) && i < a->count; i++)
		if (dmarc_record_parse(a->rr[i].text, &r) == 1) {
			records++;
			*s = (struct dmarc_step){ domain, a->rr[i].text, r };
		}
	dmarc_trace_record(ask, name, domain, a, records, s);
	if (!dmarc_unknown(a))
		return (int)records;
	*trouble = a->reason;
	return -1;
}

/*
 * Steps 1, 2, 5 and 6 for each name. Several records at a name count as none;
 * a single one with psd=y or psd=n ends the walk.
 */
void
dmarc_walk(const struct dmarc_ask *ask, struct slice domain,
    struct dmarc_walk *w)
{
	*w = (struct dmarc_walk){ .authentic = true };
	for (struct slice d = domain; d.n > 0; d = parent(d))
		dns_prefetch(ask->dns, ask->budget, query_name(ask, d),
		    DNS_TXT);
	for (struct slice d = domain; d.n > 0; d = parent(d)) {
		int records = dmarc_step(ask, d, &w->at[w->count],
		    &w->authentic, &w->trouble);

		if (records == -1)
			return;
		if (records == 1 && w->at[w->count++].record.psd != 'u')
			return;
	}
}

/* The name one label longer than `top' on the way to `domain'. */
static struct slice
one_below(struct slice domain, struct slice top)
{
	struct slice up = domain, label;

	while (slice_cut(&up, '.', &label) && up.n > top.n)
		domain = up;
	return domain;
}

struct slice
dmarc_walk_org(const struct dmarc_walk *w, struct slice domain,
    const char **why)
{
	for (size_t i = 0; i < w->count; i++) {
		if (w->at[i].record.psd == 'n') {
			*why = "its record says psd=n";
			return w->at[i].domain;
		}
		if (w->at[i].record.psd == 'y' &&
		    !slice_eq(w->at[i].domain, domain)) {
			*why = "the record of the name above it says psd=y";
			return one_below(domain, w->at[i].domain);
		}
	}
	*why = w->count > 0 ? "of the names with a record it has the fewest "
	    "labels" : "no name on the way up has a record";
	return w->count > 0 ? w->at[w->count - 1].domain : domain;
}
