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
		struct slice name, *value;
	} fields[] = {
		{ S("from"), &m->list[F_FROM] },
		{ S("sender"), &m->list[F_SENDER] },
		{ S("reply-to"), &m->list[F_REPLY_TO] },
		{ S("to"), &m->list[F_TO] },
		{ S("cc"), &m->list[F_CC] },
		{ S("bcc"), &m->list[F_BCC] },
		{ S("date"), &m->date },
		{ S("subject"), &m->subject },
		{ S("message-id"), &m->message_id },
		{ S("in-reply-to"), &m->in_reply_to },
		{ S("references"), &m->references },
	};

	for (size_t i = 0; i < COUNTOF(fields); i++)
		if (slice_ieq(name, fields[i].name))
			return fields[i].value;
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
