#include "plane/io/segment.h"

#include "plane/io/tcp_fields.h"

static bool gso_matches(uint8_t gso_type, const struct ip_header *ip)
{
    switch (gso_type & ~VIRTIO_NET_HDR_GSO_ECN) {
    case VIRTIO_NET_HDR_GSO_TCPV4:
        return ip->proto == IP_PROTO_TCP && ip->src.family == IP_V4;
    case VIRTIO_NET_HDR_GSO_TCPV6:
        return ip->proto == IP_PROTO_TCP && ip->src.family == IP_V6;
    case SEGMENT_GSO_UDP:
        return ip->proto == IP_PROTO_UDP;
    default:
        return false;
    }
}

/* 0: it isn't all there. */
static uint32_t upper_header_len(struct view datagram, const struct ip_header *ip)
{
    uint32_t len = IP_UDP_HEADER;

    if (ip->proto == IP_PROTO_TCP) {
        if (ip->header_len + (uint32_t)TCP_HEADER > ip->total_len)
            return 0;
        len = (datagram.ptr[ip->header_len + TCP_OFFSET_AT] >> 4) * 4u;
        if (len < TCP_HEADER)
            return 0;
    }
    return ip->header_len + len < ip->total_len ? len : 0;
}

bool segment_start(struct segmenter *s, const struct virtio_net_hdr *header, struct view datagram)
{
    struct segmenter start = {.size = header->gso_size};

    if (header->gso_size == 0 || ip_header_parse(datagram, &start.ip) != ERR_OK ||
        ip_is_fragment(&start.ip) || !gso_matches(header->gso_type, &start.ip))
        return false;
    uint32_t upper = upper_header_len(datagram, &start.ip);
    if (upper == 0)
        return false;
    start.datagram = view_of(datagram.ptr, start.ip.total_len);
    start.header_len = start.ip.header_len + upper;
    *s = start;
    return true;
}

static void correct_ip(const struct segmenter *s, uint8_t *ip, uint32_t total_len)
{
    if (s->ip.src.family == IP_V6) {
        field_put_u16(ip + V6_LENGTH_AT, (uint16_t)(total_len - IP_V6_HEADER));
        return;
    }
    field_put_u16(ip + V4_LENGTH_AT, (uint16_t)total_len);
    field_put_u16(ip + V4_ID_AT, (uint16_t)(s->ip.id + s->index));
    field_put_u16(ip + V4_CHECKSUM_AT, 0);
    field_put_u16(ip + V4_CHECKSUM_AT, ip_sum_fold(ip_sum_add(0, view_of(ip, s->ip.header_len))));
}

/* FIN and PSH belong to the last octet of the whole, CWR to the first datagram (RFC 3168 6.1.2). */
static void correct_tcp(const struct segmenter *s, uint8_t *tcp, bool is_last)
{
    field_put_u32(tcp + TCP_SEQUENCE_AT, field_u32(tcp + TCP_SEQUENCE_AT) + s->at);
    if (!is_last)
        tcp[TCP_FLAGS_AT] &= (uint8_t) ~(TCP_FIN | TCP_PSH);
    if (s->index > 0)
        tcp[TCP_FLAGS_AT] &= (uint8_t)~TCP_CWR;
}

static void sum_upper(const struct segmenter *s, uint8_t *upper, uint32_t len)
{
    struct ip_pair pair = {s->ip.src, s->ip.dst};
    uint8_t *field = upper + (s->ip.proto == IP_PROTO_TCP ? TCP_CHECKSUM_AT : UDP_CHECKSUM_AT);

    field_put_u16(field, 0);
    uint16_t sum = ip_sum_fold(
        ip_sum_add(ip_sum_pseudo(&pair, s->ip.proto, len), view_of(upper, len)));
    field_put_u16(field, sum == 0 && s->ip.proto == IP_PROTO_UDP ? 0xffff : sum);
}

bool segment_next(struct segmenter *s, struct packet *ret)
{
    uint32_t left = (uint32_t)s->datagram.len - s->header_len - s->at;
    uint32_t payload = left < s->size ? left : s->size, len = s->header_len + payload;

    if (len > ret->room - LIMIT_HEADROOM - LIMIT_TAILROOM) {
        s->at += left;
        return false;
    }
    ret->at = LIMIT_HEADROOM;
    ret->len = len;
    ret->outer = (struct packet_outer){0};
    uint8_t *ip = packet_data(ret), *upper = ip + s->ip.header_len;
    memcpy(ip, s->datagram.ptr, s->header_len);
    memcpy(ip + s->header_len, s->datagram.ptr + s->header_len + s->at, payload);
    correct_ip(s, ip, len);
    if (s->ip.proto == IP_PROTO_TCP)
        correct_tcp(s, upper, payload == left);
    else
        field_put_u16(upper + UDP_LENGTH_AT, (uint16_t)(len - s->ip.header_len));
    sum_upper(s, upper, len - s->ip.header_len);
    s->at += payload;
    s->index++;
    return true;
}

bool segment_checksum(const struct virtio_net_hdr *header, struct span datagram)
{
    size_t start = header->csum_start, field = start + header->csum_offset;

    if ((header->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) == 0)
        return true;
    if (field + 2 > datagram.len)
        return false;
    uint16_t sum = ip_sum_fold(ip_sum_add(0, view_of(datagram.ptr + start, datagram.len - start)));
    /* A UDP checksum of zero would mean none; for TCP both stand for the same. */
    field_put_u16(datagram.ptr + field, sum != 0 ? sum : 0xffff);
    return true;
}
