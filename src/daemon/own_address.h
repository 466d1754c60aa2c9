/*
 * Our addresses outside: the near ends of our tunnels. Those of links that run come first, in the
 * operator's order of interfaces; the others are ours too, but nothing begins there while one is live.
 * On a host that leases its address by RSIP the inbound SPIs come with it (RSIP-001).
 */
#ifndef CYGNET_DAEMON_OWN_ADDRESS_H
#define CYGNET_DAEMON_OWN_ADDRESS_H

#include "daemon/leased_spis.h"
#include "plane/io/outside.h"

struct own {
    struct outside outside;
    struct outside_addresses where;
    struct ip_addr addresses[OUTSIDE_ADDRESSES]; /* of `where`, in its order */
    uint8_t ranks[OUTSIDE_ADDRESSES];
    size_t count, live_count;
    struct leased_spis leased; /* RSIP-009 */
};

/* Reads it anew, SPIs only if they are leased, of the first interface. True: it isn't what it was. */
bool own_read(struct own *own, const struct outside *outside, bool leased_spis);
/* The interface that packets from that address have to leave by; 0: as the routes say, as with a single
 * outside interface. */
uint32_t own_interface(const struct own *own, const struct ip_addr *addr);
/* The kernel has a route from there, one of ours, to `remote`. */
bool own_reaches(const struct own *own, const struct ip_addr *addr, const struct ip_addr *remote);

#endif
