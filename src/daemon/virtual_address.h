/*
 * A virtual address that a peer has lent us: on vpn0, with a route into the tunnel. For the parent;
 * it does what keyd asks only where the configuration says that a connection wants an address for
 * that net.
 */
#ifndef CYGNET_DAEMON_VIRTUAL_ADDRESS_H
#define CYGNET_DAEMON_VIRTUAL_ADDRESS_H

#include "daemon/config.h"

/* What keyd sends: "ADDRESS NET". */
#define VIRTUAL_ADDRESS_TEXT_MAX (IP_ADDR_TEXT_MAX + IP_PREFIX_TEXT_MAX)
void virtual_address_format(const struct ip_addr *address, const struct ip_prefix *net, char *ret);
/* Sets or takes away. False: said why on standard error. */
bool virtual_address_apply(const struct cygnet_config *config, const char *text, bool set);

#endif
