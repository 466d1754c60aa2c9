/*
 * The tunnels between a host and its gateway, inside IPv4 (RSIP-091): IP-IP (RFC 2003), which is
 * the datagram itself, and GRE (RFC 2784), which has a header of its own. L2TP is a protocol apart
 * and not done here.
 */
#ifndef CYGNET_RSIP_TUNNEL_H
#define CYGNET_RSIP_TUNNEL_H

#include "base/addr.h"
#include "base/err.h"
#include "wire/rsip.h"

enum { RSIP_GRE_HEADER = 4, RSIP_PROTO_GRE = 47 };

/* IP protocol of the tunnel; 0: none that we do. */
uint8_t rsip_tunnel_proto(unsigned tunnel);
/* The header between the outer IP header and the datagram; ret holds RSIP_GRE_HEADER octets.
 * Returns its length. */
size_t rsip_tunnel_header(unsigned tunnel, struct view datagram, uint8_t *ret);
/* `outer` is a datagram with its IPv4 header. ERR_SYNTAX, ERR_UNSUPPORTED, and those of
 * ip_header_parse(). */
MUST_USE enum err rsip_tunnel_open(struct view outer, enum rsip_tunnel *ret_tunnel,
                                   struct ip_addr *ret_from, struct view *ret_inner);

#endif
