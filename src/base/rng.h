/*
 * Where the core gets random octets: a callback, so that the daemon hands in the system's generator
 * and the simulator a seeded one. fill() can't fail; a daemon without entropy must stop instead.
 */
#ifndef CYGNET_BASE_RNG_H
#define CYGNET_BASE_RNG_H

#include "base/view.h"

struct rng {
    void (*fill)(void *ctx, uint8_t *ret, size_t len);
    void *ctx;
};

static inline void rng_fill(const struct rng *rng, void *ret, size_t len)
{
    rng->fill(rng->ctx, ret, len);
}

static inline uint32_t rng_u32(const struct rng *rng)
{
    uint32_t value;
    rng_fill(rng, &value, sizeof(value));
    return value;
}

#endif
