/*
 * address.h - address lists of header fields (RFC 5322 section 3.4, 4.4)
 *
 * Reads every form of RFC 5322 and what is found in real mail; `bad' tells
 * that the list broke the grammar. Each "<" gives an address of its own, so
 * nothing that some reader might take for the sender is overlooked.
 */
#ifndef IMF_ADDRESS_H
#define IMF_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/slice.h"

#define ADDRESS_LIST_MAX 1000 /* entries of one list that are kept */

enum address_kind { ADDRESS_ONE, ADDRESS_GROUP, ADDRESS_GROUP_END };

struct address {
	enum address_kind kind;
	struct slice name;   /* display name or group name, decoded, UTF-8 */
	struct slice phrase; /* the same with encoded words as they stand */
	struct slice local, domain; /* as given, quotes and comments removed */
	struct slice addr; /* canonical (addr_format); empty: no valid address */
	struct slice addr_domain; /* its domain */
};

struct address_list {
	struct address *list;
	size_t count;     /* entries, groups' starts and ends counted */
	size_t addresses; /* entries that are ADDRESS_ONE */
	bool bad;
	bool cut; /* more than ADDRESS_LIST_MAX */
};

/* Parse a folded value; never fails. Results live as long as ar and value. */
void address_list_parse(struct slice value, struct arena *ar,
    struct address_list *out);

#endif
