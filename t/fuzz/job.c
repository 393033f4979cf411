/* An envelope: parsing, look-up, and the filter of types. */
#include "stage/job.h"
#include "stage/types.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a = { 0 };
	struct strbuf to = STRBUF_INIT(1 << 20), once = STRBUF_INIT(1 << 20);
	struct job j = { .arena = &a };
	const char *error;

	if (job_parse(&j, slice_of(data, size), &error) == 0 &&
	    (j.count == 0 || job_find(&j, "job") != &j.rec[0] ||
	    !rid_ok(slice_str(j.id))))
		abort();
	types_filter(slice_of(data, size), S("job,client,from"), &to);
	/* What passed once passes again, unchanged. */
	if (!to.over && (types_filter(sb_slice(&to), S("job,client,from"),
	    &once) != 0 || !slice_eq(sb_slice(&to), sb_slice(&once))))
		abort();
	arena_free(&a);
	sb_free(&to);
	sb_free(&once);
	return 0;
}
