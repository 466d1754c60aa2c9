/*
 * What of an IP header AH doesn't authenticate because routers may change it (RFC 4302 section 3.3.3.1
 * and appendix A): it is zeroed in place, on both ends, before the ICV is computed. Private to this room.
 */
#ifndef CYGNET_ESP_AH_MUTABLE_H
#define CYGNET_ESP_AH_MUTABLE_H

#include "base/err.h"
#include "base/view.h"

/*
 * front: the IPv4 header with its options, or the IPv6 header with the extension headers before AH; a
 * whole one, as ip_header_parse() accepts it. Afterwards it is as the sender saw it, mutable fields zero.
 * ERR_SYNTAX: options that don't end with it, a routing header that has not been followed to its end, or
 * a fragment header.
 */
MUST_USE enum err ah_mutable_zero(struct span front);

#endif
