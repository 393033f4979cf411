#include "conf/build_dkim.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "addr/addr.h"
#include "base/alloc.h"
#include "conf/conf.h"

/* A private key that everyone may read is none. */
static bool
bad_key_file(int root, const struct tuple *t, struct strbuf *why)
{
	char *path = xprintf("secret/dkim/%.*s",
	    SLICE_ARG(tuple_value(t, "key")));
	struct stat st;

	/* Who builds may not be allowed to look there. */
	if (fstatat(root, path, &st, 0) == 0) {
		if (st.st_mode & S_IRWXO)
			sb_printf(why, "others may read %s: chmod o= it", path);
	} else if (errno == ENOENT)
		sb_printf(why, "no file %s", path);
	free(path);
	return why->n != 0;
}

static bool
list_has(struct slice list, struct slice word)
{
	struct slice one;
	bool more;

	do {
		more = slice_cut(&list, ',', &one);
		if (slice_ieq(one, word))
			return true;
	} while (more);
	return false;
}

static bool
bad_oversign(struct slice headers, struct slice over, struct strbuf *why)
{
	struct slice one;
	bool more;

	if (slice_eqs(over, "yes") || slice_eqs(over, "no"))
		return false;
	do {
		more = slice_cut(&over, ',', &one);
		if (!list_has(headers, one)) {
			sb_printf(why, "%.*s is not in headers", SLICE_ARG(one));
			return true;
		}
	} while (more);
	return false;
}

/* A key signs for its domain and what is below. */
static bool
bad_senders(struct slice domain, struct slice list, struct strbuf *why)
{
	struct slice one;
	bool more;

	if (list.n == 0)
		return false;
	do {
		more = slice_cut(&list, ',', &one);
		one = slice_skip(one, (size_t)(slice_rchr(one, '@') + 1));
		if (slice_starts(one, S("*.")))
			one = slice_skip(one, 2);
		if (!domain_under(one, domain)) {
			sb_printf(why, "%.*s is not this domain or below",
			    SLICE_ARG(one));
			return true;
		}
	} while (more);
	return false;
}

bool
dkim_mistake(int root, struct slice domain, const struct tuple *t,
    struct arena *ar, const char **attr, struct strbuf *why)
{
	struct slice headers = conf_value(t, "headers", ar);

	*attr = "key";
	if (bad_key_file(root, t, why))
		return true;
	*attr = "headers";
	if (!list_has(headers, S("From"))) {
		sb_puts(why, "From is missing");
		return true;
	}
	*attr = "oversign";
	if (bad_oversign(headers, conf_value(t, "oversign", ar), why))
		return true;
	*attr = "from";
	return bad_senders(domain, tuple_value(t, "from"), why);
}
