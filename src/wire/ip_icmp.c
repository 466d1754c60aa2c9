#include "wire/ip.h"

#include "base/builder.h"

enum {
    ICMP_HEADER = 8,
    ICMP_V4_UNREACHABLE = 3,
    ICMP_V4_FRAGMENTATION_NEEDED = 4,
    ICMP_V4_PROHIBITED = 13,
    ICMP_V4_QUOTE = 576, /* octets of the whole error: RFC 1812 section 4.3.2.3 */
    ICMP_V4_TOS = 0xc0,  /* internetwork control: RFC 1812 section 4.3.2.5 */
    ICMP_V6_UNREACHABLE = 1,
    ICMP_V6_TOO_BIG = 2,
    ICMP_V6_PROHIBITED = 1,
    ICMP_V6_REDIRECT = 137,
    ICMP_TTL = 64,
};

static bool is_icmp_v4_error(uint8_t type)
{
    return type == 3 || type == 4 || type == 5 || type == 11 || type == 12;
}

/* An ICMP message too short to tell counts as an error. */
static bool is_icmp_error(const struct ip_header *header, struct view datagram)
{
    bool has_type = header->header_len < header->total_len;
    uint8_t type = has_type ? datagram.ptr[header->header_len] : 0;
    if (header->src.family == IP_V4)
        return header->proto == IP_PROTO_ICMP && (!has_type || is_icmp_v4_error(type));
    return header->proto == IP_PROTO_ICMPV6 && (type < 128 || type == ICMP_V6_REDIRECT);
}

static bool may_send_error(const struct ip_header *header, struct view datagram)
{
    return header->fragment_at == 0 && !is_icmp_error(header, datagram) &&
           !ip_addr_is_special(&header->src) && !ip_addr_is_special(&header->dst);
}

static void write_v4(struct builder *b, enum ip_icmp_error kind, uint32_t mtu)
{
    bool too_big = kind == IP_ICMP_TOO_BIG;
    builder_u8(b, ICMP_V4_UNREACHABLE);
    builder_u8(b, too_big ? ICMP_V4_FRAGMENTATION_NEEDED : ICMP_V4_PROHIBITED);
    builder_u16(b, 0);
    builder_u16(b, 0);
    builder_u16(b, !too_big ? 0 : mtu < UINT16_MAX ? (uint16_t)mtu : UINT16_MAX);
}

/* No host goes below 1280 (RFC 8201 section 4), so none is asked to. */
static void write_v6(struct builder *b, enum ip_icmp_error kind, uint32_t mtu)
{
    bool too_big = kind == IP_ICMP_TOO_BIG;
    builder_u8(b, too_big ? ICMP_V6_TOO_BIG : ICMP_V6_UNREACHABLE);
    builder_u8(b, too_big ? 0 : ICMP_V6_PROHIBITED);
    builder_u16(b, 0);
    builder_u32(b, !too_big ? 0 : mtu > IP_V6_MTU_MIN ? mtu : IP_V6_MTU_MIN);
}

static uint16_t icmp_checksum(const struct ip_header *outer, struct view message)
{
    uint32_t sum = 0;
    if (outer->src.family == IP_V6) {
        struct ip_pair pair = {outer->src, outer->dst};
        sum = ip_sum_pseudo(&pair, IP_PROTO_ICMPV6, (uint32_t)message.len);
    }
    return ip_sum_fold(ip_sum_add(sum, message));
}

enum err ip_icmp_error_build(enum ip_icmp_error kind, const struct ip_addr *src,
                             struct view datagram, uint32_t mtu, struct span room, size_t *ret_len)
{
    struct ip_header about;
    enum err err = ip_header_parse(datagram, &about);
    if (err != ERR_OK)
        return err;
    if (src->family != about.src.family)
        return ERR_VALUE;
    if (!may_send_error(&about, datagram))
        return ERR_UNEXPECTED;
    bool v4 = src->family == IP_V4;
    size_t header_len = ip_header_len(src->family);
    size_t quote = (v4 ? (size_t)ICMP_V4_QUOTE : (size_t)IP_V6_MTU_MIN) - header_len - ICMP_HEADER;
    if (quote > about.total_len)
        quote = about.total_len;
    struct ip_header outer = {
        .src = *src,
        .dst = about.src,
        .total_len = (uint32_t)(header_len + ICMP_HEADER + quote),
        .proto = v4 ? IP_PROTO_ICMP : IP_PROTO_ICMPV6,
        .tos = v4 ? ICMP_V4_TOS : 0,
        .ttl = ICMP_TTL,
    };
    if (room.len < outer.total_len)
        return ERR_ROOM;
    ip_header_write(&outer, room.ptr);
    struct builder b = builder_on(span_of(room.ptr + header_len, outer.total_len - header_len));
    if (v4)
        write_v4(&b, kind, mtu);
    else
        write_v6(&b, kind, mtu);
    builder_bytes(&b, datagram.ptr, quote);
    builder_patch_u16(&b, 2, icmp_checksum(&outer, builder_written(&b)));
    *ret_len = outer.total_len;
    return ERR_OK;
}
