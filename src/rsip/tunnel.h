/*
 * The tunnels between a host and its gateway that need no set-up (RSIP-091): IP-IP (RFC 2003, RFC
 * 2473, RFC 4213), which is the datagram itself, and GRE (RFC 2784), which has a header of its own;
 * IPv4 or IPv6 in either. L2TP is a protocol apart: rsip/l2tp.h.
 */
#ifndef CYGNET_RSIP_TUNNEL_H
#define CYGNET_RSIP_TUNNEL_H

#include "base/addr.h"
#include "base/err.h"
#include "wire/rsip.h"

enum { RSIP_GRE_HEADER = 4, RSIP_PROTO_GRE = 47 };

/* IP protocol of the tunnel with that datagram in it; 0: it is none of these. */
uint8_t rsip_tunnel_proto(unsigned tunnel, struct view datagram);
/* The header between the outer IP header and the datagram; ret holds RSIP_GRE_HEADER octets.
 * Returns its length. */
size_t rsip_tunnel_header(unsigned tunnel, struct view datagram, uint8_t *ret);
/* What a datagram of that IP protocol carries. ERR_SYNTAX, ERR_UNSUPPORTED. */
MUST_USE enum err rsip_tunnel_payload(uint8_t proto, struct view payload,
                                      enum rsip_tunnel *ret_tunnel, struct view *ret_inner);
/* `outer` is a datagram with its IP header. The errors of rsip_tunnel_payload() and
 * ip_header_parse(). */
MUST_USE enum err rsip_tunnel_open(struct view outer, enum rsip_tunnel *ret_tunnel,
                                   struct ip_addr *ret_from, struct view *ret_inner);

#endif
