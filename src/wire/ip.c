#include "wire/ip.h"

#include "base/builder.h"
#include "base/cursor.h"

#include <arpa/inet.h>

enum {
    V4_DONT_FRAGMENT = 0x4000,
    V4_MORE_FRAGMENTS = 0x2000,
    V4_OFFSET_MASK = 0x1fff,
    V4_CHECKSUM_AT = 10,
    V6_HOP_BY_HOP = 0,
    V6_ROUTING = 43,
    V6_DESTINATION = 60,
    V6_EXTENSIONS_MAX = 16, /* more than any honest datagram has */
    DATAGRAM_MAX = 65535,
};

uint32_t ip_sum_add(uint32_t sum, struct view part)
{
    uint64_t total = 0;
    size_t at = 0;
    for (; at + 4 <= part.len; at += 4) {
        uint32_t word;
        memcpy(&word, part.ptr + at, 4);
        total += word;
    }
    uint32_t rest = 0;
    if (at < part.len)
        memcpy(&rest, part.ptr + at, part.len - at);
    total += rest;
    while (total >> 16 != 0)
        total = (total & 0xffff) + (total >> 16);
    /* The sum came out in the order of memory (RFC 1071 section 2 B). */
    uint32_t added = sum + ntohs((uint16_t)total);
    return (added & 0xffff) + (added >> 16);
}

uint32_t ip_sum_pseudo(const struct ip_pair *pair, uint8_t proto, uint32_t payload_len)
{
    uint32_t sum = ip_sum_add(0, ip_addr_view(&pair->src));
    sum = ip_sum_add(sum, ip_addr_view(&pair->dst));
    return sum + proto + (payload_len & 0xffff) + (payload_len >> 16);
}

