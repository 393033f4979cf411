/*
 * build_dkim.h - what must agree in a dkim record of conf/domain/NAME
 */
#ifndef CONF_BUILD_DKIM_H
#define CONF_BUILD_DKIM_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/strbuf.h"
#include "base/tuple.h"

/*
 * Look at a record whose attributes are good each for itself. root is a
 * descriptor of the instance. true: *attr is wrong, *why says how; the first
 * mistake only.
 */
bool dkim_mistake(int root, struct slice domain, const struct tuple *t,
    struct arena *ar, const char **attr, struct strbuf *why);

#endif
