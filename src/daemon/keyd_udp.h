/*
 * IKE on UDP port 500: one socket a family, opened and marked by the parent. Receiving tells which
 * of our addresses was meant; sending chooses it.
 */
#ifndef CYGNET_DAEMON_KEYD_UDP_H
#define CYGNET_DAEMON_KEYD_UDP_H

#include "base/addr.h"

enum { IKE_PORT = 500, IKE_NATT_PORT = 4500 };

/* False: nothing (more) to read. */
bool keyd_udp_receive(int fd, struct ip_endpoint *ret_local, struct ip_endpoint *ret_remote,
                      struct span room, struct view *ret_datagram);
/* By interface `ifindex`; 0: as the routes say. False: not sent; errno says why. */
bool keyd_udp_send(int fd, const struct ip_endpoint *local, uint32_t ifindex,
                   const struct ip_endpoint *remote, struct view datagram);

#endif
