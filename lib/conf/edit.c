#include "conf/edit.h"

#include <assert.h>
#include <errno.h>
#include <unistd.h>

int
conf_edit_open(struct conf_edit *e, const char *root)
{
	*e = (struct conf_edit){ .root = root,
		.report = STRBUF_INIT(CONF_REPORT_MAX) };
	if ((e->lock = conf_lock(root)) == -1 ||
	    conf_build(root, true, &e->report) == -1)
		return -1;
	e->conf = conf_open(root);
	return e->conf == NULL ? -1 : 0;
}

static const char *
file_name(struct conf_edit *e, const char *kind, struct slice name)
{
	struct strbuf sb = STRBUF_INIT(512);
	const char *s;

	sb_puts(&sb, kind);
	sb_puts(&sb, name.n != 0 ? "/" : "");
	sb_put(&sb, name);
	s = arena_cstr(&e->ar, sb_slice(&sb));
	sb_free(&sb);
	return s;
}

static struct conf_change *
find_change(struct conf_edit *e, const char *file)
{
	for (size_t i = 0; i < e->count; i++)
		if (strcmp(e->changes[i].file, file) == 0)
			return &e->changes[i];
	return NULL;
}

int
conf_edit_read(struct conf_edit *e, const char *kind, struct slice name,
    struct slice *text)
{
	const char *file = file_name(e, kind, name);
	struct conf_change *c = find_change(e, file);

	if (c == NULL)
		return conf_read(e->root, file, &e->ar, text);
	*text = c->text;
	return !c->remove;
}

static struct conf_change *
new_change(struct conf_edit *e, const char *kind, struct slice name)
{
	const char *file = file_name(e, kind, name);
	struct conf_change *c = find_change(e, file);

	if (c == NULL) {
		assert(e->count < CONF_EDIT_FILES);
		c = &e->changes[e->count++];
	}
	*c = (struct conf_change){ .file = file };
	return c;
}

void
conf_edit_put(struct conf_edit *e, const char *kind, struct slice name,
    struct slice text)
{
	new_change(e, kind, name)->text = arena_copy(&e->ar, text);
}

void
conf_edit_remove(struct conf_edit *e, const char *kind, struct slice name)
{
	new_change(e, kind, name)->remove = true;
}

int
conf_edit_commit(struct conf_edit *e)
{
	sb_reset(&e->report);
	return conf_change(e->root, e->changes, e->count, &e->report);
}

void
conf_edit_close(struct conf_edit *e)
{
	int error = errno;

	conf_close(e->conf);
	if (e->lock != -1)
		close(e->lock);
	arena_free(&e->ar);
	sb_free(&e->report);
	errno = error;
}

void
conf_edit_append(struct strbuf *text, struct slice record)
{
	if (text->n != 0 && text->p[text->n - 1] != '\n')
		sb_putc(text, '\n');
	sb_put(text, record);
}
