#include "plane/io/offload.h"

#include "wire/ip.h"

bool offload_complete(const struct virtio_net_hdr *header, struct span datagram)
{
    if (header->gso_type != VIRTIO_NET_HDR_GSO_NONE)
        return false;
    if ((header->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) == 0)
        return true;

    size_t start = header->csum_start, field = start + header->csum_offset;
    if (field + 2 > datagram.len)
        return false;
    uint16_t sum = ip_sum_fold(ip_sum_add(0, view_of(datagram.ptr + start, datagram.len - start)));
    /* A UDP checksum of zero would mean none. For TCP both stand for the same. */
    if (sum == 0)
        sum = 0xffff;
    datagram.ptr[field] = (uint8_t)(sum >> 8);
    datagram.ptr[field + 1] = (uint8_t)sum;
    return true;
}
