/* Accounts that stay open from one batch to the next. */
#include "deliver.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/tuple.h"

/* Each has six descriptors and 256 MiB of address space. */
#define KEPT_OPEN 64

static struct open_account *
account_add(struct deliver *d, struct slice name)
{
	struct account *a;
	char *path;

	if (!account_name_ok(name)) {
		errno = EINVAL;
		return NULL;
	}
	path = xprintf("%s/mail/%.*s", d->root, SLICE_ARG(name));
	a = account_open(AT_FDCWD, path, ACCOUNT_CREATE);
	free(path);
	if (a == NULL)
		return NULL;
	if (d->opened == d->cap) {
		d->cap = d->cap != 0 ? size_mul(d->cap, 2) : KEPT_OPEN;
		d->open = xrealloc(d->open, size_mul(d->cap,
		    sizeof(*d->open)));
	}
	d->open[d->opened] = (struct open_account){
		.name = slice_dup(name), .account = a,
	};
	return &d->open[d->opened++];
}

struct open_account *
accounts_get(struct deliver *d, struct slice name)
{
	struct open_account *o = NULL;
	uint64_t modseq;

	for (size_t i = 0; o == NULL && i < d->opened; i++)
		if (slice_eqs(name, d->open[i].name))
			o = &d->open[i];
	if (o == NULL && (o = account_add(d, name)) == NULL)
		return NULL;
	if (o->used == d->turn)
		return o;
	o->used = d->turn;
	o->quota = conf_quota(d->conf, name);
	account_quota(o->account, o->quota);
	return account_state(o->account, &modseq, &o->bytes) == -1 ? NULL : o;
}

void
accounts_trim(struct deliver *d)
{
	while (d->opened > KEPT_OPEN) {
		size_t oldest = 0;

		for (size_t i = 1; i < d->opened; i++)
			if (d->open[i].used < d->open[oldest].used)
				oldest = i;
		account_close(d->open[oldest].account);
		free(d->open[oldest].name);
		d->open[oldest] = d->open[--d->opened];
	}
}
