/*
 * Super-packets into datagrams: what a network card with segmentation offload does, for datagrams
 * that come out of a TUN device with a virtio header that says so (TCP, and UDP with a segment
 * size). Headers are copied and corrected, checksums computed. No IO.
 */
#ifndef CYGNET_PLANE_IO_SEGMENT_H
#define CYGNET_PLANE_IO_SEGMENT_H

#include <linux/virtio_net.h>

#include "esp/packet.h"
#include "wire/ip.h"

/* Of Linux 6.2, not in older headers. */
#define SEGMENT_GSO_UDP 5

struct segmenter {
    struct view datagram; /* the super-packet, which must outlive the walk */
    struct ip_header ip;
    uint32_t header_len;  /* IP and TCP or UDP */
    uint32_t size;        /* payload octets of each but the last */
    uint32_t at;          /* payload octets handed out */
    uint16_t index;
};

static inline bool segment_is_active(const struct segmenter *s)
{
    return s->at < s->datagram.len - s->header_len;
}

/* False: the virtio header says something that the datagram is not. */
MUST_USE bool segment_start(struct segmenter *s, const struct virtio_net_hdr *header,
                            struct view datagram);
/* Writes the next datagram behind the packet's headroom. Call while segment_is_active(). False: the
 * packet has no room for it; the walk is over. */
MUST_USE bool segment_next(struct segmenter *s, struct packet *ret);

/*
 * Completes a checksum that the kernel left partial: the field holds the sum of the pseudo header.
 * False: the field lies outside the datagram.
 */
MUST_USE bool segment_checksum(const struct virtio_net_hdr *header, struct span datagram);

#endif
