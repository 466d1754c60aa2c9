/*
 * Public-key operations of keyd, in threads of their own (daemon/worker_pool.h): effects become work,
 * and what is done becomes events. Without threads they are made in the loop.
 */
#ifndef CYGNET_DAEMON_KEYD_WORK_H
#define CYGNET_DAEMON_KEYD_WORK_H

#include "control/control.h"
#include "daemon/worker_pool.h"

struct keyd;
struct event;

struct keyd_work {
    struct worker_pool *pool; /* NULL: the loop makes them */
    struct event *event;
};

void keyd_work_start(struct keyd *k, const struct rng *rng);
void keyd_work_stop(struct keyd *k);
/* CONTROL_FX_WORK. */
void keyd_work_perform(struct keyd *k, const struct control_effect *fx);

#endif
