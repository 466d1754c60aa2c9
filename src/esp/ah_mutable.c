#include "esp/ah_mutable.h"

#include "wire/ip.h"

enum { V4_FLAGS_AT = 6, V4_TTL_AT = 8, V4_CHECKSUM_AT = 10, V6_NEXT_AT = 6, V6_HOPS_AT = 7 };
enum { V4_OPT_END = 0, V4_OPT_NOP = 1, V6_OPT_PAD1 = 0, V6_OPT_MAY_CHANGE = 0x20 };
enum { V6_HOP_BY_HOP = 0, V6_ROUTING = 43, V6_DESTINATION = 60 };

/* Appendix A1: security, extended security, commercial security, router alert, sender directed delivery.
 * All others are zeroed whole. */
static bool v4_option_stays(uint8_t type)
{
    switch (type) { /* "copied" is part of it */
    case 0x82:
    case 0x85:
    case 0x86:
    case 0x94:
    case 0x95:
        return true;
    default:
        return false;
    }
}

static enum err v4_options_zero(struct span options)
{
    size_t at = 0;
    while (at < options.len && options.ptr[at] != V4_OPT_END) {
        if (options.ptr[at] == V4_OPT_NOP) {
            at++;
            continue;
        }
        size_t len = at + 1 < options.len ? options.ptr[at + 1] : 0;
        if (len < 2 || len > options.len - at)
            return ERR_SYNTAX;
        if (!v4_option_stays(options.ptr[at]))
            memset(options.ptr + at, 0, len);
        at += len;
    }
    return ERR_OK;
}

static enum err v4_zero(struct span front)
{
    if (front.len < IP_V4_HEADER)
        return ERR_SYNTAX;
    front.ptr[1] = 0;
    memset(front.ptr + V4_FLAGS_AT, 0, 2);
    front.ptr[V4_TTL_AT] = 0;
    memset(front.ptr + V4_CHECKSUM_AT, 0, 2);
    return v4_options_zero(span_of(front.ptr + IP_V4_HEADER, front.len - IP_V4_HEADER));
}

/* Hop-by-hop and destination options: the data of those that may change on the way. */
static enum err v6_options_zero(struct span options)
{
    size_t at = 0;
    while (at < options.len) {
        uint8_t type = options.ptr[at];
        if (type == V6_OPT_PAD1) {
            at++;
            continue;
        }
        if (at + 2 > options.len || at + 2 + options.ptr[at + 1] > options.len)
            return ERR_SYNTAX;
        size_t len = options.ptr[at + 1];
        if ((type & V6_OPT_MAY_CHANGE) != 0)
            memset(options.ptr + at + 2, 0, len);
        at += 2 + len;
    }
    return ERR_OK;
}

/* One extension header. Of a routing header the last hop knows what the first one computed: all
 * segments are behind it, and the destination is the last of them. */
static enum err v6_extension_zero(uint8_t type, struct span header)
{
    switch (type) {
    case V6_HOP_BY_HOP:
    case V6_DESTINATION:
        return v6_options_zero(span_of(header.ptr + 2, header.len - 2));
    case V6_ROUTING:
        return header.ptr[3] == 0 ? ERR_OK : ERR_SYNTAX;
    default:
        return ERR_SYNTAX;
    }
}

static enum err v6_zero(struct span front)
{
    if (front.len < IP_V6_HEADER)
        return ERR_SYNTAX;
    uint8_t type = front.ptr[V6_NEXT_AT];
    front.ptr[0] = 6 << 4;
    memset(front.ptr + 1, 0, 3);
    front.ptr[V6_HOPS_AT] = 0;
    for (size_t at = IP_V6_HEADER; at < front.len;) {
        if (front.len - at < 8)
            return ERR_SYNTAX;
        size_t len = (front.ptr[at + 1] + 1u) * 8;
        uint8_t next = front.ptr[at];
        if (len > front.len - at)
            return ERR_SYNTAX;
        enum err err = v6_extension_zero(type, span_of(front.ptr + at, len));
        if (err != ERR_OK)
            return err;
        type = next;
        at += len;
    }
    return ERR_OK;
}

enum err ah_mutable_zero(struct span front)
{
    if (front.len == 0)
        return ERR_SYNTAX;
    return front.ptr[0] >> 4 == IP_V4 ? v4_zero(front) : v6_zero(front);
}
