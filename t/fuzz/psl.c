/* A public suffix list: read, compile, and look up what is in it. */
#include <stdlib.h>
#include <unistd.h>

#include "addr/addr.h"
#include "addr/psl.h"
#include "base/file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The suffix ends the domain, and the organisation is one label longer. */
static void
check(struct psl *p, struct slice domain, bool private_too, struct arena *ar)
{
	struct psl_found f;
	struct slice up, label;

	if (psl_find(p, domain, private_too, ar, &f) != 1 ||
	    f.suffix.n == 0 || !domain_under(domain, f.suffix))
		abort();
	if ((f.org.n == 0) != (f.suffix.n == domain.n))
		abort();
	if (f.org.n == 0)
		return;
	up = f.org;
	slice_cut(&up, '.', &label);
	if (!domain_under(domain, f.org) || !slice_eq(up, f.suffix))
		abort();
}

static void
look_up(struct psl *p, struct slice list, struct arena *ar)
{
	struct psl_reader rd = { .in = list };
	struct psl_rule r;
	struct strbuf sb = STRBUF_INIT(1024);

	while (psl_rule_next(&rd, ar, &r) == 1) {
		check(p, r.name, false, ar);
		check(p, r.name, true, ar);
		sb_reset(&sb);
		sb_puts(&sb, "a.b.");
		sb_put(&sb, r.name);
		check(p, sb_slice(&sb), true, ar);
	}
	sb_free(&sb);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct strbuf report = STRBUF_INIT(256);
	struct psl_source src = { 0 };
	struct arena ar = { 0 };
	struct slice list = slice_of(data, size);
	struct psl *p;
	int fd = memfd_new("psl");

	if (fd == -1)
		abort();
	/* The same bytes as a compiled list, which they hardly ever are. */
	if (psl_compile(list, &src, fd, &report) == -1) {
		if (ftruncate(fd, 0) == -1 ||
		    pwrite_all(fd, list, 0) == -1)
			abort();
		if ((p = psl_open_fd(fd)) != NULL) {
			struct psl_found f;

			if (psl_find(p, S("a.b"), true, &ar, &f) == 1 &&
			    f.suffix.n == 0)
				abort();
			psl_close(p);
		}
	} else if ((p = psl_open_fd(fd)) == NULL)
		abort();
	else {
		look_up(p, list, &ar);
		psl_close(p);
	}
	arena_free(&ar);
	sb_free(&report);
	return 0;
}
