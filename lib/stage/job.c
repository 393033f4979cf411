#include "stage/job.h"

#include <errno.h>
#include <stdarg.h>

#include "base/die.h"

#define REPLY_TEXT_MAX 480 /* RFC 5321 section 4.5.3.1.5 leaves 512 */
#define JOB_SIZE_MAX ((uint64_t)1 << 40)

const struct tuple *
job_next(const struct job *j, const char *type, const struct tuple *after)
{
	size_t i = after != NULL ? (size_t)(after - j->rec) + 1 : 0;

	for (; i < j->count; i++)
		if (tuple_is(&j->rec[i], type))
			return &j->rec[i];
	return NULL;
}

const struct tuple *
job_find(const struct job *j, const char *type)
{
	return job_next(j, type, NULL);
}

struct slice
job_get(const struct job *j, const char *type, const char *attr)
{
	const struct tuple *t = job_find(j, type);

	return t != NULL ? tuple_value(t, attr) : SLICE_NONE;
}

__attribute__((format(printf, 4, 0))) static void
set_reply(struct job *j, int code, const char *ecode, const char *fmt,
    va_list ap)
{
	struct strbuf text = STRBUF_INIT(4 * REPLY_TEXT_MAX);

	sb_vprintf(&text, fmt, ap);
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] < 0x20 || text.p[i] > 0x7e)
			text.p[i] = '?';
	sb_reset(&j->reply);
	j->reply.max = 1024;
	sb_printf(&j->reply, " code=%d ecode=%s", code, ecode);
	tuple_put(&j->reply, "text",
	    slice_sub(sb_slice(&text), 0, REPLY_TEXT_MAX));
	sb_free(&text);
}

int
job_refuse(struct job *j, int code, const char *ecode, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	set_reply(j, code, ecode, fmt, ap);
	va_end(ap);
	return code >= 500 ? EXIT_PERM : EXIT_TEMP;
}

int
job_accept(struct job *j, const char *ecode, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	set_reply(j, 250, ecode, fmt, ap);
	va_end(ap);
	return EXIT_DONE;
}

bool
ecode_ok(struct slice s)
{
	struct slice part;

	for (int i = 0; i < 3; i++) {
		uint64_t n;

		if (slice_cut(&s, '.', &part) != (i < 2) ||
		    slice_u64(part, 999, &n) == -1)
			return false;
	}
	return true;
}

static const char *
take_job_record(struct job *j)
{
	const struct tuple *t = &j->rec[0];
	struct slice id = tuple_value(t, "id");
	uint64_t when = 0;

	if (j->count == 0 || !tuple_is(t, "job"))
		return "the first record is not job";
	if (!rid_ok(id) || slice_cstr(id, j->id, sizeof(j->id)) == -1)
		return "job without a valid id";
	if (tuple_u64(t, "size", JOB_SIZE_MAX, &j->size) == -1)
		return "job without a valid size";
	if (tuple_u64(t, "time", INT64_MAX, &when) == -1 && errno != ENOENT)
		return "job with a bad time";
	j->time = (int64_t)when;
	if (job_next(j, "job", t) != NULL)
		return "more than one job record";
	return NULL;
}

int
job_parse(struct job *j, struct slice envelope, const char **error)
{
	struct tuple_reader r;
	struct tuple t;
	size_t cap = 0;
	int got;

	*error = NULL;
	j->envelope = envelope;
	j->rec = NULL;
	j->count = 0;
	tuple_reader_init(&r, envelope);
	while ((got = tuple_next(&r, j->arena, &t)) == 1) {
		if (j->count == JOB_RECORD_MAX) {
			*error = "too many records";
			return -1;
		}
		if (j->count == cap) {
			size_t grown = cap != 0 ? cap * 2 : 16;

			j->rec = arena_grow(j->arena, j->rec,
			    cap * sizeof(*j->rec), grown * sizeof(*j->rec));
			cap = grown;
		}
		j->rec[j->count++] = t;
	}
	if (got == -1)
		*error = r.error;
	else if (j->count == 0)
		*error = "empty envelope";
	else
		*error = take_job_record(j);
	return *error == NULL ? 0 : -1;
}
