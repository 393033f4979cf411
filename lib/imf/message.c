#include "imf/message.h"

#include "base/alloc.h"
#include "imf/field.h"
#include "imf/parts.h"

const char *const message_list_name[F_LISTS] = { "from", "sender", "reply-to",
	"to", "cc", "bcc" };

static struct slice *
place(struct message *m, struct slice name)
{
	const struct {
		const char *name;
		struct slice *value;
	} others[] = {
		{ "date", &m->date }, { "subject", &m->subject },
		{ "message-id", &m->message_id },
		{ "in-reply-to", &m->in_reply_to },
		{ "references", &m->references },
	};

	for (size_t i = 0; i < F_LISTS; i++)
		if (slice_ieqs(name, message_list_name[i]))
			return &m->list[i];
	for (size_t i = 0; i < COUNTOF(others); i++)
		if (slice_ieqs(name, others[i].name))
			return others[i].value;
	return NULL;
}

void
message_fields(struct slice header, struct message *m)
{
	struct slice in = slice_sub(header, 0, IMF_HEADER_MAX), *to;
	struct field f;

	*m = (struct message){ 0 };
	while (field_next(&in, &f) == 1)
		if ((to = place(m, f.name)) != NULL && to->p == NULL)
			*to = f.value;
}
