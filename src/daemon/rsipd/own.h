/*
 * Leasing the gateway's own address (RFC 3104 appendix F, the small office): the kernel looks for its own
 * addresses before anything else, so that rule is moved behind some of ours, which send what may be for a host
 * into the TUN device: the leased ports, UDP 500, ESP, AH and ICMP. What turns out to be the gateway's comes back
 * from there. Fragments have no ports, so they pass only where the kernel puts them together first, as it does
 * for its own NAPT. Needs CAP_NET_ADMIN.
 */
#ifndef CYGNET_DAEMON_RSIPD_OWN_H
#define CYGNET_DAEMON_RSIPD_OWN_H

#include "daemon/rsipd/config.h"

/* For every range of the pool that is the gateway's own; none: nothing happens. */
bool rsipd_own_set(const struct rsipd_config *config, bool add);
/* The address is the gateway's own too. */
bool rsipd_own_is(const struct rsipd_server *config, const struct ip_addr *addr);

#endif