uint16_t ip_sum_fold(uint32_t sum)
{
    while (sum >> 16 != 0)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

static void parse_ports(struct view datagram, struct ip_header *header)
{
    bool has_ports = header->proto == IP_PROTO_TCP || header->proto == IP_PROTO_UDP;
    if (!has_ports || header->fragment_at != 0 || header->total_len < header->header_len + 4u)
        return;
    struct cursor cur =
        cursor_of(view_of(datagram.ptr + header->header_len, datagram.len - header->header_len));
    header->src_port = cursor_u16(&cur);
    header->dst_port = cursor_u16(&cur);
}

/* A fragment must fit into the largest datagram, and all but the last are whole units of 8. */
static bool fragment_makes_sense(const struct ip_header *header)
{
    uint32_t payload = header->total_len - header->header_len;
    return header->fragment_at + payload <= DATAGRAM_MAX &&
           (!header->more_fragments || payload % 8 == 0);
}

static enum err parse_v4(struct view datagram, struct ip_header *ret)
{
    struct ip_header header = {0};
    struct cursor cur = cursor_of(datagram);
    header.header_len = (uint16_t)((cursor_u8(&cur) & 0x0f) * 4);
    header.tos = cursor_u8(&cur);
    header.total_len = cursor_u16(&cur);
    header.id = cursor_u16(&cur);
    uint16_t flags = cursor_u16(&cur);
    header.ttl = cursor_u8(&cur);
    header.proto = cursor_u8(&cur);
    cursor_skip(&cur, 2);
    header.src = ip_addr_from(cursor_take(&cur, 4));
    header.dst = ip_addr_from(cursor_take(&cur, 4));
    if (cur.bad)
        return ERR_SHORT;
    if (header.header_len < IP_V4_HEADER || header.total_len < header.header_len)
        return ERR_SYNTAX;
    if (header.total_len > datagram.len)
        return ERR_SHORT;
    if (ip_sum_fold(ip_sum_add(0, view_of(datagram.ptr, header.header_len))) != 0)
        return ERR_VALUE;
    header.dont_fragment = (flags & V4_DONT_FRAGMENT) != 0;
    header.more_fragments = (flags & V4_MORE_FRAGMENTS) != 0;
    header.fragment_at = (uint32_t)(flags & V4_OFFSET_MASK) * 8;
    if (!fragment_makes_sense(&header))
        return ERR_SYNTAX;
    parse_ports(datagram, &header);
    *ret = header;
    return ERR_OK;
}

static void parse_v6_fragment(struct cursor *cur, struct ip_header *header)
{
    header->proto = cursor_u8(cur);
    cursor_skip(cur, 1);
    uint16_t flags = cursor_u16(cur);
    header->fragment_at = flags & 0xfff8;
    header->more_fragments = (flags & 1) != 0;
    header->id = cursor_u32(cur);
    header->dont_fragment = false;
}

/* Walks to the upper layer, or stops behind the fragment header of a later fragment. */
static enum err parse_v6_extensions(struct cursor *cur, struct ip_header *header)
{
    bool seen_fragment = false;
    for (int i = 0; i < V6_EXTENSIONS_MAX; i++) {
        switch (header->proto) {
        case V6_HOP_BY_HOP:
        case V6_ROUTING:
        case V6_DESTINATION:
            header->proto = cursor_u8(cur);
            cursor_skip(cur, cursor_u8(cur) * 8u + 6);
            break;
        case IP_PROTO_FRAGMENT:
            if (seen_fragment)
                return ERR_SYNTAX;
            seen_fragment = true;
            parse_v6_fragment(cur, header);
            if (header->fragment_at != 0)
                return cur->bad ? ERR_SHORT : ERR_OK;
            break;
        default:
            return ERR_OK;
        }
        if (cur->bad)
            return ERR_SHORT;
    }
    return ERR_SYNTAX;
}

static enum err parse_v6(struct view datagram, struct ip_header *ret)
{
    struct ip_header header = {.dont_fragment = true};
    struct cursor cur = cursor_of(datagram);
    header.tos = (uint8_t)(cursor_u32(&cur) >> 20);
    uint16_t payload_len = cursor_u16(&cur);
    header.total_len = (uint32_t)IP_V6_HEADER + payload_len;
    header.proto = cursor_u8(&cur);
    header.ttl = cursor_u8(&cur);
    header.src = ip_addr_from(cursor_take(&cur, 16));
    header.dst = ip_addr_from(cursor_take(&cur, 16));
    struct cursor payload = cursor_sub(&cur, payload_len);
    if (payload.bad)
        return ERR_SHORT;
    enum err err = parse_v6_extensions(&payload, &header);
    if (err != ERR_OK)
        return err;
    header.header_len = (uint16_t)(header.total_len - cursor_left(&payload));
    if (!fragment_makes_sense(&header))
        return ERR_SYNTAX;
    parse_ports(datagram, &header);
    *ret = header;
    return ERR_OK;
}

static unsigned version_of(struct view datagram)
{
    return datagram.len != 0 ? datagram.ptr[0] >> 4 : 0;
}

enum err ip_header_parse(struct view datagram, struct ip_header *ret)
{
    switch (version_of(datagram)) {
    case IP_V4:
        return parse_v4(datagram, ret);
    case IP_V6:
        return parse_v6(datagram, ret);
    default:
        return datagram.len == 0 ? ERR_SHORT : ERR_VERSION;
    }
}

enum err ip_pair_of(struct view datagram, struct ip_pair *ret)
{
    unsigned version = version_of(datagram);
    if (datagram.len == 0)
        return ERR_SHORT;
    if (version != IP_V4 && version != IP_V6)
        return ERR_VERSION;
    size_t header_len = ip_header_len(version);
    if (datagram.len < header_len)
        return ERR_SHORT;
    size_t addr_len = version == IP_V4 ? 4 : 16;
    const uint8_t *addrs = datagram.ptr + header_len - 2 * addr_len;
    ret->src = ip_addr_from(view_of(addrs, addr_len));
    ret->dst = ip_addr_from(view_of(addrs + addr_len, addr_len));
    return ERR_OK;
}

size_t ip_header_len(enum ip_family family)
{
    return family == IP_V4 ? IP_V4_HEADER : IP_V6_HEADER;
}

static void store_u16(uint8_t *at, uint16_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static void checksum_v4(uint8_t *header, size_t header_len)
{
    store_u16(header + V4_CHECKSUM_AT, 0);
    store_u16(header + V4_CHECKSUM_AT, ip_sum_fold(ip_sum_add(0, view_of(header, header_len))));
}

void ip_header_write(const struct ip_header *header, uint8_t *ret)
{
    struct builder b = builder_on(span_of(ret, ip_header_len(header->src.family)));
    if (header->src.family == IP_V4) {
        builder_u8(&b, 0x45);
        builder_u8(&b, header->tos);
        builder_u16(&b, (uint16_t)header->total_len);
        builder_u16(&b, (uint16_t)header->id);
        builder_u16(&b, header->dont_fragment ? V4_DONT_FRAGMENT : 0);
        builder_u8(&b, header->ttl);
        builder_u8(&b, header->proto);
        builder_u16(&b, 0);
    } else {
        builder_u32(&b, 6u << 28 | (uint32_t)header->tos << 20);
        builder_u16(&b, (uint16_t)(header->total_len - IP_V6_HEADER));
        builder_u8(&b, header->proto);
        builder_u8(&b, header->ttl);
    }
    builder_view(&b, ip_addr_view(&header->src));
    builder_view(&b, ip_addr_view(&header->dst));
    if (header->src.family == IP_V4)
        checksum_v4(ret, IP_V4_HEADER);
}

/* RFC 1624: the new sum is ~(~old sum + ~old field + new field). */
static void tos_write_v4(uint8_t *header, uint8_t tos)
{
    uint32_t sum = (uint16_t) ~(header[V4_CHECKSUM_AT] << 8 | header[V4_CHECKSUM_AT + 1]);
    sum += (uint16_t) ~(header[0] << 8 | header[1]);
    sum += (uint32_t)(header[0] << 8 | tos);
    header[1] = tos;
    store_u16(header + V4_CHECKSUM_AT, ip_sum_fold(sum));
}

void ip_tos_write(struct span datagram, uint8_t tos)
{
    unsigned version = version_of(view_of(datagram.ptr, datagram.len));
    if (version == IP_V4 && datagram.len >= IP_V4_HEADER) {
        tos_write_v4(datagram.ptr, tos);
    } else if (version == IP_V6 && datagram.len >= IP_V6_HEADER) {
        datagram.ptr[0] = (uint8_t)(0x60 | tos >> 4);
        datagram.ptr[1] = (uint8_t)((datagram.ptr[1] & 0x0f) | tos << 4);
    }
}

void ip_udp_write(const struct ip_pair *pair, uint16_t src_port, uint16_t dst_port,
                  struct view payload, uint8_t *ret)
{
    uint32_t len = (uint32_t)(IP_UDP_HEADER + payload.len);
    struct builder b = builder_on(span_of(ret, IP_UDP_HEADER));
    builder_u16(&b, src_port);
    builder_u16(&b, dst_port);
    builder_u16(&b, (uint16_t)len);
    builder_u16(&b, 0);
    if (pair->src.family != IP_V6)
        return;
    uint32_t sum = ip_sum_pseudo(pair, IP_PROTO_UDP, len);
    sum = ip_sum_add(sum, view_of(ret, IP_UDP_HEADER));
    sum = ip_sum_add(sum, payload);
    uint16_t folded = ip_sum_fold(sum);
    builder_patch_u16(&b, 6, folded != 0 ? folded : 0xffff);
}

enum err ip_fragment_start(struct ip_fragmenter *f, struct view datagram, uint32_t mtu)
{
    struct ip_header header;
    enum err err = ip_header_parse(datagram, &header);
    if (err != ERR_OK)
        return err;
    if (header.src.family != IP_V4 || header.dont_fragment)
        return ERR_POLICY;
    if (mtu < IP_V4_MTU_MIN)
        return ERR_VALUE;
    *f = (struct ip_fragmenter){
        .datagram = view_of(datagram.ptr, header.total_len), .header = header, .mtu = mtu};
    return ERR_OK;
}

/* Only options with the copied flag belong in later fragments (RFC 791 section 3.1). */
static size_t options_copied(struct view options, uint8_t *ret)
{
    size_t len = 0;
    for (size_t at = 0; at < options.len && options.ptr[at] != 0;) {
        uint8_t type = options.ptr[at];
        size_t option_len = type == 1 || at + 1 >= options.len ? 1 : options.ptr[at + 1];
        if (option_len == 0 || option_len > options.len - at)
            break; /* malformed: what follows can't be found */
        if ((type & 0x80) != 0) {
            memcpy(ret + len, options.ptr + at, option_len);
            len += option_len;
        }
        at += option_len;
    }
    while (len % 4 != 0)
        ret[len++] = 0;
    return len;
}

static size_t fragment_header(const struct ip_fragmenter *f, uint8_t *ret)
{
    size_t header_len = f->header.header_len;
    if (f->at == 0) {
        memcpy(ret, f->datagram.ptr, header_len);
        return header_len;
    }
    memcpy(ret, f->datagram.ptr, IP_V4_HEADER);
    size_t options_len = header_len - IP_V4_HEADER;
    size_t copied =
        options_copied(view_of(f->datagram.ptr + IP_V4_HEADER, options_len), ret + IP_V4_HEADER);
    ret[0] = (uint8_t)(0x40 | (IP_V4_HEADER + copied) / 4);
    return IP_V4_HEADER + copied;
}

size_t ip_fragment_next(struct ip_fragmenter *f, struct span room)
{
    uint32_t payload_len = f->header.total_len - f->header.header_len;
    if (f->mtu == 0 || room.len < f->mtu)
        return 0;
    uint8_t header[60];
    size_t header_len = fragment_header(f, header);
    uint32_t left = payload_len - f->at;
    uint32_t fits = f->mtu - (uint32_t)header_len;
    bool last = left <= fits;
    uint32_t take = last ? left : fits & ~7u;
    uint32_t offset = (f->header.fragment_at + f->at) / 8;
    bool more = !last || f->header.more_fragments;
    store_u16(header + 2, (uint16_t)(header_len + take));
    store_u16(header + 6, (uint16_t)(offset | (more ? V4_MORE_FRAGMENTS : 0)));
    checksum_v4(header, header_len);
    memcpy(room.ptr, header, header_len);
    memcpy(room.ptr + header_len, f->datagram.ptr + f->header.header_len + f->at, take);
    f->at += take;
    if (last)
        f->mtu = 0; /* done */
    return header_len + take;
}
