/*
 * IKE datagrams between keyd and plane. The plane owns UDP 4500, where ESP and IKE share a port; it
 * hands keyd what has the non-ESP marker (RFC 3948 section 2.2), and sends what keyd hands it. One
 * message is a fixed header with both end points and the IKE datagram without the marker; from keyd, an
 * empty one stands for a NAT keepalive (RFC 3948 section 2.3). No IO.
 */
#ifndef CYGNET_PLANE_IO_IKE_RELAY_H
#define CYGNET_PLANE_IO_IKE_RELAY_H

#include "base/addr.h"
#include "base/err.h"
#include "base/limits.h"

enum {
    IKE_RELAY_HEADER = 40,
    IKE_RELAY_MAX = IKE_RELAY_HEADER + LIMIT_IKE_DATAGRAM,
};

/* Local is this gateway's end, in both directions. */
MUST_USE enum err ike_relay_build(const struct ip_endpoint *local, const struct ip_endpoint *remote,
                                  struct view datagram, struct span room, size_t *ret_len);
/* ERR_SHORT, ERR_VALUE (addresses of no or of different families); ret_datagram is within bytes. */
MUST_USE enum err ike_relay_parse(struct view bytes, struct ip_endpoint *ret_local,
                                  struct ip_endpoint *ret_remote, struct view *ret_datagram);

#endif
