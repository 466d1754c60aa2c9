/*
 * The addresses of an interface, in the kernel's order: of the outside one they are the near ends of
 * our tunnels and the source of our ICMP errors. On a host that leases its address by RSIP the inbound
 * SPIs come with it (RSIP-001).
 */
#ifndef CYGNET_DAEMON_OWN_ADDRESS_H
#define CYGNET_DAEMON_OWN_ADDRESS_H

#include "base/addr.h"
#include "daemon/leased_spis.h"

enum { OWN_ADDRESSES = 16 };

/* What the outside interface has. */
struct own {
    struct ip_addr addresses[OWN_ADDRESSES];
    size_t count;
    struct leased_spis leased; /* RSIP-009 */
};

/* Reads it anew, SPIs only if they are leased. True: it isn't what it was. */
bool own_read(struct own *own, const char *interface, bool leased_spis);

/* How many are written to ret, `room` at most; special addresses are left out. */
size_t own_addresses(const char *interface, struct ip_addr *ret, size_t room);
/* A non-blocking socket that becomes readable when addresses of any interface change; -1 with errno. */
int own_address_watch(void);
/* Reads away what it says. True: addresses may be others now. */
bool own_address_changed(int fd);

#endif
