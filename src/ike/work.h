/*
 * A public-key operation on its way from the engine to whoever has time for it, and back. A piece of
 * work owns a copy of all it needs, so it may be done in any thread while the engine goes on, and long
 * after what it was for is gone.
 *
 * NEED_WORK hands one out: who takes it runs it, or doesn't, and gives it back with WORKED; or frees
 * it, and the exchange that waits for it gives up in time. Keys in it are wiped when it is freed.
 */
#ifndef CYGNET_IKE_WORK_H
#define CYGNET_IKE_WORK_H

#include "base/rng.h"

struct ike_work;

/* The operation itself. `rng` is that of the thread. */
void ike_work_run(struct ike_work *work, const struct rng *rng);
void ike_work_free(struct ike_work *work);
/* For a peer that is known, or one that we went to ourselves: before what strangers want. */
bool ike_work_urgent(const struct ike_work *work);
/* "key pair", "verification": for people; never NULL. */
const char *ike_work_name(const struct ike_work *work);

#endif
