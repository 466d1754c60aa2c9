/*
 * A virtual address that a peer has lent us: on a tunnel's device, with a route into it. For the
 * privileged parent.
 */
#ifndef CYGNET_PLANE_IO_ADDRESS_H
#define CYGNET_PLANE_IO_ADDRESS_H

#include "base/addr.h"

/* What goes to `net` leaves through `device` from `address`, or does no more. False: the system
 * refused. */
bool io_address_set(const char *device, const struct ip_addr *address,
                    const struct ip_prefix *net, bool set);

#endif
