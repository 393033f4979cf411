/*
 * store-load DIR MESSAGES BATCH SIZE: add messages to one new account in DIR,
 * BATCH at a time, and say how many a second became durable.
 */
#include "store/store.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"

int
main(int argc, char **argv)
{
	struct arena ar = { 0 };
	struct account *a;
	struct mailbox in;
	int total, batch, size;
	int64_t start;
	char *body, *path;

	if (argc != 5)
		return 100;
	total = atoi(argv[2]);
	batch = atoi(argv[3]);
	size = atoi(argv[4]);
	body = xmalloc((size_t)size);
	memset(body, 'x', (size_t)size);
	path = xprintf("%s/load", argv[1]);
	a = account_open(AT_FDCWD, path, ACCOUNT_CREATE);
	if (a == NULL || mailbox_find(a, S("INBOX"), &ar, &in) != 1) {
		perror(path);
		return 111;
	}
	start = clock_ms();
	for (int done = 0; done < total; done += batch) {
		struct append *ap = append_new(a, in.id);

		for (int i = 0; i < batch; i++)
			if (append_begin(ap) == -1 ||
			    append_write(ap, slice_of(body, (size_t)size)) ==
			    -1 || append_end(ap, NULL, -1,
			    S("preview text=x\n")) == -1)
				return 111;
		if (append_commit(ap) == -1) {
			perror("commit");
			return 111;
		}
		append_free(ap);
	}
	printf("load messages=%d batch=%d size=%d per-second=%lld\n", total,
	    batch, size, (long long)total * 1000 / (clock_ms() - start + 1));
	account_close(a);
	arena_free(&ar);
	free(path);
	free(body);
	return 0;
}
