/*
 * The last datagram sent in an exchange, kept to be sent again: by us when no answer comes, or when
 * the peer repeats what it answers.
 */
#ifndef CYGNET_IKE_RETRANSMIT_H
#define CYGNET_IKE_RETRANSMIT_H

#include "base/mono.h"
#include "base/rng.h"
#include "ike/blob.h"

struct retransmit {
    struct blob bytes;
    uint32_t wait_ms; /* until the next repetition */
    unsigned repeated;
};

/* False: out of memory, unchanged. */
MUST_USE bool retransmit_set(struct retransmit *out, struct view bytes, uint32_t first_ms);
void retransmit_clear(struct retransmit *out);
static inline bool retransmit_holds(const struct retransmit *out)
{
    return out->bytes.ptr != NULL;
}
/* When to send again, never after `give_up`; doubles the wait for the time after. Up to a quarter of the
 * wait is left to chance: many that began together, and met a peer's limit, don't come back together. */
mono_t retransmit_next(uint32_t *wait_ms, const struct rng *rng, mono_t now, mono_t give_up);

#endif
