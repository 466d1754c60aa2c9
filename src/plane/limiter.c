#include "plane/limiter.h"

void limiter_init(struct limiter *limiter, int64_t interval_ms, uint32_t per_second,
                  const struct rng *rng)
{
    *limiter = (struct limiter){.interval_ms = interval_ms, .per_second = per_second};
    rng_fill(rng, &limiter->seed, sizeof(limiter->seed));
}

static struct limiter_slot *slot_of(struct limiter *limiter, const struct ip_addr *addr)
{
    uint64_t hash = limiter->seed;
    for (size_t i = 0; i < sizeof(addr->octets); i++)
        hash = (hash ^ addr->octets[i]) * 0x9e3779b97f4a7c15u;
    return &limiter->slots[(hash >> 32) % LIMITER_SLOTS];
}

bool limiter_allow(struct limiter *limiter, mono_t now, const struct ip_addr *addr)
{
    struct limiter_slot *slot = slot_of(limiter, addr);
    if (ip_addr_equal(&slot->addr, addr) && !mono_reached(now, slot->until))
        return false;
    if (mono_since(now, limiter->second) >= 1000) {
        limiter->second = now;
        limiter->spent = 0;
    }
    if (limiter->spent >= limiter->per_second)
        return false;
    limiter->spent++;
    slot->addr = *addr;
    slot->until = mono_add(now, limiter->interval_ms);
    return true;
}
