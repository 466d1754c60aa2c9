/*
 * Explicit congestion notification through a tunnel, normal mode (RFC 6040). On the way in the
 * outer field is a copy of the inner one; on the way out the two are combined.
 */
#ifndef CYGNET_ESP_ECN_H
#define CYGNET_ESP_ECN_H

#include "base/view.h"

/*
 * The ECN field to forward with, from the low two bits of the inner and outer octets (RFC 6040
 * figure 4). False: the datagram must be dropped, for it was marked and can't tell its receiver.
 */
MUST_USE bool ecn_combine(uint8_t inner_tos, uint8_t outer_tos, uint8_t *ret_ecn);

#endif
