#include "ike/retransmit.h"

bool retransmit_set(struct retransmit *out, struct view bytes, uint32_t first_ms)
{
    if (!blob_set(&out->bytes, bytes))
        return false;
    out->wait_ms = first_ms;
    out->repeated = 0;
    return true;
}

void retransmit_clear(struct retransmit *out)
{
    blob_wipe(&out->bytes);
    *out = (struct retransmit){0};
}

mono_t retransmit_next(uint32_t *wait_ms, const struct rng *rng, mono_t now, mono_t give_up)
{
    mono_t at = mono_add(now, *wait_ms + rng_u32(rng) % (*wait_ms / 4 + 1));
    if (*wait_ms <= UINT32_MAX / 2)
        *wait_ms *= 2;
    return mono_min(at, give_up);
}
