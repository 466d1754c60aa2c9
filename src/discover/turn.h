/*
 * Whose lookup goes next (OE-194). Every lookup is asked on somebody's behalf: the host whose
 * datagram wants out, or the gateway that wants in. Only so many are in flight; of those a single
 * source has at most a quarter, and the lines of what waits are served in turn. So who scans a whole
 * network waits for himself, and his neighbours ask as before. In a line the
 * newest goes first: who stood there for long is about to give up anyway. What waits is bounded too,
 * and then those that wait longest give up.
 *
 * A turn lies inside its owner's struct. Sources exist as long as they have turns.
 */
#ifndef CYGNET_DISCOVER_TURN_H
#define CYGNET_DISCOVER_TURN_H

#include <sys/queue.h>

#include "base/addr.h"
#include "base/map.h"

struct turn_source;

struct turn {
    struct turn_source *source; /* NULL: it has left */
    bool flying;
    TAILQ_ENTRY(turn) in_line, by_age; /* while it waits */
};

struct turns {
    struct map sources;
    TAILQ_HEAD(, turn_source) ready; /* whose next may go; the longest unserved first */
    TAILQ_HEAD(, turn) by_age;       /* all that wait, the oldest first */
    size_t flying, limit, share;
    size_t waiting, waiting_limit;
};

void turns_init(struct turns *turns, const struct rng *rng);
/* To be set before anybody joins, and any time later. */
void turns_limit(struct turns *turns, size_t limit, size_t waiting_limit);
void turns_fini(struct turns *turns); /* everybody must have left */

/* Joins the line of a source; the addresses of an IPv6 /64 are one, family 0 is one too. False: out
 * of memory. */
MUST_USE bool turns_join(struct turns *turns, struct turn *turn, const struct ip_addr *source);
/* One that waits goes over to another source's line if that is shorter: it is wanted by both. */
void turns_share(struct turns *turns, struct turn *turn, const struct ip_addr *source);
/* It waits no more, or has landed. */
void turns_leave(struct turns *turns, struct turn *turn);
/* The next that may go, flying from now on; NULL: none. */
struct turn *turns_next(struct turns *turns);
/* The one that has waited longest if more wait than may; else NULL. */
struct turn *turns_excess(const struct turns *turns);

static inline bool turn_waits(const struct turn *turn)
{
    return turn->source != NULL && !turn->flying;
}

#endif
