#include "rsip/tunnel.h"

#include "base/builder.h"
#include "base/cursor.h"
#include "wire/ip.h"

enum {
    GRE_CHECKSUM = 0x8000,
    GRE_KEY = 0x2000,
    GRE_SEQUENCE = 0x1000,
    GRE_IPV4 = 0x0800,
    GRE_IPV6 = 0x86dd, /* RFC 7676 */
};

static bool is_v6(struct view datagram)
{
    return datagram.len > 0 && datagram.ptr[0] >> 4 == 6;
}

uint8_t rsip_tunnel_proto(unsigned tunnel, struct view datagram)
{
    if (tunnel == RSIP_TUNNEL_IPIP)
        return is_v6(datagram) ? IP_PROTO_IPV6 : IP_PROTO_IPV4;
    return tunnel == RSIP_TUNNEL_GRE ? RSIP_PROTO_GRE : 0;
}

size_t rsip_tunnel_header(unsigned tunnel, struct view datagram, uint8_t *ret)
{
    struct builder b = builder_on(span_of(ret, RSIP_GRE_HEADER));

    if (tunnel != RSIP_TUNNEL_GRE)
        return 0;
    builder_u16(&b, 0);
    builder_u16(&b, is_v6(datagram) ? GRE_IPV6 : GRE_IPV4);
    return b.len;
}

/* RFC 2784 section 2: version 0; a checksum is passed over, a key or sequence number (RFC 2890)
 * too. */
static enum err open_gre(struct cursor *cur)
{
    uint16_t flags = cursor_u16(cur), protocol = cursor_u16(cur);
    const unsigned known = GRE_CHECKSUM | GRE_KEY | GRE_SEQUENCE;

    if ((flags & ~known) != 0 || (protocol != GRE_IPV4 && protocol != GRE_IPV6))
        return ERR_UNSUPPORTED;
    for (unsigned bit = GRE_CHECKSUM; bit >= GRE_SEQUENCE; bit >>= 1)
        if ((flags & known & bit) != 0)
            cursor_skip(cur, 4);
    return cur->bad ? ERR_SYNTAX : ERR_OK;
}

enum err rsip_tunnel_payload(uint8_t proto, struct view payload, enum rsip_tunnel *ret_tunnel,
                             struct view *ret_inner)
{
    struct cursor cur = cursor_of(payload);

    if (proto != IP_PROTO_IPV4 && proto != IP_PROTO_IPV6 && proto != RSIP_PROTO_GRE)
        return ERR_UNSUPPORTED;
    enum err err = proto == RSIP_PROTO_GRE ? open_gre(&cur) : ERR_OK;
    if (err != ERR_OK)
        return err;
    *ret_tunnel = proto == RSIP_PROTO_GRE ? RSIP_TUNNEL_GRE : RSIP_TUNNEL_IPIP;
    *ret_inner = cursor_rest(&cur);
    return ERR_OK;
}

enum err rsip_tunnel_open(struct view outer, enum rsip_tunnel *ret_tunnel, struct ip_addr *ret_from,
                          struct view *ret_inner)
{
    struct ip_header header;
    enum err err = ip_header_parse(outer, &header);

    if (err != ERR_OK)
        return err;
    if (ip_is_fragment(&header))
        return ERR_SYNTAX;
    struct view payload =
        view_of(outer.ptr + header.header_len, header.total_len - header.header_len);
    err = rsip_tunnel_payload(header.proto, payload, ret_tunnel, ret_inner);
    if (err == ERR_OK)
        *ret_from = header.src;
    return err;
}
