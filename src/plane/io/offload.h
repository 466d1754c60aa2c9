/*
 * What a TUN device with a virtio header leaves for us to do. So far: checksums.
 */
#ifndef CYGNET_PLANE_IO_OFFLOAD_H
#define CYGNET_PLANE_IO_OFFLOAD_H

#include <linux/virtio_net.h>

#include "base/view.h"

/*
 * Completes a checksum that the kernel left partial: the field holds the sum of the pseudo header.
 * False: the header doesn't fit the datagram, or it is a super-packet.
 */
MUST_USE bool offload_complete(const struct virtio_net_hdr *header, struct span datagram);

#endif
