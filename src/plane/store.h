/*
 * Packets of the plane's own: held datagrams, and what the plane makes itself (fragments, ICMP
 * errors). A held one is owned by its slot and counts against a cap; one that was made or released
 * is good until store_reclaim(), which the plane calls when it is next called itself. Small buffers
 * are used again, so nothing is allocated for a fragment once the first have been sent.
 */
#ifndef CYGNET_PLANE_STORE_H
#define CYGNET_PLANE_STORE_H

#include "esp/packet.h"

struct stored;

struct store {
    struct stored *spent, *spare;
    size_t spare_count;
    uint64_t held_octets, held_limit;
};

void store_init(struct store *store, uint64_t held_limit);
void store_fini(struct store *store); /* slots must be empty */

/* An empty packet (len 0) with room for `len` octets, head- and tailroom. NULL: out of memory. */
struct packet *store_packet(struct store *store, size_t len);
/* Gives back the packets handed out since the last call. */
void store_reclaim(struct store *store);

/* Does the cap on held octets allow this packet in the slot, in place of what is there? */
bool store_has_room(const struct store *store, const struct stored *slot, size_t len);
/* Could it ever? */
bool store_could_hold(const struct store *store, size_t len);
/* Copies the packet into the slot, in place of what was there. False, and the slot as it was: the
 * cap on held octets is reached, or out of memory. */
MUST_USE bool store_hold(struct store *store, struct stored **slot, const struct packet *packet);
/* Empties the slot; the packet is good until store_reclaim(). NULL: the slot was empty. */
struct packet *store_release(struct store *store, struct stored **slot);
/* Empties the slot. False: it was empty. */
bool store_discard(struct store *store, struct stored **slot);

#endif
