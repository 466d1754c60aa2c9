/*
 * What keyd leaves behind for the keyd after it: saved SAs in the parent's memory file
 * (saved_log.h), and the list of peers on disk (store.h). Without either keyd works all the same, and
 * forgets more when it dies.
 */
#ifndef CYGNET_DAEMON_KEYD_SAVED_H
#define CYGNET_DAEMON_KEYD_SAVED_H

#include <event2/event.h>

#include "control/control.h"
#include "daemon/saved_log.h"
#include "daemon/store.h"

struct keyd_saved {
    struct saved_log *log; /* NULL: there is none */
    struct store *store;   /* NULL: there is none */
    struct event *flush, *settle;
};

/* `fd` below 0: no memory file. False: out of memory. */
MUST_USE bool keyd_saved_open(struct keyd_saved *saved, struct event_base *base, int fd,
                              const char *store_path, const struct rng *rng);
void keyd_saved_close(struct keyd_saved *saved);
/* Hands every saved record and every former peer to `tell`, before control hears of a plane. */
void keyd_saved_give_back(struct keyd_saved *saved,
                          void (*tell)(void *ctx, const struct control_event *event), void *ctx);
/* SAVE, FORGET and PEER. */
void keyd_saved_perform(struct keyd_saved *saved, const struct control_effect *fx);

#endif
