/*
 * A deadline with the function to call; lives inside its owner.
 */
#ifndef CYGNET_IKE_TIMER_H
#define CYGNET_IKE_TIMER_H

#include "base/heap.h"

struct ike;
struct ike_timer;
typedef void ike_timer_fn(struct ike *ike, struct ike_timer *timer);

struct ike_timer {
    struct heap_node node;
    ike_timer_fn *fire;
};

#endif
