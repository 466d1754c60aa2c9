#include "wire/ike2.h"

#include "base/text.h"

enum {
    SELECTOR_HEADER_LEN = 8, /* up to the addresses */
    PORT_ANY_LAST = 65535,
    PROTO_ICMP = 1,
    PROTO_ICMPV6 = 58,
    PROTO_MH = 135,
};

static int addr_compare(const struct ip_addr *a, const struct ip_addr *b)
{
    return memcmp(a->octets, b->octets, sizeof(a->octets));
}

static bool same_family(const struct ike2_selector *a, const struct ike2_selector *b)
{
    return a->first.family == b->first.family;
}

/* Section 3.13.1: 65535 to 0 is OPAQUE, the one range that may run backwards. */
static bool ports_opaque(const struct ike2_selector *ts)
{
    return ts->port_first == PORT_ANY_LAST && ts->port_last == 0;
}

static bool selector_valid(const struct ike2_selector *ts)
{
    return addr_compare(&ts->first, &ts->last) <= 0 &&
           (ts->port_first <= ts->port_last || ports_opaque(ts));
}

/* One selector; *ret_known is false where the type is not one of ours. */
static enum err selector_parse(struct cursor *cur, struct ike2_selector *ret, bool *ret_known)
{
    uint8_t type = cursor_u8(cur);
    struct ike2_selector ts = {.protocol = cursor_u8(cur)};
    size_t len = cursor_u16(cur);
    if (cur->bad)
        return ERR_SHORT;
    if (len < 4)
        return ERR_SYNTAX;
    struct cursor body = cursor_sub(cur, len - 4);
    *ret_known = type == IKE2_TS_IPV4 || type == IKE2_TS_IPV6;
    if (body.bad)
        return ERR_SHORT;
    if (!*ret_known)
        return ERR_OK;
    size_t addr_len = type == IKE2_TS_IPV4 ? 4 : 16;
    ts.port_first = cursor_u16(&body);
    ts.port_last = cursor_u16(&body);
    ts.first = ip_addr_from(cursor_take(&body, addr_len));
    ts.last = ip_addr_from(cursor_take(&body, addr_len));
    if (!cursor_done(&body))
        return ERR_SYNTAX;
    if (!selector_valid(&ts))
        return ERR_VALUE;
    *ret = ts;
    return ERR_OK;
}

enum err ike2_selectors_parse(struct view body, struct ike2_selectors *ret)
{
    struct cursor cur = cursor_of(body);
    struct ike2_selectors all = {0};
    size_t count = cursor_u8(&cur);
    cursor_skip(&cur, 3);

    for (size_t i = 0; i < count; i++) {
        struct ike2_selector ts;
        bool known;
        enum err err = selector_parse(&cur, &ts, &known);
        if (err != ERR_OK)
            return err;
        if (known && all.count == LIMIT_IKE_SELECTORS)
            return ERR_LIMIT;
        if (known)
            all.list[all.count++] = ts;
        else
            all.skipped++;
    }
    if (cur.bad)
        return ERR_SHORT;
    if (!cursor_done(&cur))
        return ERR_TRAILING;
    *ret = all;
    return ERR_OK;
}

void ike2_selectors_build(struct builder *b, const struct ike2_selectors *ts)
{
    builder_u8(b, (uint8_t)ts->count);
    builder_fill(b, 0, 3);
    for (size_t i = 0; i < ts->count; i++) {
        const struct ike2_selector *one = &ts->list[i];
        struct view first = ip_addr_view(&one->first), last = ip_addr_view(&one->last);
        builder_u8(b, one->first.family == IP_V4 ? IKE2_TS_IPV4 : IKE2_TS_IPV6);
        builder_u8(b, one->protocol);
        builder_u16(b, (uint16_t)(SELECTOR_HEADER_LEN + first.len + last.len));
        builder_u16(b, one->port_first);
        builder_u16(b, one->port_last);
        builder_view(b, first);
        builder_view(b, last);
    }
}

/* Sets the bits of an address that lie below a prefix. */
static void fill_host_bits(struct ip_addr *addr, unsigned prefix_bits)
{
    size_t len = ip_addr_len(addr);
    for (size_t i = 0; i < len; i++) {
        unsigned above = prefix_bits > 8 * i ? prefix_bits - 8 * (unsigned)i : 0;
        if (above < 8)
            addr->octets[i] |= (uint8_t)(0xff >> above);
    }
}

struct ike2_selector ike2_selector_of_prefix(const struct ip_prefix *prefix)
{
    struct ike2_selector ts = {
        .port_last = PORT_ANY_LAST,
        .first = prefix->addr,
        .last = prefix->addr,
    };
    fill_host_bits(&ts.last, prefix->bits);
    return ts;
}

