#include "plane/io/coalesce.h"

#include "plane/io/tcp_fields.h"
#include "wire/ip.h"

enum { V4_TTL_AT = 8, V4_FLAGS_AT = 6, V4_SRC_AT = 12, V6_NEXT_AT = 6, DATAGRAM_MAX = 65535 };

struct candidate {
    const uint8_t *ip, *tcp;
    struct ip_header header;
    uint32_t header_len, payload;
    uint8_t flags;
};

static bool checksum_is_right(const struct candidate *c)
{
    struct ip_pair pair = {c->header.src, c->header.dst};
    uint32_t len = c->header.total_len - c->header.header_len;

    return ip_sum_fold(ip_sum_add(ip_sum_pseudo(&pair, IP_PROTO_TCP, len),
                                  view_of(c->tcp, len))) == 0;
}

/*
 * TCP with payload and nothing unusual: no IP options or extension headers, no flags but ACK and
 * PSH, and may not be fragmented, since the identification of the others would be lost (RFC 6864).
 */
static bool read_candidate(const struct packet *packet, struct candidate *ret)
{
    struct candidate c = {.ip = packet_data(packet)};

    if (ip_header_parse(view_of(c.ip, packet->len), &c.header) != ERR_OK ||
        c.header.proto != IP_PROTO_TCP || !c.header.dont_fragment || ip_is_fragment(&c.header) ||
        c.header.header_len != ip_header_len(c.header.src.family) ||
        c.header.total_len != packet->len || packet->len < c.header.header_len + (uint32_t)TCP_HEADER)
        return false;
    c.tcp = c.ip + c.header.header_len;
    uint32_t tcp_len = (c.tcp[TCP_OFFSET_AT] >> 4) * 4u;
    c.header_len = c.header.header_len + tcp_len;
    c.flags = c.tcp[TCP_FLAGS_AT];
    if (tcp_len < TCP_HEADER || c.header_len >= packet->len ||
        (c.flags & ~TCP_PSH) != TCP_ACK || !checksum_is_right(&c))
        return false;
    c.payload = packet->len - c.header_len;
    *ret = c;
    return true;
}

static bool same(const uint8_t *a, const uint8_t *b, size_t from, size_t to)
{
    return memcmp(a + from, b + from, to - from) == 0;
}

/* Everything but lengths, checksums, identification, sequence number and window. */
static bool continues(const struct coalescer *c, const struct candidate *next)
{
    const uint8_t *ip = packet_data(c->packets[0]), *tcp = ip + c->ip_len;
    uint32_t tcp_len = c->header_len - c->ip_len;
    bool v4 = c->ip_len == IP_V4_HEADER;

    if (next->header.header_len != c->ip_len || next->header_len != c->header_len ||
        next->payload > c->size || c->total_len + next->payload > DATAGRAM_MAX ||
        field_u32(next->tcp + TCP_SEQUENCE_AT) != c->sequence)
        return false;
    if (v4 ? !same(ip, next->ip, 0, V4_LENGTH_AT) ||
                 !same(ip, next->ip, V4_FLAGS_AT, V4_CHECKSUM_AT) ||
                 !same(ip, next->ip, V4_SRC_AT, IP_V4_HEADER)
           : !same(ip, next->ip, 0, V6_LENGTH_AT) || !same(ip, next->ip, V6_NEXT_AT, IP_V6_HEADER))
        return false;
    return same(tcp, next->tcp, 0, TCP_SEQUENCE_AT) &&
           same(tcp, next->tcp, TCP_ACK_AT, TCP_OFFSET_AT) &&
           same(tcp, next->tcp, TCP_HEADER, tcp_len);
}

static void begin(struct coalescer *c, struct packet *packet)
{
    struct candidate first;

    *c = (struct coalescer){.count = 1, .closed = true};
    c->packets[0] = packet;
    if (!read_candidate(packet, &first))
        return;
    c->ip_len = first.header.header_len;
    c->header_len = first.header_len;
    c->size = first.payload;
    c->total_len = packet->len;
    c->sequence = field_u32(first.tcp + TCP_SEQUENCE_AT) + first.payload;
    c->push = (first.flags & TCP_PSH) != 0;
    c->closed = c->push;
}

bool coalesce_add(struct coalescer *c, struct packet *packet)
{
    struct candidate next;

    if (c->count == 0) {
        begin(c, packet);
        return true;
    }
    if (c->closed || c->count == COALESCE_MAX || !read_candidate(packet, &next) ||
        !continues(c, &next))
        return false;
    c->packets[c->count++] = packet;
    c->total_len += next.payload;
    c->sequence += next.payload;
    c->push = (next.flags & TCP_PSH) != 0;
    c->closed = c->push || next.payload < c->size;
    return true;
}

void coalesce_finish(struct coalescer *c, struct virtio_net_hdr *ret)
{
    uint8_t *ip = packet_data(c->packets[0]), *tcp = ip + c->ip_len;
    bool v4 = c->ip_len == IP_V4_HEADER;
    struct ip_pair pair;

    *ret = (struct virtio_net_hdr){0};
    if (c->count < 2 || ip_pair_of(view_of(ip, c->packets[0]->len), &pair) != ERR_OK)
        return;
    ret->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
    ret->gso_type = v4 ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_TCPV6;
    ret->hdr_len = (uint16_t)c->header_len;
    ret->gso_size = (uint16_t)c->size;
    ret->csum_start = (uint16_t)c->ip_len;
    ret->csum_offset = TCP_CHECKSUM_AT;

    if (c->push)
        tcp[TCP_FLAGS_AT] |= TCP_PSH;
    if (v4) {
        field_put_u16(ip + V4_LENGTH_AT, (uint16_t)c->total_len);
        field_put_u16(ip + V4_CHECKSUM_AT, 0);
        field_put_u16(ip + V4_CHECKSUM_AT, ip_sum_fold(ip_sum_add(0, view_of(ip, IP_V4_HEADER))));
    } else {
        field_put_u16(ip + V6_LENGTH_AT, (uint16_t)(c->total_len - IP_V6_HEADER));
    }
    /* What the kernel expects of a partial checksum: the pseudo header's sum, not complemented. */
    uint32_t sum = ip_sum_pseudo(&pair, IP_PROTO_TCP, c->total_len - c->ip_len);
    field_put_u16(tcp + TCP_CHECKSUM_AT, (uint16_t)~ip_sum_fold(sum));
}
