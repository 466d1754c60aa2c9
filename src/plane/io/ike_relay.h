/*
 * IKE datagrams between keyd and plane. The plane owns UDP 4500, where ESP and IKE share a port; it
 * hands keyd what has the non-ESP marker (RFC 3948 section 2.2), and sends what keyd hands it. One
 * message is a fixed header with both end points and the IKE datagram without the marker; from keyd, an
 * empty one stands for a NAT keepalive (RFC 3948 section 2.3).
 *
 * The plane carries TCP streams too (RFC 9329; streams.h): then the remote end has the number of one. Notes
 * are about a stream and hold no datagram. No IO.
 */
#ifndef CYGNET_PLANE_IO_IKE_RELAY_H
#define CYGNET_PLANE_IO_IKE_RELAY_H

#include "base/addr.h"
#include "base/err.h"
#include "base/limits.h"

enum {
    IKE_RELAY_HEADER = 44,
    IKE_RELAY_MAX = IKE_RELAY_HEADER + LIMIT_IKE_DATAGRAM,
};

enum ike_relay_kind {
    IKE_RELAY_DATAGRAM,
    IKE_RELAY_OPENED, /* from the plane: a stream of ours was lost and is there again, from `local` */
    IKE_RELAY_KEEP,   /* from keyd: the stream is an authentic peer's */
    IKE_RELAY_CLOSE,  /* from keyd: nobody uses it any more */
};

/* Local is this gateway's end, in both directions. */
MUST_USE enum err ike_relay_build(const struct ip_endpoint *local, const struct ip_endpoint *remote,
                                  struct view datagram, struct span room, size_t *ret_len);
MUST_USE enum err ike_relay_build_note(enum ike_relay_kind kind, const struct ip_endpoint *local,
                                       const struct ip_endpoint *remote, struct span room,
                                       size_t *ret_len);
/* Of a message that parses. */
enum ike_relay_kind ike_relay_kind_of(struct view bytes);
/* ERR_SHORT, ERR_VALUE (addresses of no or of different families, a note about no stream);
 * ret_datagram is within bytes. */
MUST_USE enum err ike_relay_parse(struct view bytes, struct ip_endpoint *ret_local,
                                  struct ip_endpoint *ret_remote, struct view *ret_datagram);

#endif
