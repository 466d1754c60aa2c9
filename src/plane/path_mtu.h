/*
 * What is known of the way to other gateways that carries less than our own link (RFC 4301 section
 * 8.2). A message that lowers it may be forged, so it never goes below what every link of its
 * family must carry, and after ten minutes it is tried anew. The table is bounded: the oldest goes.
 */
#ifndef CYGNET_PLANE_PATH_MTU_H
#define CYGNET_PLANE_PATH_MTU_H

#include "base/addr.h"
#include "base/heap.h"
#include "base/map.h"

enum { PATH_MTU_V4_LEAST = 576 }; /* RFC 791: every host takes it */

struct path_mtus {
    struct map by_dst;
    struct heap timers;
    uint32_t link_mtu;
    uint32_t generation; /* never 0; changes when an answer of path_mtu_get() may have */
};

void path_mtus_init(struct path_mtus *mtus, uint32_t link_mtu, const struct rng *rng);
void path_mtus_fini(struct path_mtus *mtus);
/* The way to dst carries only mtu octets. Raising what is known is left to time. */
void path_mtu_learn(struct path_mtus *mtus, mono_t now, const struct ip_addr *dst, uint32_t mtu);
uint32_t path_mtu_get(const struct path_mtus *mtus, const struct ip_addr *dst);
void path_mtus_timer(struct path_mtus *mtus, mono_t now);

#endif