bool ike2_selector_to_prefix(const struct ike2_selector *ts, struct ip_prefix *ret)
{
    unsigned bits = 0, all = ip_addr_bits(&ts->first);
    while (bits < all &&
           ((ts->first.octets[bits / 8] ^ ts->last.octets[bits / 8]) & (0x80 >> bits % 8)) == 0)
        bits++;
    struct ip_addr last = ts->first;
    fill_host_bits(&last, bits);
    for (unsigned i = bits; i < all; i++)
        if (ts->first.octets[i / 8] & (0x80 >> i % 8))
            return false;
    if (!ip_addr_equal(&last, &ts->last))
        return false;
    *ret = (struct ip_prefix){.addr = ts->first, .bits = (uint8_t)bits};
    return true;
}

bool ike2_selector_equal(const struct ike2_selector *a, const struct ike2_selector *b)
{
    return a->protocol == b->protocol && a->port_first == b->port_first &&
           a->port_last == b->port_last && ip_addr_equal(&a->first, &b->first) &&
           ip_addr_equal(&a->last, &b->last);
}

static bool ports_any(const struct ike2_selector *ts)
{
    return ts->port_first == 0 && ts->port_last == PORT_ANY_LAST;
}

/* RFC 4301 section 4.4.1.1: ANY includes OPAQUE, a range of ports does not. */
static bool ports_intersect(const struct ike2_selector *a, const struct ike2_selector *b,
                            struct ike2_selector *ret)
{
    const struct ike2_selector *narrow = ports_any(a) ? b : a, *wide = ports_any(a) ? a : b;
    if (ports_any(wide) || (ports_opaque(narrow) && ports_opaque(wide))) {
        ret->port_first = narrow->port_first;
        ret->port_last = narrow->port_last;
        return true;
    }
    if (ports_opaque(narrow) || ports_opaque(wide))
        return false;
    ret->port_first = a->port_first > b->port_first ? a->port_first : b->port_first;
    ret->port_last = a->port_last < b->port_last ? a->port_last : b->port_last;
    return ret->port_first <= ret->port_last;
}

bool ike2_selector_intersect(const struct ike2_selector *a, const struct ike2_selector *b,
                             struct ike2_selector *ret)
{
    struct ike2_selector both = {.protocol = a->protocol != 0 ? a->protocol : b->protocol};
    if (!same_family(a, b) || (b->protocol != 0 && both.protocol != b->protocol))
        return false;
    if (!ports_intersect(a, b, &both))
        return false;
    both.first = addr_compare(&a->first, &b->first) > 0 ? a->first : b->first;
    both.last = addr_compare(&a->last, &b->last) < 0 ? a->last : b->last;
    if (addr_compare(&both.first, &both.last) > 0)
        return false;
    *ret = both;
    return true;
}

bool ike2_selector_contains(const struct ike2_selector *outer, const struct ike2_selector *inner)
{
    struct ike2_selector both;
    return ike2_selector_intersect(outer, inner, &both) && ike2_selector_equal(&both, inner);
}

static void format_ports(const struct ike2_selector *ts, char *ret)
{
    bool typed =
        ts->protocol == PROTO_ICMP || ts->protocol == PROTO_ICMPV6 || ts->protocol == PROTO_MH;
    if (ts->protocol != 0)
        text_add(ret, IKE2_SELECTOR_TEXT_MAX, " %u", ts->protocol);
    if (ports_any(ts))
        return;
    if (ports_opaque(ts))
        text_add(ret, IKE2_SELECTOR_TEXT_MAX, " opaque");
    else if (typed) /* type and code in the place of a port */
        text_add(ret, IKE2_SELECTOR_TEXT_MAX, " %u.%u-%u.%u", ts->port_first >> 8,
                 ts->port_first & 0xff, ts->port_last >> 8, ts->port_last & 0xff);
    else if (ts->port_first == ts->port_last)
        text_add(ret, IKE2_SELECTOR_TEXT_MAX, " %u", ts->port_first);
    else
        text_add(ret, IKE2_SELECTOR_TEXT_MAX, " %u-%u", ts->port_first, ts->port_last);
}

char *ike2_selector_format(const struct ike2_selector *ts, char *ret)
{
    char first[IP_PREFIX_TEXT_MAX], last[IP_ADDR_TEXT_MAX];
    struct ip_prefix prefix;
    if (ike2_selector_to_prefix(ts, &prefix))
        text_set(ret, IKE2_SELECTOR_TEXT_MAX, "%s", ip_prefix_format(&prefix, first));
    else
        text_set(ret, IKE2_SELECTOR_TEXT_MAX, "%s-%s", ip_addr_format(&ts->first, first),
                 ip_addr_format(&ts->last, last));
    format_ports(ts, ret);
    return ret;
}
