/*
 * Network interfaces, for the privileged parent: what an outside interface is like, and the TUN
 * devices of the plane. A device lives as long as a descriptor of it is open somewhere, so a parent
 * that keeps one keeps the device while the plane restarts.
 */
#ifndef CYGNET_PLANE_IO_LINK_H
#define CYGNET_PLANE_IO_LINK_H

#include "base/addr.h"
#include "plane/io/fault.h"
#include "plane/io/outside.h"

struct io_link {
    uint32_t ifindex;
    uint32_t mtu;
};

MUST_USE bool io_link_read(const char *name, struct io_link *ret, struct io_fault *fault);

/*
 * Creates (or takes over) TUN device `name`: no packet information, a virtio header in front of each
 * datagram, the largest MTU, no addresses (but see link.c), up, non-blocking. Datagrams that come out of it are
 * forwarded if those that come in from one of the outside interfaces are.
 */
MUST_USE bool io_tun_open(const char *name, const struct outside *outside, int *ret_fd,
                          uint32_t *ret_ifindex, struct io_fault *fault);

#endif
