/*
 * What the keeper was asked to sign and has not answered. A keeper may go at any time, at a reload
 * with other keys for instance, and its successor knows nothing of the questions: they are asked
 * again. Bounded; the oldest is given up first, and whoever waits for it has a time-out of its own.
 */
#ifndef CYGNET_DAEMON_KEYD_UNSIGNED_H
#define CYGNET_DAEMON_KEYD_UNSIGNED_H

#include <sys/queue.h>

#include "base/view.h"

enum { KEYD_UNSIGNED_MAX = 4096 };

struct keyd_unsigned {
    TAILQ_HEAD(keyd_unsigned_list, keyd_unsigned_entry) list; /* as asked */
    size_t count;
};

void keyd_unsigned_init(struct keyd_unsigned *u);
void keyd_unsigned_fini(struct keyd_unsigned *u);
/* Keeps a copy of the message. Out of memory: it is not kept. */
void keyd_unsigned_add(struct keyd_unsigned *u, uint64_t serial, struct view message);
void keyd_unsigned_answered(struct keyd_unsigned *u, uint64_t serial);
/* Calls `again` with each, in the order in which they were asked. */
void keyd_unsigned_each(const struct keyd_unsigned *u, void (*again)(void *ctx, struct view message),
                        void *ctx);

#endif
