/* Header fields: nothing is lost or invented; parameters, dates. */
#include "imf/date.h"
#include "imf/field.h"
#include "imf/param.h"
#include "fuzz/fuzz.h"

static void
values(struct slice value, struct arena *ar)
{
	struct strbuf sb = STRBUF_INIT(256);
	struct content_type ct;
	struct disposition d;
	int64_t t, again;
	int zone;

	if (content_type_parse(value, ar, &ct) == 0) {
		check(ct.type.n != 0 && ct.subtype.n != 0);
		check(ct.params.count <= PARAM_SEGMENTS_MAX);
		if (disposition_parse(value, ar, &d) == 0)
			check(slice_is_utf8(param_filename(&d, &ct, ar)));
	}
	if (date_parse(value, &t, &zone) == 0) {
		date_write(&sb, t, zone);
		check(date_parse(sb_slice(&sb), &again, NULL) == 0 &&
		    again == t);
	}
	sb_free(&sb);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = slice_of(data, size), body, head;
	struct strbuf sb = STRBUF_INIT(size + 1);
	struct arena ar = { 0 };
	struct field f;
	size_t n = 0;

	head = header_of(in, &body);
	check(head.n + body.n == size);
	while (field_next(&in, &f) == 1) {
		check(f.raw.p == data + n && f.value.n <= f.raw.n);
		n += f.raw.n;
		sb_reset(&sb);
		field_unfold(&sb, f.value);
		check(!sb.over && slice_chr(sb_slice(&sb), '\n') == -1);
		values(f.value, &ar);
		arena_reset(&ar);
	}
	check(in.n == body.n && head.n - n <= 2);
	arena_free(&ar);
	sb_free(&sb);
	return 0;
}
