/*
 * What keeps traffic from an outside interface that has no classifier: one that has just come into being,
 * or came back with another index. The kernel finds it by name; what leaves it is dropped, but for our
 * own packets and what stays on the link, until it is named here as attached. For the privileged parent.
 */
#ifndef CYGNET_PLANE_IO_GUARD_H
#define CYGNET_PLANE_IO_GUARD_H

#include "plane/io/fault.h"
#include "plane/io/outside.h"

/* `attached` has an index for each of the outside interfaces; 0: none. Replaces what stood before. */
MUST_USE bool io_guard_set(const struct outside *outside, const uint32_t *attached, uint32_t mark,
                           struct io_fault *fault);
void io_guard_remove(void);

#endif
