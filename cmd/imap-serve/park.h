/*
 * park.h - take a session up again
 */
#ifndef PARK_H
#define PARK_H

#include "base/tuple.h"
#include "session.h"

#define EN_ALL (EN_REV2 | EN_UTF8 | EN_CONDSTORE | EN_QRESYNC)

/*
 * Set what session_park() gave away: enabled extensions, IDLE, the selected
 * mailbox. The account is open. False if the mailbox is gone or its history
 * does not reach back: the client has to connect again.
 */
bool session_restore(struct session *s, const struct tuple *t);

#endif
