/*
 * A rate limit for what strangers can provoke: at most one in `interval_ms` for an address, and at
 * most `per_second` together. Its memory is fixed; two addresses that share a slot push each other
 * out, and the common limit then bounds what that is worth to them.
 */
#ifndef CYGNET_PLANE_LIMITER_H
#define CYGNET_PLANE_LIMITER_H

#include "base/addr.h"
#include "base/mono.h"
#include "base/rng.h"

enum { LIMITER_SLOTS = 256 };

struct limiter {
    int64_t interval_ms;
    uint32_t per_second;
    uint32_t spent;   /* in the second that began at `second` */
    mono_t second;
    uint64_t seed;
    struct limiter_slot {
        struct ip_addr addr;
        mono_t until;
    } slots[LIMITER_SLOTS];
};

void limiter_init(struct limiter *limiter, int64_t interval_ms, uint32_t per_second,
                  const struct rng *rng);
/* True: it may be done, and has been counted. */
bool limiter_allow(struct limiter *limiter, mono_t now, const struct ip_addr *addr);

#endif
